//! A camera that is a program: it speaks the real camera link, and nothing of the hub knows the difference.
//!
//! [`run`] is a whole camera: it dials, proves its key, sends pictures of a [`Source`] and telemetry, obeys commands, and
//! dials again when the link is lost, with [`Faults`] on request. [`Link`] alone is for whoever wants to decide each
//! message and each capture time. [`Scene`] draws the fridge, and [`jpeg`] writes it in the OV2640's shape.
//!
//! ```text
//! scene | folder | video ──▶ pictures (a thread) ──▶ session ──▶ link ──TCP──▶ hub
//!                                                      ▲ faults, vitals
//! ```

mod args;
mod backoff;
mod camera;
mod climate;
mod command;
mod faults;
mod folder;
pub mod jpeg;
mod link;
mod pictures;
mod scene;
mod session;
#[cfg(test)]
mod tests;
mod thermometer;
mod video;
mod vitals;

use std::{fmt, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use larder_proto::wire::{
    CameraId,
    camera::{AckResult, KEY_LEN, Size},
};

pub use args::{FaultArgs, KeyArgs, SimulateArgs, key_from_hex, starts};
pub(crate) use args::{stall, with_port};
pub use camera::run;
pub use climate::Climate;
pub use command::execute;
pub(crate) use command::look_up;
pub use faults::{ClockStep, Faults, Stall};
pub use link::{Dial, Link, LinkError};
pub use pictures::SourceError;
pub(crate) use scene::Dice;
pub use scene::{Scene, View};
pub(crate) use thermometer::open as datagram_socket;

use camera::Camera;

/// What the camera looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// The drawn fridge.
    Scene,
    /// The JPEG files of a folder, as they are, in the order of their names, over and over.
    Folder(PathBuf),
    /// A video file, decoded by ffmpeg, over and over.
    Video(PathBuf),
}

impl Source {
    /// Whether it can be had in any size.
    fn is_scalable(&self) -> bool {
        !matches!(self, Self::Folder(_))
    }
}

/// A simulated camera.
#[derive(Clone)]
pub struct Options {
    /// Host and port of the hub's camera link.
    pub hub: String,
    /// Which camera it is.
    pub camera: CameraId,
    /// Its key.
    pub key: [u8; KEY_LEN],
    /// What it looks at.
    pub source: Source,
    /// The pictures' size, whatever the hub wants. `None`: as the hub wants.
    pub size: Option<Size>,
    /// Pictures a second, whatever the hub wants, 1 to 60.
    pub fps: Option<u8>,
    /// The quality, whatever the hub wants.
    pub quality: Option<jpeg::Quality>,
    /// How often telemetry is sent, whatever the hub wants.
    pub telemetry: Option<Duration>,
    /// Where readings go as datagrams, host and port. `None`: they come in telemetry alone.
    pub readings: Option<String>,
    /// Counts its starts; must be higher than at any time before, as a real board's is.
    pub boot: u32,
    /// What goes wrong.
    pub faults: Faults,
    /// Ends after so many pictures.
    pub frames: Option<u64>,
    /// Ends after so long.
    pub duration: Option<Duration>,
    /// Whether it dials again when the link is lost.
    pub reconnect: bool,
    /// Decides noise, faults, jitter, and when the door opens.
    pub seed: u64,
    /// The time zone of the clock in the picture.
    pub zone: TimeZone,
}

impl Options {
    /// A camera that shows the drawn fridge as the hub wants it, until it is stopped.
    pub fn new(hub: impl Into<String>, camera: CameraId, key: [u8; KEY_LEN]) -> Self {
        Self {
            hub: hub.into(),
            camera,
            key,
            source: Source::Scene,
            size: None,
            fps: None,
            quality: None,
            telemetry: None,
            readings: None,
            boot: 1,
            faults: Faults::default(),
            frames: None,
            duration: None,
            reconnect: true,
            seed: 0,
            zone: TimeZone::UTC,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("hub", &self.hub)
            .field("camera", &self.camera)
            .field("source", &self.source)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// What happens, as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A session stands.
    Connected {
        /// The hub's address as it was dialled.
        hub: String,
        /// What the hub wants.
        size: Size,
        /// Pictures a second.
        fps: u8,
    },
    /// One more picture was sent; the sums since the start.
    Sent {
        /// Pictures.
        frames: u64,
        /// Bytes of JPEG.
        bytes: u64,
    },
    /// The hub gave a command.
    Commanded {
        /// Which.
        command: String,
        /// What became of it.
        result: AckResult,
    },
    /// The session ended.
    Disconnected {
        /// Why.
        reason: String,
        /// When the camera dials again.
        retry_in: Duration,
    },
}

/// What a simulated camera has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Pictures sent whole, damaged ones included.
    pub frames: u64,
    /// Pictures damaged on purpose.
    pub damaged: u64,
    /// Pictures that could not be taken or sent in time.
    pub dropped: u64,
    /// Bytes of JPEG.
    pub bytes: u64,
    /// Sessions that stood.
    pub sessions: u64,
}

/// Why a simulated camera gives up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to show.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The hub refused the camera at its first try, or was lost and dialling again is not wanted.
    #[error(transparent)]
    Link(#[from] LinkError),
}
