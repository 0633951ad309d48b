//! Each sensor's newest reading and how often they come, in memory.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Reading, SensorId};

/// What the firmware is set to, until more is known.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// Intervals that are remembered; their median is not moved by a few that were lost.
const INTERVALS: usize = 8;
/// Readings that tell those.
pub(super) const REMEMBERED: usize = INTERVALS + 1;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);
/// A sensor is not called silent sooner: Wi-Fi drops a minute now and then.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether a sensor's readings come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// None since it was added.
    Never,
    /// The newest is younger than max(2 min, 3 intervals).
    Fresh,
    /// It used to send.
    Silent,
    /// It sends that its probe failed.
    Failed,
}

#[derive(Default)]
pub(super) struct Live(HashMap<SensorId, Known>);

struct Known {
    latest: Reading,
    /// When it came, and the clock's epoch then. `None`: it was read from the database.
    heard: Option<(Instant, u64)>,
    intervals: VecDeque<Duration>,
}

impl Live {
    /// Begins with the newest kept readings of a sensor, oldest first.
    pub(super) fn remember(&mut self, readings: &[Reading]) {
        let Some(latest) = readings.last().copied() else { return };
        let mut known = Known { latest, heard: None, intervals: VecDeque::new() };
        for pair in readings.windows(2) {
            known.learn(pair[0].captured_at, pair[1].captured_at);
        }
        self.0.entry(latest.sensor).or_insert(known);
    }

    /// Takes a reading. `false` when it is not later than the newest, by the clock of the same epoch: after a step of
    /// the clock its times do not compare, and what comes then begins anew.
    pub(super) fn take(&mut self, reading: Reading, epoch: u64) -> bool {
        let heard = Some((Instant::now(), epoch));
        let Some(known) = self.0.get_mut(&reading.sensor) else {
            let known = Known { latest: reading, heard, intervals: VecDeque::new() };
            self.0.insert(reading.sensor, known);
            return true;
        };
        if known.heard.is_some_and(|(_, before)| before == epoch) {
            if reading.captured_at <= known.latest.captured_at {
                return false;
            }
            known.learn(known.latest.captured_at, reading.captured_at);
        }
        known.latest = reading;
        known.heard = heard;
        true
    }

    pub(super) fn latest(&self, sensor: SensorId) -> Option<Reading> {
        self.0.get(&sensor).map(|known| known.latest)
    }

    pub(super) fn interval(&self, sensor: SensorId) -> Duration {
        self.0.get(&sensor).map_or(DEFAULT_INTERVAL, Known::interval)
    }

    pub(super) fn state(&self, sensor: SensorId, now: Timestamp) -> State {
        let Some(known) = self.0.get(&sensor) else { return State::Never };
        if known.age(now) >= PATIENCE.max(known.interval() * 3) {
            State::Silent
        } else if known.latest.value.is_none() {
            State::Failed
        } else {
            State::Fresh
        }
    }

    pub(super) fn retain(&mut self, known: impl Fn(SensorId) -> bool) {
        self.0.retain(|sensor, _| known(*sensor));
    }
}

impl Known {
    fn learn(&mut self, from: Timestamp, to: Timestamp) {
        let interval = to.duration_since(from).unsigned_abs();
        if self.intervals.len() == INTERVALS {
            self.intervals.pop_front();
        }
        self.intervals.push_back(interval.clamp(SHORTEST, LONGEST));
    }

    fn interval(&self) -> Duration {
        let mut sorted: Vec<_> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(DEFAULT_INTERVAL)
    }

    /// Since it came; by the monotonic clock where that is known, so that a step of the other makes nobody silent.
    fn age(&self, now: Timestamp) -> Duration {
        match self.heard {
            Some((at, _)) => at.elapsed(),
            // One from the future was written by a wrong clock: as old as it is early.
            None => now.duration_since(self.latest.received_at).unsigned_abs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::camera::MilliCelsius;

    use super::*;
    use crate::clock::from_us;

    fn reading(sensor: SensorId, second: i64) -> Reading {
        let at = from_us(second * 1_000_000);
        Reading { sensor, captured_at: at, received_at: at, value: Some(MilliCelsius(4000)) }
    }

    #[tokio::test(start_paused = true)]
    async fn readings_are_taken_in_their_order_and_anew_after_a_step_of_the_clock() {
        let (mut live, sensor) = (Live::default(), SensorId::random());
        assert!(live.take(reading(sensor, 7200), 0));
        assert!(!live.take(reading(sensor, 7200), 0));
        assert!(!live.take(reading(sensor, 7199), 0));
        assert!(live.take(reading(sensor, 3600), 1), "the clock went back an hour");
        assert!(live.take(reading(sensor, 3630), 1));
        assert_eq!(live.latest(sensor), Some(reading(sensor, 3630)));
        assert_eq!(live.interval(sensor), Duration::from_secs(30), "the step is no interval");
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_is_learned_and_lost_readings_do_not_move_it() {
        let (mut live, sensor) = (Live::default(), SensorId::random());
        assert_eq!(live.interval(sensor), DEFAULT_INTERVAL);
        for second in [0, 10, 20, 30, 900, 910, 920, 930] {
            assert!(live.take(reading(sensor, second), 0));
        }
        assert_eq!(live.interval(sensor), Duration::from_secs(10));
        let mut after_a_restart = Live::default();
        after_a_restart.remember(&[reading(sensor, 0), reading(sensor, 300), reading(sensor, 600)]);
        assert_eq!(after_a_restart.interval(sensor), Duration::from_secs(300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sensor_is_fresh_failed_or_silent() {
        let (mut live, sensor) = (Live::default(), SensorId::random());
        let now = from_us(0);
        assert_eq!(live.state(sensor, now), State::Never);
        live.take(reading(sensor, 0), 0);
        assert_eq!(live.state(sensor, from_us(1_000_000_000_000)), State::Fresh, "whatever the wall clock says");
        live.take(Reading { value: None, ..reading(sensor, 30) }, 0);
        assert_eq!(live.state(sensor, now), State::Failed);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(live.state(sensor, now), State::Silent);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_from_before_a_restart_is_as_old_as_the_clock_says() {
        let (mut live, sensor) = (Live::default(), SensorId::random());
        live.remember(&[reading(sensor, 1000)]);
        assert_eq!(live.state(sensor, from_us(1_030_000_000)), State::Fresh);
        assert_eq!(live.state(sensor, from_us(2_000_000_000)), State::Silent);
        assert_eq!(live.state(sensor, from_us(0)), State::Silent, "a wrong clock wrote it");
        assert!(live.take(reading(sensor, 500), 0), "times before a restart are no order");
    }
}
