//! Who watches live, over whatever protocol, and passes with which to watch from far away.
//!
//! Each live view has a [`Seat`] for as long as it goes on. What it counts there are plain atomics: nothing on a frame's
//! way takes a lock. [`Viewers::keep_rates`] reads them once a second.

mod passes;
mod rates;
mod seat;
mod service;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::time::Instant;
use uuid::Uuid;

pub use passes::{IssueError, Pass, Passes};
pub use seat::{Limits, Seat};
pub use service::{Parts, PassDetails, Service};

use crate::clock::Clock;
use seat::Shared;

/// How often rates are measured.
const RATE_CHECK: Duration = Duration::from_secs(1);
/// Characters that are kept of what a program says it is.
const MOST_CLIENT: usize = 64;

/// What a live view is carried by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// JPEG over WebSocket.
    WebSocket,
    /// MJPEG over HTTP.
    Mjpeg,
    /// `larder/1` over QUIC.
    Quic,
    /// `larder/1` in a WebTransport session.
    WebTransport,
    /// Media over QUIC.
    Moq,
}

impl Protocol {
    /// For logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Mjpeg => "mjpeg",
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
            Self::Moq => "moq",
        }
    }
}

/// Who comes to watch.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How.
    pub protocol: Protocol,
    /// Address and port; `local` on the local socket.
    pub address: String,
    /// Of the user or the token.
    pub user: Arc<str>,
    /// What program it says it is. Cut to 64 characters; those that can't be printed are left out.
    pub client: String,
    /// What it watches.
    pub camera: CameraId,
}

/// All live views; clones share them.
#[derive(Clone)]
pub struct Viewers(Arc<Inner>);

struct Inner {
    seats: Mutex<Seats>,
    clock: Clock,
}

#[derive(Default)]
struct Seats {
    /// Given out so far: seats are in the order in which they were taken.
    taken: u64,
    all: BTreeMap<u64, Arc<Shared>>,
}

/// A live view at one moment.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is its Viewer namesake in viewers.proto")]
pub struct Snapshot {
    /// Rises from view to view.
    pub number: u64,
    pub id: Uuid,
    pub entry: Entry,
    pub connected_at: Timestamp,
    pub delivered: u64,
    pub skipped: u64,
    pub queued_bytes: u64,
    pub round_trip: Option<Duration>,
    pub fps: f64,
    pub bytes_per_second: f64,
    pub limits: Option<Limits>,
}

impl Viewers {
    /// Nobody watches yet.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { seats: Mutex::default(), clock }))
    }

    /// One more watches, until the seat is dropped.
    pub fn enter(&self, mut entry: Entry) -> Seat {
        entry.client = entry.client.chars().filter(|c| !c.is_control()).take(MOST_CLIENT).collect();
        let shared = Arc::new(Shared::new(entry, self.0.clock.now()));
        let number = {
            let mut seats = self.seats();
            seats.taken += 1;
            let number = seats.taken;
            seats.all.insert(number, Arc::clone(&shared));
            number
        };
        Seat::new(self.clone(), number, shared)
    }

    /// All views, the oldest first.
    pub fn all(&self) -> Vec<Snapshot> {
        self.seats().all.iter().map(|(number, shared)| shared.snapshot(*number)).collect()
    }

    /// Ends the view with that id; whoever held it. `None` when there is none.
    pub fn disconnect(&self, id: Uuid) -> Option<Entry> {
        let found = self.seats().all.values().find(|shared| shared.id == id).cloned()?;
        found.disconnected.cancel();
        Some(found.entry())
    }

    /// Measures rates, until dropped. Cancel safe.
    pub async fn keep_rates(self) {
        let mut ticks = tokio::time::interval(RATE_CHECK);
        loop {
            ticks.tick().await;
            let all: Vec<_> = self.seats().all.values().cloned().collect();
            let now = Instant::now();
            all.iter().for_each(|shared| shared.measure(now));
        }
    }

    fn leave(&self, number: u64) {
        self.seats().all.remove(&number);
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
