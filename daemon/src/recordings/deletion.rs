//! Deleting recordings that somebody chose: a job, batch after batch, so that nothing is held up for long.

use std::{ops::Range, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use larder_proto::wire::CameraId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, service::Commands};
use crate::db::{
    self,
    jobs::{Attempt, Failed, Job, Policy, Progress, Wanted, Worker},
};

/// What rows and people call these jobs.
pub(super) const KIND: &str = "recording_deletion";
/// Segments deleted together: an hour of one camera, a fraction of a second on a slow card.
const BATCH: u32 = 64;
/// Batches in a row of which nothing could be deleted: pins may come between choosing and deleting, but not for ever.
const FRUITLESS: u32 = 3;

/// What is deleted, as a job's row keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// These runs.
    Runs(Vec<Uuid>),
    /// Everything of a camera that reaches into a time, by microseconds since 1970.
    Span {
        /// Whose.
        camera: Uuid,
        /// Its start.
        from_us: i64,
        /// Its end.
        to_us: i64,
        /// The newest segment's row when it was asked for: what is recorded since stays.
        last: i64,
    },
}

impl Deletion {
    /// Everything of a camera in a range, as it is now.
    pub(super) fn span(camera: CameraId, range: &Range<Timestamp>, last: i64) -> Self {
        let (from_us, to_us) = (range.start.as_microsecond(), range.end.as_microsecond());
        Self::Span { camera: camera.0, from_us, to_us, last }
    }

    /// In parts that are chosen from quickly: one run after the other.
    fn parts(self) -> Vec<Self> {
        match self {
            Self::Runs(runs) => runs.into_iter().map(|run| Self::Runs(vec![run])).collect(),
            span @ Self::Span { .. } => vec![span],
        }
    }

    /// The job that does it.
    pub(super) fn job(&self, title: String) -> Result<Wanted, db::Error> {
        let broken = |error: serde_json::Error| db::Error::Broken { table: "jobs", why: error.to_string() };
        let about = match self {
            Self::Runs(_) => None,
            Self::Span { camera, .. } => Some(*camera),
        };
        let input = serde_json::to_value(self).map_err(broken)?;
        // One that waits for its disk holds up no other camera's.
        let lane = about.map_or_else(|| "recordings".to_owned(), |camera| camera.to_string());
        Ok(Wanted { kind: KIND, lane, about, title, input, priority: 0 })
    }

    fn of(job: &Job) -> Result<Self, Failed> {
        serde_json::from_value(job.input.clone()).map_err(|error| Failed::forever(error.to_string()))
    }
}

/// Does these jobs.
pub struct Deleting {
    store: Store,
    recorder: Arc<dyn Commands>,
}

impl Deleting {
    /// By the recorder, whose files they are.
    pub fn new(store: Store, recorder: Arc<dyn Commands>) -> Self {
        Self { store, recorder }
    }
}

#[tonic::async_trait]
impl Worker for Deleting {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn policy(&self) -> Policy {
        Policy {
            parallel: 1,
            attempt: Duration::from_hours(24),
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_mins(10),
            give_up_after: SignedDuration::from_hours(7 * 24),
            most_waiting: 1000,
            kept: 100,
        }
    }

    /// What an attempt before it left marked is in its first batch.
    async fn attempt(&self, attempt: &Attempt) -> Result<(), Failed> {
        let what = Deletion::of(attempt.job())?;
        let left = self.store.deletable_size(&what).await?.segments;
        let mut done = attempt.job().progress.as_ref().map_or(0, |progress| progress.done);
        let total = done + left;
        let progress = |done, total| attempt.progress(Progress { done, total, unit: "segments".to_owned() });
        progress(done, total);
        for part in what.parts() {
            let mut fruitless = 0;
            loop {
                let batch = self.store.deletable(&part, BATCH).await?;
                if batch.is_empty() {
                    break;
                }
                let deleted = self.recorder.delete(&batch).await?;
                fruitless = if deleted == 0 { fruitless + 1 } else { 0 };
                if fruitless == FRUITLESS {
                    return Err(Failed::now("nothing of what was chosen could be deleted"));
                }
                done += deleted;
                progress(done, total);
            }
        }
        // What was pinned meanwhile stays.
        progress(done, done);
        tracing::info!(segments = done, job.title = attempt.job().title, "recordings were deleted by hand");
        Ok(())
    }
}
