//! The hub's clock as seen from here, from pings and their answers: pure.
//!
//! Whatever this machine's clock says does not matter: times are counted from the connection's beginning, and the hub's
//! answers tell what its clock was meanwhile. The answer that took least is believed (RFC 5905, section 10, the clock
//! filter), since what it took beyond the line's own time it may have waited on one way only.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// So many answers are compared: half a minute of them.
const KEPT: usize = 30;

/// What is known of the hub's clock.
#[derive(Debug)]
pub(crate) struct HubClock {
    began: Instant,
    answers: VecDeque<Answer>,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    round_trip_us: i64,
    /// The hub's clock minus ours.
    offset_us: i64,
}

impl HubClock {
    /// Nothing is known yet.
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, answers: VecDeque::with_capacity(KEPT) }
    }

    /// The bytes of a ping sent now.
    pub(crate) fn ping(&self, now: Instant) -> [u8; 8] {
        self.ours_us(now).to_be_bytes()
    }

    /// The answer to a ping came now; one that answers no ping of ours is passed over.
    pub(crate) fn pong(&mut self, echo: [u8; 8], hub_us: i64, now: Instant) {
        let (asked_us, now_us) = (i64::from_be_bytes(echo), self.ours_us(now));
        if !(0..=now_us).contains(&asked_us) {
            return;
        }
        let round_trip_us = now_us - asked_us;
        if self.answers.len() == KEPT {
            self.answers.pop_front();
        }
        let offset_us = hub_us.saturating_sub(asked_us + round_trip_us / 2);
        self.answers.push_back(Answer { round_trip_us, offset_us });
    }

    /// How long ago a moment on the hub's clock was; `None` when nothing is known of it yet. Never negative: what lies
    /// ahead is the error of this measurement, at most half a round trip.
    pub(crate) fn age(&self, hub_us: i64, now: Instant) -> Option<Duration> {
        let best = self.answers.iter().min_by_key(|answer| answer.round_trip_us)?;
        let age_us = self.ours_us(now).saturating_add(best.offset_us).saturating_sub(hub_us);
        Some(Duration::from_micros(u64::try_from(age_us).unwrap_or(0)))
    }

    fn ours_us(&self, now: Instant) -> i64 {
        i64::try_from(now.saturating_duration_since(self.began).as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// The hub's clock at our beginning: a day in 2026, whatever ours says.
    const HUB_US: i64 = 1_795_000_000_000_000;

    /// A ping at `at`, `there` on its way to the hub and `back` on its way home.
    fn answered(clock: &mut HubClock, at: Duration, there: Duration, back: Duration) {
        let ping = clock.ping(clock.began + at);
        let hub_us = HUB_US + i64::try_from((at + there).as_micros()).unwrap();
        clock.pong(ping, hub_us, clock.began + at + there + back);
    }

    #[test]
    fn an_age_is_right_whatever_the_clocks_say() {
        let mut clock = HubClock::new(Instant::now());
        assert_eq!(clock.age(HUB_US, clock.began + 10 * MS), None);
        answered(&mut clock, 100 * MS, 20 * MS, 20 * MS);
        assert_eq!(clock.age(HUB_US, clock.began + 500 * MS), Some(500 * MS));
        // Captured later than now, as far as is known: not older than nothing.
        assert_eq!(clock.age(HUB_US + 1_000_000, clock.began + 500 * MS), Some(Duration::ZERO));
    }

    #[test]
    fn the_quickest_answer_is_believed() {
        let mut clock = HubClock::new(Instant::now());
        // Held up on the way there: alone it would make all look 200 ms younger.
        answered(&mut clock, Duration::ZERO, 420 * MS, 20 * MS);
        assert_eq!(clock.age(HUB_US, clock.began + 1000 * MS), Some(1200 * MS));
        answered(&mut clock, 1000 * MS, 25 * MS, 21 * MS);
        assert_eq!(clock.age(HUB_US, clock.began + 2000 * MS), Some(2002 * MS));
        // A clock that was set is followed when the answers before are forgotten.
        for second in 0..30 {
            let at = 3000 * MS + 1000 * MS * second;
            let ping = clock.ping(clock.began + at);
            clock.pong(ping, HUB_US + 5_000_000 + i64::try_from(at.as_micros()).unwrap(), clock.began + at + 90 * MS);
        }
        assert_eq!(clock.age(HUB_US + 5_000_000, clock.began + 40_000 * MS), Some(39_955 * MS));
    }

    #[test]
    fn what_answers_no_ping_is_passed_over() {
        let mut clock = HubClock::new(Instant::now());
        for echo in [[0xff; 8], [0x7f; 8]] {
            clock.pong(echo, HUB_US, clock.began + MS);
        }
        assert_eq!(clock.age(HUB_US, clock.began + MS), None);
    }
}
