//! Recordings: the nouns and their rules.
//!
//! A **run** is uninterrupted recording with one init section; a **segment** is one file of about a minute and one
//! row; a **fragment** is what HLS plays, a byte range of a segment. A **gap** is a time without recording, with its
//! reason.

mod adopting;
mod ask;
mod dated;
mod deletion;
mod index;
mod messages;
mod service;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
mod verification;

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use larder_proto::wire::CameraId;
use uuid::Uuid;

pub use adopting::{Adopted, Adopting, Found, FoundCamera};
pub use dated::Dated;
pub use deletion::{Deleting, Deletion};
pub use index::{Fragment, FragmentIndex, IndexError};
pub use service::{Commands, Parts, Service};
pub use store::{
    Damage, Deletable, Elsewhere, Extent, Future, Ordinals, PinError, Place, Played, Position, Recorded, RemovedRun,
    RunSummary, Stamp, Store, StoredSegment,
};
pub use timeline::{Stretch, Timeline};
pub use verification::Verified;

/// The longest range of one playlist, and of a play URL: a day, and the hour that a change of zone adds to it.
pub const LONGEST_PLAYLIST: SignedDuration = SignedDuration::from_hours(25);

/// Which run: a UUID version 7, so that ids sort by the time of their making.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RunId(pub Uuid);

/// Why a run ended. The names are kept in rows and in `run.json`: a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the kept name says it")]
pub enum EndReason {
    Stopped,
    CameraOffline,
    Stalled,
    SizeChanged,
    ClockStepped,
    Midnight,
    HubStopped,
    HubDown,
    EncoderFailed,
    DiskFull,
    DiskFailed,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Stopped,
        Self::CameraOffline,
        Self::Stalled,
        Self::SizeChanged,
        Self::ClockStepped,
        Self::Midnight,
        Self::HubStopped,
        Self::HubDown,
        Self::EncoderFailed,
        Self::DiskFull,
        Self::DiskFailed,
    ];

    /// The kept name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::CameraOffline => "camera_offline",
            Self::Stalled => "stalled",
            Self::SizeChanged => "size_changed",
            Self::ClockStepped => "clock_stepped",
            Self::Midnight => "midnight",
            Self::HubStopped => "hub_stopped",
            Self::HubDown => "hub_down",
            Self::EncoderFailed => "encoder_failed",
            Self::DiskFull => "disk_full",
            Self::DiskFailed => "disk_failed",
        }
    }

    /// The reason with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The reason of the gap that follows a run which ended so. `None` when the next run follows at once; behind a step of
    /// the clock it does, too, and the gap is what the clock left out.
    pub fn gap(self) -> Option<GapReason> {
        match self {
            Self::Stopped => Some(GapReason::NotScheduled),
            Self::CameraOffline => Some(GapReason::CameraOffline),
            Self::Stalled => Some(GapReason::Stalled),
            Self::HubStopped | Self::HubDown => Some(GapReason::HubDown),
            Self::EncoderFailed => Some(GapReason::EncoderFailed),
            Self::DiskFull => Some(GapReason::DiskFull),
            Self::DiskFailed => Some(GapReason::DiskFailed),
            Self::ClockStepped => Some(GapReason::ClockStepped),
            Self::SizeChanged | Self::Midnight => None,
        }
    }
}

/// Why nothing was recorded. The names are kept in rows: a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the kept name says it")]
pub enum GapReason {
    CameraOffline,
    Stalled,
    DiskFull,
    DiskFailed,
    EncoderFailed,
    HubDown,
    NotScheduled,
    Deleted,
    ClockStepped,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::CameraOffline,
        Self::Stalled,
        Self::DiskFull,
        Self::DiskFailed,
        Self::EncoderFailed,
        Self::HubDown,
        Self::NotScheduled,
        Self::Deleted,
        Self::ClockStepped,
    ];

    /// The kept name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CameraOffline => "camera_offline",
            Self::Stalled => "stalled",
            Self::DiskFull => "disk_full",
            Self::DiskFailed => "disk_failed",
            Self::EncoderFailed => "encoder_failed",
            Self::HubDown => "hub_down",
            Self::NotScheduled => "not_scheduled",
            Self::Deleted => "deleted",
            Self::ClockStepped => "clock_stepped",
        }
    }

    /// The reason with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// Whose.
    pub camera: CameraId,
    /// The camera's count of runs, from 0: HLS's discontinuity sequence.
    pub ordinal: i64,
    /// The camera's count of fragments before this run: HLS's media sequence of its first fragment.
    pub first_sequence: i64,
    /// Capture time of the first frame; media time 0 of the run.
    pub started_at: Timestamp,
    /// End of the last fragment; absent while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Pixels.
    pub size: (u16, u16),
    /// RFC 6381, for example `avc1.42C01E`.
    pub codec: String,
    /// How far its times are to be believed.
    pub dated: Dated,
}

impl Run {
    /// The run's folder below the recordings root: `<camera UUID>/<UTC day of the start>/<run UUID>`.
    pub fn folder(&self) -> String {
        run_folder(self.camera, self.dated.named(self.started_at), self.id)
    }
}

/// A run's folder below the recordings root, by the start that it is named by.
fn run_folder(camera: CameraId, started_at: Timestamp, run: RunId) -> String {
    format!("{camera}/{}/{}", started_at.strftime("%Y-%m-%d"), run.0)
}

/// One file of a run and its fragments.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Of which run.
    pub run: RunId,
    /// Whose.
    pub camera: CameraId,
    /// Media sequence of its first fragment.
    pub first_sequence: i64,
    /// Start of its first fragment; names the file, in microseconds since 1970, unless its run was dated anew
    /// ([`Dated::file_name`]).
    pub started_at: Timestamp,
    /// Its fragments, in order.
    pub fragments: FragmentIndex,
    /// Whether it is complete.
    pub closed: bool,
}

impl Segment {
    /// The file below the run's folder, while its run has the times that it was made with.
    pub fn file_name(&self) -> String {
        Dated::default().file_name(self.started_at)
    }

    /// End of its last fragment.
    pub fn ended_at(&self) -> Timestamp {
        self.fragments.end().map_or(self.started_at, |end| self.started_at + end)
    }
}

/// A time without recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Whose.
    pub camera: CameraId,
    /// From.
    pub started_at: Timestamp,
    /// To; absent while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub reason: GapReason,
}

/// A range that retention leaves alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub camera: CameraId,
    /// From and to.
    pub range: Range<Timestamp>,
    /// Why, in the words of whoever pinned it.
    pub note: String,
    /// When.
    pub created_at: Timestamp,
}
