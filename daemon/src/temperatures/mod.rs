//! Temperatures: sensors, and what they read.

use std::{fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::MilliCelsius};
use uuid::Uuid;

/// Which sensor; a UUID in text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    #[default]
    Celsius,
    Fahrenheit,
}

/// A thermometer.
#[derive(Clone, Debug, Eq, PartialEq)]
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
