//! Who watches. Rendered here and not kept by the recorder, which would go on telling of those that left.

use std::fmt::Write as _;

use super::catalogue::declaration;
use crate::viewers::Snapshot;

/// A number of each view; `None` when it has none.
type Value = fn(&Snapshot) -> Option<f64>;

const INFO: &str = "larder_viewer_info";
const VALUES: &[(&str, Value)] = &[
    ("larder_viewer_frames_delivered_total", |viewer| Some(number(viewer.delivered))),
    ("larder_viewer_frames_skipped_total", |viewer| Some(number(viewer.skipped))),
    ("larder_viewer_queued_bytes", |viewer| Some(number(viewer.queued_bytes))),
    ("larder_viewer_round_trip_seconds", |viewer| viewer.round_trip.map(|trip| trip.as_secs_f64())),
    ("larder_viewer_frames_per_second", |viewer| Some(viewer.fps)),
    ("larder_viewer_bytes_per_second", |viewer| Some(viewer.bytes_per_second)),
];

/// All metrics of these views. What a viewer says of itself stands in none of them.
pub(super) fn render(viewers: &[Snapshot]) -> String {
    let mut text = declaration(INFO);
    // Writing to a string does not fail.
    for one in viewers {
        let (id, camera, protocol) = (one.id, one.entry.camera, one.entry.protocol.name());
        let _ = writeln!(text, "{INFO}{{viewer=\"{id}\",camera=\"{camera}\",protocol=\"{protocol}\"}} 1");
    }
    for (name, value) in VALUES {
        text.push_str(&declaration(name));
        for one in viewers {
            if let Some(value) = value(one) {
                let _ = writeln!(text, "{name}{{viewer=\"{}\"}} {value}", one.id);
            }
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as Prometheus itself")]
fn number(value: u64) -> f64 {
    value as f64
}
