//! How much is recorded a day, from what was written in the last one. Pure.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Marks a day: one every ten minutes.
const BETWEEN: Duration = Duration::from_secs(600);

/// Bytes written, with marks of how many there were when.
#[derive(Debug)]
pub(super) struct Pace {
    total: u64,
    marks: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// Counts from now on.
    pub(super) fn new(now: Instant) -> Self {
        Self { total: 0, marks: VecDeque::from([(now, 0)]) }
    }

    /// So many bytes were written.
    pub(super) fn add(&mut self, now: Instant, bytes: u64) {
        while self.marks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= DAY) {
            self.marks.pop_front();
        }
        if self.marks.back().is_none_or(|(at, _)| now.duration_since(*at) >= BETWEEN) {
            self.marks.push_back((now, self.total));
        }
        self.total = self.total.saturating_add(bytes);
    }

    /// Bytes since the start.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes a day, by the last day; `None` before there are ten minutes to judge by.
    pub(super) fn per_day(&self, now: Instant) -> Option<u64> {
        let (first, before) = self.marks.front()?;
        let over = now.duration_since(*first);
        let written = u128::from(self.total - before) * DAY.as_millis();
        (over >= BETWEEN).then(|| u64::try_from(written / over.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_judged_by_the_last_one_and_not_by_a_moment() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.add(start, 1000);
        assert_eq!(pace.per_day(start + BETWEEN / 2), None);
        assert_eq!(pace.per_day(start + DAY / 2), Some(2000));
        // Ten days at a byte a second: what came before the last day does not count.
        let mut now = start;
        for _ in 0..10 * 144 {
            now += BETWEEN;
            pace.add(now, 600);
        }
        let per_day = pace.per_day(now).unwrap();
        assert!((85_000..=87_000).contains(&per_day), "{per_day}");
        assert!(pace.marks.len() <= 146, "{}", pace.marks.len());
    }
}
