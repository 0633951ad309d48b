//! How long to wait before the hub is dialled again.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use crate::simulate::Dice;

const FIRST: Duration = Duration::from_millis(500);
/// A person who waits for a picture waits no longer than this after the line is back.
const LONGEST: Duration = Duration::from_secs(10);
/// A connection that stood for so long was a good one.
const GOOD: Duration = Duration::from_secs(20);

/// Doubling pauses with jitter.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    dice: Dice,
}

impl Backoff {
    /// Begins with half a second.
    pub(super) fn new() -> Self {
        // The standard library's hash keys are random, and all that is wanted is that viewers differ.
        Self { next: FIRST, dice: Dice::new(RandomState::new().hash_one(0)) }
    }

    /// A connection stood for so long.
    pub(super) fn stood(&mut self, stood: Duration) {
        if stood >= GOOD {
            self.next = FIRST;
        }
    }

    /// How long to wait: half is certain, half is thrown, so that viewers that lost their hub together come one by one.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause.mul_f64(0.5 + self.dice.share() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_ten_seconds_and_begin_anew_after_a_good_connection() {
        let mut backoff = Backoff::new();
        for most in [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            let (pause, most) = (backoff.pause(), Duration::from_millis(most));
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        backoff.stood(GOOD - Duration::from_secs(1));
        assert!(backoff.pause() >= LONGEST / 2);
        backoff.stood(GOOD);
        assert!(backoff.pause() <= FIRST);
    }
}
