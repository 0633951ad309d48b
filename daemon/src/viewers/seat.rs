//! One live view's place among the others, and what it counts.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use metrics::Counter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Entry, Snapshot, Viewers, rates::Rates};

/// What holds a view down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Frames a second at most.
    pub fps: Option<f64>,
    /// Pixels at most.
    pub width: Option<u16>,
    /// Pixels at most.
    pub height: Option<u16>,
    /// The line holds them down, and not only the viewer's wish.
    pub by_line: bool,
}

pub(super) struct Shared {
    pub(super) id: Uuid,
    pub(super) disconnected: CancellationToken,
    connected_at: Timestamp,
    /// All of the process share it, so it is told once a second and not for every frame.
    counter: Counter,
    sent: AtomicU64,
    /// How many of them the counter knows.
    counted: AtomicU64,
    delivered: AtomicU64,
    delivered_bytes: AtomicU64,
    skipped: AtomicU64,
    queued_bytes: AtomicU64,
    /// 0: not known.
    round_trip_us: AtomicU64,
    rare: Mutex<Rare>,
}

/// What changes seldom.
struct Rare {
    entry: Entry,
    limits: Option<Limits>,
    rates: Rates,
}

impl Shared {
    pub(super) fn new(entry: Entry, connected_at: Timestamp) -> Self {
        Self {
            id: Uuid::new_v4(),
            disconnected: CancellationToken::new(),
            connected_at,
            counter: metrics::counter!("larder_live_frames_sent_total", "protocol" => entry.protocol.name()),
            sent: AtomicU64::default(),
            counted: AtomicU64::default(),
            delivered: AtomicU64::default(),
            delivered_bytes: AtomicU64::default(),
            skipped: AtomicU64::default(),
            queued_bytes: AtomicU64::default(),
            round_trip_us: AtomicU64::default(),
            rare: Mutex::new(Rare { entry, limits: None, rates: Rates::new(Instant::now()) }),
        }
    }

    pub(super) fn entry(&self) -> Entry {
        self.rare().entry.clone()
    }

    pub(super) fn measure(&self, now: Instant) {
        let (frames, bytes) = (load(&self.delivered), load(&self.delivered_bytes));
        self.rare().rates.note(now, frames, bytes);
        self.count();
    }

    /// Tells the counter what was sent since it was told last.
    fn count(&self) {
        let sent = load(&self.sent);
        let counted = self.counted.fetch_max(sent, Ordering::Relaxed);
        self.counter.increment(sent.saturating_sub(counted));
    }

    pub(super) fn snapshot(&self, number: u64) -> Snapshot {
        let rare = self.rare();
        let (fps, bytes_per_second) = rare.rates.per_second();
        let round_trip = load(&self.round_trip_us);
        Snapshot {
            number,
            id: self.id,
            entry: rare.entry.clone(),
            connected_at: self.connected_at,
            delivered: load(&self.delivered),
            skipped: load(&self.skipped),
            queued_bytes: load(&self.queued_bytes),
            round_trip: (round_trip > 0).then(|| Duration::from_micros(round_trip)),
            fps,
            bytes_per_second,
            limits: rare.limits,
        }
    }

    fn rare(&self) -> MutexGuard<'_, Rare> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live view, until dropped. It has one owner, who alone counts.
pub struct Seat {
    viewers: Viewers,
    number: u64,
    shared: Arc<Shared>,
    protocol: &'static str,
    skipped: Counter,
}

impl Seat {
    pub(super) fn new(viewers: Viewers, number: u64, shared: Arc<Shared>) -> Self {
        let protocol = shared.entry().protocol.name();
        metrics::gauge!("larder_live_viewers", "protocol" => protocol).increment(1.0);
        Self {
            viewers,
            number,
            shared,
            protocol,
            // Looked up once and not for every frame.
            skipped: metrics::counter!("larder_live_frames_skipped_total", "protocol" => protocol),
        }
    }

    /// Of this view.
    pub fn id(&self) -> Uuid {
        self.shared.id
    }

    /// Ends when somebody who manages the hub ends this view.
    pub fn disconnected(&self) -> CancellationToken {
        self.shared.disconnected.clone()
    }

    /// A frame of so many bytes is on its way.
    pub fn sent(&self, bytes: usize) {
        add(&self.shared.sent, 1);
        add(&self.shared.queued_bytes, wide(bytes));
    }

    /// So many frames were not sent, or were given up.
    pub fn skipped(&self, frames: u64) {
        // All viewers share the counter: most often there is nothing to write.
        if frames > 0 {
            self.skipped.increment(frames);
            add(&self.shared.skipped, frames);
        }
    }

    /// A frame that was on its way is there.
    pub fn delivered(&self, bytes: usize) {
        self.left(bytes);
        add(&self.shared.delivered, 1);
        add(&self.shared.delivered_bytes, wide(bytes));
    }

    /// A frame is on its way no more.
    pub fn left(&self, bytes: usize) {
        let queued = load(&self.shared.queued_bytes);
        self.shared.queued_bytes.store(queued.saturating_sub(wide(bytes)), Ordering::Relaxed);
    }

    /// How long a byte and its answer take now.
    pub fn round_trip(&self, round_trip: Duration) {
        let us = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        self.shared.round_trip_us.store(us, Ordering::Relaxed);
    }

    /// Where it comes from now.
    pub fn moved(&self, address: String) {
        self.shared.rare().entry.address = address;
    }

    /// What holds it down now.
    pub fn limited(&self, limits: Option<Limits>) {
        self.shared.rare().limits = limits;
    }

    /// Frames that are there, and those that were skipped.
    pub fn counts(&self) -> (u64, u64) {
        (load(&self.shared.delivered), load(&self.shared.skipped))
    }

    /// The view ends, for this reason.
    pub fn ended(&self, reason: &'static str) {
        metrics::counter!("larder_live_ended_total", "protocol" => self.protocol, "reason" => reason).increment(1);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.viewers.leave(self.number);
        self.shared.count();
        metrics::gauge!("larder_live_viewers", "protocol" => self.protocol).decrement(1.0);
    }
}

fn load(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

/// Only the owner writes, so it need not be one step.
fn add(number: &AtomicU64, more: u64) {
    number.store(load(number).wrapping_add(more), Ordering::Relaxed);
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
