//! The hub's clock: monotonic, anchored to wall time.
//!
//! Between two checks time only goes forward. A wall clock that moves by more than [`STEP`] is followed at once and
//! starts a new epoch, which ends every recording run; less than that is slewed.

mod trust;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};
pub use trust::{Trust, synchronised};

use crate::parts::Trouble;

/// A difference to the wall clock that is followed at once, and noted.
pub const STEP: Duration = Duration::from_secs(1);
/// How often [`Clock::run`] compares with the wall clock.
const CHECK: Duration = Duration::from_millis(250);
/// The fastest correction of a small difference: NTP's own limit, 500 µs a second.
const SLEW_PPM: i64 = 500;

/// Times that can be, in seconds since 1970: from the first of January 2025, before which no hub was made, to 2100. A
/// board without a battery begins in 1970, or where it stopped.
const PLAUSIBLE: std::ops::Range<i64> = 1_735_689_600..4_102_444_800;

/// A cheap handle; clones share the clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    anchor: Mutex<Anchor>,
    wall: Box<dyn Fn() -> SystemTime + Send + Sync>,
    epoch: watch::Sender<u64>,
}

#[derive(Clone, Copy)]
struct Anchor {
    monotonic: Instant,
    wall_us: i64,
    /// Correction of a small difference, for one [`CHECK`] at most.
    slew_ppm: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock on the machine's wall clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn new() -> Self {
        Self::with_wall(SystemTime::now)
    }

    /// A clock on another wall clock, for tests.
    pub fn with_wall(wall: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let anchor = Anchor { monotonic: Instant::now(), wall_us: unix_us(wall()), slew_ppm: 0 };
        Self(Arc::new(Inner { anchor: Mutex::new(anchor), wall: Box::new(wall), epoch: watch::Sender::new(0) }))
    }

    /// The time now, to the microsecond. Never earlier than an earlier answer of the same epoch.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The time at a monotonic instant, by the present anchor.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let anchor = *self.anchor();
        from_us(anchor.at(instant))
    }

    /// Counts the steps of the wall clock since the start. Times of different epochs do not compare.
    pub fn epoch(&self) -> u64 {
        *self.0.epoch.borrow()
    }

    /// Tells of every step.
    pub fn epochs(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    /// What is the matter with the wall clock, if it tells a time that can't be.
    pub fn trouble(&self) -> Option<Trouble> {
        let now = self.now();
        (!PLAUSIBLE.contains(&now.as_second())).then(|| {
            let detail = format!("it says {now}: recordings get that date until the clock is set (timedatectl)");
            Trouble::warning("implausible", detail)
        })
    }

    /// Follows the wall clock until dropped. Cancel safe.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(CHECK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Some(step) = self.check() {
                metrics::counter!("larder_clock_steps_total").increment(1);
                tracing::warn!(clock.step_ms = step, "the wall clock stepped");
            }
        }
    }

    /// Compares with the wall clock once. `Some(milliseconds)` when it had stepped.
    pub fn check(&self) -> Option<i64> {
        let now = Instant::now();
        let wall = unix_us((self.0.wall)());
        let mut anchor = self.anchor();
        let ours = anchor.at(now);
        let difference = wall - ours;
        if difference.unsigned_abs() > u64::try_from(STEP.as_micros()).unwrap_or(u64::MAX) {
            *anchor = Anchor { monotonic: now, wall_us: wall, slew_ppm: 0 };
            drop(anchor);
            self.0.epoch.send_modify(|epoch| *epoch += 1);
            return Some(difference / 1000);
        }
        // By its rate, never by a jump: that would give times before ones that were given already.
        let slew_ppm = (difference * 1_000_000 / us(CHECK)).clamp(-SLEW_PPM, SLEW_PPM);
        *anchor = Anchor { monotonic: now, wall_us: ours, slew_ppm };
        None
    }

    fn anchor(&self) -> std::sync::MutexGuard<'_, Anchor> {
        self.0.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Anchor {
    fn at(&self, instant: Instant) -> i64 {
        let forward = instant.checked_duration_since(self.monotonic);
        let backward = self.monotonic.checked_duration_since(instant);
        let forward = us(forward.unwrap_or_default());
        let slewed = forward.min(us(CHECK)) * self.slew_ppm / 1_000_000;
        self.wall_us + forward + slewed - us(backward.unwrap_or_default())
    }
}

fn us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(0)
}

fn unix_us(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A timestamp from microseconds since 1970; out of range is clamped.
pub fn from_us(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn settable() -> (Clock, Arc<AtomicI64>) {
        let wall = Arc::new(AtomicI64::new(1_000_000_000_000));
        let read = Arc::clone(&wall);
        let clock = Clock::with_wall(move || {
            SystemTime::UNIX_EPOCH + Duration::from_micros(read.load(Ordering::Relaxed).unsigned_abs())
        });
        (clock, wall)
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_followed_and_starts_an_epoch() {
        let (clock, wall) = settable();
        tokio::time::advance(Duration::from_secs(1)).await;
        wall.fetch_add(1_000_000 - 3_600_000_000, Ordering::Relaxed);
        assert_eq!(clock.check(), Some(-3_600_000));
        assert_eq!(clock.epoch(), 1);
        assert_eq!(clock.now().as_microsecond(), wall.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_cannot_be_is_told() {
        let (clock, wall) = settable();
        assert_eq!(clock.trouble().map(|trouble| trouble.reason), Some("implausible"), "1970");
        wall.store(1_800_000_000_000_000, Ordering::Relaxed);
        clock.check();
        assert_eq!(clock.trouble(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_difference_is_slewed_and_never_goes_backward() {
        let (clock, wall) = settable();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(1)).await;
        wall.fetch_add(1_000_000 - 200_000, Ordering::Relaxed);
        assert_eq!(clock.check(), None);
        assert_eq!(clock.epoch(), 0);
        assert_eq!(clock.now().as_microsecond() - before.as_microsecond(), 1_000_000, "not earlier than just before");
        tokio::time::advance(CHECK).await;
        assert_eq!(clock.now().as_microsecond() - before.as_microsecond(), 1_250_000 - 125);
        tokio::time::advance(CHECK).await;
        assert_eq!(clock.now().as_microsecond() - before.as_microsecond(), 1_500_000 - 125, "a late check overdoes it");
    }
}
