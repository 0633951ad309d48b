//! `GET /metrics`, for Prometheus: counters from everywhere, and how each camera is doing at this moment.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::header;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::hub::{Hub, Presence, Snapshot};

/// The text format's own version (prometheus.io/docs/instrumenting/exposition_formats).
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often measured times are summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Method and pattern of each route here.
pub(super) const ROUTES: &[(&str, &str)] = &[("GET", "/metrics")];

/// What metrics are made of; clones share it.
#[derive(Clone)]
pub struct Metrics {
    /// The process's counters, from [`install`].
    pub recorder: PrometheusHandle,
    /// The cameras.
    pub hub: Hub,
}

/// Makes this process count. The recorder is one a process; more calls get the same.
///
/// # Errors
/// When another recorder is installed, or this one can't be built.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recorder) = installed.as_ref() {
        return Ok(recorder.clone());
    }
    let recorder = PrometheusBuilder::new().install_recorder()?;
    *installed = Some(recorder.clone());
    Ok(recorder)
}

/// Sums up the measured times again and again: until then the recorder keeps each one, and nobody may ever ask for
/// `/metrics`. Never ends.
pub async fn keep_small(recorder: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        recorder.run_upkeep();
    }
}

pub(super) fn routes(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(render)).with_state(metrics)
}

async fn render(State(metrics): State<Metrics>) -> impl IntoResponse {
    let mut snapshots: Vec<Snapshot> = metrics.hub.topics().iter().map(|topic| topic.snapshot()).collect();
    snapshots.sort_by_key(|snapshot| snapshot.camera);
    let text = metrics.recorder.render() + &cameras(&snapshots);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}

/// A metric of each camera: name, type, help, value.
type Metric = (&'static str, &'static str, &'static str, fn(&Snapshot) -> f64);

/// Rendered here and not kept by the recorder, which would go on telling of cameras that were removed.
const CAMERA_METRICS: &[Metric] = &[
    ("larder_camera_online", "gauge", "1 while the camera sends pictures", |camera| {
        f64::from(u8::from(camera.presence.presence == Presence::Online))
    }),
    ("larder_camera_frames_per_second", "gauge", "pictures a second now", |camera| camera.fps),
    ("larder_camera_bytes_per_second", "gauge", "bytes of pictures a second now", |camera| camera.bytes_per_second),
    ("larder_camera_viewers", "gauge", "who looks at the camera now", |camera| f64::from(camera.viewers)),
    ("larder_camera_recording", "gauge", "1 while the camera is recorded", |camera| {
        f64::from(u8::from(camera.recording))
    }),
    ("larder_camera_frames_total", "counter", "pictures since the hub started", |camera| count(camera.frames_received)),
    ("larder_camera_frames_refused_total", "counter", "pictures refused since the hub started", |camera| {
        count(camera.frames_refused.values().sum())
    }),
];

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as Prometheus itself")]
fn count(value: u64) -> f64 {
    value as f64
}

fn cameras(snapshots: &[Snapshot]) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in CAMERA_METRICS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for snapshot in snapshots {
            let _ = writeln!(text, "{name}{{camera=\"{}\"}} {}", snapshot.camera, value(snapshot));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::CameraId;

    use super::*;
    use crate::{clock::Clock, events::Events, hub::SessionInfo};

    #[tokio::test]
    async fn each_camera_is_told_of_and_a_removed_one_no_more() {
        let clock = Clock::new();
        let hub = Hub::new(clock.clone(), Events::new(clock));
        let camera = CameraId::random();
        let topic = hub.ensure(camera);
        let _publisher = topic.publisher(SessionInfo::default());
        topic.refused("no_soi");
        let _viewer = topic.viewer();
        let told = || cameras(&hub.topics().iter().map(|topic| topic.snapshot()).collect::<Vec<_>>());
        let text = told();
        assert!(text.contains("# TYPE larder_camera_viewers gauge\n"), "{text}");
        assert!(text.contains(&format!("larder_camera_viewers{{camera=\"{camera}\"}} 1\n")), "{text}");
        assert!(text.contains(&format!("larder_camera_frames_refused_total{{camera=\"{camera}\"}} 1\n")), "{text}");
        hub.remove(camera);
        assert!(!told().contains(&camera.to_string()));
    }

    #[test]
    fn the_recorder_can_be_had_twice() {
        let (first, second) = (install().expect("a recorder"), install().expect("the same"));
        metrics::counter!("larder_test_installs_total").increment(1);
        assert!(first.render().contains("larder_test_installs_total 1"));
        assert!(second.render().contains("larder_test_installs_total 1"));
    }
}
