//! How warm a simulated fridge or freezer is: its compressor, its kitchen's day, and its door. Pure.

use std::{f64::consts::TAU, time::Duration};

use larder_proto::wire::camera::MilliCelsius;

use super::{Dice, Stall, vitals::whole};

/// One turn of the compressor, and the share of it that it runs.
const TURN: f64 = 2400.0;
const RUNS: f64 = 0.3;
/// How far the compressor and the day move the temperature, either way.
const SWING: f64 = 0.7;
const DAY_SWING: f64 = 0.4;
const DAY: f64 = 86_400.0;
/// When a kitchen is warmest.
const WARMEST: f64 = 16.0 * 3600.0;
/// How much warmer it is outside, and how fast that comes in by an open door and goes again behind a closed one.
const OUTSIDE: f64 = 16.0;
const COMES_IN: f64 = 150.0;
const GOES: f64 = 500.0;
/// How much two readings of the same air differ, at most either way.
const NOISE: f64 = 0.07;

/// The air around a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Climate {
    /// The mean, in degrees Celsius.
    pub mean: f64,
    /// When the door stands open.
    pub door: Option<Stall>,
    /// The time of day at the start.
    pub start: Duration,
    /// Decides the noise.
    pub seed: u64,
}

impl Climate {
    /// A fridge that nobody opens, from midnight on.
    pub fn fridge() -> Self {
        Self { mean: 4.8, door: None, start: Duration::ZERO, seed: 0 }
    }

    /// A freezer that nobody opens, from midnight on.
    pub fn freezer() -> Self {
        Self { mean: -18.0, seed: 1, ..Self::fridge() }
    }

    /// What a probe reads so long after the start, in a DS18B20's steps of a sixteenth of a degree.
    pub fn at(&self, elapsed: Duration) -> MilliCelsius {
        let seconds = elapsed.as_secs_f64();
        let time_of_day = self.start.as_secs_f64() + seconds;
        let day = DAY_SWING * ((time_of_day - WARMEST) / DAY * TAU).cos();
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let noise = NOISE * (2.0 * Dice::new(self.seed ^ millis.rotate_left(24)).share() - 1.0);
        let air = self.mean + compressor(seconds) + day + self.door.map_or(0.0, |door| let_in(door, seconds)) + noise;
        MilliCelsius(whole((air * 16.0).round()) * 1000 / 16)
    }
}

/// Down while it runs, and slowly up again.
fn compressor(seconds: f64) -> f64 {
    let turn = (seconds / TURN).fract();
    let share = if turn < RUNS { 1.0 - turn / RUNS } else { (turn - RUNS) / (1.0 - RUNS) };
    SWING * (2.0 * share - 1.0)
}

/// What the door lets in, and has let in the last time.
fn let_in(door: Stall, seconds: f64) -> f64 {
    let (every, lasts) = (door.every.as_secs_f64(), door.lasts.as_secs_f64());
    let into = seconds % (every + lasts).max(1.0);
    let opened = |since: f64| OUTSIDE * (1.0 - (-since / COMES_IN).exp());
    if into >= every {
        opened(into - every)
    } else if seconds > into {
        opened(lasts) * (-into / GOES).exp()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_closed_fridge_stays_cold_and_a_closed_freezer_frozen_for_a_week() {
        for minute in 0..7 * 24 * 60 {
            let fridge = Climate::fridge().at(MINUTE * minute);
            assert!((3_500..6_200).contains(&fridge.0), "{fridge:?} after {minute} min");
            let freezer = Climate::freezer().at(MINUTE * minute);
            assert!((-19_300..-16_600).contains(&freezer.0), "{freezer:?} after {minute} min");
            // A sixteenth of a degree is 62.5 thousandths.
            assert!([0, 124].contains(&(fridge.0 * 2 % 125)), "no step of a sixteenth: {fridge:?}");
        }
    }

    #[test]
    fn an_open_door_warms_and_a_closed_one_lets_it_cool_again() {
        let door = Some(Stall { every: 30 * MINUTE, lasts: 5 * MINUTE });
        let (open, closed) = (Climate { door, ..Climate::fridge() }, Climate::fridge());
        let warmer = |minute: u32| open.at(MINUTE * minute).0 - closed.at(MINUTE * minute).0;
        assert_eq!(warmer(29), 0);
        assert!(warmer(32) > 5_000 && warmer(34) > warmer(32));
        assert!(warmer(36) < warmer(34) && warmer(64) < 1_000);
        assert!(warmer(69) > 10_000, "the next time");
    }

    #[test]
    fn a_moment_reads_the_same_each_time_it_is_asked_for() {
        let climate = Climate { seed: 9, ..Climate::freezer() };
        assert_eq!(climate.at(MINUTE * 77), climate.at(MINUTE * 77));
    }
}
