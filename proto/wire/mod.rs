//! The wires between programs, byte by byte: a camera's and a far viewer's, which `proto/WIRE.md` has in words, and
//! those of boards that know nothing of Larder.

pub mod boards;
pub mod camera;
mod fields;
pub mod jpeg;
pub mod reading;
pub mod relay;

#[cfg(test)]
mod vectors;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which camera: 16 bytes on the wire, a UUID in text.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct CameraId(pub Uuid);

impl CameraId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CameraId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
