//! Removes what is older than it is to be kept, and what removed sensors left.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Config, directory::Directory, store::Store};
use crate::{
    clock::{Clock, Trust},
    db,
    outcome::chain,
    repeats,
};

/// How often it is looked for.
const LOOK: Duration = Duration::from_secs(10 * 60);
/// Between two steps, for whoever waits for the database.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Upkeep {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) directory: Directory,
    pub(super) clock: Clock,
}

impl Upkeep {
    /// Runs until dropped; what was interrupted goes on the next time.
    pub(super) async fn run(self) {
        let mut trust = Trust::new(self.clock.epoch());
        let mut sensors = self.directory.changes();
        loop {
            if let Err(error) = self.pass(&mut trust).await {
                repeats::say!(warn, "", { cause = chain(&error) }, "old readings could not be removed");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                changed = sensors.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn pass(&self, trust: &mut Trust) -> Result<(), db::Error> {
        let (keys, gone) = self.store.keys().await?;
        for key in gone {
            while self.store.forget_gone(key).await? {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let now = self.clock.now();
        if trust.look(&self.clock) {
            self.forget_old(&keys, now).await?;
        }
        Ok(())
    }

    async fn forget_old(&self, keys: &[i32], now: Timestamp) -> Result<(), db::Error> {
        let readings_before = days_before(now, self.config.keep_readings_days);
        let minutes_before = days_before(now, self.config.keep_minutes_days);
        for key in keys {
            while self.store.forget_readings(*key, readings_before).await? {
                tokio::time::sleep(PAUSE).await;
            }
            while self.store.forget_minutes(*key, minutes_before).await? {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}
