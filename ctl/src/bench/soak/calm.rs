//! Waiting until the hub is at rest: every camera recorded, every part ready, nobody looking.

use std::time::Duration;

use jiff::Timestamp;
use larder_proto::pb::{
    DeleteRecordingsRequest, TimeRange,
    delete_recordings_request::{CameraRange, What},
};
use tokio::time::{Instant, sleep};

use super::{
    Soak,
    judge::Slack,
    sample::{Sample, Sampler},
};
use crate::{Failure, client::quick, clock, when};

/// A database that was killed last recovers in seconds, an encoder is tried again within a minute.
const PATIENCE: Duration = Duration::from_secs(150);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// So many looks in a row must find rest.
const STEADY: u32 = 6;

/// By how much descriptors, threads and tasks may be above where they began: connections of the database's pool and
/// threads for blocking work come and go by themselves.
pub(super) const COUNTS: Slack = Slack { least: 16.0, share: 0.15 };

/// Waits for rest, and when there was a time before, until the counts are back. The highest of the last looks.
///
/// # Errors
///
/// There is no rest; the message says what was missing.
pub(super) async fn settled(
    soak: &Soak<'_>,
    sampler: &Sampler<'_>,
    before: Option<&Sample>,
) -> Result<Sample, Failure> {
    let began = Instant::now();
    let (mut steady, mut highest) = (0, Sample::default());
    loop {
        let unrest = match sampler.take().await {
            Ok(sample) => {
                let unrest = unrest(soak, &sample, before);
                highest = if unrest.is_some() { Sample::default() } else { highest_of(highest, sample) };
                unrest
            }
            Err(failure) => Some(failure.to_string()),
        };
        steady = if unrest.is_none() { steady + 1 } else { 0 };
        if steady == STEADY {
            return Ok(highest);
        }
        if let Some(unrest) = unrest.filter(|_| began.elapsed() > PATIENCE) {
            return Err(Failure::Other(format!("the hub does not come to rest: {unrest}")));
        }
        sleep(LOOK).await;
    }
}

fn unrest(soak: &Soak<'_>, sample: &Sample, before: Option<&Sample>) -> Option<String> {
    let wanted = f64::from(soak.args.cameras);
    if sample.recording < wanted {
        return Some(format!("{} of {wanted} cameras are recorded", sample.recording));
    }
    if sample.parts_not_ready > 0.0 {
        return Some(format!("{} parts are not ready", sample.parts_not_ready));
    }
    if sample.viewers > 0.0 {
        return Some(format!("{} viewers are still counted", sample.viewers));
    }
    let Some(before) = before else { return sample.rows.is_none().then(|| "rows cannot be read".to_owned()) };
    let counts = [
        ("file descriptors", sample.open_fds, before.open_fds),
        ("threads", sample.threads, before.threads),
        ("tasks", sample.tasks, before.tasks),
    ];
    let above = counts.into_iter().find(|(_, now, then)| *now > then + COUNTS.least.max(then * COUNTS.share));
    above.map(|(name, now, then)| format!("{now} {name}, {then} before the storm"))
}

fn highest_of(one: Sample, other: Sample) -> Sample {
    Sample {
        memory_bytes: one.memory_bytes.max(other.memory_bytes),
        open_fds: one.open_fds.max(other.open_fds),
        threads: one.threads.max(other.threads),
        tasks: one.tasks.max(other.tasks),
        ..other
    }
}

/// Deletes all that was recorded; how many rows are left. Those that are being written stay: two for each camera.
///
/// # Errors
///
/// Rows stay that nothing needs.
pub(super) async fn forgotten(soak: &Soak<'_>, sampler: &Sampler<'_>, before: &Sample) -> Result<f64, Failure> {
    let began = Instant::now();
    let most = before.rows.unwrap_or_default().max(4.0 * f64::from(soak.args.cameras));
    loop {
        delete_before(soak, clock::now()).await;
        let rows = sampler.take().await?.rows;
        if let Some(rows) = rows.filter(|rows| *rows <= most) {
            return Ok(rows);
        }
        if began.elapsed() > PATIENCE {
            let rows = rows.unwrap_or_default();
            return Err(Failure::Other(format!("{rows} rows are left when all is deleted, {most} at most are in use")));
        }
        sleep(LOOK).await;
    }
}

/// Deletes what was recorded before then, as far as that can be done now.
pub(super) async fn delete_before(soak: &Soak<'_>, at: Timestamp) {
    for camera in &soak.cameras {
        let range = TimeRange { from: Some(Default::default()), to: Some(when::to_wire(at)) };
        let what = What::CameraRange(CameraRange { camera: camera.name.clone(), range: Some(range) });
        let request = quick(DeleteRecordingsRequest { what: Some(what) });
        // The database may be away; it is done again, and the rows show whether it was.
        let _deleted = soak.hub.client().recordings().delete_recordings(request).await;
    }
}
