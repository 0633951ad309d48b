//! Jobs: slow work that can fail, is written down, and goes on over a restart.
//!
//! ```text
//! start (row first) ─▶ rows ◀─ NOTIFY, timer ─┐
//! tell (never waits) ─▶ queue (pure: lanes, priorities, pauses) ─▶ run: a worker's attempts ─▶ rows, watchers
//! ```
//! A domain brings a [`Worker`]: its kind, its [`Policy`], and one attempt, which must be idempotent: it is done again
//! when the hub was killed meanwhile. Memory decides what is done next; rows follow, so that urgent work (alarms) is done
//! while the database is away. Within a lane jobs are done one after the other; lanes of a kind run side by side, as many
//! as its policy allows.

mod queue;
mod rows;
mod run;
mod store;
#[cfg(test)]
mod tests;
mod watch;

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::Error as DbError;
use crate::outcome::{Kind, Refusal, chain};

pub use run::{Attempt, Jobs};
pub use store::Filter;
pub use watch::Watch;

/// Which job; rises with time (UUID version 7).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(pub Uuid);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Whose work it is: a registered worker's kind.
    pub kind: &'static str,
    /// Jobs of one kind and lane are done one after the other, in their order.
    pub lane: String,
    /// What it is about, to find it by.
    pub about: Option<Uuid>,
    /// What it does, for people.
    pub title: String,
    /// What its worker needs to know. No secret: rows and dumps hold it.
    pub input: Value,
    /// More urgent ones come first, 0 to 9; 0 is the usual.
    pub priority: u8,
}

/// A job as it stands.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "named as in Wanted; the others say it")]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub lane: String,
    pub about: Option<Uuid>,
    pub title: String,
    pub input: Value,
    pub priority: u8,
    pub created_at: Timestamp,
    /// Attempts that ended.
    pub attempts: u32,
    pub next_attempt_at: Timestamp,
    pub progress: Option<Progress>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub finished: Option<Finished>,
    /// Whether it is being done. Not kept: after a restart nothing is.
    pub is_running: bool,
}

/// How far a job is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Units that are done.
    pub done: u64,
    /// Units in all; 0 when that is not known.
    pub total: u64,
    /// What is counted.
    pub unit: String,
}

/// That a job is finished.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finished {
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
}

/// How a job finished. The names are kept in rows: a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is done.
    Succeeded,
    /// It was given up: refused for good, or failed for too long.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The kept name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The outcome with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// How the jobs of a kind are done.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Lanes that are worked on at once, at most.
    pub parallel: usize,
    /// The longest that one attempt may take; what takes longer has failed.
    pub attempt: Duration,
    /// The pause after the first failure; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// What still fails so long after it was made is given up.
    pub give_up_after: SignedDuration,
    /// Jobs that wait, at most.
    pub most_waiting: usize,
    /// Finished ones that are kept of a lane, the newest.
    pub kept: u32,
}

/// Why an attempt failed, for people. Holds no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failed {
    /// What was the matter.
    pub why: String,
    /// Trying again is of no use.
    pub is_permanent: bool,
}

impl Failed {
    /// It may work later.
    pub fn now(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_permanent: false }
    }

    /// It will never work as it is.
    pub fn forever(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_permanent: true }
    }
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self::now(chain(&error))
    }
}

/// Does the jobs of one kind.
#[tonic::async_trait]
pub trait Worker: Send + Sync + 'static {
    /// What rows and people call its jobs, for example `alarm_delivery`.
    fn kind(&self) -> &'static str;

    /// How they are done.
    fn policy(&self) -> Policy;

    /// One attempt. It is dropped at its next await when the job is cancelled, its time is over or the hub stops, and
    /// done again after a restart: whatever it leaves half done, the next attempt must take up.
    async fn attempt(&self, attempt: &Attempt) -> Result<(), Failed>;
}

/// Why something about jobs can't be done.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody has such a job.
    #[error("no such job \"{0}\"")]
    NoSuchJob(JobId),
    /// It is not finished, and not in this hub's queue: of a kind it does not do, or not read yet.
    #[error("job \"{0}\" is not being done by this hub")]
    NotTaken(JobId),
    /// It is finished.
    #[error("job \"{0}\" is finished")]
    Finished(JobId),
    /// Too many wait.
    #[error("{0} jobs of this kind wait already; try again when some are done")]
    TooMany(usize),
    /// Rows can't be read or written.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchJob(_) => Self::new(Kind::NotFound, error.to_string()),
            Error::NotTaken(_) | Error::Finished(_) => Self::new(Kind::FailedPrecondition, error.to_string()),
            Error::TooMany(_) => Self::new(Kind::ResourceExhausted, error.to_string()),
            Error::Database(error) => error.into(),
        }
    }
}
