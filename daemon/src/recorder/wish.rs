//! What is wanted of a camera's recording.

use std::time::Duration;

use larder_proto::wire::CameraId;

/// When a camera is recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Whenever it sends pictures.
    Continuous,
    /// Between a start and a stop by hand.
    Manual,
    /// Never.
    #[default]
    Off,
}

/// What is wanted of one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Which.
    pub camera: CameraId,
    /// As people call it.
    pub name: String,
    /// When it is recorded.
    pub mode: Mode,
    /// Older recordings are deleted.
    pub max_age: Option<Duration>,
    /// The oldest recordings beyond it are deleted.
    pub max_bytes: Option<u64>,
}

/// What a camera's task is told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub(super) mode: Mode,
    /// Started by hand; counts in manual mode alone.
    pub(super) started: bool,
    /// The task ends.
    pub(super) leave: bool,
}

impl Wish {
    pub(super) fn records(self) -> bool {
        !self.leave && self.is_wished()
    }

    /// Whether it would be recorded if the task did not end.
    pub(super) fn is_wished(self) -> bool {
        match self.mode {
            Mode::Continuous => true,
            Mode::Manual => self.started,
            Mode::Off => false,
        }
    }
}
