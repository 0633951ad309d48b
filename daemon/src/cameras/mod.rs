//! Cameras: what they are and what is wanted of them.

mod directory;
mod firmware;
mod parse;
mod service;
mod source;
mod status;
mod store;
mod watch;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use directory::Directory;
pub use service::{Parts, Service};
pub use source::{PullUrl, Source};
pub use store::Store;

use crate::{
    db, named,
    outcome::{Kind, Refusal},
    secrets,
};

/// The largest picture an OV2640 makes: UXGA.
const LARGEST: (u16, u16) = (1600, 1200);
/// Kept well above what anybody wants to look at, so that nothing is sized by a peer.
const SMALLEST: u16 = 16;

/// A camera's 32-byte pre-shared key. Shows nothing when printed.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize)]
pub struct Key(pub [u8; secrets::KEY_LEN]);

impl Key {
    /// 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Key {
    /// The path by which a board that pushes its pictures is known, made of the key: 32 hexadecimal digits.
    pub fn websocket_path(self, camera: CameraId) -> String {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.0);
        let tag = ring::hmac::sign(&key, &[&b"WS"[..], camera.0.as_bytes()].concat());
        let digits: String = tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("/{digits}")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// A camera in a fridge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// Never changes.
    pub id: CameraId,
    /// Unique: 1 to 32 of a-z, 0-9 and `-`, beginning with a letter.
    pub name: String,
    /// What people read; may be empty.
    pub title: String,
    /// Where its pictures come from.
    pub source: Source,
    /// What it is asked to capture.
    pub capture: Capture,
    /// Whether and how it is recorded.
    pub recording: Recording,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What a camera is asked to capture.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    /// Pixels, a multiple of 8.
    pub width: u16,
    /// Pixels, a multiple of 8.
    pub height: u16,
    /// The OV2640's scale: 4 is best, 63 worst.
    pub quality: u8,
    /// Frames a second when something moves or someone looks.
    pub active_fps: u8,
    /// Frames a second otherwise.
    pub idle_fps: u8,
}

impl Default for Capture {
    fn default() -> Self {
        Self { width: 640, height: 480, quality: 12, active_fps: 10, idle_fps: 10 }
    }
}

impl Capture {
    /// The longest interval between frames that these settings ask for.
    pub fn longest_interval(&self) -> Duration {
        Duration::from_secs(1) / u32::from(self.active_fps.min(self.idle_fps).max(1))
    }
}

/// When a camera is recorded. The names are kept in rows: a contract.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum Mode {
    /// Whenever frames come.
    #[default]
    Continuous,
    /// From start to stop.
    Manual,
    /// Never.
    Off,
}

impl Mode {
    /// The kept name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continuous => "continuous",
            Self::Manual => "manual",
            Self::Off => "off",
        }
    }

    /// The mode with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Continuous, Self::Manual, Self::Off].into_iter().find(|mode| mode.name() == name)
    }
}

/// Whether and how a camera is recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// When.
    pub mode: Mode,
    /// Older recordings are deleted.
    pub max_age: Option<Duration>,
    /// The oldest recordings are deleted beyond this.
    pub max_bytes: Option<u64>,
}

/// What is wrong with a field: its path and why.
pub type FieldError = (String, String);

/// Checks what the types cannot, naming each wrong field.
pub fn check(camera: &Camera) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut say = |path: &str, why: String| wrong.push((format!("camera.{path}"), why));
    if let Some(why) = named::complaint(&camera.name) {
        say("name", why);
    }
    if camera.title.chars().count() > 64 {
        say("title", "is longer than 64 characters".to_owned());
    }
    if let Source::WebSocket(addresses) = &camera.source
        && addresses.len() > source::MOST_ADDRESSES
    {
        let why = format!("are more than {}: a board has one, or give it its secret path", source::MOST_ADDRESSES);
        say("source.websocket.addresses", why);
    }
    let capture = &camera.capture;
    for (field, value, largest) in [("width", capture.width, LARGEST.0), ("height", capture.height, LARGEST.1)] {
        if !(SMALLEST..=largest).contains(&value) || value % 8 != 0 {
            say(
                &format!("capture.size.{field}"),
                format!("{value} is not a multiple of 8 from {SMALLEST} to {largest}"),
            );
        }
    }
    if !(4..=63).contains(&capture.quality) {
        say("capture.quality", format!("{} is not from 4 to 63", capture.quality));
    }
    for (field, fps) in [("active_fps", capture.active_fps), ("idle_fps", capture.idle_fps)] {
        if !(1..=30).contains(&fps) {
            say(&format!("capture.{field}"), format!("{fps} is not from 1 to 30"));
        }
    }
    if camera.recording.max_age.is_some_and(|age| age < Duration::from_secs(3600)) {
        say("recording.max_age", "is shorter than an hour".to_owned());
    }
    if camera.recording.max_bytes.is_some_and(|bytes| bytes < 10_000_000) {
        say("recording.max_bytes", "is less than 10 MB".to_owned());
    }
    wrong
}

/// Why something about a camera can't be done.
#[derive(Debug, Error)]
pub enum Error {
    /// No camera has that id or name.
    #[error("no such camera {0:?}")]
    NotFound(String),
    /// Another camera has that name.
    #[error("there is a camera {0:?} already")]
    NameTaken(String),
    /// Fields are wrong.
    #[error("the request is wrong")]
    Fields(Vec<FieldError>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// A key can't be made or sealed.
    #[error(transparent)]
    Secret(#[from] secrets::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Self::new(Kind::NotFound, error.to_string()),
            Error::NameTaken(_) => Self::new(Kind::AlreadyExists, error.to_string()),
            Error::Fields(fields) => Self::fields(fields),
            Error::Database(error) => error.into(),
            Error::Secret(error) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        Camera {
            id: CameraId::random(),
            name: "fridge".to_owned(),
            title: String::new(),
            source: Source::default(),
            capture: Capture::default(),
            recording: Recording::default(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn defaults_pass() {
        assert_eq!(check(&camera()), []);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let mut wrong = camera();
        wrong.name = "Fridge".to_owned();
        wrong.title = "x".repeat(65);
        wrong.capture = Capture { width: 641, height: 1208, quality: 3, active_fps: 0, idle_fps: 31 };
        wrong.recording = Recording { mode: Mode::Off, max_age: Some(Duration::from_secs(1)), max_bytes: Some(1) };
        let paths: Vec<String> = check(&wrong).into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "camera.name",
                "camera.title",
                "camera.capture.size.width",
                "camera.capture.size.height",
                "camera.capture.quality",
                "camera.capture.active_fps",
                "camera.capture.idle_fps",
                "camera.recording.max_age",
                "camera.recording.max_bytes",
            ]
        );
    }
}
