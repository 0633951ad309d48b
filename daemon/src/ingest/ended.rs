//! How a session ends.

use std::io;

use larder_proto::wire::camera::{ByeReason, DecodeError, SessionError};
use thiserror::Error;

/// Why a session ended.
#[derive(Debug, Error)]
pub(super) enum Ended {
    /// The hub stops.
    #[error("the hub stops")]
    Stopping,
    /// Told so: replaced, its key changed, its camera removed, or disconnected by a person.
    #[error("the hub ended it: {0}")]
    Told(ByeReason),
    /// Nothing came for too long.
    #[error("nothing came for too long")]
    Idle,
    /// The camera closed the connection without a word.
    #[error("the camera closed the connection")]
    Closed,
    /// The same, in the middle of a message.
    #[error("the camera closed the connection in the middle of a message")]
    Cut,
    /// The camera said BYE.
    #[error("the camera said bye: {0}")]
    Bye(ByeReason),
    /// Reading failed.
    #[error("reading failed: {0}")]
    Read(io::Error),
    /// Writing failed or timed out.
    #[error("writing failed{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Write(Option<io::Error>),
    /// It asks more than it takes in, or answers no PING.
    #[error("it does not take in what is sent to it")]
    Deaf,
    /// It broke the protocol.
    #[error(transparent)]
    Protocol(#[from] SessionError),
    /// A board of another make sent what no board does.
    #[error("{0}")]
    Foreign(String),
}

impl Ended {
    /// The last word to the camera, if it can hear one.
    pub(super) fn bye(&self) -> Option<ByeReason> {
        match self {
            Self::Stopping => Some(ByeReason::HubStopping),
            Self::Told(reason) => Some(*reason),
            // Of the deaf one, no answer has come for too long.
            Self::Idle | Self::Deaf => Some(ByeReason::Idle),
            Self::Protocol(error) => Some(error.bye()),
            Self::Closed | Self::Cut | Self::Bye(_) | Self::Read(_) | Self::Write(_) | Self::Foreign(_) => None,
        }
    }

    /// The reason's name in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Cut => "cut",
            Self::Bye(_) => "bye",
            Self::Read(_) => "read-failed",
            Self::Write(_) => "write-failed",
            Self::Deaf => "deaf",
            Self::Foreign(_) => ByeReason::Malformed.name(),
            told => told.bye().map_or("other", ByeReason::name),
        }
    }
}

impl From<DecodeError> for Ended {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error.into())
    }
}
