//! What other files than recordings take of the disk: how much now, how fast it grows, and how little it was. Pure.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// The least of this time tells what fits: whoever fills the disk does not change that at once.
const LOOKED_BACK: Duration = Duration::from_secs(24 * 3600);
/// One mark of the least in each of these.
const BETWEEN: Duration = Duration::from_secs(600);
/// How far back growth is measured.
const GROWTH: Duration = Duration::from_secs(60);
/// Between two marks of growth.
const STEP: Duration = Duration::from_secs(2);

/// Bytes of other files over time.
#[derive(Debug, Default)]
pub(super) struct Others {
    now: Option<u64>,
    least: VecDeque<(Instant, u64)>,
    recent: VecDeque<(Instant, u64)>,
}

impl Others {
    /// They take so many bytes now. `counted`: recordings were counted just now, and not only what changed since.
    pub(super) fn note(&mut self, now: Instant, bytes: u64, counted: bool) {
        self.now = Some(bytes);
        // One mark that is older than a minute stays, to compare with.
        while self.recent.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= GROWTH) {
            self.recent.pop_front();
        }
        if self.recent.back().is_none_or(|(at, _)| now.duration_since(*at) >= STEP) {
            self.recent.push_back((now, bytes));
        }
        if !counted {
            return;
        }
        while self.least.len() > 1 && self.least.front().is_some_and(|(at, _)| now.duration_since(*at) >= LOOKED_BACK) {
            self.least.pop_front();
        }
        match self.least.back_mut() {
            Some((at, least)) if now.duration_since(*at) < BETWEEN => *least = bytes.min(*least),
            _ => self.least.push_back((now, bytes)),
        }
    }

    /// How many they take; `None` until that is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.now
    }

    /// The least they took within a day.
    pub(super) fn least(&self) -> Option<u64> {
        self.least.iter().map(|(_, bytes)| *bytes).min()
    }

    /// By how much they grew within the last minute.
    pub(super) fn growth(&self) -> u64 {
        let before = self.recent.front().map(|(_, bytes)| *bytes);
        self.now.zip(before).map_or(0, |(now, before)| now.saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_the_last_minute() {
        let start = Instant::now();
        let mut others = Others::default();
        assert_eq!((others.bytes(), others.growth()), (None, 0));
        for second in 0..300u64 {
            others.note(start + Duration::from_secs(second), 1000 + second * 10, false);
        }
        assert_eq!(others.bytes(), Some(3990));
        assert!((600..=640).contains(&others.growth()), "{}", others.growth());
        assert!(others.recent.len() < 40);
        others.note(start + Duration::from_secs(301), 0, false);
        assert_eq!(others.growth(), 0);
        assert_eq!(others.least(), None);
    }

    #[test]
    fn who_fills_the_disk_does_not_change_what_fits_for_a_day() {
        let start = Instant::now();
        let mut others = Others::default();
        let mut now = start;
        others.note(now, 1000, true);
        while now < start + LOOKED_BACK - Duration::from_secs(60) {
            now += Duration::from_secs(60);
            others.note(now, 9000, true);
        }
        assert_eq!(others.least(), Some(1000));
        for _ in 0..20 {
            now += Duration::from_secs(60);
            others.note(now, 9000, true);
        }
        assert_eq!(others.least(), Some(9000));
        assert!(others.least.len() <= 145, "{}", others.least.len());
    }
}
