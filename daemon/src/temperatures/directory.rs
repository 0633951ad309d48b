//! All sensors in memory, so that nothing that is heard waits for the database.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast::error::RecvError, watch};

use super::{Error, Sensor, SensorId, Source, store::Store};
use crate::{db::Change, outcome::chain, repeats};

/// A pause before a failed reload is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// All sensors; clones share them. Stale while the database is away, reloaded whole when it is back.
#[derive(Clone)]
pub(super) struct Directory(Arc<Inner>);

struct Inner {
    store: Store,
    listing: ArcSwap<Listing>,
    version: watch::Sender<u64>,
    /// Reloads one after the other, so that an older read can't replace a newer one.
    reloading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Listing {
    by_name: Vec<Arc<Sensor>>,
    by_id: HashMap<SensorId, Arc<Sensor>>,
    by_source: HashMap<Source, Arc<Sensor>>,
    text_addresses: Arc<HashSet<IpAddr>>,
}

impl Directory {
    pub(super) async fn load(store: Store) -> Result<Self, Error> {
        let inner = Inner {
            store,
            listing: ArcSwap::default(),
            version: watch::Sender::new(0),
            reloading: tokio::sync::Mutex::default(),
        };
        let directory = Self(Arc::new(inner));
        directory.reload().await?;
        Ok(directory)
    }

    pub(super) fn get(&self, id: SensorId) -> Option<Arc<Sensor>> {
        self.0.listing.load().by_id.get(&id).cloned()
    }

    pub(super) fn find(&self, id_or_name: &str) -> Option<Arc<Sensor>> {
        if let Some(sensor) = id_or_name.parse().ok().and_then(|id| self.get(id)) {
            return Some(sensor);
        }
        let listing = self.0.listing.load();
        let at = listing.by_name.binary_search_by(|sensor| sensor.name.as_str().cmp(id_or_name)).ok()?;
        listing.by_name.get(at).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Sensor>> {
        self.0.listing.load().by_name.clone()
    }

    pub(super) fn of_source(&self, source: &Source) -> Option<Arc<Sensor>> {
        self.0.listing.load().by_source.get(source).cloned()
    }

    pub(super) fn text_addresses(&self) -> Arc<HashSet<IpAddr>> {
        Arc::clone(&self.0.listing.load().text_addresses)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Follows the database until dropped. Cancel safe.
    pub(super) async fn follow(self) {
        let mut changes = self.0.store.changes();
        loop {
            let reload = match changes.recv().await {
                Ok(Change::Notice(channel)) => channel == "sensors",
                Ok(Change::Connected) | Err(RecvError::Lagged(_)) => true,
                Ok(Change::Lost) => false,
                Err(RecvError::Closed) => return,
            };
            while reload && let Err(error) = self.reload().await {
                repeats::say!(warn, "", { cause = chain(&error) }, "the sensors cannot be read again yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Reads all sensors again; a change made by this process calls it so that its caller reads its own write.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let mut listing = Listing::default();
        let mut text_addresses = HashSet::new();
        for sensor in self.0.store.all().await? {
            let sensor = Arc::new(sensor);
            if let Source::Text { address, .. } = &sensor.source {
                text_addresses.insert(*address);
            }
            listing.by_name.push(Arc::clone(&sensor));
            listing.by_source.insert(sensor.source.clone(), Arc::clone(&sensor));
            listing.by_id.insert(sensor.id, sensor);
        }
        // PostgreSQL's order depends on the locale; the search above needs bytes.
        listing.by_name.sort_by(|one, other| one.name.cmp(&other.name));
        listing.text_addresses = Arc::new(text_addresses);
        self.0.listing.store(Arc::new(listing));
        self.0.version.send_modify(|version| *version += 1);
        Ok(())
    }
}
