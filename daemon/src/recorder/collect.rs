//! The encoder's output on its way to disk: each fragment committed, then written down.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::{io::AsyncReadExt, process::ChildStdout, sync::watch};
use uuid::{NoContext, Uuid};

use super::{
    commit::{CommitError, Writer},
    disk::DiskError,
    fragments::{Init, Part, Piece, Splitter},
    ordinals::Ordinals,
    rows::Row,
    shared::Shared,
};
pub(super) use crate::tasks::blocking;
use crate::{
    events::Kind,
    hub::Frame,
    parts::Trouble,
    recordings::{Dated, Run, RunId},
};

/// One read: a pipe's whole buffer.
const READ: usize = 64 * 1024;

/// Why collecting ended before the stream did.
#[derive(Debug)]
pub(super) enum Failure {
    /// What came out is of no use.
    Encoder(String),
    /// It could not be kept.
    Disk(DiskError),
    /// There is no room for another segment.
    Full,
    /// The folder is not the one to record to: why, and what to do.
    Away(Trouble),
}

impl Failure {
    /// Whether a write found no room.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_full())
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Disk(error) => Self::Disk(error),
            CommitError::Number { .. } => Self::Encoder(error.to_string()),
        }
    }
}

/// What is on disk, and whether all went well.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) writer: Option<Writer>,
    pub(super) failure: Option<Failure>,
    /// Whether the collector's task died, and only the files know how far it came.
    pub(super) lost: bool,
}

impl Collected {
    /// The collector's task itself was lost; the sweep finds its files.
    pub(super) fn lost(error: &tokio::task::JoinError) -> Self {
        Self { writer: None, failure: Some(Failure::Encoder(error.to_string())), lost: true }
    }
}

/// Whether the disk is being waited for: nobody reads the encoder's output meanwhile, and it takes no pictures; that is
/// not its fault.
#[derive(Debug, Default)]
pub(super) struct Slowness {
    waiting: AtomicBool,
    was_slow: AtomicBool,
}

impl Slowness {
    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.waiting.store(true, Ordering::Relaxed);
        let done = work.await;
        self.waiting.store(false, Ordering::Relaxed);
        done
    }

    /// Whether it is being waited for now; notes that it is slow.
    pub(super) fn is_waited_for(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.was_slow.fetch_or(waiting, Ordering::Relaxed);
        waiting
    }

    /// Whether it was ever found slow.
    pub(super) fn was_slow(&self) -> bool {
        self.was_slow.load(Ordering::Relaxed)
    }
}

/// Reads one run's fragments.
pub(super) struct Collector {
    shared: Arc<Shared>,
    run: Run,
    /// The median interval, once the encoder's input is closed: from then on a fragment may be the last.
    closing: watch::Receiver<Option<Duration>>,
    writer: Option<Writer>,
    held: Option<Piece>,
    disk: Arc<Slowness>,
}

impl Collector {
    pub(super) fn new(
        shared: &Arc<Shared>,
        camera: CameraId,
        first: &Frame,
        ordinals: Ordinals,
        closing: watch::Receiver<Option<Duration>>,
    ) -> Self {
        let (clock, epoch) = (&shared.clock, first.clock_epoch);
        let boot = clock.booted(epoch, first.captured_at);
        let dated = Dated { is_known: clock.is_set() && clock.epoch() == epoch, shift_us: 0, boot };
        let run = Run {
            id: RunId(id_at(first.captured_at)),
            camera,
            ordinal: ordinals.next_run,
            first_sequence: ordinals.next_sequence,
            started_at: first.captured_at,
            ended_at: None,
            end_reason: None,
            size: (first.width, first.height),
            codec: String::new(),
            dated,
        };
        Self { shared: Arc::clone(shared), run, closing, writer: None, held: None, disk: Arc::default() }
    }

    /// The run that it makes.
    pub(super) fn id(&self) -> RunId {
        self.run.id
    }

    /// Tells how slow the disk is.
    pub(super) fn disk(&self) -> Arc<Slowness> {
        Arc::clone(&self.disk)
    }

    /// Reads to the end of the stream, or to the first failure.
    pub(super) async fn run(mut self, stdout: ChildStdout) -> Collected {
        let failure = self.read(stdout).await.err();
        Collected { writer: self.writer, failure, lost: false }
    }

    async fn read(&mut self, mut stdout: ChildStdout) -> Result<(), Failure> {
        let mut splitter = Splitter::default();
        let mut buffer = BytesMut::with_capacity(READ);
        loop {
            buffer.clear();
            let read = stdout.read_buf(&mut buffer).await.map_err(|error| Failure::Encoder(error.to_string()))?;
            if read == 0 {
                return self.last().await;
            }
            splitter.push(&buffer);
            while let Some(part) = splitter.next_part().map_err(|error| Failure::Encoder(error.to_string()))? {
                match part {
                    Part::Init(init) => self.begin(init).await?,
                    Part::Piece(piece) => self.piece(piece).await?,
                }
            }
        }
    }

    async fn begin(&mut self, init: Init) -> Result<(), Failure> {
        self.run.size = init.size;
        self.run.codec.clone_from(&init.codec);
        // Looked at seconds ago; since then its disk may have been unmounted, and this would make folders.
        self.shared.check_folder().await.map_err(Failure::Away)?;
        self.shared.run_begins(self.run.id);
        let (shared, run) = (Arc::clone(&self.shared), self.run.clone());
        let making = blocking(move || {
            let pins = || shared.pins.of_run(run.camera, run.started_at);
            Writer::create(&shared.root, run.clone(), &init, pins)
        });
        let made = self.disk.during(making).await;
        if made.is_err() {
            self.shared.run_over(self.run.id);
        }
        self.writer = Some(made.map_err(Failure::Disk)?);
        Ok(())
    }

    /// While pictures come, a fragment is whole because the next has begun: its duration is true. Once the input is
    /// closed, one is held back until the stream shows whether it was the last.
    async fn piece(&mut self, piece: Piece) -> Result<(), Failure> {
        if let Some(before) = self.held.take() {
            let duration = before.duration;
            self.commit(before, duration).await?;
        }
        if self.closing.borrow().is_some() {
            self.held = Some(piece);
            return Ok(());
        }
        let duration = piece.duration;
        self.commit(piece, duration).await
    }

    /// The last fragment's last picture is shown for the median interval: nobody knows better.
    async fn last(&mut self) -> Result<(), Failure> {
        let Some(piece) = self.held.take() else { return Ok(()) };
        let interval = self.closing.borrow().unwrap_or_default();
        let duration = piece.to_last_picture + interval;
        self.commit(piece, duration).await
    }

    async fn commit(&mut self, piece: Piece, duration: Duration) -> Result<(), Failure> {
        let new = self.writer.as_ref().is_some_and(|writer| writer.needs_segment(piece.start));
        if new {
            if !self.shared.has_room().await {
                return Err(Failure::Full);
            }
            self.shared.segment_open(self.run.id, self.run.started_at + piece.start);
        }
        let Some(mut writer) = self.writer.take() else {
            return Err(Failure::Encoder("a fragment without an init section".to_owned()));
        };
        let (size, until) = (piece.bytes.len(), self.run.started_at + piece.start + duration);
        let committing = blocking(move || {
            let committed = writer.commit(&piece, duration);
            (writer, committed)
        });
        let (writer, committed) = self.disk.during(committing).await;
        self.writer = Some(writer);
        let committed = committed?;
        self.shared.committed(self.run.camera, until, size);
        let run = Arc::new(self.run.clone());
        if committed.first {
            self.shared.recording_since(self.run.camera, self.run.started_at);
            tracing::info!(camera.id = %self.run.camera, run.id = %self.run.id.0, "a run began");
            self.shared.events.tell(Kind::RecordingStarted, Some(self.run.camera), "recording began");
        }
        if let Some(segment) = committed.closed {
            self.shared.rows.write(Row::Segment { run: Arc::clone(&run), segment });
        }
        self.shared.rows.write(Row::Segment { run, segment: committed.open });
        Ok(())
    }
}

/// A UUID version 7 of that moment: ids sort by it.
fn id_at(at: Timestamp) -> Uuid {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}
