//! Drops what waits for channels that are gone.

use std::collections::BTreeSet;

use super::{
    Channels,
    delivery::{KIND, lane},
};
use crate::{alarms::Error, outcome::chain, repeats};

impl Channels {
    /// Follows the channels until dropped.
    pub(super) async fn forget_removed(self) {
        let mut changes = self.0.directory.changes();
        loop {
            if let Err(error) = self.forget_gone().await {
                repeats::say!(warn, "", { cause = chain(&error) }, "removed channels' deliveries are still kept");
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn forget_gone(&self) -> Result<(), Error> {
        let there: BTreeSet<String> = self.0.directory.all().iter().map(|channel| lane(channel.id)).collect();
        for gone in self.0.jobs.lanes(KIND).into_iter().filter(|lane| !there.contains(lane)) {
            self.0.jobs.forget(KIND, &gone).await?;
        }
        self.0.store.forget_leftovers().await
    }
}
