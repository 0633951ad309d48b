//! Why a connection ends.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal $name:literal,)+) => {
        /// Why a connection ends: the application's error code of QUIC (RFC 9000, section 20.2) and of WebTransport. Codes
        /// and names are a contract.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum CloseCode {
            $($(#[doc = $doc])+ $variant,)+
            /// A code this version does not know.
            Other(u32),
        }

        impl CloseCode {
            /// Every known code.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            pub fn code(self) -> u32 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// What a code means.
            pub fn from_code(code: u32) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    code => Self::Other(code),
                }
            }

            /// For logs and metrics, and the reason on the wire.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(_) => "other",
                }
            }
        }
    };
}

codes! {
    /// The sender has nothing more to say.
    Done = 0 "done",
    /// The hub stops; it will be back.
    HubStopping = 1 "hub-stopping",
    /// The token or pass is not known, or has ended: sign in again.
    Unauthenticated = 2 "unauthenticated",
    /// The token may not see this.
    Forbidden = 3 "forbidden",
    /// There is no such camera.
    UnknownCamera = 4 "unknown-camera",
    /// The camera was removed from the hub.
    CameraRemoved = 5 "camera-removed",
    /// The token was revoked, or its user removed.
    Revoked = 6 "revoked",
    /// Somebody who manages the hub ended this view.
    Disconnected = 7 "disconnected",
    /// No version in common.
    Version = 8 "version",
    /// A message that is not as this version has it, or on a stream it can't be on.
    Malformed = 9 "malformed",
    /// More messages than a viewer has use for.
    TooMany = 10 "too-many",
    /// The hello took too long.
    HelloTooSlow = 11 "hello-too-slow",
    /// The hub has as many viewers as it takes: try again later.
    Busy = 12 "busy",
    /// The viewer acknowledged nothing for too long.
    TooSlow = 13 "too-slow",
    /// The hub does not know yet who may: its database was not read since it started.
    NotReady = 14 "not-ready",
    /// The sender's own fault.
    Internal = 15 "internal",
}

impl CloseCode {
    /// Whether dialling again changes nothing until a person does something.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Unauthenticated
                | Self::Forbidden
                | Self::UnknownCamera
                | Self::CameraRemoved
                | Self::Revoked
                | Self::Disconnected
                | Self::Version
                | Self::Malformed
        )
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(code) => write!(f, "code {code}"),
            known => f.write_str(known.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_codes_are_a_contract() {
        let codes: Vec<_> = CloseCode::ALL.iter().map(|code| format!("{}={code}", code.code())).collect();
        assert_eq!(
            codes.join(" "),
            "0=done 1=hub-stopping 2=unauthenticated 3=forbidden 4=unknown-camera 5=camera-removed 6=revoked \
             7=disconnected 8=version 9=malformed 10=too-many 11=hello-too-slow 12=busy 13=too-slow 14=not-ready \
             15=internal"
        );
        for code in 0..=100 {
            assert_eq!(CloseCode::from_code(code).code(), code);
        }
    }
}
