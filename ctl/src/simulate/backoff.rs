//! How long a camera waits before it dials again.

use std::time::Duration;

use super::scene::Dice;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A session that stood for so long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// The hub does not want this camera or this key: only a person changes that.
const REFUSED: Duration = Duration::from_secs(60);

/// Doubling pauses with jitter.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    dice: Dice,
}

impl Backoff {
    /// Begins with half a second. The seed decides the jitter.
    pub(super) fn new(seed: u64) -> Self {
        Self { next: FIRST, dice: Dice::new(seed) }
    }

    /// How long to wait. `stood`: how long the last session did, if there was one.
    pub(super) fn pause(&mut self, stood: Option<Duration>, refused: bool) -> Duration {
        if refused {
            return REFUSED;
        }
        if stood.is_some_and(|stood| stood >= GOOD) {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        // Half is certain, half is thrown, so that cameras that lost their hub together come back one by one.
        pause.mul_f64(0.5 + self.dice.share() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_half_a_minute_and_begin_anew_after_a_good_session() {
        let mut backoff = Backoff::new(1);
        for most in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let (pause, most) = (backoff.pause(None, false), Duration::from_millis(most));
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        assert!(backoff.pause(Some(GOOD - Duration::from_secs(1)), false) > Duration::from_secs(1));
        assert!(backoff.pause(Some(GOOD), false) <= FIRST);
    }

    #[test]
    fn a_refused_camera_waits_a_minute() {
        let mut backoff = Backoff::new(1);
        assert_eq!(backoff.pause(None, true), REFUSED);
        assert!(backoff.pause(None, false) <= FIRST);
    }
}
