//! What can go wrong, what to do about it, and the exit code.

use std::{error::Error, io};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::dial::DialError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was typed makes no sense. Exit code 2, as clap's own.
    #[error("{0}")]
    Usage(String),
    /// The hub could not be reached. Exit code 3, or 4 when the socket is closed to this user.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke during a call. Exit code 3.
    #[error("lost the connection to the hub")]
    Lost(#[source] Box<dyn Error + Send + Sync>),
    /// The hub refused. Exit code 4 for a missing permission, else 1.
    #[error("{}", refused(.0))]
    Refused(Box<Status>),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Writing to the terminal or the pipe failed.
    #[error("cannot write the answer: {0}")]
    Output(#[source] io::Error),
    /// Anything else; the sentence says what.
    #[error("{0}")]
    Other(String),
    /// The status was told, and a part of the hub is not ready. Exit code 5.
    #[error("the hub is not ready")]
    NotReady,
    /// Stopped by a second signal, or too slow after the first.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// 1 failure, 2 usage, 3 not reachable, 4 no permission, 5 a part is not ready, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Dial(DialError::Denied { .. }) => 4,
            Self::Dial(_) | Self::Lost(_) => 3,
            Self::Refused(status) => match status.code() {
                Code::Unauthenticated | Code::PermissionDenied => 4,
                _ => 1,
            },
            Self::File { .. } | Self::Output(_) | Self::Other(_) => 1,
            Self::NotReady => 5,
            Self::Interrupted => 130,
        }
    }

    /// Whether the answer has said it already.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::NotReady)
    }

    /// The reader of a pipe went away, as `head` does: no failure of ours.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message, its causes, and what to do about it.
    pub fn explain(&self) -> String {
        let mut text = self.to_string();
        if let Self::Lost(cause) = self {
            text = format!("{text}: {}", deepest(cause.as_ref()));
        }
        if let Some(hint) = self.hint() {
            text.push_str("\n  ");
            text.push_str(&hint);
        }
        text
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Dial(error) => error.hint(),
            Self::Lost(_) => Some("see whether it still runs: larderctl status".to_owned()),
            Self::Refused(status) => hint_of(status).map(str::to_owned),
            _ => None,
        }
    }

    /// A file could not be read or written.
    pub fn file(path: impl AsRef<std::path::Path>, source: io::Error) -> Self {
        Self::File { path: path.as_ref().display().to_string(), source }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let transport = {
            let mut cause = status.source();
            let mut found = false;
            while let Some(error) = cause {
                found |= error.is::<tonic::transport::Error>() || error.is::<io::Error>();
                cause = error.source();
            }
            found
        };
        if transport { Self::Lost(Box::new(status)) } else { Self::Refused(Box::new(status)) }
    }
}

/// The refusal as one sentence. Field errors are listed, one a line, when there are several.
fn refused(status: &Status) -> String {
    let fields = status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
    match fields.as_slice() {
        [] if status.message().is_empty() => {
            format!("the hub answered {}", status.code().description().to_lowercase())
        }
        [] => status.message().to_owned(),
        [one] => format!("{}: {}", one.field, one.description),
        several => {
            let lines = several.iter().map(|field| format!("\n  {}: {}", field.field, field.description));
            format!("the hub refused {} fields{}", several.len(), lines.collect::<String>())
        }
    }
}

fn hint_of(status: &Status) -> Option<&'static str> {
    match status.code() {
        Code::Unauthenticated => Some("sign in with `larderctl login`, or pass --token or LARDER_TOKEN"),
        Code::PermissionDenied => {
            Some("the role of your token or user is too low for this: ask an admin for a higher one")
        }
        Code::Unimplemented => Some("the hub may be older than this larderctl: compare `larderctl version`"),
        Code::Unavailable => Some("the hub runs, but a part of it does not: see `larderctl status`"),
        Code::Internal => Some("the cause is in the hub's log"),
        _ => None,
    }
}

fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn exit_codes_are_a_contract() {
        let refused = |code| Failure::from(Status::new(code, "no")).exit_code();
        assert_eq!(Failure::Usage("x".into()).exit_code(), 2);
        assert_eq!(Failure::Dial(DialError::NotRunning { tried: vec!["var".into()] }).exit_code(), 3);
        assert_eq!(Failure::Dial(DialError::Denied { path: "var".into() }).exit_code(), 4);
        assert_eq!(refused(Code::PermissionDenied), 4);
        assert_eq!(refused(Code::Unauthenticated), 4);
        assert_eq!(refused(Code::NotFound), 1);
        assert_eq!(Failure::NotReady.exit_code(), 5);
        assert_eq!(Failure::Interrupted.exit_code(), 130);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("camera.name", "is empty");
        details.add_bad_request_violation("camera.capture.quality", "99 is not between 4 and 63");
        let status = Status::with_error_details(Code::InvalidArgument, "long", details);
        insta::assert_snapshot!(Failure::from(status).explain(), @r"
        the hub refused 2 fields
          camera.name: is empty
          camera.capture.quality: 99 is not between 4 and 63
        ");
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        insta::assert_snapshot!(Failure::from(Status::unauthenticated("no credentials")).explain(), @r"
        no credentials
          sign in with `larderctl login`, or pass --token or LARDER_TOKEN
        ");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert!(Failure::Output(io::ErrorKind::BrokenPipe.into()).is_closed_pipe());
        assert!(!Failure::Output(io::ErrorKind::StorageFull.into()).is_closed_pipe());
    }
}
