//! Watching jobs: each change, and after a lag the newest state of all.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use tokio::sync::broadcast::{self, error::RecvError};

use super::{Error, Job, JobId, Jobs};

/// A watcher of one job or of all.
pub struct Watch {
    jobs: Jobs,
    only: Option<JobId>,
    changes: broadcast::Receiver<Arc<Job>>,
    /// To be given out.
    due: VecDeque<Arc<Job>>,
    /// Those last seen unfinished.
    open: BTreeSet<JobId>,
    over: bool,
}

impl Watch {
    pub(super) fn new(
        jobs: Jobs,
        only: Option<JobId>,
        present: Vec<Job>,
        changes: broadcast::Receiver<Arc<Job>>,
    ) -> Self {
        let due = present.into_iter().map(Arc::new).collect();
        Self { jobs, only, changes, due, open: BTreeSet::new(), over: false }
    }

    /// The next state of a job. `None` when the one that is watched is finished, or the hub is gone. A call that is
    /// dropped loses nothing but, while it catches up after a lag, states that newer ones follow.
    ///
    /// # Errors
    /// When rows must be read to catch up, and the database is away.
    pub async fn next(&mut self) -> Option<Result<Arc<Job>, Error>> {
        loop {
            if self.over {
                return None;
            }
            if let Some(job) = self.due.pop_front() {
                return Some(Ok(self.give(job)));
            }
            match self.changes.recv().await {
                Ok(job) if self.only.is_none_or(|only| only == job.id) => return Some(Ok(self.give(job))),
                Ok(_other) => {}
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => {
                    if let Err(error) = self.catch_up().await {
                        self.over = true;
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    fn give(&mut self, job: Arc<Job>) -> Arc<Job> {
        if job.finished.is_none() {
            self.open.insert(job.id);
        } else {
            self.open.remove(&job.id);
            self.over = self.only.is_some();
        }
        job
    }

    /// Changes were missed: the newest state of whatever was seen and is there stands for them.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let mut ids = self.open.clone();
        ids.extend(self.only);
        if self.only.is_none() {
            ids.extend(self.jobs.unfinished().iter().map(|job| job.id));
        }
        for id in ids {
            match self.jobs.get(id).await {
                Ok(job) => self.due.push_back(Arc::new(job)),
                // Its lane was forgotten, or it is so old that its row is gone.
                Err(Error::NoSuchJob(_)) => {
                    self.open.remove(&id);
                    self.over |= self.only.is_some();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
