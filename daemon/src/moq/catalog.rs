//! What a broadcast tells of its tracks: the `binary` section of a hang catalogue
//! (<https://docs.rs/hang/0.21.19/hang/catalog/>). Pure.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

/// The catalogue's own track.
pub(super) const TRACK: &str = "catalog.json";
/// Above every track of pictures: without it a viewer does not know what to ask for.
pub(super) const PRIORITY: u8 = 100;

/// A track of pictures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Track {
    pub(super) name: &'static str,
    /// The least time between two pictures; `None`: as they come.
    pub(super) interval: Option<Duration>,
    /// The slower ones first, when a relay's line is too thin for all.
    pub(super) priority: u8,
}

/// Every picture, five a second and one a second.
pub(super) const TRACKS: [Track; 3] = [
    Track { name: "jpeg", interval: None, priority: 60 },
    Track { name: "jpeg-5", interval: Some(Duration::from_millis(200)), priority: 61 },
    Track { name: "jpeg-1", interval: Some(Duration::from_secs(1)), priority: 62 },
];

/// The catalogue of a camera. In each track a group is one picture, and the newest one counts (`snapshot`).
pub(super) fn catalog() -> Bytes {
    let tracks =
        TRACKS.iter().map(|track| (track.name.to_owned(), json!({ "mode": "snapshot", "mime": "image/jpeg" })));
    let tracks: serde_json::Map<_, _> = tracks.collect();
    json!({ "binary": { "tracks": tracks } }).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_names_the_tracks_and_what_they_carry() {
        let read: serde_json::Value = serde_json::from_slice(&catalog()).unwrap();
        let each = json!({ "mode": "snapshot", "mime": "image/jpeg" });
        assert_eq!(read, json!({ "binary": { "tracks": { "jpeg": each, "jpeg-5": each, "jpeg-1": each } } }));
    }
}
