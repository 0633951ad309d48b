//! The hub's clock: monotonic, anchored to wall time.
//!
//! Between two checks time only goes forward. A wall clock that moves by more than [`STEP`] is followed at once and
//! starts a new epoch, which ends every recording run; less than that is slewed.

mod machine;
mod trust;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
pub use machine::{BootMoment, Machine};
use tokio::{sync::watch, time::Instant};
pub use trust::Trust;

use crate::parts::Trouble;

/// A difference to the wall clock that is followed at once, and noted.
pub const STEP: Duration = Duration::from_secs(1);
/// How often [`Clock::run`] compares with the wall clock.
const CHECK: Duration = Duration::from_millis(250);
/// The fastest correction of a small difference: NTP's own limit, 500 µs a second.
const SLEW_PPM: i64 = 500;

/// Epochs before the present one whose times can still be placed: pictures wait for seconds, not for so many steps.
const MOST_PAST: usize = 16;

/// Times that can be, in seconds since 1970: from the first of January 2025, before which no hub was made, to 2100. A
/// board without a battery begins in 1970, or where it stopped.
const PLAUSIBLE: std::ops::Range<i64> = 1_735_689_600..4_102_444_800;

/// A cheap handle; clones share the clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    anchors: Mutex<Anchors>,
    machine: Machine,
    epoch: watch::Sender<u64>,
    is_set: watch::Sender<bool>,
}

struct Anchors {
    now: Anchor,
    /// Those of epochs before, the newest last.
    past: VecDeque<Anchor>,
    /// Whether somebody said that the clock was set; that is not asked again.
    is_synchronised: bool,
}

#[derive(Clone, Copy)]
struct Anchor {
    epoch: u64,
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
    pub fn new() -> Self {
        Self::of(Machine::new())
    }

    /// A clock on another wall clock that is taken for set, for tests.
    pub fn with_wall(wall: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let machine = Machine { wall: Box::new(wall), boot: Box::new(|| None), is_synchronised: Box::new(|| true) };
        Self::of(machine)
    }

    /// A clock on another machine, for tests.
    pub fn of(machine: Machine) -> Self {
        let now = Anchor { epoch: 0, monotonic: Instant::now(), wall_us: unix_us((machine.wall)()), slew_ppm: 0 };
        let is_synchronised = (machine.is_synchronised)();
        let is_set = is_synchronised && is_plausible(from_us(now.wall_us));
        Self(Arc::new(Inner {
            anchors: Mutex::new(Anchors { now, past: VecDeque::new(), is_synchronised }),
            machine,
            epoch: watch::Sender::new(0),
            is_set: watch::Sender::new(is_set),
        }))
    }

    /// The time now, to the microsecond. Never earlier than an earlier answer of the same epoch.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The time at a monotonic instant, by the present anchor.
    pub fn at(&self, instant: Instant) -> Timestamp {
        from_us(self.anchors().now.at(instant))
    }

    /// Counts the steps of the wall clock since the start. Times of different epochs do not compare.
    pub fn epoch(&self) -> u64 {
        *self.0.epoch.borrow()
    }

    /// Tells of every step.
    pub fn epochs(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    /// Whether the wall clock tells a time that can be, and was set since the machine began, as far as anybody tells.
    pub fn is_set(&self) -> bool {
        *self.0.is_set.borrow()
    }

    /// Tells when that changes.
    pub fn settings(&self) -> watch::Receiver<bool> {
        self.0.is_set.subscribe()
    }

    /// The moment of the kernel's boot at which the clock of an epoch told this time; `None` where no boot is told, or
    /// the epoch is long over.
    pub fn booted(&self, epoch: u64, at: Timestamp) -> Option<BootMoment> {
        let now = (self.0.machine.boot)()?;
        let anchors = self.anchors();
        let anchor = std::iter::once(&anchors.now).chain(&anchors.past).find(|anchor| anchor.epoch == epoch)?;
        let ago = anchor.at(Instant::now()) - at.as_microsecond();
        Some(BootMoment { us: now.us - ago, ..now })
    }

    /// What this clock told at a moment of the boot, if it had been right then; `None` of another boot.
    pub fn told(&self, moment: BootMoment) -> Option<Timestamp> {
        let now = (self.0.machine.boot)().filter(|now| now.id == moment.id)?;
        Some(from_us(self.now().as_microsecond() - (now.us - moment.us)))
    }

    /// What is the matter with the wall clock, if it tells a time that can't be.
    pub fn trouble(&self) -> Option<Trouble> {
        let now = self.now();
        (!is_plausible(now)).then(|| {
            let detail = format!(
                "it says {now}: what is recorded gets its date when the clock is set (timedatectl), unless the machine \
                 is started again before"
            );
            Trouble::warning("implausible", detail)
        })
    }

    /// What is the matter with it, also if nobody has set it since the machine began.
    pub fn doubt(&self) -> Option<Trouble> {
        let not_set = || {
            let detail = "the machine's time service has not set it since the machine began: what is recorded until then \
                          has no date that is believed, and nothing is deleted by its age (timedatectl)";
            (!self.is_set()).then(|| Trouble::warning("not_set", detail))
        };
        self.trouble().or_else(not_set)
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
        let wall = unix_us((self.0.machine.wall)());
        let mut anchors = self.anchors();
        let step = anchors.follow(now, wall);
        if step.is_some() {
            self.0.epoch.send_replace(anchors.now.epoch);
        }
        anchors.is_synchronised |= (self.0.machine.is_synchronised)();
        let is_set = anchors.is_synchronised && is_plausible(from_us(anchors.now.at(now)));
        drop(anchors);
        self.0.is_set.send_if_modified(|before| std::mem::replace(before, is_set) != is_set);
        step
    }

    fn anchors(&self) -> std::sync::MutexGuard<'_, Anchors> {
        self.0.anchors.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Anchors {
    /// `Some(milliseconds)` when the wall clock had stepped.
    fn follow(&mut self, now: Instant, wall_us: i64) -> Option<i64> {
        let ours = self.now.at(now);
        let difference = wall_us - ours;
        if difference.unsigned_abs() > u64::try_from(STEP.as_micros()).unwrap_or(u64::MAX) {
            let epoch = self.now.epoch + 1;
            if self.past.len() == MOST_PAST {
                self.past.pop_front();
            }
            self.past
                .push_back(std::mem::replace(&mut self.now, Anchor { epoch, monotonic: now, wall_us, slew_ppm: 0 }));
            return Some(difference / 1000);
        }
        // By its rate, never by a jump: that would give times before ones that were given already.
        let slew_ppm = (difference * 1_000_000 / us(CHECK)).clamp(-SLEW_PPM, SLEW_PPM);
        self.now = Anchor { monotonic: now, wall_us: ours, slew_ppm, ..self.now };
        None
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

/// Whether a time can be that of a recording or a reading.
pub fn is_plausible(at: Timestamp) -> bool {
    PLAUSIBLE.contains(&at.as_second())
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
pub(crate) mod tests {
    use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

    use uuid::Uuid;

    use super::*;

    /// A machine whose clock, boot and time service a test sets. The boot's time passes as tokio's does.
    pub(crate) struct Settable {
        wall_us: Arc<AtomicI64>,
        began: Instant,
        is_synchronised: Arc<AtomicBool>,
        pub(crate) boot: Uuid,
    }

    impl Settable {
        pub(crate) fn new(wall_us: i64) -> Self {
            let settable = Self::unsynchronised(wall_us);
            settable.synchronise();
            settable
        }

        pub(crate) fn unsynchronised(wall_us: i64) -> Self {
            Self {
                wall_us: Arc::new(AtomicI64::new(wall_us)),
                began: Instant::now(),
                is_synchronised: Arc::default(),
                boot: Uuid::from_u128(77),
            }
        }

        pub(crate) fn of_boot(self, boot: Uuid) -> Self {
            Self { boot, ..self }
        }

        /// A clock on it; the wall clock goes on from when it was set last.
        pub(crate) fn clock(&self) -> Clock {
            let (wall_us, began, boot) = (Arc::clone(&self.wall_us), self.began, self.boot);
            let since = move || us(began.elapsed());
            let is_synchronised = Arc::clone(&self.is_synchronised);
            Clock::of(Machine {
                wall: Box::new(move || {
                    let us = wall_us.load(Ordering::Relaxed) + since();
                    SystemTime::UNIX_EPOCH + Duration::from_micros(us.unsigned_abs())
                }),
                boot: Box::new(move || Some(BootMoment { id: boot, us: since() })),
                is_synchronised: Box::new(move || is_synchronised.load(Ordering::Relaxed)),
            })
        }

        /// Sets the wall clock.
        pub(crate) fn set(&self, wall_us: i64) {
            self.wall_us.store(wall_us - us(self.began.elapsed()), Ordering::Relaxed);
        }

        pub(crate) fn synchronise(&self) {
            self.is_synchronised.store(true, Ordering::Relaxed);
        }

        pub(crate) async fn pass(&self, time: Duration) {
            tokio::time::advance(time).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_wrong_clock_told_is_found_by_the_boot() {
        let machine = Settable::new(5_000_000);
        let clock = machine.clock();
        machine.pass(Duration::from_secs(10)).await;
        let (wrong, epoch) = (clock.now(), clock.epoch());
        machine.pass(Duration::from_secs(60)).await;
        let right = 1_780_000_000_000_000;
        machine.set(right);
        assert!(!clock.is_set());
        clock.check();
        assert!(clock.is_set());
        let moment = clock.booted(epoch, wrong).expect("an epoch that is known");
        assert_eq!(moment, BootMoment { id: machine.boot, us: 10_000_000 });
        assert_eq!(clock.told(moment), Some(from_us(right - 60_000_000)));
        assert_eq!(clock.told(BootMoment { id: Uuid::from_u128(1), ..moment }), None, "another boot");
        assert_eq!(clock.booted(7, wrong), None);
    }

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
