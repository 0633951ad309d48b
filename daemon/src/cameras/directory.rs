//! All cameras in memory, so that nothing on the frame path waits for the database.

use std::{collections::HashMap, sync::Arc};

use larder_proto::wire::CameraId;
use tokio::sync::{broadcast, watch};

use super::{Camera, Error, Key, Store};
use crate::{
    db::{Cache, Change, Mirror, Mirrored},
    named::{ByName, Named},
    parts::Trouble,
};

/// All cameras; clones share them. Stale while the database is away.
#[derive(Clone)]
pub struct Directory(Mirror<Rows>);

struct Rows {
    store: Store,
    cache: Cache,
}

#[derive(Default)]
struct Listing {
    by_name: ByName<Camera>,
    by_id: HashMap<CameraId, (Arc<Camera>, Option<Key>)>,
}

impl Named for Camera {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Mirrored for Rows {
    type Listing = Listing;
    type Error = Error;
    const NAME: &'static str = "cameras";

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.store.changes()
    }

    async fn read(&self) -> Result<Listing, Error> {
        Ok(Listing::of(self.store.all().await?))
    }

    async fn remember(&self, listing: &Listing) {
        let key = |camera: &Camera| listing.by_id.get(&camera.id).and_then(|(_, key)| *key);
        // By name, so that nothing is written again because of another order.
        let all = listing.by_name.all();
        let rows: Vec<_> = all.iter().map(|camera| (&**camera, key(camera))).collect();
        self.cache.keep(Self::NAME, &rows).await;
    }

    async fn recall(&self) -> Option<Listing> {
        self.cache.recall(Self::NAME).await.map(Listing::of)
    }
}

impl Listing {
    fn of(rows: Vec<(Camera, Option<Key>)>) -> Self {
        let by_id: HashMap<_, _> = rows.into_iter().map(|(camera, key)| (camera.id, (Arc::new(camera), key))).collect();
        Self { by_name: by_id.values().map(|(camera, _)| Arc::clone(camera)).collect(), by_id }
    }
}

impl Directory {
    /// Reads all cameras; while the database is away, takes those that were remembered.
    pub async fn load(store: Store, cache: Cache) -> Self {
        Self(Mirror::load(Rows { store, cache }).await)
    }

    /// The camera with that id.
    pub fn get(&self, id: CameraId) -> Option<Arc<Camera>> {
        self.0.listing().by_id.get(&id).map(|(camera, _)| Arc::clone(camera))
    }

    /// The camera with that id or name.
    pub fn find(&self, id_or_name: &str) -> Option<Arc<Camera>> {
        let by_id = id_or_name.parse().ok().and_then(|id| self.get(id));
        by_id.or_else(|| self.0.listing().by_name.find(id_or_name))
    }

    /// All cameras by name.
    pub fn all(&self) -> Vec<Arc<Camera>> {
        self.0.listing().by_name.all()
    }

    /// A camera's key.
    pub fn key(&self, id: CameraId) -> Option<Key> {
        self.0.listing().by_id.get(&id).and_then(|(_, key)| *key)
    }

    /// That the hub's key is another than the one that sealed cameras' keys: their boards can't prove themselves.
    pub fn trouble(&self) -> Option<Trouble> {
        let listing = self.0.listing();
        let lost: Vec<String> = listing
            .by_name
            .all()
            .iter()
            .filter(|camera| self.key(camera.id).is_none())
            .map(|camera| camera.name.clone())
            .collect();
        (!lost.is_empty()).then(|| {
            let detail = format!(
                "the keys of {} do not open with this hub's key, whose file was lost or replaced: restore \
                 secrets/hub.key in the state folder from a backup and start the hub again, or give each camera a new key \
                 (`larderctl camera key NAME`) and set its board up with it; addresses with passwords must be set again too",
                lost.join(", ")
            );
            Trouble::warning("keys_lost", detail)
        })
    }

    /// Counts the changes; marked changed at each.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes()
    }

    /// Follows the database until dropped. Cancel safe.
    pub async fn follow(self) {
        self.0.follow().await;
    }

    /// Reads all cameras again; a change made by this process calls it so that its caller reads its own write.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        self.0.reload().await
    }
}
