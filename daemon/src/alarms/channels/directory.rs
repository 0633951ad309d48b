//! All channels in memory, so that telling does not wait for the database.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::{Channel, ChannelId, store::Store};
use crate::{
    alarms::Error,
    db::{Change, Mirror, Mirrored},
    named::{ByName, Named},
};

/// All channels; clones share them. Stale while the database is away.
pub(super) type Directory = Mirror<Store>;

impl Named for Channel {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Mirrored for Store {
    type Listing = ByName<Channel>;
    type Error = Error;
    const NAME: &'static str = "alarms";

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes()
    }

    async fn read(&self) -> Result<ByName<Channel>, Error> {
        Ok(self.channels().await?.into_iter().map(Arc::new).collect())
    }
}

impl Directory {
    pub(super) fn all(&self) -> Vec<Arc<Channel>> {
        self.listing().all()
    }

    pub(super) fn get(&self, id: ChannelId) -> Option<Arc<Channel>> {
        self.all().into_iter().find(|channel| channel.id == id)
    }

    pub(super) fn find(&self, id_or_name: &str) -> Option<Arc<Channel>> {
        let by_id = id_or_name.parse().ok().and_then(|id| self.get(id));
        by_id.or_else(|| self.listing().find(id_or_name))
    }
}
