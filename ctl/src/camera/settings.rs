//! A camera's settings on the command line.

use std::{str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use larder_proto::pb::{Camera, CaptureSettings, FrameSize, RecordingMode, RecordingSettings};

use super::SourceArgs;
use crate::units;

/// Settings of a camera; what is not given stays, or takes the hub's default.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// What people read; empty: its name
    #[arg(long)]
    pub title: Option<String>,
    /// Picture size: 640x480, or QVGA, VGA, SVGA, XGA, UXGA
    #[arg(long, value_parser = units::frame_size)]
    pub size: Option<FrameSize>,
    /// JPEG quality of the sensor, 4 (best) to 63
    #[arg(long)]
    pub quality: Option<u32>,
    /// Frames a second when something moves or someone looks, 1 to 30
    #[arg(long, value_name = "FPS")]
    pub fps: Option<u32>,
    /// Frames a second otherwise, 1 to 30
    #[arg(long, value_name = "FPS")]
    pub idle_fps: Option<u32>,
    /// When it is recorded
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Delete recordings older than this: 30d, 12h; `none`: no such limit
    #[arg(long, value_name = "AGE")]
    pub max_age: Option<Limit<Age>>,
    /// Delete the oldest recordings beyond this: 50GB, 1.5TiB; `none`: no such limit
    #[arg(long, value_name = "SIZE")]
    pub max_bytes: Option<Limit<Bytes>>,
    /// Where its pictures come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// When a camera is recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Mode {
    /// Whenever frames come
    Continuous,
    /// From `recording start` to `recording stop`
    Manual,
    /// Never
    Off,
}

impl From<Mode> for RecordingMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Continuous => Self::Continuous,
            Mode::Manual => Self::Manual,
            Mode::Off => Self::Off,
        }
    }
}

/// A limit, or `none`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit<T> {
    /// No such limit.
    None,
    /// This much.
    At(T),
}

impl<T> Limit<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::At(value) => Some(value),
        }
    }
}

impl<T: FromStr<Err = String>> FromStr for Limit<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::At) }
    }
}

/// How old.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Age(pub Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        units::duration(text).map(Self)
    }
}

/// How much.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        units::bytes(text).map(Self)
    }
}

impl Settings {
    /// Puts what was given into `camera`, and says which fields those are, as an update mask names them.
    #[must_use]
    pub fn apply(&self, camera: &mut Camera) -> Vec<String> {
        let mut paths = Vec::new();
        if let Some(title) = &self.title {
            camera.title.clone_from(title);
            paths.push("title".to_owned());
        }
        if let Some(source) = self.source.source() {
            camera.source = Some(source);
            paths.push("source".to_owned());
        }
        self.apply_capture(camera, &mut paths);
        self.apply_recording(camera, &mut paths);
        paths
    }

    fn apply_capture(&self, camera: &mut Camera, paths: &mut Vec<String>) {
        let mut capture = CaptureSettings::default();
        let before = paths.len();
        if self.size.is_some() {
            capture.size = self.size;
            paths.push("capture.size".to_owned());
        }
        let numbers = [
            ("capture.quality", self.quality, &mut capture.quality),
            ("capture.active_fps", self.fps, &mut capture.active_fps),
            ("capture.idle_fps", self.idle_fps, &mut capture.idle_fps),
        ];
        for (path, given, field) in numbers {
            if let Some(value) = given {
                *field = value;
                paths.push(path.to_owned());
            }
        }
        if paths.len() > before {
            camera.capture = Some(capture);
        }
    }

    fn apply_recording(&self, camera: &mut Camera, paths: &mut Vec<String>) {
        let mut recording = RecordingSettings::default();
        let before = paths.len();
        if let Some(mode) = self.mode {
            recording.set_mode(mode.into());
            paths.push("recording.mode".to_owned());
        }
        if let Some(limit) = self.max_age {
            recording.max_age = limit.value().map(|age| units::to_wire(age.0));
            paths.push("recording.max_age".to_owned());
        }
        if let Some(limit) = self.max_bytes {
            recording.max_bytes = limit.value().map(|bytes| bytes.0);
            paths.push("recording.max_bytes".to_owned());
        }
        if paths.len() > before {
            camera.recording = Some(recording);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn applied(line: &[&str]) -> (Camera, Vec<String>) {
        let parsed = Line::try_parse_from([&["x"], line].concat()).expect("parsed");
        let mut camera = Camera::default();
        let paths = parsed.settings.apply(&mut camera);
        (camera, paths)
    }

    #[test]
    fn the_mask_names_what_was_given_and_nothing_else() {
        let (camera, paths) = applied(&["--size", "svga", "--fps", "5", "--mode", "manual", "--max-age", "30d"]);
        assert_eq!(paths, ["capture.size", "capture.active_fps", "recording.mode", "recording.max_age"]);
        let capture = camera.capture.expect("capture");
        assert_eq!((capture.size, capture.active_fps), (Some(FrameSize { width: 800, height: 600 }), 5));
        let recording = camera.recording.expect("recording");
        assert_eq!(recording.mode(), RecordingMode::Manual);
        assert_eq!(recording.max_age.map(|age| age.seconds), Some(2_592_000));
    }

    #[test]
    fn none_takes_a_limit_away() {
        let (camera, paths) = applied(&["--max-age", "none", "--max-bytes", "none"]);
        assert_eq!(paths, ["recording.max_age", "recording.max_bytes"]);
        let recording = camera.recording.expect("recording");
        assert_eq!((recording.max_age, recording.max_bytes), (None, None));
    }

    #[test]
    fn nothing_given_changes_nothing() {
        assert_eq!(applied(&[]), (Camera::default(), Vec::new()));
    }
}
