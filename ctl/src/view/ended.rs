//! Why a connection ended, and whether dialling again helps.

use larder_proto::wire::relay::CloseCode;
use quinn::{ConnectionError, TransportErrorCode};
use tonic::Status;

use crate::{Failure, dial::DialError};

/// TLS alerts (RFC 8446, section 6), as QUIC carries them.
const BAD_CERTIFICATE: u8 = 42;
const CERTIFICATE_EXPIRED: u8 = 45;
const CERTIFICATE_UNKNOWN: u8 = 46;
const UNKNOWN_CA: u8 = 48;
/// A signature that is not by the key of the authority it names.
const DECRYPT_ERROR: u8 = 51;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// How a connection, or the attempt at one, ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Only a person can change it.
    Refused(Failure),
    /// It may go next time; the sentence says what happened.
    Lost(String),
}

impl Ended {
    /// What a closed connection means. `address`: whom it was with; `camera`: what was asked for.
    pub(crate) fn of(error: &ConnectionError, address: &str, camera: &str) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let code = u32::try_from(close.error_code.into_inner()).unwrap_or(u32::MAX);
                Self::closed(CloseCode::from_code(code), camera)
            }
            ConnectionError::TransportError(error) => Self::transport(error.code, &error.to_string(), address),
            ConnectionError::ConnectionClosed(close) => Self::Lost(format!("{address} closed the connection: {close}")),
            ConnectionError::TimedOut => Self::Lost(format!("no answer from {address} (UDP)")),
            ConnectionError::Reset => Self::Lost("the hub started anew".to_owned()),
            ConnectionError::VersionMismatch => Self::Lost(format!("{address} speaks another version of QUIC")),
            ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => Self::Lost(error.to_string()),
        }
    }

    fn closed(code: CloseCode, camera: &str) -> Self {
        let refused = |status: Status| Self::Refused(Failure::Refused(Box::new(status)));
        match code {
            CloseCode::Unauthenticated => {
                refused(Status::unauthenticated("the hub does not know this token, or it has ended"))
            }
            CloseCode::Revoked => refused(Status::unauthenticated("the token was revoked")),
            CloseCode::Forbidden => refused(Status::permission_denied(format!("this token may not see \"{camera}\""))),
            CloseCode::UnknownCamera => {
                refused(Status::not_found(format!("no such camera \"{camera}\" (`larderctl camera list` names them)")))
            }
            CloseCode::CameraRemoved => refused(Status::not_found(format!("the camera \"{camera}\" was removed"))),
            CloseCode::Disconnected => Self::Refused(Failure::Other("an admin of the hub ended this view".to_owned())),
            CloseCode::Version => {
                refused(Status::unimplemented("the hub speaks no version of larder/1 that this program does"))
            }
            CloseCode::Malformed => refused(Status::unimplemented("the hub could not read what this program said")),
            CloseCode::Done | CloseCode::HubStopping => Self::Lost("the hub stops".to_owned()),
            CloseCode::Busy => Self::Lost("the hub has as many viewers as it takes".to_owned()),
            CloseCode::NotReady => Self::Lost("the hub is not ready yet".to_owned()),
            CloseCode::TooSlow => Self::Lost("the line carried nothing for too long".to_owned()),
            CloseCode::TooMany | CloseCode::HelloTooSlow | CloseCode::Internal | CloseCode::Other(_) => {
                Self::Lost(format!("the hub ended the connection ({code})"))
            }
        }
    }

    fn transport(code: TransportErrorCode, error: &str, address: &str) -> Self {
        let is = |alert| code == TransportErrorCode::crypto(alert);
        let address = address.to_owned();
        if is(UNKNOWN_CA) || is(DECRYPT_ERROR) {
            return Self::Refused(DialError::WrongAuthority { address }.into());
        }
        // rustls says which in words alone.
        if (is(BAD_CERTIFICATE) || is(CERTIFICATE_UNKNOWN)) && error.contains("not valid for name") {
            return Self::Refused(DialError::WrongName { address }.into());
        }
        if is(BAD_CERTIFICATE) || is(CERTIFICATE_UNKNOWN) || is(CERTIFICATE_EXPIRED) {
            return Self::Refused(Failure::Other(format!(
                "{address} shows a certificate that cannot be trusted: {error}"
            )));
        }
        if is(NO_APPLICATION_PROTOCOL) {
            return Self::Refused(Status::unimplemented(format!("{address} does not speak larder/1")).into());
        }
        Self::Lost(format!("{address}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use quinn::{ApplicationClose, VarInt};

    use super::*;

    fn closed(code: CloseCode) -> Ended {
        let close = ApplicationClose { error_code: VarInt::from_u32(code.code()), reason: bytes::Bytes::new() };
        Ended::of(&ConnectionError::ApplicationClosed(close), "pi.local:7443", "fridge")
    }

    #[test]
    fn what_the_hub_refuses_is_not_asked_again_and_all_else_is() {
        for code in CloseCode::ALL {
            assert_eq!(matches!(closed(*code), Ended::Refused(_)), code.is_refusal(), "{code}");
        }
        assert!(matches!(closed(CloseCode::Other(99)), Ended::Lost(_)));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let told = |code| match closed(code) {
            Ended::Refused(failure) => (failure.explain(), failure.exit_code()),
            Ended::Lost(why) => panic!("{why}"),
        };
        insta::assert_snapshot!(told(CloseCode::Unauthenticated).0, @r"
        the hub does not know this token, or it has ended
          sign in with `larderctl login`, or pass --token or LARDER_TOKEN
        ");
        assert_eq!(told(CloseCode::Unauthenticated).1, 4);
        insta::assert_snapshot!(told(CloseCode::UnknownCamera).0, @r#"no such camera "fridge" (`larderctl camera list` names them)"#);
        insta::assert_snapshot!(told(CloseCode::Version).0, @r"
        the hub speaks no version of larder/1 that this program does
          the hub may be older than this larderctl: compare `larderctl version`
        ");
    }
}
