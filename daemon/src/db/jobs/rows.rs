//! Jobs on their way into rows: in memory while the database is away, written when it is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Job, JobId, store::Store};
use crate::{db::Error, outcome::chain, repeats};

/// Between two attempts while the database is away.
const RETRY: Duration = Duration::from_secs(2);
/// Given to the last write when the hub stops.
const LAST: Duration = Duration::from_secs(3);
/// Jobs whose rows wait at most; beyond, the oldest finished ones get none, and are done again after a restart.
const MOST: usize = 2000;

/// What is to be written; clones share it.
#[derive(Clone)]
pub(super) struct Rows(Arc<Inner>);

struct Inner {
    store: Store,
    waiting: Mutex<BTreeMap<JobId, Waiting>>,
    /// Finished jobs that will have no row that says so: while this hub runs they are not done again.
    unwritten: Mutex<BTreeSet<JobId>>,
    wake: Notify,
    /// One writer at a time, so that whoever flushes or reads sees what the other was about to write.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Clone, PartialEq)]
struct Waiting {
    job: Job,
    kept: u32,
}

impl Rows {
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            waiting: Mutex::default(),
            unwritten: Mutex::default(),
            wake: Notify::new(),
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// A job as it stands now, of whose lane so many finished ones are kept. Never waits.
    pub(super) fn keep(&self, job: Job, kept: u32) {
        let mut waiting = self.waiting();
        waiting.insert(job.id, Waiting { job, kept });
        if waiting.len() > MOST {
            let finished = waiting.values().find(|waiting| waiting.job.finished.is_some());
            let finished = finished.map(|waiting| waiting.job.id);
            waiting.retain(|id, _| Some(*id) != finished);
            finished.into_iter().for_each(|id| self.give_up(id));
        }
        drop(waiting);
        self.0.wake.notify_one();
    }

    /// Writes for as long as the hub runs, and once more when it stops.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.0.wake.notified() => {}
            }
            let Err(error) = self.flush().await else { continue };
            repeats::say!(warn, "", { cause = chain(&error) }, "jobs cannot be written down yet");
            self.0.wake.notify_one();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        if !matches!(tokio::time::timeout(LAST, self.flush()).await, Ok(Ok(()))) {
            tracing::warn!("the last jobs could not be written down");
        }
    }

    /// Writes what waits; what can't be written waits on.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.writing.lock().await;
        let all = self.waiting().clone();
        for (id, one) in &all {
            match self.0.store.keep(&one.job, Some(one.kept)).await {
                // It would hold up the others for ever.
                Err(error) if error.is_refused() => {
                    repeats::say!(error, "", { cause = chain(&error) }, "a job's row was refused");
                    self.give_up(*id);
                }
                written => written?,
            }
            let mut waiting = self.waiting();
            // Unless it changed meanwhile.
            if waiting.get(id) == Some(one) {
                waiting.remove(id);
            }
        }
        Ok(())
    }

    /// Writes a new job, and has it taken before anybody can read its row.
    ///
    /// # Errors
    /// That of `check`, or when the database is away; then it was not taken.
    pub(super) async fn insert<E: From<Error>>(
        &self,
        job: &Job,
        check: impl FnOnce() -> Result<(), E>,
        take: impl FnOnce(),
    ) -> Result<(), E> {
        let _nobody_reads = self.0.writing.lock().await;
        check()?;
        self.0.store.keep(job, None).await?;
        take();
        Ok(())
    }

    /// Reads rows, and has them taken before another is written: what has changed since they were read waits here.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn unfinished(&self, kinds: &[&str], take: impl FnOnce(Vec<Job>)) -> Result<(), Error> {
        let _nobody_writes = self.0.writing.lock().await;
        take(self.0.store.unfinished(kinds).await?);
        Ok(())
    }

    /// Removes all jobs of a lane, those too whose rows wait. `clear` takes them out of the queue.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn forget(&self, kind: &str, lane: &str, clear: impl FnOnce()) -> Result<(), Error> {
        let _nobody_writes = self.0.writing.lock().await;
        clear();
        self.waiting().retain(|_, waiting| waiting.job.kind != kind || waiting.job.lane != lane);
        self.0.store.forget(kind, lane).await
    }

    /// Whether more is known of a job than its row says.
    pub(super) fn knows(&self, id: JobId) -> bool {
        self.waiting().contains_key(&id) || self.unwritten().contains(&id)
    }

    fn give_up(&self, id: JobId) {
        let mut unwritten = self.unwritten();
        unwritten.insert(id);
        if unwritten.len() > MOST {
            unwritten.pop_first();
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeSet<JobId>> {
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job whose row waits.
    pub(super) fn get(&self, id: JobId) -> Option<Job> {
        self.waiting().get(&id).map(|waiting| waiting.job.clone())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<JobId, Waiting>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
