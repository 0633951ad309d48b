//! How much is deleted to make room, how fast, and what is kept in any case. Pure.
//!
//! Whoever else fills the disk cannot be helped by deleting: so only what the floor lacks goes, at a rate that belongs
//! to what is recorded, and never the newest of a camera. A program that takes the whole disk costs little footage
//! before a person sees it; recording itself never waits for this.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::disk::Space;

/// Room made beyond the floor at most, so that it is not made for each segment: a few minutes of a few cameras.
const HEADROOM: u64 = 64 << 20;
/// On a small disk it is this part of the place.
const HEADROOM_PART: u64 = 64;
/// Bytes that may be deleted for each byte recorded.
const TIMES: u64 = 4;
/// What may be deleted a day however little is recorded: this part of the place.
const DAILY_PART: u64 = 4;
/// What may be deleted at once after a long time without deleting: this part of the place,
const BURST_PART: u64 = 32;
/// but at least this: PostgreSQL needs a segment of its log or two (16 MiB each) to start.
const LEAST_BURST: u64 = 32 << 20;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Bytes that fit where recordings are kept, when other files take `others` of the file system.
pub(super) fn place(space: Space, floor_bytes: u64, others: u64) -> u64 {
    space.used_bytes.saturating_add(space.free_bytes).saturating_sub(floor_bytes).saturating_sub(others)
}

/// Bytes to delete so that the floor is back, with a little more; 0 while it is there.
pub(super) fn needed(space: Space, floor_bytes: u64, place: u64) -> u64 {
    match space.short_of(floor_bytes) {
        0 => 0,
        short => short.saturating_add(HEADROOM.min(place / HEADROOM_PART)),
    }
}

/// How many of these sizes, the oldest first, are deleted for that many bytes: more than asked for by less than one.
pub(super) fn choose(oldest_first: impl IntoIterator<Item = u64>, bytes: u64) -> usize {
    let before = oldest_first.into_iter().scan(0u64, |sum, size| {
        let before = *sum;
        *sum = sum.saturating_add(size);
        Some(before)
    });
    before.take_while(|before| *before < bytes).count()
}

/// What may be deleted now: grows with time and with what is recorded.
#[derive(Debug)]
pub(super) struct Budget {
    allowed: u64,
    /// What was deleted beyond it, because files are deleted whole.
    owed: u64,
    at: Instant,
    written: u64,
}

impl Budget {
    /// For a recorder that begins now: enough for the recorder itself. A hub that is started again and again gets no
    /// more than this each time.
    pub(super) fn new(now: Instant) -> Self {
        Self { allowed: HEADROOM, owed: 0, at: now, written: 0 }
    }

    /// Bytes that may be deleted now, after `written` bytes were recorded since the start.
    pub(super) fn allowance(&mut self, now: Instant, written: u64, place: u64) -> u64 {
        let millis = now.duration_since(self.at).as_millis();
        let by_time = u128::from(place / DAILY_PART) * millis / DAY.as_millis();
        let by_time = u64::try_from(by_time).unwrap_or(u64::MAX);
        let by_writing = written.saturating_sub(self.written).saturating_mul(TIMES);
        self.written = written;
        // Bytes of a small place take seconds to come: time counts on until they do.
        if by_time > 0 {
            self.at = now;
        }
        let earned = by_time.saturating_add(by_writing);
        let paid = earned.min(self.owed);
        self.owed -= paid;
        self.allowed = self.allowed.saturating_add(earned - paid).min(LEAST_BURST.max(place / BURST_PART));
        self.allowed
    }

    /// So much was deleted.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.owed = self.owed.saturating_add(bytes.saturating_sub(self.allowed));
        self.allowed = self.allowed.saturating_sub(bytes);
    }
}

/// What is kept of each camera however full the disk is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Minimum {
    /// So much of its newest time,
    pub(super) time: Duration,
    /// but not more bytes than this.
    pub(super) bytes: u64,
}

impl Minimum {
    /// The time that is set, but together no more than half of the place.
    pub(super) fn of(time: Duration, place: u64, cameras: usize) -> Self {
        let cameras = u64::try_from(cameras.max(1)).unwrap_or(u64::MAX);
        Self { time, bytes: place / 2 / cameras }
    }

    /// Nothing is kept yet.
    pub(super) fn begin(self) -> Kept {
        Kept { minimum: self, newest: None, time: Duration::ZERO, bytes: 0 }
    }
}

/// What is kept of one camera's segments, which are asked for the newest first. Time is counted from the newest date;
/// what has none that is believed counts as long as it is.
#[derive(Debug)]
pub(super) struct Kept {
    minimum: Minimum,
    newest: Option<Timestamp>,
    time: Duration,
    bytes: u64,
}

impl Kept {
    /// Whether the next older one is kept, too.
    pub(super) fn holds(&mut self, date: Option<Timestamp>, duration: Duration, bytes: u64) -> bool {
        if let Some(date) = date {
            let newest = *self.newest.get_or_insert(date);
            self.time = self.time.max(Duration::try_from(newest.duration_since(date)).unwrap_or_default());
        }
        if self.bytes >= self.minimum.bytes || self.time >= self.minimum.time {
            return false;
        }
        if date.is_none() {
            self.time = self.time.saturating_add(duration);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn space(used_bytes: u64, free_bytes: u64) -> Space {
        Space { total_bytes: used_bytes + free_bytes, free_bytes, used_bytes, free_inodes: None }
    }

    #[test]
    fn only_what_the_floor_lacks_is_wanted_and_a_little_more() {
        let floor = GIB;
        let place = place(space(199 * GIB, GIB), floor, 9 * GIB);
        assert_eq!(place, 190 * GIB);
        assert_eq!(needed(space(199 * GIB, GIB), floor, place), 0);
        assert_eq!(needed(space(199 * GIB, GIB - 5), floor, place), 5 + HEADROOM);
        // On a small place the headroom is small, too.
        assert_eq!(needed(space(40 << 20, 0), 16 << 20, 24 << 20), (16 << 20) + (384 << 10));
        assert_eq!(choose([3, 3, 3], 0), 0);
        assert_eq!(choose([3, 3, 3], 4), 2);
        assert_eq!(choose([3, 3, 3], 100), 3);
    }

    #[test]
    fn a_hostile_filler_costs_a_part_of_the_footage_before_a_person_sees_it() {
        let (place, start) = (195 * GIB, Instant::now());
        let mut budget = Budget::new(start);
        let mut deleted = 0;
        for second in 0..8 * 3600 {
            // Recording has stopped; whatever is deleted, the filler takes.
            let allowed = budget.allowance(start + Duration::from_secs(second), 0, place);
            budget.spend(allowed);
            deleted += allowed;
        }
        assert!(deleted < place / 10, "{deleted} of {place} in a night");
        assert!(deleted > place / 14, "{deleted}: other files may grow as fast as that and recording goes on");
    }

    #[test]
    fn after_a_quiet_time_much_may_go_at_once_but_not_all() {
        let (place, start) = (195 * GIB, Instant::now());
        let mut budget = Budget::new(start);
        assert_eq!(budget.allowance(start, 0, place), HEADROOM);
        assert_eq!(budget.allowance(start + 10 * DAY, 0, place), place / BURST_PART);
    }

    fn from_second(second: i64) -> Timestamp {
        crate::clock::from_us(second * 1_000_000)
    }

    /// How many of these are kept, of a minute each and without a date.
    fn kept(minimum: Minimum, newest_first: &[u64]) -> usize {
        let mut kept = minimum.begin();
        newest_first.iter().take_while(|size| kept.holds(None, Duration::from_secs(60), **size)).count()
    }

    #[test]
    fn so_much_of_the_newest_is_kept_as_is_set_in_time_but_no_more_bytes() {
        let minimum = |seconds, bytes| Minimum { time: Duration::from_secs(seconds), bytes };
        let segments = [10; 4];
        assert_eq!(kept(minimum(0, 100), &segments), 0);
        assert_eq!(kept(minimum(600, 0), &segments), 0);
        assert_eq!(kept(minimum(180, 100), &segments), 3);
        assert_eq!(kept(minimum(600, 11), &segments), 2);
        assert_eq!(kept(minimum(600, 100), &segments), 4);
        let mut kept = minimum(600, 100).begin();
        let dates = [None, Some(900), Some(840), None, Some(780), Some(0)].map(|date| date.map(from_second));
        let held: Vec<_> = dates.iter().map(|date| kept.holds(*date, Duration::from_secs(60), 10)).collect();
        assert_eq!(held, [true, true, true, true, true, false]);
        assert_eq!(Minimum::of(DAY, 100, 4).bytes, 12);
        assert_eq!(Minimum::of(DAY, 100, 0).bytes, 50);
    }

    proptest! {
        #[test]
        fn the_recorder_itself_is_never_waited_for(
            place in 0u64..4_000_000_000_000, segments in proptest::collection::vec(1..LEAST_BURST, 1..300),
        ) {
            // Whatever it records, as much may go: room that was recorded away comes back.
            let start = Instant::now();
            let mut budget = Budget::new(start);
            let mut written = 0;
            for size in segments {
                written += size;
                let allowed = budget.allowance(start, written, place);
                prop_assert!(allowed >= size, "{allowed} after a segment of {size}");
                budget.spend(size);
            }
            prop_assert_eq!(budget.owed, 0);
        }

        #[test]
        fn what_is_deleted_over_a_time_is_bounded_and_never_the_minimum(
            place in 0u64..1_000_000_000_000,
            sizes in proptest::collection::vec(1u64..50_000_000, 1..200),
            waits in proptest::collection::vec(0u64..10_000, 1..100),
        ) {
            let start = Instant::now();
            let (mut budget, mut now) = (Budget::new(start), start);
            let minimum = Minimum::of(DAY, place, 1);
            let newest_first: Vec<_> = sizes.iter().rev().copied().collect();
            let mut left: Vec<_> = sizes[..sizes.len() - kept(minimum, &newest_first)].to_vec();
            let mut deleted = 0;
            for wait in waits {
                now += Duration::from_secs(wait);
                let allowed = budget.allowance(now, 0, place);
                let chosen = choose(left.iter().copied(), allowed);
                let bytes: u64 = left.drain(..chosen).sum();
                budget.spend(bytes);
                deleted += bytes;
                let most = HEADROOM + sizes.iter().max().unwrap()
                    + place / DAILY_PART / DAY.as_secs() * now.duration_since(start).as_secs() + 100_000;
                prop_assert!(deleted <= most, "{deleted} of {most}");
            }
            let of_all: u64 = sizes.iter().sum();
            prop_assert!(of_all - deleted >= minimum.bytes.min(of_all), "{deleted} of {of_all}");
        }
    }
}
