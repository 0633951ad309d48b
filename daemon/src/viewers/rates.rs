//! Frames and bytes a second over the last ten seconds, out of totals that are looked at once a second.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(10);

/// Totals at one moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    frames: u64,
    bytes: u64,
}

/// Totals of the last ten seconds.
#[derive(Debug)]
pub(super) struct Rates(VecDeque<Mark>);

impl Rates {
    pub(super) fn new(now: Instant) -> Self {
        Self(VecDeque::from([Mark { at: now, frames: 0, bytes: 0 }]))
    }

    /// Notes the totals now.
    pub(super) fn note(&mut self, at: Instant, frames: u64, bytes: u64) {
        // The one at the far end or beyond stays, to count from.
        while self.0.get(1).is_some_and(|second| at.duration_since(second.at) >= WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(Mark { at, frames, bytes });
    }

    /// Frames a second and bytes a second.
    pub(super) fn per_second(&self) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return (0.0, 0.0) };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "ten seconds of frames are far below 2^52 bytes")]
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (rate(first.frames, last.frames), rate(first.bytes, last.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_last_ten_seconds_count() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        assert_eq!(rates.per_second(), (0.0, 0.0));
        for second in 1..=20 {
            rates.note(start + Duration::from_secs(second), 20 * second, 1000 * second);
            assert_eq!(rates.per_second(), (20.0, 1000.0));
        }
        assert!(rates.0.len() <= 12);
        for second in 21..=30 {
            rates.note(start + Duration::from_secs(second), 400, 20_000);
        }
        assert_eq!(rates.per_second(), (0.0, 0.0), "nothing came in the last ten");
    }
}
