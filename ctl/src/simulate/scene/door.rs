//! What happens over time: the door swings, the lamp follows, the sensor adapts, somebody takes the juice.

use super::shape::smooth;

/// Seconds from one opening of the door to the next.
pub(super) const CYCLE: f32 = 48.0;
/// When in a cycle the door begins to open and to close, and how long either takes.
const OPENS: f32 = 2.0;
const CLOSES: f32 = 32.0;
const SWING: f32 = 1.4;
/// The lamp's switch gives way when the door is this far open.
const SWITCH: f32 = 0.12;
/// When in a cycle a hand reaches in, and how long it stays.
const REACHES: f32 = 12.0;
const REACH: f32 = 4.0;

/// The state of things at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// How far the door is open, 0 to 1.
    pub(super) open: f32,
    /// Whether the lamp is on.
    pub(super) lamp: bool,
    /// What the sensor makes of full light: 1 when it has settled on the lamp.
    pub(super) gain: f32,
    /// Whether the juice stands in its place.
    pub(super) juice: bool,
    /// How far a hand has reached in, 0 to 1; 1 is at the juice.
    pub(super) hand: f32,
    /// Whether the hand holds the juice.
    pub(super) holding: bool,
}

/// The state `seconds` after the beginning.
pub(super) fn at(seconds: f64) -> Moment {
    let cycle = (seconds / f64::from(CYCLE)).floor();
    #[expect(clippy::cast_possible_truncation, reason = "a remainder below 48 fits, and rounds by microseconds")]
    let second = (seconds - cycle * f64::from(CYCLE)) as f32;
    let open = smooth(OPENS, OPENS + SWING, second) - smooth(CLOSES, CLOSES + SWING, second);
    let lamp = open > SWITCH;
    let taking = (cycle % 2.0).abs() < 0.5;
    let hand = smooth(REACHES, REACHES + REACH * 0.4, second) - smooth(REACHES + REACH * 0.6, REACHES + REACH, second);
    let after = second > REACHES + REACH / 2.0;
    // The hand comes empty and leaves with the juice, or the other way round in every second cycle.
    let holding = hand > 0.0 && (after == taking);
    Moment { open, lamp, gain: gain(second, lamp), juice: after != taking, hand, holding }
}

/// The lamp is far brighter than what the sensor had adapted to, and the dark far darker; it takes a second either way.
fn gain(second: f32, lamp: bool) -> f32 {
    if lamp {
        1.0 + 0.8 * (1.0 - smooth(OPENS + 0.3, OPENS + 1.5, second))
    } else {
        let since = if second > CLOSES { second - CLOSES - SWING } else { CYCLE };
        0.05 + 0.11 * smooth(0.0, 2.5, since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp_changes(from: u16, to: u16) -> usize {
        let lamps: Vec<bool> = (from * 10..to * 10).map(|tenth| at(f64::from(tenth) / 10.0).lamp).collect();
        lamps.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn the_lamp_comes_on_and_goes_off_once_in_each_cycle() {
        assert_eq!(lamp_changes(0, 48), 2);
        assert_eq!(lamp_changes(0, 480), 20);
    }

    #[test]
    fn the_juice_is_taken_in_one_cycle_and_brought_back_in_the_next() {
        assert!(at(10.0).juice);
        assert!(at(13.9).juice && at(14.1).holding && !at(14.1).juice);
        assert!(!at(40.0).juice && !at(48.0 + 10.0).juice);
        assert!(at(48.0 + 13.0).holding && !at(48.0 + 14.1).holding);
        assert!(at(48.0 + 40.0).juice && at(96.0).juice);
    }

    #[test]
    fn the_picture_is_overexposed_when_the_lamp_comes_on_and_settles() {
        assert!(at(2.5).gain > 1.5);
        assert!((at(10.0).gain - 1.0).abs() < 1e-6);
        assert!(at(45.0).gain < 0.2);
    }
}
