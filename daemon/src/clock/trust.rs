//! Whether the clock can be believed when it says that something is old.

use std::time::Duration;

use tokio::time::Instant;

use super::Clock;

/// Deletion by age waits until the clock has been plausible this long: a Pi starts with a wrong one.
const PLAUSIBLE: Duration = Duration::from_secs(3600);

/// Whether the clock can be believed when it says that something is old.
///
/// What is stored is not asked: a row from the future says that a clock was wrong once, and one that is early makes
/// nothing old.
#[derive(Debug)]
pub struct Trust {
    epoch: u64,
    since: Option<Instant>,
}

impl Trust {
    /// No trust yet, in a clock of that epoch.
    pub fn new(epoch: u64) -> Self {
        Self { epoch, since: None }
    }

    /// Looks at the clock now.
    pub fn look(&mut self, clock: &Clock) -> bool {
        let epoch = clock.epoch();
        let plausible = epoch == self.epoch && clock.is_set();
        self.epoch = epoch;
        if !plausible {
            self.since = None;
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= PLAUSIBLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::Settable;

    #[tokio::test(start_paused = true)]
    async fn age_is_judged_only_by_a_clock_that_was_plausible_for_an_hour() {
        let settable = Settable::new(1_780_000_000_000_000);
        let clock = settable.clock();
        let mut trust = Trust::new(0);
        assert!(!trust.look(&clock));
        settable.pass(PLAUSIBLE).await;
        assert!(trust.look(&clock));
        settable.set(1_790_000_000_000_000);
        clock.check();
        assert!(!trust.look(&clock), "a step");
        assert!(!trust.look(&clock));
        settable.pass(PLAUSIBLE).await;
        assert!(trust.look(&clock));
        settable.set(0);
        clock.check();
        assert!(!trust.look(&clock), "1970");
        settable.pass(PLAUSIBLE).await;
        assert!(!trust.look(&clock));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_no_service_has_set_yet_judges_no_age() {
        let settable = Settable::unsynchronised(1_780_000_000_000_000);
        let clock = settable.clock();
        let mut trust = Trust::new(0);
        trust.look(&clock);
        settable.pass(PLAUSIBLE).await;
        assert!(!trust.look(&clock));
        settable.synchronise();
        clock.check();
        assert!(!trust.look(&clock), "for an hour");
        settable.pass(PLAUSIBLE).await;
        assert!(trust.look(&clock));
    }
}
