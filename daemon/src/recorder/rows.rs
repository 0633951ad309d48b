//! Writes rows behind the recording's back: the disk never waits for the database.
//!
//! Policy when the database is away or the queue is full: the row is left out and remembered as missed; the files are
//! the truth, and the sweep writes down what they say when the database is back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use crate::{
    db,
    outcome::chain,
    recordings::{Gap, Run, Segment, Store},
    repeats,
};

/// Half a minute of sixteen cameras, each with a fragment every two seconds.
const QUEUE: usize = 256;
/// After a failure rows are left out for this long, so that a dead database does not make the queue crawl.
const PAUSE: Duration = Duration::from_secs(2);

/// Something to write down.
#[derive(Debug)]
pub(super) enum Row {
    /// A segment as it is now.
    Segment {
        /// Its run, which may have no row yet.
        run: Arc<Run>,
        /// With the fragments committed so far.
        segment: Segment,
    },
    /// A run with its end.
    RunEnded(Run),
    /// A gap that begins.
    GapOpened(Gap),
    /// The camera's open gap ends.
    GapClosed(CameraId, Timestamp),
    /// Answered when everything before it is written or missed.
    Flush(oneshot::Sender<()>),
}

/// Where rows are handed in; clones share the queue.
#[derive(Clone)]
pub(super) struct Rows {
    sender: mpsc::Sender<Row>,
    missed: Arc<Missed>,
}

/// Whether rows were left out since the last sweep.
#[derive(Debug, Default)]
pub(super) struct Missed {
    any: AtomicBool,
    notify: Notify,
}

impl Missed {
    fn mark(&self) {
        metrics::counter!("larder_recorder_rows_missed_total").increment(1);
        self.any.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Whether any were, forgetting it.
    pub(super) fn take(&self) -> bool {
        self.any.swap(false, Ordering::AcqRel)
    }

    /// Waits until some were. Cancel safe.
    pub(super) async fn marked(&self) {
        self.notify.notified().await;
    }
}

impl Rows {
    /// The queue, and the writer to be spawned.
    pub(super) fn new(store: Store) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let missed = Arc::<Missed>::default();
        let rows = Self { sender, missed: Arc::clone(&missed) };
        (rows, Writer { store, receiver, missed, known: None, resume: None })
    }

    /// Hands a row in; never waits.
    pub(super) fn write(&self, row: Row) {
        if self.sender.try_send(row).is_err() {
            self.missed.mark();
        }
    }

    /// Waits until everything handed in before is written or missed. Cancel safe.
    pub(super) async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.sender.send(Row::Flush(sender)).await.is_ok() {
            let _ = receiver.await;
        }
    }

    /// How many wait to be written.
    pub(super) fn pending(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    pub(super) fn missed(&self) -> Arc<Missed> {
        Arc::clone(&self.missed)
    }
}

/// The one writer.
pub(super) struct Writer {
    store: Store,
    receiver: mpsc::Receiver<Row>,
    missed: Arc<Missed>,
    /// The run that surely has a row: most segments come from few runs, and inserting twice is harmless.
    known: Option<uuid::Uuid>,
    resume: Option<Instant>,
}

impl Writer {
    /// Writes until every [`Rows`] is gone.
    pub(super) async fn run(mut self) {
        while let Some(row) = self.receiver.recv().await {
            if let Row::Flush(done) = row {
                let _ = done.send(());
                continue;
            }
            if self.resume.is_some_and(|resume| Instant::now() < resume) {
                self.missed.mark();
                continue;
            }
            self.resume = None;
            if let Err(error) = self.write(row).await {
                let away = matches!(error, db::Error::Unavailable(_));
                let error = chain(&error);
                repeats::say!(warn, "", { error }, "a recording's row was not written; the sweep will");
                self.resume = away.then(|| Instant::now() + PAUSE);
                self.known = None;
                self.missed.mark();
            }
        }
    }

    async fn write(&mut self, row: Row) -> Result<(), db::Error> {
        match row {
            Row::Segment { run, segment } => {
                if self.known != Some(run.id.0) {
                    self.store.insert_run(&run).await?;
                    self.known = Some(run.id.0);
                }
                self.store.upsert_segment(&segment).await
            }
            Row::RunEnded(run) => {
                self.store.insert_run(&run).await?;
                match (run.ended_at, run.end_reason) {
                    (Some(at), Some(reason)) => self.store.end_run(run.id, at, reason).await,
                    _ => Ok(()),
                }
            }
            Row::GapOpened(gap) => self.store.open_gap(&gap).await,
            Row::GapClosed(camera, at) => self.store.close_gap(camera, at).await,
            Row::Flush(_) => Ok(()),
        }
    }
}
