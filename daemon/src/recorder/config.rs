//! What can be set about recording.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

/// Key frames come every two seconds; CRF outside this is either lossless or mud.
const CRF: std::ops::RangeInclusive<u8> = 10..=45;
/// A year.
const MOST_KEEP_HOURS: u32 = 8784;

/// The table `[recordings]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where recordings are kept; absent: `recordings` in the state folder.
    pub folder: Option<PathBuf>,
    /// The ffmpeg to run; a name without `/` is looked for in PATH.
    pub ffmpeg: PathBuf,
    /// Which H.264 encoder.
    pub encoder: Encoder,
    /// Speed against size, as libx264 names it.
    pub preset: Preset,
    /// Constant rate factor of libx264, 10 to 45: higher is smaller. On a sensor's noise 28 makes a third of the JPEGs.
    pub crf: u8,
    /// Kilobits a second for encoders without a rate factor (h264_v4l2m2m).
    pub kilobits_per_second: u32,
    /// MiB that stay free on the recordings' file system: older recordings go first, then recording stops.
    pub free_mib: u64,
    /// Hours of each camera that are not deleted to make room: its newest. All cameras together keep no more by it than
    /// half of what fits on the disk. Limits of age and size, and people, delete them all the same.
    pub keep_hours: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: None,
            ffmpeg: PathBuf::from("ffmpeg"),
            encoder: Encoder::Libx264,
            preset: Preset::Ultrafast,
            crf: 28,
            kilobits_per_second: 1500,
            free_mib: 1024,
            keep_hours: 24,
        }
    }
}

impl Config {
    /// What is wrong with it, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if !CRF.contains(&self.crf) {
            complaints.push(format!("recordings.crf is {}, must be {} to {}", self.crf, CRF.start(), CRF.end()));
        }
        if !(100..=50_000).contains(&self.kilobits_per_second) {
            let set = self.kilobits_per_second;
            complaints.push(format!("recordings.kilobits_per_second is {set}, must be 100 to 50000"));
        }
        if self.keep_hours > MOST_KEEP_HOURS {
            complaints.push(format!("recordings.keep_hours is {}, must be 0 to {MOST_KEEP_HOURS}", self.keep_hours));
        }
        if self.ffmpeg.as_os_str().is_empty() {
            complaints.push("recordings.ffmpeg is empty".to_owned());
        }
        if self.folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            complaints.push("recordings.folder must be an absolute path".to_owned());
        }
        complaints
    }

    /// Bytes that stay free.
    pub fn floor_bytes(&self) -> u64 {
        self.free_mib.saturating_mul(1 << 20)
    }

    /// How much of each camera's newest time is not deleted to make room.
    pub fn keep(&self) -> Duration {
        Duration::from_hours(self.keep_hours.into())
    }
}

/// Which H.264 encoder ffmpeg uses.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// Software; runs everywhere.
    Libx264,
    /// A Raspberry Pi's hardware. Tried at start, because it fails on some kernels; libx264 is used if it does.
    #[serde(rename = "h264_v4l2m2m")]
    V4l2m2m,
}

/// Speed against size, as libx264 names it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are libx264's")]
pub enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
}

impl Preset {
    /// As ffmpeg takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
            Self::Fast => "fast",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right_and_complaints_name_their_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let config: Config =
            toml::from_str("crf = 60\nkeep_hours = 9000\nfolder = 'here'\nencoder = 'h264_v4l2m2m'").unwrap();
        let complaints = config.check();
        assert!(complaints[0].starts_with("recordings.crf is 60"), "{complaints:?}");
        assert_eq!(complaints[1], "recordings.keep_hours is 9000, must be 0 to 8784");
        assert!(complaints[2].starts_with("recordings.folder"), "{complaints:?}");
        assert!(toml::from_str::<Config>("crv = 3").is_err());
    }
}
