//! Jobs as messages: pure.

use larder_proto::pb;

use crate::{
    db::jobs::{Job, Outcome, Progress},
    pb_time::timestamp,
};

/// A job as it stands.
pub fn job(job: &Job) -> pb::Job {
    let state = state(job);
    pb::Job {
        id: job.id.to_string(),
        kind: job.kind.clone(),
        title: job.title.clone(),
        state: state.into(),
        progress: job.progress.as_ref().map(progress),
        attempts: job.attempts,
        error: job.error.clone().unwrap_or_default(),
        created_at: Some(timestamp(job.created_at)),
        next_attempt_at: (state == pb::JobState::Waiting).then(|| timestamp(job.next_attempt_at)),
        finished_at: job.finished.map(|finished| timestamp(finished.at)),
        priority: job.priority.into(),
    }
}

fn state(job: &Job) -> pb::JobState {
    match job.finished.map(|finished| finished.outcome) {
        Some(Outcome::Succeeded) => pb::JobState::Succeeded,
        Some(Outcome::Failed) => pb::JobState::Failed,
        Some(Outcome::Cancelled) => pb::JobState::Cancelled,
        None if job.is_running => pb::JobState::Running,
        None => pb::JobState::Waiting,
    }
}

fn progress(progress: &Progress) -> pb::job::Progress {
    pb::job::Progress { done: progress.done, total: progress.total, unit: progress.unit.clone() }
}
