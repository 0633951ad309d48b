//! What the hub uses at one moment: from its own `/metrics`, and rows through its services.

use larder_proto::pb::ListRecordingsRequest;
use serde::Serialize;

use super::super::hub::BenchHub;
use crate::{Failure, client::quick, fetch::fetch, pages};

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Sample {
    pub(super) memory_bytes: f64,
    pub(super) open_fds: f64,
    pub(super) threads: f64,
    pub(super) tasks: f64,
    pub(super) viewers: f64,
    /// Runs and segments; absent while the database is away.
    pub(super) rows: Option<f64>,
    pub(super) recording: f64,
    pub(super) parts_not_ready: f64,
}

pub(super) struct Sampler<'a>(&'a BenchHub);

impl<'a> Sampler<'a> {
    pub(super) fn new(hub: &'a BenchHub) -> Self {
        Self(hub)
    }

    pub(super) async fn take(&self) -> Result<Sample, Failure> {
        let page = fetch(self.0.client(), "/metrics").await?;
        let page = String::from_utf8_lossy(&page.body);
        let ready = values(&page, "larder_part_ready");
        Ok(Sample {
            memory_bytes: sum(&page, "process_resident_memory_bytes"),
            open_fds: sum(&page, "process_open_fds"),
            threads: sum(&page, "process_threads"),
            tasks: sum(&page, "larder_tasks"),
            viewers: sum(&page, "larder_live_viewers"),
            rows: self.rows().await.ok(),
            recording: sum(&page, "larder_camera_recording"),
            parts_not_ready: ready.filter(|ready| *ready < 1.0).map(|_| 1.0).sum(),
        })
    }

    async fn rows(&self) -> Result<f64, Failure> {
        let recordings = pages::all(async |page_size, page_token| {
            let request = ListRecordingsRequest { page_size, page_token, ..Default::default() };
            let page = self.0.client().recordings().list_recordings(quick(request)).await?.into_inner();
            Ok((page.recordings, page.next_page_token))
        });
        Ok(recordings.await?.iter().map(|run| 1.0 + f64::from(run.segments)).sum())
    }
}

/// All values of a metric, whatever its labels.
fn values<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = f64> + 'a {
    page.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let is_it = rest.starts_with('{') || rest.starts_with(' ');
        is_it.then(|| rest.rsplit_once(' ')?.1.parse().ok()).flatten()
    })
}

fn sum(page: &str, name: &str) -> f64 {
    values(page, name).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let page = "# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3.5\na_b 100\n";
        assert!((sum(page, "a") - 5.5).abs() < 1e-9);
        assert!((sum(page, "a_b") - 100.0).abs() < 1e-9);
        assert_eq!(values(page, "c").count(), 0);
    }
}
