//! Brings readings to PostgreSQL: first onto the disk, then in batches into rows.
//!
//! Two loops: one that keeps what comes, one that writes what is kept. A database that is away or slow holds up the
//! second alone.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, broadcast::error::RecvError, mpsc, watch},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    queue::{Entry, Queue},
    store::Store,
    waiting::Waiting,
};
use crate::{
    clock::{BootMoment, Clock},
    db::{self, Change},
    outcome::chain,
    parts::Trouble,
    repeats,
    tasks::blocking,
};

/// What comes within this is synced together.
const LINGER: Duration = Duration::from_millis(200);
/// Readings that may wait for the disk: it would have to hang for minutes.
pub(super) const INTAKE: usize = 4096;
/// Rows of one statement.
const BATCH: usize = 1000;
/// A statement that takes longer is given up and tried again.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// When the hub stops, rows are written for so long; what is left waits on the disk for the next start.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// How the writing goes; clones share it.
#[derive(Clone)]
pub(super) struct Health(Arc<watch::Sender<Option<Trouble>>>);

impl Health {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// What is wrong with the disk that readings wait on.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.0.borrow().clone()
    }
}

/// What came, and the moment of the boot if the clock was not set then.
pub(super) type Came = (Entry, Option<BootMoment>);

pub(super) struct Writer {
    queue: Arc<Mutex<Queue>>,
    waiting: Arc<Mutex<Waiting>>,
    settings: watch::Receiver<bool>,
    store: Store,
    health: Health,
    kept: Notify,
}

impl Writer {
    pub(super) fn new(
        queue: Queue,
        waiting: Waiting,
        settings: watch::Receiver<bool>,
        store: Store,
        health: Health,
    ) -> Self {
        let (queue, waiting) = (Arc::new(Mutex::new(queue)), Arc::new(Mutex::new(waiting)));
        Self { queue, waiting, settings, store, health, kept: Notify::new() }
    }

    /// Runs until it is told to stop; then what came is on the disk, and in rows if the database is there.
    pub(super) async fn run(self, mut intake: mpsc::Receiver<Came>, stopping: CancellationToken) {
        let drained = CancellationToken::new();
        let keep = async {
            self.keep(&mut intake, stopping).await;
            drained.cancel();
        };
        tokio::join!(keep, self.write(drained.clone()));
    }

    async fn keep(&self, intake: &mut mpsc::Receiver<Came>, stopping: CancellationToken) {
        let mut entries = Vec::new();
        let mut settings = self.settings.clone();
        loop {
            let came = tokio::select! {
                biased;
                () = stopping.cancelled() => false,
                came = intake.recv_many(&mut entries, INTAKE) => came > 0,
                // Its sender lives as long as the clock. What waited for it is dated now.
                _ = settings.changed() => true,
            };
            if came {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => {}
                    () = tokio::time::sleep(LINGER) => {}
                }
            }
            while let Ok(entry) = intake.try_recv() {
                entries.push(entry);
            }
            self.take(std::mem::take(&mut entries)).await;
            if !came {
                return;
            }
        }
    }

    async fn take(&self, came: Vec<Came>) {
        let waiting = Arc::clone(&self.waiting);
        match blocking(move || lock(&waiting).pass(came)).await {
            Ok(entries) => self.append(entries).await,
            Err(error) => {
                metrics::counter!("larder_readings_dropped_total", "reason" => "disk_failed").increment(1);
                repeats::say!(error, "", { cause = chain(&error) }, "readings that wait for the clock are lost");
            }
        }
    }

    async fn append(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let kept = self.on_disk(move |queue| queue.append(&entries)).await;
        let trouble = kept.err().map(|error| {
            repeats::say!(
                error,
                "",
                { cause = chain(&error) },
                "readings cannot be kept on the disk; they wait in memory"
            );
            Trouble::warning("queue_not_writable", format!("readings wait in memory, not on the disk: {error}"))
        });
        self.health.0.send_replace(trouble);
        self.kept.notify_one();
    }

    /// Writes rows whenever there are some, and again after a failure: later and later, and at once when the database
    /// is back.
    async fn write(&self, drained: CancellationToken) {
        let mut changes = self.store.changes();
        let mut retry = FIRST_RETRY;
        let mut next = Some(Instant::now());
        loop {
            tokio::select! {
                biased;
                () = drained.cancelled() => break,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    next = match self.write_some().await {
                        Ok(more) => {
                            retry = FIRST_RETRY;
                            more.then(Instant::now)
                        }
                        Err(error) => {
                            repeats::say!(warn, "", { cause = chain(&error) }, "readings wait for the database");
                            let at = Instant::now() + retry;
                            retry = (retry * 2).min(LAST_RETRY);
                            Some(at)
                        }
                    };
                }
                () = self.kept.notified(), if next.is_none() => next = Some(Instant::now()),
                change = changes.recv() => match change {
                    Ok(Change::Connected) | Err(RecvError::Lagged(_)) => next = Some(Instant::now()),
                    Ok(Change::Notice(_) | Change::Lost) => {}
                    Err(RecvError::Closed) => changes = self.store.changes(),
                },
            }
        }
        let end = Instant::now() + LAST_WRITES;
        while let Ok(Ok(true)) = timeout_at(end, self.write_some()).await {}
    }

    /// Writes the oldest that wait. Whether there are more. Not cancel safe, but what is written twice does no harm.
    async fn write_some(&self) -> Result<bool, db::Error> {
        let batch = self.on_disk(|queue| queue.front(BATCH)).await;
        if batch.entries.is_empty() {
            return Ok(false);
        }
        let written = timeout(PATIENCE, self.store.write(&batch.entries)).await;
        let written = written.map_err(|late| db::Error::Unavailable(late.into()))??;
        metrics::counter!("larder_readings_written_total").increment(written);
        if let Err(error) = self.on_disk(move |queue| queue.done(&batch)).await {
            repeats::say!(error, "", { cause = chain(&error) }, "readings that were written stay on the disk");
        }
        Ok(true)
    }

    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(&mut Queue) -> T + Send + 'static) -> T {
        let queue = Arc::clone(&self.queue);
        let (done, waiting, dropped) = blocking(move || {
            let mut queue = lock(&queue);
            let done = work(&mut queue);
            (done, queue.len(), queue.take_dropped())
        })
        .await;
        metrics::gauge!("larder_readings_waiting").set(waiting_of(waiting));
        if dropped > 0 {
            metrics::counter!("larder_readings_dropped_total", "reason" => "queue_full").increment(dropped);
            repeats::say!(error, "", { readings = dropped }, "too many readings waited; the oldest are lost");
        }
        done
    }
}

fn lock<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn waiting_of(count: u64) -> f64 {
    count as f64
}

/// Opens the queue, and what waits for the clock, on a thread for it.
pub(super) async fn open(folder: PathBuf, most_bytes: u64, clock: Clock) -> io::Result<(Queue, Waiting)> {
    let opening = move || {
        let queue = Queue::open(folder.clone(), most_bytes)?;
        let (waiting, lost) = Waiting::open(folder, most_bytes, clock)?;
        Ok::<_, io::Error>((queue, waiting, lost))
    };
    let (queue, waiting, lost) = blocking(opening).await?;
    if lost > 0 {
        metrics::counter!("larder_readings_dropped_total", "reason" => "no_date").increment(lost);
        tracing::warn!(
            readings = lost,
            "readings of a time when the clock was never set have no date and are given up"
        );
    }
    Ok((queue, waiting))
}
