//! Whether the clock can be believed when it says that something is old.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

/// Deletion by age waits until the clock has been plausible this long: a Pi starts with a wrong one.
const PLAUSIBLE: Duration = Duration::from_secs(3600);

/// Whether the clock can be believed when it says that something is old.
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

    /// Looks at the clock now. `newest`: when the newest of what is kept began.
    pub fn look(&mut self, epoch: u64, now: Timestamp, newest: Option<Timestamp>, synchronised: bool) -> bool {
        let plausible = epoch == self.epoch && synchronised && newest.is_none_or(|newest| newest <= now);
        self.epoch = epoch;
        if !plausible {
            self.since = None;
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= PLAUSIBLE
    }
}

/// Whether the system's time service says that the clock is set; where there is none that tells, it is believed.
/// Reads the disk.
pub fn synchronised() -> bool {
    let service = Path::new("/run/systemd/timesync");
    !service.exists() || service.join("synchronized").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_us;

    #[tokio::test(start_paused = true)]
    async fn age_is_judged_only_by_a_clock_that_was_plausible_for_an_hour() {
        let now = from_us(1_780_000_000_000_000);
        let later = now + Duration::from_secs(60);
        let mut trust = Trust::new(0);
        assert!(!trust.look(0, now, None, true));
        tokio::time::advance(PLAUSIBLE).await;
        assert!(trust.look(0, now, Some(now), true));
        assert!(!trust.look(1, now, Some(now), true), "a step");
        assert!(!trust.look(1, now, Some(now), true));
        tokio::time::advance(PLAUSIBLE).await;
        assert!(!trust.look(1, now, Some(later), true), "before the newest row");
        assert!(!trust.look(1, now, Some(now), true));
        tokio::time::advance(PLAUSIBLE).await;
        assert!(!trust.look(1, now, Some(now), false), "not synchronised");
    }
}
