//! Pauses between two tries: each twice as long as the one before, spread, and never longer than the last.

use std::time::Duration;

use crate::secrets;

/// How long to wait before the next try.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `first` to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next pause. Spread over its upper half, so that all who lost the same thing do not come back at once.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        let chance = secrets::random::<1>().map_or(0.5, |[byte]| f64::from(byte) / 255.0);
        pause.mul_f64(0.5 + chance / 2.0)
    }

    /// It went well: the next pause is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// The same try will hardly end otherwise soon: the next pause is the longest.
    pub fn slow(&mut self) {
        self.next = self.most;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 5 * second);
        for whole in [second, 2 * second, 4 * second, 5 * second, 5 * second] {
            let pause = backoff.pause();
            assert!((whole / 2..=whole).contains(&pause), "{pause:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= second);
        backoff.slow();
        assert!(backoff.pause() >= 5 * second / 2);
    }
}
