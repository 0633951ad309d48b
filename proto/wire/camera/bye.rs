//! Why a session ends.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal $name:literal,)+) => {
        /// Why a session ends: one byte on the wire. Codes and names are a contract.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ByeReason {
            $($(#[doc = $doc])+ $variant,)+
            /// A code this version does not know.
            Other(u8),
        }

        impl ByeReason {
            /// Every known reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// The reason of a code.
            pub fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    code => Self::Other(code),
                }
            }

            /// For logs and metrics.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(_) => "other",
                }
            }
        }
    };
}

reasons! {
    /// The sender has nothing more to say.
    Done = 0 "done",
    /// The hub stops; it will be back.
    HubStopping = 1 "hub-stopping",
    /// A newer session of the same camera took over.
    Replaced = 2 "replaced",
    /// The camera's key was changed.
    KeyChanged = 3 "key-changed",
    /// The camera was removed from the hub.
    CameraRemoved = 4 "camera-removed",
    /// The hub knows no such camera.
    UnknownCamera = 5 "unknown-camera",
    /// The other side did not prove that it has the key.
    Unproven = 6 "unproven",
    /// No version in common.
    Version = 7 "version",
    /// A header or payload that is not as this version has it.
    Malformed = 8 "malformed",
    /// A type nobody knows, and its top bit is not set.
    UnknownType = 9 "unknown-type",
    /// A payload over its limit.
    TooLarge = 10 "too-large",
    /// A message was repeated, lost or reordered.
    OutOfSequence = 11 "out-of-sequence",
    /// A missing or wrong MAC.
    BadMac = 12 "bad-mac",
    /// Nothing came for too long.
    Idle = 13 "idle",
    /// A known type at the wrong time or in the wrong direction.
    Unexpected = 14 "unexpected",
    /// The handshake took too long.
    HandshakeTooSlow = 15 "handshake-too-slow",
    /// The hub has as many connections as it takes.
    Busy = 16 "busy",
    /// The camera restarts.
    Restarting = 17 "restarting",
    /// The sender's own fault.
    Internal = 18 "internal",
}

impl ByeReason {
    /// Whether dialling again soon is pointless: the camera waits a minute.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::KeyChanged | Self::CameraRemoved | Self::UnknownCamera | Self::Unproven | Self::Version)
    }
}

impl fmt::Display for ByeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(code) => write!(f, "reason {code}"),
            known => f.write_str(known.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_codes_are_a_contract() {
        let codes: Vec<_> = ByeReason::ALL.iter().map(|reason| format!("{}={reason}", reason.code())).collect();
        assert_eq!(
            codes.join(" "),
            "0=done 1=hub-stopping 2=replaced 3=key-changed 4=camera-removed 5=unknown-camera 6=unproven 7=version \
             8=malformed 9=unknown-type 10=too-large 11=out-of-sequence 12=bad-mac 13=idle 14=unexpected \
             15=handshake-too-slow 16=busy 17=restarting 18=internal"
        );
        for code in 0..=255 {
            assert_eq!(ByeReason::from_code(code).code(), code);
        }
    }
}
