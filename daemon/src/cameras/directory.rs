//! All cameras in memory, so that nothing on the frame path waits for the database.

use std::{collections::HashMap, sync::Arc};

use larder_proto::wire::CameraId;
use tokio::sync::{broadcast, watch};

use super::{Camera, Error, Key, Store};
use crate::{
    db::{Change, Mirror, Mirrored},
    named::{ByName, Named},
};

/// All cameras; clones share them. Stale while the database is away.
#[derive(Clone)]
pub struct Directory(Mirror<Rows>);

struct Rows(Store);

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
        self.0.changes()
    }

    async fn read(&self) -> Result<Listing, Error> {
        let all = self.0.all().await?.into_iter().map(|(camera, key)| (camera.id, (Arc::new(camera), key)));
        let by_id: HashMap<_, _> = all.collect();
        Ok(Listing { by_name: by_id.values().map(|(camera, _)| Arc::clone(camera)).collect(), by_id })
    }
}

impl Directory {
    /// Reads all cameras.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(store: Store) -> Result<Self, Error> {
        Mirror::load(Rows(store)).await.map(Self)
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
