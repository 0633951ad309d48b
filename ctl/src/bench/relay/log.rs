//! What a viewer saw, and what can be read from it: pure.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::super::{samples::Samples, stamp::Stamp};

/// A picture that came whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// Since the epoch.
    pub(super) at: Duration,
    pub(super) stamp: Stamp,
}

impl Came {
    /// From its capture to its last byte.
    fn age(&self) -> Duration {
        self.at.saturating_sub(Duration::from_nanos(self.stamp.captured_ns))
    }
}

/// Notes what came; shared by a viewer and whoever measures.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Vec<Came>>);

/// What came in a time.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) frames: usize,
    /// Numbers that are missing between the first and the last.
    pub(super) skipped: u64,
    pub(super) ages: Samples,
    /// The longest time without a picture, from the beginning to the end.
    pub(super) longest_gap: Duration,
}

impl Log {
    pub(super) fn add(&self, at: Duration, stamp: Stamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Came { at, stamp });
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Between two moments.
    pub(super) fn part(&self, from: Duration, to: Duration) -> Part {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut part = Part::default();
        let (mut newest, mut last) = (None::<u64>, from);
        for came in all.iter().filter(|came| (from..to).contains(&came.at)) {
            part.frames += 1;
            part.ages.add(came.age());
            part.skipped += newest.map_or(0, |newest| came.stamp.number.saturating_sub(newest + 1));
            newest = Some(newest.map_or(came.stamp.number, |newest| newest.max(came.stamp.number)));
            part.longest_gap = part.longest_gap.max(came.at.saturating_sub(last));
            last = came.at;
        }
        part.longest_gap = part.longest_gap.max(to.saturating_sub(last));
        part
    }

    /// How long after a moment the first picture came that was younger than `young`.
    pub(super) fn current_after(&self, moment: Duration, young: Duration) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = all.iter().find(|came| came.at >= moment && came.age() < young)?;
        Some(first.at - moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn log(came: &[(u64, u32, u32)]) -> Log {
        let log = Log::default();
        for (number, captured_ms, at_ms) in came {
            log.add(MS * *at_ms, Stamp { number: *number, captured_ns: u64::from(*captured_ms) * 1_000_000 });
        }
        log
    }

    #[test]
    fn a_part_tells_what_came_in_its_time() {
        let log = log(&[(1, 0, 50), (2, 100, 180), (5, 400, 490), (6, 500, 1500)]);
        let mut part = log.part(100 * MS, 1000 * MS);
        assert_eq!((part.frames, part.skipped, part.longest_gap), (2, 2, 510 * MS));
        assert_eq!(part.ages.percentile(50), 80 * MS);
        assert_eq!(log.part(2000 * MS, 3000 * MS).longest_gap, 1000 * MS);
    }

    #[test]
    fn an_old_picture_that_comes_late_is_not_current() {
        let log = log(&[(1, 0, 50), (2, 100, 5100), (3, 5000, 5300)]);
        assert_eq!(log.current_after(5000 * MS, 1000 * MS), Some(300 * MS));
        assert_eq!(log.current_after(6000 * MS, 1000 * MS), None);
    }
}
