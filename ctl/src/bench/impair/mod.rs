//! A line that is worse than the loopback: a rate, a delay, loss, packets that overtake each other, a router's bounded
//! queue, and cuts. It stands between a hub and its viewers as a proxy, for UDP datagrams and for TCP's bytes, and needs
//! no rights.
//!
//! All connections through one proxy share its line, each direction for itself. The rate counts whole IP packets: 28
//! bytes are added to each datagram (IPv4 and UDP), 52 to each 1,448 bytes of TCP (IPv4, TCP, timestamps).
//!
//! TCP's bytes cannot be lost by a proxy: a piece that the dice lose arrives a round trip later, and all behind it wait
//! for it; the sender does not slow down as it would. During a cut bytes wait and go on at once when it is over, where a
//! real sender would wait for its timer. Both make TCP look better than it is.

mod datagrams;
mod line;
mod measure;
mod stream;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

pub use datagrams::DatagramProxy;
pub use line::Conditions;
pub(crate) use measure::{Truth, measure};
pub(crate) use stream::StreamProxy;

use line::Line;

/// Both directions and the switch that cuts them; clones are the same line.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    began: Instant,
    /// To the hub, and from it.
    lines: [Mutex<Line>; 2],
    cut: watch::Sender<bool>,
    counts: Counts,
}

/// What became of what was sent, both directions together.
#[derive(Debug, Default)]
struct Counts {
    lost: AtomicU64,
    dropped: AtomicU64,
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Direction {
    ToHub,
    FromHub,
}

impl Link {
    /// The same conditions both ways.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        let line = |seed| Mutex::new(Line::new(conditions, seed));
        let lines = [line(seed), line(seed.wrapping_add(1))];
        Self(Arc::new(Inner {
            began: Instant::now(),
            lines,
            cut: watch::Sender::new(false),
            counts: Counts::default(),
        }))
    }

    /// From now on nothing gets through.
    pub fn cut(&self) {
        self.0.cut.send_replace(true);
    }

    /// It carries again.
    pub fn mend(&self) {
        self.0.cut.send_replace(false);
    }

    /// Packets that were lost, and packets that found the queue full, so far.
    pub(crate) fn losses(&self) -> (u64, u64) {
        (self.0.counts.lost.load(Relaxed), self.0.counts.dropped.load(Relaxed))
    }

    fn is_cut(&self) -> bool {
        *self.0.cut.borrow()
    }

    /// Returns when it is not cut.
    async fn whole(&self) {
        let mut cut = self.0.cut.subscribe();
        // The sender is in `self`.
        let _open = cut.wait_for(|cut| !*cut).await;
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn instant(&self, at: Duration) -> Instant {
        self.0.began + at
    }

    fn line(&self, direction: Direction) -> MutexGuard<'_, Line> {
        let line = match direction {
            Direction::ToHub => &self.0.lines[0],
            Direction::FromHub => &self.0.lines[1],
        };
        line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Megabits a second, to a hundredth.
pub(crate) fn megabits(bits_per_second: f64) -> f64 {
    (bits_per_second / 1e4).round() / 100.0
}
