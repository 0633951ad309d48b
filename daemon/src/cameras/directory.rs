//! All cameras in memory, so that nothing on the frame path waits for the database.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use larder_proto::wire::CameraId;
use tokio::sync::{broadcast::error::RecvError, watch};

use super::{Camera, Error, Key, Store};
use crate::{db::Change, outcome::chain, repeats};

/// A pause before a failed reload is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// All cameras; clones share them. Stale while the database is away, reloaded whole when it is back.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    store: Store,
    listing: ArcSwap<Listing>,
    version: watch::Sender<u64>,
    /// Reloads one after the other, so that an older read can't replace a newer one.
    reloading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Listing {
    by_name: Vec<Arc<Camera>>,
    by_id: HashMap<CameraId, (Arc<Camera>, Option<Key>)>,
}

impl Directory {
    /// Reads all cameras.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(store: Store) -> Result<Self, Error> {
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

    /// The camera with that id.
    pub fn get(&self, id: CameraId) -> Option<Arc<Camera>> {
        self.0.listing.load().by_id.get(&id).map(|(camera, _)| Arc::clone(camera))
    }

    /// The camera with that id or name.
    pub fn find(&self, id_or_name: &str) -> Option<Arc<Camera>> {
        if let Ok(id) = id_or_name.parse() {
            return self.get(id);
        }
        let listing = self.0.listing.load();
        let at = listing.by_name.binary_search_by(|camera| camera.name.as_str().cmp(id_or_name)).ok()?;
        listing.by_name.get(at).cloned()
    }

    /// All cameras by name.
    pub fn all(&self) -> Vec<Arc<Camera>> {
        self.0.listing.load().by_name.clone()
    }

    /// A camera's key.
    pub fn key(&self, id: CameraId) -> Option<Key> {
        self.0.listing.load().by_id.get(&id).and_then(|(_, key)| *key)
    }

    /// Counts the changes; marked changed at each.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Follows the database until dropped. Cancel safe.
    pub async fn follow(self) {
        let mut changes = self.0.store.changes();
        loop {
            let reload = match changes.recv().await {
                Ok(Change::Notice(channel)) => channel == "cameras",
                Ok(Change::Connected) | Err(RecvError::Lagged(_)) => true,
                Ok(Change::Lost) => false,
                Err(RecvError::Closed) => return,
            };
            while reload && let Err(error) = self.reload().await {
                repeats::say!(warn, "", { cause = chain(&error) }, "the cameras cannot be read again yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Reads all cameras again; a change made by this process calls it so that its caller reads its own write.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let mut listing = Listing::default();
        for (camera, key) in self.0.store.all().await? {
            let camera = Arc::new(camera);
            listing.by_name.push(Arc::clone(&camera));
            listing.by_id.insert(camera.id, (camera, key));
        }
        // PostgreSQL's order depends on the locale; the search above needs bytes.
        listing.by_name.sort_by(|one, other| one.name.cmp(&other.name));
        self.0.listing.store(Arc::new(listing));
        self.0.version.send_modify(|version| *version += 1);
        Ok(())
    }
}
