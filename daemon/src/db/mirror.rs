//! Rows in memory, so that nobody waits for the database to look at them.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{broadcast, watch};

use super::Change;
use crate::{outcome::chain, repeats};

/// A pause before a failed reload is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What can be mirrored: it is read as a whole, and told of when it changes.
pub trait Mirrored: Send + Sync + 'static {
    /// The rows as they are looked at.
    type Listing: Default + Send + Sync;
    /// Why they can't be read.
    type Error: Error + Send;
    /// What the log and the database's notices call them.
    const NAME: &'static str;

    /// Changes as the database tells them.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Reads all rows.
    fn read(&self) -> impl Future<Output = Result<Self::Listing, Self::Error>> + Send;
}

/// Rows in memory; clones share them. Stale while the database is away, read again whole when it is back.
pub struct Mirror<M: Mirrored>(Arc<Inner<M>>);

impl<M: Mirrored> Clone for Mirror<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<M: Mirrored> {
    mirrored: M,
    listing: ArcSwap<M::Listing>,
    version: watch::Sender<u64>,
    /// Reloads one after the other, so that an older read can't replace a newer one.
    reloading: tokio::sync::Mutex<()>,
}

impl<M: Mirrored> Mirror<M> {
    /// Reads all rows.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn load(mirrored: M) -> Result<Self, M::Error> {
        let mirror = Self(Arc::new(Inner {
            mirrored,
            listing: ArcSwap::default(),
            version: watch::Sender::new(0),
            reloading: tokio::sync::Mutex::default(),
        }));
        mirror.reload().await?;
        Ok(mirror)
    }

    /// The rows as they were last read.
    pub fn listing(&self) -> Guard<Arc<M::Listing>> {
        self.0.listing.load()
    }

    /// Counts the reloads; marked changed at each.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Follows the database until dropped. Cancel safe.
    pub async fn follow(self) {
        let mut changes = self.0.mirrored.changes();
        loop {
            let reload = match changes.recv().await {
                Ok(Change::Notice(channel)) => channel == M::NAME,
                Ok(Change::Connected) | Err(broadcast::error::RecvError::Lagged(_)) => true,
                Ok(Change::Lost) => false,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            while reload && let Err(error) = self.reload().await {
                repeats::say!(warn, M::NAME, { rows = M::NAME, cause = chain(&error) }, "rows cannot be read again yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Reads all rows again; a change made by this process calls it so that its caller reads its own write.
    ///
    /// # Errors
    /// When they can't be read; what was read before stays.
    pub async fn reload(&self) -> Result<(), M::Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        self.0.listing.store(Arc::new(self.0.mirrored.read().await?));
        self.0.version.send_modify(|version| *version += 1);
        Ok(())
    }
}
