//! All sensors in memory, so that nothing that is heard waits for the database.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use tokio::sync::broadcast;

use super::{Error, Sensor, SensorId, Source, store::Store};
use crate::{
    db::{Cache, Change, Mirror, Mirrored},
    named::{ByName, Named},
};

/// All sensors; clones share them. Stale while the database is away.
pub(super) type Directory = Mirror<Rows>;

/// The rows, and what is remembered of them.
pub(super) struct Rows {
    pub(super) store: Store,
    pub(super) cache: Cache,
}

#[derive(Default)]
pub(super) struct Listing {
    by_name: ByName<Sensor>,
    by_id: HashMap<SensorId, Arc<Sensor>>,
    by_source: HashMap<Source, Arc<Sensor>>,
    text_addresses: Arc<HashSet<IpAddr>>,
}

impl Named for Sensor {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Mirrored for Rows {
    type Listing = Listing;
    type Error = Error;
    const NAME: &'static str = "sensors";

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.store.changes()
    }

    async fn read(&self) -> Result<Listing, Error> {
        Ok(Listing::of(self.store.all().await?))
    }

    async fn remember(&self, listing: &Listing) {
        let all = listing.by_name.all();
        let rows: Vec<_> = all.iter().map(|sensor| &**sensor).collect();
        self.cache.keep(Self::NAME, &rows).await;
    }

    async fn recall(&self) -> Option<Listing> {
        self.cache.recall(Self::NAME).await.map(Listing::of)
    }
}

impl Listing {
    fn of(rows: Vec<Sensor>) -> Self {
        let all: Vec<_> = rows.into_iter().map(Arc::new).collect();
        let address = |sensor: &Arc<Sensor>| match sensor.source {
            Source::Text { address, .. } => Some(address),
            Source::Probe { .. } => None,
        };
        Self {
            by_id: all.iter().map(|sensor| (sensor.id, Arc::clone(sensor))).collect(),
            by_source: all.iter().map(|sensor| (sensor.source.clone(), Arc::clone(sensor))).collect(),
            text_addresses: Arc::new(all.iter().filter_map(address).collect()),
            by_name: all.into_iter().collect(),
        }
    }
}

impl Directory {
    pub(super) fn get(&self, id: SensorId) -> Option<Arc<Sensor>> {
        self.listing().by_id.get(&id).cloned()
    }

    pub(super) fn find(&self, id_or_name: &str) -> Option<Arc<Sensor>> {
        let by_id = id_or_name.parse().ok().and_then(|id| self.get(id));
        by_id.or_else(|| self.listing().by_name.find(id_or_name))
    }

    pub(super) fn all(&self) -> Vec<Arc<Sensor>> {
        self.listing().by_name.all()
    }

    pub(super) fn of_source(&self, source: &Source) -> Option<Arc<Sensor>> {
        self.listing().by_source.get(source).cloned()
    }

    pub(super) fn text_addresses(&self) -> Arc<HashSet<IpAddr>> {
        Arc::clone(&self.listing().text_addresses)
    }
}
