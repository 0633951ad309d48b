//! Whether a camera's pictures come.

use std::time::Duration;

use jiff::Timestamp;

/// The shortest silence that counts as stalled.
const SHORTEST_STALL: Duration = Duration::from_secs(5);

/// Whether frames come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// No session.
    Offline,
    /// A session, and frames.
    Online,
    /// A session, but no frame for [`stall_after`].
    Stalled,
}

impl Presence {
    /// For logs and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Stalled => "stalled",
        }
    }
}

/// A presence and when it began.
#[derive(Clone, Copy, Debug)]
pub struct PresenceState {
    /// Which.
    pub presence: Presence,
    /// Since when.
    pub since: Timestamp,
}

/// The silence that counts as stalled: five seconds or three frame intervals, the longer one.
pub(super) fn stall_after(interval: Duration) -> Duration {
    SHORTEST_STALL.max(interval * 3)
}
