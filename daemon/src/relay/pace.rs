//! How many frames may be on their way to one viewer at once. Pure: it is told what arrived and answers.
//!
//! A frame on an idle line takes the line's round trip and the time to push its bytes through. Whatever it takes longer,
//! it waited behind others: more frames at once would only wait longer, and be older when they are shown. On a long line
//! with room, one frame at a time leaves the line idle most of the time: more at once cost no age. So the window grows
//! while frames do not wait, and shrinks when they do (as TCP Vegas does with segments: Brakmo and Peterson 1995).

use std::time::Duration;

use larder_proto::wire::relay::MOST_WINDOW;
use tokio::time::Instant;

/// Two fill a line whose round trip is shorter than a frame takes to be sent: one is sent while the other's
/// acknowledgement is on its way.
const FIRST_WINDOW: u8 = 2;
/// Fewer frames waiting in the line than this: there is room for one more.
const ROOM: f64 = 0.6;
/// More frames waiting in the line than this: one less. Between the two nothing changes.
const CROWDED: f64 = 1.2;
/// The cost of a byte is that of the cheapest frame in this time or in the one before.
const MEMORY: Duration = Duration::from_secs(30);
/// Frames that a decision is made of at least.
const LEAST_ROUND: usize = 3;

/// A frame that arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// From the beginning of its sending to its acknowledgement.
    pub(super) age: Duration,
    /// Of it.
    pub(super) bytes: usize,
    /// The least round trip that was ever measured on the path.
    pub(super) least_round_trip: Duration,
}

/// The window.
#[derive(Debug)]
pub(super) struct Pace {
    window: u8,
    /// Seconds a byte, of the cheapest frame of the present time and of the one before.
    cheapest: [f64; 2],
    since: Instant,
    /// How many frames waited, by each arrival since the last decision.
    waiting: Vec<f64>,
    /// A frame could not be sent since the last decision, the window being full.
    was_short: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: FIRST_WINDOW,
            cheapest: [f64::INFINITY; 2],
            since: now,
            waiting: Vec::with_capacity(usize::from(MOST_WINDOW)),
            was_short: false,
        }
    }

    /// Frames that may be on their way at once, 1 to [`MOST_WINDOW`].
    pub(super) fn window(&self) -> u8 {
        self.window
    }

    /// A frame was skipped because the window was full.
    pub(super) fn short(&mut self) {
        self.was_short = true;
    }

    /// A frame arrived whole.
    pub(super) fn arrived(&mut self, now: Instant, arrival: Arrival) {
        let Arrival { age, bytes, least_round_trip } = arrival;
        if now.duration_since(self.since) > MEMORY {
            self.cheapest = [f64::INFINITY, self.cheapest[0]];
            self.since = now;
        }
        let size = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)).max(1.0);
        let pushing = age.saturating_sub(least_round_trip).as_secs_f64();
        self.cheapest[0] = self.cheapest[0].min(pushing / size);
        let cost = self.cheapest[0].min(self.cheapest[1]);
        let idle = least_round_trip.as_secs_f64() + cost * size;
        let waited = (1.0 - idle / age.as_secs_f64().max(f64::EPSILON)).max(0.0);
        self.waiting.push(f64::from(self.window) * waited);
        if self.waiting.len() >= usize::from(self.window).max(LEAST_ROUND) {
            self.decide();
        }
    }

    /// A frame was given up: the line carries much less than it is given.
    pub(super) fn given_up(&mut self) {
        self.window = (self.window / 2).max(1);
        self.next_round();
    }

    fn decide(&mut self) {
        self.waiting.sort_by(f64::total_cmp);
        let median = self.waiting[self.waiting.len() / 2];
        if median > CROWDED {
            self.window = (self.window - 1).max(1);
        } else if median < ROOM && self.was_short {
            self.window = (self.window + 1).min(MOST_WINDOW);
        }
        self.next_round();
    }

    fn next_round(&mut self) {
        self.waiting.clear();
        self.was_short = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line: frames queue before it, each takes its time, and its acknowledgement a round trip.
    struct Line {
        bytes_per_second: f64,
        round_trip: Duration,
    }

    /// What came of a while.
    struct Outcome {
        fps: f64,
        /// The middle one.
        age: Duration,
        window: u8,
    }

    impl Line {
        /// A camera of 54 kB frames at 20 a second over this line for a minute, of which the last half counts.
        fn carry(&self) -> Outcome {
            const BYTES: u16 = 54_000;
            let start = Instant::now();
            let mut pace = Pace::new(start);
            let mut free_at = Duration::ZERO;
            let mut under_way: Vec<(Duration, Duration)> = Vec::new();
            let mut ages = Vec::new();
            let push = Duration::from_secs_f64(f64::from(BYTES) / self.bytes_per_second);
            let (mut next_frame, mut is_waiting) = (Duration::ZERO, false);
            let mut now = Duration::ZERO;
            while now < Duration::from_secs(60) {
                let (came, rest): (Vec<_>, Vec<_>) = under_way.into_iter().partition(|(_, at)| *at <= now);
                under_way = rest;
                for (sent_at, at) in came {
                    let age = at - sent_at;
                    let arrival = Arrival { age, bytes: BYTES.into(), least_round_trip: self.round_trip };
                    pace.arrived(start + at, arrival);
                    if at > Duration::from_secs(30) {
                        ages.push(age);
                    }
                }
                if now >= next_frame {
                    if is_waiting {
                        pace.short();
                    }
                    is_waiting = true;
                    next_frame += Duration::from_millis(50);
                }
                if is_waiting && under_way.len() < usize::from(pace.window()) {
                    is_waiting = false;
                    free_at = free_at.max(now) + push;
                    under_way.push((now, free_at + self.round_trip));
                }
                now += Duration::from_millis(1);
            }
            ages.sort();
            let middle = ages[ages.len() / 2];
            Outcome { fps: f64::from(u32::try_from(ages.len()).unwrap()) / 30.0, age: middle, window: pace.window() }
        }
    }

    fn line(megabits: f64, round_trip_ms: u64) -> Outcome {
        Line { bytes_per_second: megabits * 125_000.0, round_trip: Duration::from_millis(round_trip_ms) }.carry()
    }

    #[tokio::test(start_paused = true)]
    async fn a_thin_line_is_filled_and_pictures_stay_young() {
        let Outcome { fps, age, window } = line(8.0, 20);
        assert!(fps > 0.9 * 18.5, "{fps}");
        assert!(age < Duration::from_millis(140), "{age:?} with {window}");
        assert!(window <= 3, "{window}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_very_thin_line_is_filled_too() {
        let Outcome { fps, age, .. } = line(3.0, 40);
        assert!(fps > 0.75 * 6.9, "{fps}");
        assert!(age < Duration::from_millis(450), "{age:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_line_with_room_carries_every_frame() {
        let Outcome { fps, age, window } = line(50.0, 200);
        assert!(fps > 19.0, "{fps}");
        assert!(age < Duration::from_millis(230), "{age:?}");
        assert!((4..=7).contains(&window), "{window}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wide_line_keeps_the_window_small() {
        let Outcome { fps, window, .. } = line(100.0, 2);
        assert!(fps > 19.5, "{fps}");
        assert_eq!(window, FIRST_WINDOW, "more is of no use");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_given_up_halve_the_window_and_never_close_it() {
        let mut pace = Pace::new(Instant::now());
        for _ in 0..5 {
            pace.given_up();
            assert_eq!(pace.window(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_larger_picture_is_not_taken_for_a_crowded_line() {
        let mut pace = Pace::new(Instant::now());
        let arrive = |pace: &mut Pace, bytes: usize| {
            // 10 ms of round trip, and a millisecond a kilobyte.
            let age = Duration::from_millis(10) + Duration::from_micros(bytes.try_into().unwrap());
            pace.arrived(Instant::now(), Arrival { age, bytes, least_round_trip: Duration::from_millis(10) });
        };
        (0..20).for_each(|_| arrive(&mut pace, 5_000));
        (0..20).for_each(|_| arrive(&mut pace, 100_000));
        assert_eq!(pace.window(), FIRST_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_became_thinner_is_learned_anew() {
        let mut pace = Pace::new(Instant::now());
        let arrive = |pace: &mut Pace, ms: u64| {
            let arrival =
                Arrival { age: Duration::from_millis(ms), bytes: 54_000, least_round_trip: Duration::from_millis(10) };
            pace.arrived(Instant::now(), arrival);
        };
        (0..12).for_each(|_| arrive(&mut pace, 20));
        // Three times as long, of which none is a queue of ours.
        (0..12).for_each(|_| arrive(&mut pace, 200));
        assert_eq!(pace.window(), 1, "at first it looks like a queue");
        tokio::time::advance(MEMORY * 3).await;
        arrive(&mut pace, 200);
        tokio::time::advance(MEMORY * 2).await;
        for _ in 0..12 {
            pace.short();
            arrive(&mut pace, 200);
        }
        assert!(pace.window() > 1, "after a while it is how the line is");
    }
}
