//! One backup: a job, so that it is listed, watched and cancelled like all long work.

use std::{fs, path::Path, time::Duration};

use jiff::SignedDuration;
use serde_json::json;
use tokio::time::interval;

use super::{Backups, Kind, Name, metrics::made};
use crate::{
    db::{
        DumpError,
        jobs::{Attempt, Failed, Policy, Progress, Wanted, Worker},
        part_of,
    },
    outcome::chain,
    parts::Trouble,
    tasks::blocking,
};

/// What rows and people call these jobs.
pub(super) const KIND: &str = "database_backup";
/// How often progress is told and room is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The job that makes one. `nightly`: nothing is done when one was made meanwhile.
pub(super) fn wanted(nightly: bool) -> Wanted {
    Wanted {
        kind: KIND,
        lane: String::new(),
        about: None,
        title: "back up the database".to_owned(),
        input: json!({ "nightly": nightly }),
        priority: 0,
    }
}

/// Makes them.
pub(super) struct Dumping(pub(super) Backups);

#[tonic::async_trait]
impl Worker for Dumping {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn policy(&self) -> Policy {
        Policy {
            parallel: 1,
            attempt: Duration::from_hours(4),
            // Who failed is not tried again by itself: whoever asked is told, and the night's is begun anew.
            first_pause: Duration::from_mins(30),
            longest_pause: Duration::from_mins(30),
            give_up_after: SignedDuration::from_hours(12),
            most_waiting: 4,
            kept: 30,
        }
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<(), Failed> {
        let is_nightly = attempt.job().input["nightly"] == json!(true);
        // One that a killed hub left is done again: by now there may be another.
        if is_nightly && !self.0.is_due().await.unwrap_or(true) {
            return Ok(());
        }
        let told = |size| attempt.progress(Progress { done: size, total: 0, unit: "bytes".to_owned() });
        match self.0.make(told).await {
            Ok((name, size)) => {
                told(size);
                tracing::info!(backup.name = %name, backup.bytes = size, "the database was backed up");
                self.0.ended(None);
                Ok(())
            }
            Err(trouble) => {
                let why = trouble.detail.clone();
                tracing::warn!(reason = trouble.reason, cause = why, "the database could not be backed up");
                self.0.ended(Some(trouble));
                Err(Failed::forever(why))
            }
        }
    }
}

impl Backups {
    /// Makes one, and removes those that are one too many. `told` hears of its size.
    async fn make(&self, told: impl Fn(u64)) -> Result<(Name, u64), Trouble> {
        let inner = &self.0;
        let room = inner.recorder.room().await.map_err(in_folder)?;
        if room.free_bytes < room.floor_bytes {
            return Err(full(&format!("less than recordings.free_mib is free, {} MB", room.free_bytes / 1_000_000)));
        }
        let programs = inner.db.programs().await.map_err(|error| failed(&error))?;
        let name = Name { at: inner.clock.now(), kind: Kind::Regular };
        self.prepare(name.kind).await.map_err(in_backups)?;
        let path = self.path(name);
        let part = part_of(&path);
        let size = tokio::select! {
            biased;
            trouble = self.watch(&part, told) => return Err(trouble),
            dumped = programs.dump(&path) => dumped.map_err(|error| failed(&error))?,
        };
        self.prune(name.kind).await.map_err(in_backups)?;
        made(name.at);
        Ok((name, size))
    }

    /// Watches a dump grow, until it takes what must stay free: older recordings make room for it, and what they can't
    /// make is not taken.
    async fn watch(&self, part: &Path, told: impl Fn(u64)) -> Trouble {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            match self.0.recorder.room().await {
                Err(trouble) => return in_folder(trouble),
                Ok(room) if room.free_bytes < room.floor_bytes / 2 => {
                    return full("the backup took half of what recordings.free_mib keeps free");
                }
                Ok(_) => {}
            }
            let part = part.to_owned();
            told(blocking(move || fs::metadata(part).map_or(0, |metadata| metadata.len())).await);
        }
    }
}

fn full(why: &str) -> Trouble {
    Trouble::warning("disk_full", format!("the database was not backed up: {why}; make room on the recordings' disk"))
}

fn in_folder(trouble: Trouble) -> Trouble {
    Trouble::warning("folder", format!("the database was not backed up: {}", trouble.detail))
}

fn in_backups(error: std::io::Error) -> Trouble {
    Trouble::warning("folder", format!("the database was not backed up: the folder of backups: {error}"))
}

fn failed(error: &DumpError) -> Trouble {
    let reason = if matches!(error, DumpError::NotInstalled(_)) { "not_installed" } else { "failed" };
    Trouble::warning(reason, format!("the database was not backed up: {}", chain(error)))
}
