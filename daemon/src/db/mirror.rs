//! Rows in memory, so that nobody waits for the database to look at them.

use std::{
    error::Error,
    future::{Future, ready},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{broadcast, watch};

use super::Change;
use crate::{outcome::chain, repeats};

/// A pause before a failed reload is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Reads until it works, with a pause after each failure. Cancel safe if `read` is.
pub async fn until_read<T, E, F>(rows: &'static str, mut read: impl FnMut() -> F + Send) -> T
where
    E: Error + 'static,
    F: Future<Output = Result<T, E>> + Send,
{
    loop {
        let failed = match read().await {
            Ok(read) => return read,
            Err(error) => chain(&error),
        };
        repeats::say!(warn, rows, { rows, cause = failed }, "rows cannot be read again yet");
        tokio::time::sleep(RETRY).await;
    }
}

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

    /// Remembers them for a start without the database; by default they are not.
    fn remember(&self, _listing: &Self::Listing) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// What was remembered last.
    fn recall(&self) -> impl Future<Output = Option<Self::Listing>> + Send {
        ready(None)
    }
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
    /// Whether rows were never read, but recalled if they were remembered.
    is_stale: AtomicBool,
    /// Reloads one after the other, so that an older read can't replace a newer one.
    reloading: tokio::sync::Mutex<()>,
}

impl<M: Mirrored> Mirror<M> {
    /// Reads all rows. While they can't be read, what was remembered of them is in their place.
    pub async fn load(mirrored: M) -> Self {
        let mirror = Self(Arc::new(Inner {
            mirrored,
            listing: ArcSwap::default(),
            version: watch::Sender::new(0),
            is_stale: AtomicBool::new(true),
            reloading: tokio::sync::Mutex::default(),
        }));
        if let Err(error) = mirror.reload().await {
            let recalled = mirror.0.mirrored.recall().await;
            let is_known = recalled.is_some();
            tracing::warn!(rows = M::NAME, cause = chain(&error), recalled = is_known, "rows cannot be read yet");
            if let Some(listing) = recalled {
                mirror.0.listing.store(Arc::new(listing));
            }
        }
        mirror
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
        // The database may have come between the first try and now.
        let mut reload = self.0.is_stale.load(Ordering::Relaxed);
        loop {
            if reload {
                until_read(M::NAME, || self.reload()).await;
            }
            reload = match changes.recv().await {
                Ok(Change::Notice(channel)) => channel == M::NAME,
                Ok(Change::Connected) | Err(broadcast::error::RecvError::Lagged(_)) => true,
                Ok(Change::Lost) => false,
                Err(broadcast::error::RecvError::Closed) => return,
            };
        }
    }

    /// Reads all rows again; a change made by this process calls it so that its caller reads its own write.
    ///
    /// # Errors
    /// When they can't be read; what was read before stays.
    pub async fn reload(&self) -> Result<(), M::Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let listing = Arc::new(self.0.mirrored.read().await?);
        self.0.listing.store(Arc::clone(&listing));
        self.0.is_stale.store(false, Ordering::Relaxed);
        self.0.version.send_modify(|version| *version += 1);
        self.0.mirrored.remember(&listing).await;
        Ok(())
    }
}
