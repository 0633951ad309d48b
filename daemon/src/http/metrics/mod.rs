//! `GET /metrics`, for Prometheus: counters from everywhere, and what is so at this moment.

mod cameras;
pub mod catalogue;
mod process;
mod sensors;
mod viewers;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::header;
use larder_proto::wire::CameraId;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use sensors::SensorNow;

use crate::{
    hub::{Hub, Snapshot},
    viewers::Viewers,
};

/// The text format's own version (prometheus.io/docs/instrumenting/exposition_formats).
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often measured times are summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Bounds of the times of calls in seconds: most answer within a few milliseconds, the deadline is 15 s by default.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// Method and pattern of each route here.
pub(super) const ROUTES: &[(&str, &str)] = &[("GET", "/metrics")];

/// What metrics are made of; clones share it.
#[derive(Clone)]
pub struct Metrics {
    /// The process's counters, from [`install`].
    pub recorder: PrometheusHandle,
    /// The cameras.
    pub hub: Hub,
    /// Who watches.
    pub viewers: Viewers,
    /// What a camera is called.
    pub name: Arc<dyn Fn(CameraId) -> Option<String> + Send + Sync>,
    /// The thermometers now; it must not wait.
    pub sensors: Arc<dyn Fn() -> Vec<SensorNow> + Send + Sync>,
    /// Sets the gauges that are read when somebody looks; it must not wait.
    pub measure: Arc<dyn Fn() + Send + Sync>,
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
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_duration_seconds".to_owned()), SECONDS)?;
    let recorder = builder.install_recorder()?;
    catalogue::describe();
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
    (metrics.measure)();
    let mut snapshots: Vec<Snapshot> = metrics.hub.topics().iter().map(|topic| topic.snapshot()).collect();
    snapshots.sort_by_key(|snapshot| snapshot.camera);
    let named: Vec<_> = snapshots
        .into_iter()
        .map(|camera| {
            let name = (metrics.name)(camera.camera);
            (camera, name)
        })
        .collect();
    let sensors = sensors::render(&(metrics.sensors)());
    let viewers = viewers::render(&metrics.viewers.all());
    let mut text = metrics.recorder.render() + &cameras::render(&named) + &sensors + &viewers + &process::render();
    text += &catalogue::declarations(&text);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorder_can_be_had_twice() {
        let (first, second) = (install().expect("a recorder"), install().expect("the same"));
        metrics::counter!("larder_test_installs_total").increment(1);
        assert!(first.render().contains("larder_test_installs_total 1"));
        assert!(second.render().contains("larder_test_installs_total 1"));
    }
}
