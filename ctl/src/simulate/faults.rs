//! What goes wrong with a simulated camera, on request.

use std::time::Duration;

use bytes::Bytes;

use super::{jpeg::HEADER_LEN, scene::Dice};

/// Faults to show. The default shows none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of pictures with damaged bytes, 0 to 1. Half of these are no longer JPEG, half only look wrong.
    pub corrupt: f64,
    /// The share of pictures that end too early, 0 to 1.
    pub truncate: f64,
    /// The camera falls silent, picture half sent.
    pub stall: Option<Stall>,
    /// The connection is lost in the middle of a picture, again and again after so long.
    pub drop_every: Option<Duration>,
    /// The camera's clock jumps, once.
    pub clock_step: Option<ClockStep>,
}

/// Silence that comes again and again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stall {
    /// From the start, or the end of the last silence, to the next.
    pub every: Duration,
    /// How long it is.
    pub lasts: Duration,
}

/// A jump of the camera's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockStep {
    /// After the camera's start.
    pub after: Duration,
    /// By how much; negative: back.
    pub by_us: i64,
}

impl ClockStep {
    /// The clock's reading when `true_us` have passed. It never reads less than 0.
    pub(super) fn apply(self, true_us: u64) -> u64 {
        let after = u64::try_from(self.after.as_micros()).unwrap_or(u64::MAX);
        if true_us < after { true_us } else { true_us.saturating_add_signed(self.by_us) }
    }
}

/// What was done to a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Damage {
    None,
    Corrupt,
    Truncate,
}

impl Faults {
    /// Damages a picture, or does not, as the dice fall.
    pub(super) fn damage(&self, jpeg: Bytes, dice: &mut Dice) -> (Bytes, Damage) {
        // Both are thrown for each picture, so that one setting does not change what the other hits.
        let (corrupt, truncate) = (dice.share() < self.corrupt, dice.share() < self.truncate);
        if truncate {
            (jpeg.slice(..cut(jpeg.len(), dice)), Damage::Truncate)
        } else if corrupt {
            (scramble(&jpeg, dice), Damage::Corrupt)
        } else {
            (jpeg, Damage::None)
        }
    }
}

/// Somewhere in the second half.
fn cut(len: usize, dice: &mut Dice) -> usize {
    len / 2 + place(len / 2, dice)
}

fn scramble(jpeg: &[u8], dice: &mut Dice) -> Bytes {
    let mut damaged = jpeg.to_vec();
    if dice.share() < 0.5 {
        // A broken DMA descriptor: the file begins with what was in memory.
        damaged.iter_mut().take(16).for_each(|byte| *byte = 0xa5);
    } else {
        let scan = HEADER_LEN.min(damaged.len())..damaged.len().saturating_sub(2);
        for _ in 0..12 {
            let at = scan.start + place(scan.len(), dice);
            if let Some(byte) = damaged.get_mut(at) {
                // Neither 0xff nor next to become one: the markers stay as they are.
                *byte = if *byte == 0xff || *byte == 0 { *byte } else { (*byte ^ 0x55).min(0xfe) };
            }
        }
    }
    damaged.into()
}

fn place(len: usize, dice: &mut Dice) -> usize {
    usize::try_from(dice.throw()).unwrap_or(0) % len.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Bytes {
        crate::simulate::jpeg::encode(&vec![[90, 128, 140]; 64 * 48], (64, 48), Default::default()).into()
    }

    #[test]
    fn nothing_is_damaged_unless_asked() {
        let mut dice = Dice::new(1);
        assert_eq!(Faults::default().damage(picture(), &mut dice), (picture(), Damage::None));
    }

    #[test]
    fn as_many_pictures_are_hit_as_asked_and_none_stays_whole() {
        let faults = Faults { corrupt: 0.2, truncate: 0.1, ..Faults::default() };
        let mut dice = Dice::new(2);
        let hits: Vec<_> = (0..2_000).map(|_| faults.damage(picture(), &mut dice).1).collect();
        let count = |kind| hits.iter().filter(|&&hit| hit == kind).count();
        assert!((150..250).contains(&count(Damage::Truncate)), "{}", count(Damage::Truncate));
        assert!((300..430).contains(&count(Damage::Corrupt)), "{}", count(Damage::Corrupt));
        let all = Faults { truncate: 1.0, ..Faults::default() };
        let (cut, _) = all.damage(picture(), &mut dice);
        assert!(cut.len() < picture().len() && !cut.ends_with(&[0xff, 0xd9]));
    }

    #[test]
    fn some_damaged_pictures_are_no_jpeg_and_some_only_look_wrong() {
        let faults = Faults { corrupt: 1.0, ..Faults::default() };
        let mut dice = Dice::new(3);
        let damaged: Vec<_> = (0..64).map(|_| faults.damage(picture(), &mut dice).0).collect();
        let whole = damaged.iter().filter(|jpeg| jpeg.starts_with(&[0xff, 0xd8])).count();
        assert!((20..44).contains(&whole), "{whole} of 64 still begin like a JPEG");
        assert!(damaged.iter().all(|jpeg| jpeg.ends_with(&[0xff, 0xd9]) && *jpeg != picture()));
    }

    #[test]
    fn the_clock_steps_once_and_never_below_zero() {
        let forward = ClockStep { after: Duration::from_secs(1), by_us: 5_000_000 };
        assert_eq!([999_999, 1_000_000].map(|us| forward.apply(us)), [999_999, 6_000_000]);
        let back = ClockStep { after: Duration::from_secs(1), by_us: -5_000_000 };
        assert_eq!([999_999, 1_000_000, 7_000_000].map(|us| back.apply(us)), [999_999, 0, 2_000_000]);
    }
}
