//! `camera.json`: what a camera's folder says of the camera.
//!
//! The rows of the camera, its sensors and its pins as JSON; secrets in them are sealed with the hub's key as they are in the
//! database. A checksum tells a file that was damaged.

use std::path::Path;

use larder_proto::wire::CameraId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::files;

/// The file's name.
pub(super) const FILE: &str = "camera.json";
const VERSION: u32 = 1;
/// Thousands of pins; more is nonsense.
const LARGEST: usize = 4 << 20;

/// A row by its columns.
pub(super) type Row = Map<String, Value>;

/// What the file says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Kept {
    version: u32,
    pub(super) camera: Row,
    #[serde(default)]
    pub(super) sensors: Vec<Row>,
    #[serde(default)]
    pub(super) pins: Vec<Row>,
    /// CRC-32C of the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crc32c: Option<u32>,
}

impl Kept {
    pub(super) fn new(camera: Row, sensors: Vec<Row>, pins: Vec<Row>) -> Self {
        let mut kept = Self { version: VERSION, camera, sensors, pins, crc32c: None };
        kept.crc32c = kept.checksum();
        kept
    }

    fn checksum(&self) -> Option<u32> {
        let rest = Self { crc32c: None, ..self.clone() };
        serde_json::to_vec(&rest).ok().map(|text| crc32c::crc32c(&text))
    }

    /// The file.
    pub(super) fn text(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.camera.get("name").and_then(Value::as_str)
    }

    /// As PostgreSQL writes bytes: `\x` and hexadecimal digits.
    pub(super) fn sealed_key(&self) -> Option<Vec<u8>> {
        let digits = self.camera.get("sealed_key").and_then(Value::as_str)?.strip_prefix("\\x")?;
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
    }
}

/// What a camera is called of whom no name is known.
pub(super) fn name_of(camera: CameraId) -> String {
    let id = camera.0.simple().to_string();
    format!("camera-{}", &id[..8])
}

/// Reads a camera's folder; absent when nothing that can be believed is there.
pub(super) fn read(folder: &Path) -> Option<Kept> {
    let path = folder.join(FILE);
    let bytes = match files::read(&path) {
        Ok(bytes) => bytes?,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "what a camera is cannot be read");
            return None;
        }
    };
    let kept = (bytes.len() <= LARGEST).then(|| serde_json::from_slice::<Kept>(&bytes).ok()).flatten();
    let kept = kept.filter(|kept| kept.version == VERSION && kept.crc32c == kept.checksum());
    if kept.is_none() {
        tracing::warn!(path = %path.display(), "what a camera is cannot be read: it is broken, or of a newer release");
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_broken_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), None);
        let camera = serde_json::json!({ "name": "fridge", "sealed_key": "\\x00ff10" });
        let kept = Kept::new(camera.as_object().unwrap().clone(), Vec::new(), Vec::new());
        fs::write(folder.path().join(FILE), kept.text().unwrap()).unwrap();
        assert_eq!(read(folder.path()), Some(kept.clone()));
        assert_eq!((kept.name(), kept.sealed_key()), (Some("fridge"), Some(vec![0, 255, 16])));
        let path = folder.path().join(FILE);
        let flipped = String::from_utf8(kept.text().unwrap()).unwrap().replace("fridge", "frodge");
        for broken in ["", "{", "{\"version\": 2, \"camera\": {}}", flipped.as_str()] {
            fs::write(&path, broken).unwrap();
            assert_eq!(read(folder.path()), None, "{broken:?}");
        }
        let odd = serde_json::json!({ "sealed_key": "\\x0é" });
        assert_eq!(Kept::new(odd.as_object().unwrap().clone(), Vec::new(), Vec::new()).sealed_key(), None);
    }
}
