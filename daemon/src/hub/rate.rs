//! Frames and bytes a second over the last ten seconds.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(10);
/// More than any camera sends in the window (60 frames a second).
const MOST: usize = 600;

/// A sliding window of arrivals.
#[derive(Debug, Default)]
pub(super) struct Rate {
    arrivals: VecDeque<(Instant, usize)>,
}

impl Rate {
    pub(super) fn add(&mut self, now: Instant, bytes: usize) {
        self.forget(now);
        if self.arrivals.len() == MOST {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back((now, bytes));
    }

    /// Frames a second and bytes a second.
    pub(super) fn per_second(&mut self, now: Instant) -> (f64, f64) {
        self.forget(now);
        let Some((first, _)) = self.arrivals.front() else { return (0.0, 0.0) };
        // Before the window is full, rate over what there was, at least one second of it.
        let seconds = now.duration_since(*first).as_secs_f64().max(1.0);
        let bytes: usize = self.arrivals.iter().map(|(_, bytes)| bytes).sum();
        #[expect(clippy::cast_precision_loss, reason = "ten seconds of frames are far below 2^52 bytes")]
        let rates = (self.arrivals.len() as f64 / seconds, bytes as f64 / seconds);
        rates
    }

    fn forget(&mut self, now: Instant) {
        while self.arrivals.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.arrivals.pop_front();
        }
    }
}
