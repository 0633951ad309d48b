//! Temperatures: sensors, and what they read.
//!
//! What is heard comes in by [`Temperatures::offer`], which never waits: the newest value is in memory at once, and
//! whoever watches is told. It goes through a queue on the disk into rows of PostgreSQL, which answer everything that is
//! asked later.

mod config;
mod directory;
mod discovered;
mod export;
mod handle;
mod live;
mod messages;
mod parse;
mod queue;
mod series;
mod service;
mod store;
mod upkeep;
mod waiting;
mod watch;
mod writer;

use std::{fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::MilliCelsius};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

pub use config::Config;
pub use discovered::Discovered;
pub use handle::{Deps, StartError, Temperatures};
pub use live::State;
pub use series::Series;
pub use service::{Parts, Service};

use crate::{
    db, named,
    outcome::{Kind, Refusal},
};

/// The largest offset either way, in thousandths of a degree.
const LARGEST_OFFSET: i32 = 20_000;
/// Probes of one camera.
const PROBES: u8 = 8;
const LONGEST_TITLE: usize = 64;
const LONGEST_DEVICE: usize = 64;

/// Which sensor; a UUID in text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct SensorId(pub Uuid);

impl SensorId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for SensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SensorId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where readings come from.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Source {
    /// A probe on a camera: signed datagrams and telemetry.
    Probe {
        /// Whose.
        camera: CameraId,
        /// Which of its probes, 0 to 7.
        index: u8,
    },
    /// Text datagrams.
    Text {
        /// Where they come from.
        address: IpAddr,
        /// What the text calls the device, 1 to 64 characters.
        device: String,
    },
}

/// Which scale people read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    #[default]
    Celsius,
    Fahrenheit,
}

/// A thermometer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    /// Made by the hub.
    pub id: SensorId,
    /// What rows of readings carry instead of the id.
    pub key: i32,
    /// Unique.
    pub name: String,
    /// What people read; empty: the name.
    pub title: String,
    /// Where its readings come from; unique.
    pub source: Source,
    /// Added to every reading as it comes in.
    pub offset: MilliCelsius,
    /// How people want it shown.
    pub unit: Unit,
    /// The camera whose pictures it belongs to.
    pub camera: Option<CameraId>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A value as it was heard, proven and in range, not a repetition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// From where.
    pub source: Source,
    /// When it was read, on the hub's clock.
    pub captured_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// Without the sensor's offset. `None`: the probe failed.
    pub value: Option<MilliCelsius>,
}

/// One value of one sensor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Whose.
    pub sensor: SensorId,
    /// When it was read, on the hub's clock.
    pub captured_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// With the sensor's offset. `None`: the probe failed.
    pub value: Option<MilliCelsius>,
}

/// What became of something that was heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// It is a sensor's newest reading.
    Kept,
    /// No sensor has its source; it is remembered as discovered.
    Unknown,
    /// It is not later than the newest of its sensor.
    OutOfOrder,
}

/// What is wrong with a field: its path and why.
type FieldError = (String, String);

/// Checks what the types cannot, naming each wrong field.
fn check(sensor: &Sensor) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut say = |path: &str, why: String| wrong.push((format!("sensor.{path}"), why));
    if let Some(why) = named::complaint(&sensor.name) {
        say("name", why);
    }
    if sensor.title.chars().count() > LONGEST_TITLE {
        say("title", format!("is longer than {LONGEST_TITLE} characters"));
    }
    if sensor.offset.0.abs() > LARGEST_OFFSET {
        say("offset_celsius", format!("{} is not from -20 to 20", sensor.offset.celsius()));
    }
    match &sensor.source {
        Source::Probe { index, .. } if *index >= PROBES => {
            say("source.probe.index", format!("{index} is not from 0 to {}", PROBES - 1));
        }
        Source::Text { device, .. } if !is_device(device) => {
            say("source.text.device", format!("{device:?} is not 1 to {LONGEST_DEVICE} printable characters"));
        }
        Source::Probe { .. } | Source::Text { .. } => {}
    }
    wrong
}

fn is_device(device: &str) -> bool {
    (1..=LONGEST_DEVICE).contains(&device.chars().count()) && !device.chars().any(char::is_control)
}

/// Why something about temperatures can't be done.
#[derive(Debug, Error)]
pub enum Error {
    /// No sensor has that id or name.
    #[error("no such sensor {0:?}")]
    NotFound(String),
    /// Another sensor has that name.
    #[error("there is a sensor {0:?} already")]
    NameTaken(String),
    /// Another sensor has that source.
    #[error("another sensor has that source already")]
    SourceTaken,
    /// Fields are wrong.
    #[error("the request is wrong")]
    Fields(Vec<FieldError>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Self::new(Kind::NotFound, error.to_string()),
            Error::NameTaken(_) | Error::SourceTaken => Self::new(Kind::AlreadyExists, error.to_string()),
            Error::Fields(fields) => Self::fields(fields),
            Error::Database(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests;
