//! What each camera is doing. Rendered here and not kept by the recorder, which would go on telling of cameras that
//! were removed.

use std::fmt::Write as _;

use super::catalogue::declaration;
use crate::hub::{Presence, Snapshot};

/// A number of each camera; `None` when it has none.
type Value = fn(&Snapshot) -> Option<f64>;

const VALUES: &[(&str, Value)] = &[
    ("larder_camera_online", |camera| Some(f64::from(u8::from(camera.presence.presence == Presence::Online)))),
    ("larder_camera_frames_per_second", |camera| Some(camera.fps)),
    ("larder_camera_bytes_per_second", |camera| Some(camera.bytes_per_second)),
    ("larder_camera_newest_frame_timestamp_seconds", |camera| {
        camera.last_frame_at.map(|at| at.as_duration().as_secs_f64())
    }),
    ("larder_camera_round_trip_seconds", |camera| camera.round_trip.map(|trip| trip.as_secs_f64())),
    ("larder_camera_viewers", |camera| Some(f64::from(camera.viewers))),
    ("larder_camera_recording", |camera| Some(f64::from(u8::from(camera.recording)))),
    ("larder_camera_recording_lag_seconds", |camera| camera.recording_lag.map(|lag| lag.as_secs_f64())),
    ("larder_camera_tap_queue_frames", |camera| Some(f64::from(camera.tap_queue))),
    ("larder_camera_frames_total", |camera| Some(count(camera.frames_received))),
];

const REFUSED: &str = "larder_camera_frames_refused_total";
const INFO: &str = "larder_camera_info";

/// All metrics of these cameras, each with the name that people gave it.
pub(super) fn render(cameras: &[(Snapshot, Option<String>)]) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for (name, value) in VALUES {
        text.push_str(&declaration(name));
        for (camera, _) in cameras {
            if let Some(value) = value(camera) {
                let _ = writeln!(text, "{name}{{camera=\"{}\"}} {value}", camera.camera);
            }
        }
    }
    text.push_str(&declaration(REFUSED));
    for (camera, _) in cameras {
        for (reason, refused) in &camera.frames_refused {
            let _ = writeln!(text, "{REFUSED}{{camera=\"{}\",reason=\"{reason}\"}} {refused}", camera.camera);
        }
    }
    text.push_str(&declaration(INFO));
    for (camera, name) in cameras {
        if let Some(name) = name {
            let _ = writeln!(text, "{INFO}{{camera=\"{}\",name=\"{name}\"}} 1", camera.camera);
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as Prometheus itself")]
fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::CameraId;

    use super::{super::catalogue::METRICS, *};
    use crate::{
        clock::Clock,
        events::Events,
        hub::{Hub, SessionInfo},
    };

    #[tokio::test]
    async fn each_camera_is_told_of_and_a_removed_one_no_more() {
        let clock = Clock::new();
        let hub = Hub::new(clock.clone(), Events::new(clock));
        let camera = CameraId::random();
        let topic = hub.ensure(camera);
        let _publisher = topic.publisher(SessionInfo::default());
        topic.refused("no_soi");
        let _viewer = topic.viewer();
        let name = Some("fridge".to_owned());
        let told = || render(&hub.topics().iter().map(|topic| (topic.snapshot(), name.clone())).collect::<Vec<_>>());
        let text = told();
        assert!(text.contains("# TYPE larder_camera_viewers gauge\n"), "{text}");
        for line in [
            format!("larder_camera_viewers{{camera=\"{camera}\"}} 1\n"),
            format!("larder_camera_frames_refused_total{{camera=\"{camera}\",reason=\"no_soi\"}} 1\n"),
            format!("larder_camera_info{{camera=\"{camera}\",name=\"fridge\"}} 1\n"),
        ] {
            assert!(text.contains(&line), "{text}");
        }
        hub.remove(camera);
        assert!(!told().contains(&camera.to_string()));
    }

    #[test]
    fn every_metric_of_a_camera_is_in_the_catalogue() {
        for name in VALUES.iter().map(|(name, _)| *name).chain([REFUSED, INFO]) {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{name}");
        }
    }
}
