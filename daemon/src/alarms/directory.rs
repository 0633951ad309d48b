//! All rules in memory, so that watching does not wait for the database.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast::error::RecvError, watch};

use super::{Error, RuleId, rule::Rule, store::Store};
use crate::{db::Change, outcome::chain, repeats};

/// A pause before a failed reload is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// All rules; clones share them. Stale while the database is away, reloaded whole when it is back.
#[derive(Clone)]
pub(super) struct Directory(Arc<Inner>);

struct Inner {
    store: Store,
    /// By name.
    rules: ArcSwap<Vec<Arc<Rule>>>,
    version: watch::Sender<u64>,
    /// Reloads one after the other, so that an older read can't replace a newer one.
    reloading: tokio::sync::Mutex<()>,
}

impl Directory {
    pub(super) async fn load(store: Store) -> Result<Self, Error> {
        let inner = Inner {
            store,
            rules: ArcSwap::default(),
            version: watch::Sender::new(0),
            reloading: tokio::sync::Mutex::default(),
        };
        let directory = Self(Arc::new(inner));
        directory.reload().await?;
        Ok(directory)
    }

    pub(super) fn all(&self) -> Arc<Vec<Arc<Rule>>> {
        self.0.rules.load_full()
    }

    pub(super) fn find(&self, id_or_name: &str) -> Option<Arc<Rule>> {
        let rules = self.0.rules.load();
        let id: Option<RuleId> = id_or_name.parse().ok();
        rules.iter().find(|rule| Some(rule.id) == id || rule.name == id_or_name).cloned()
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Follows the database until dropped. Cancel safe.
    pub(super) async fn follow(self) {
        let mut changes = self.0.store.changes();
        loop {
            let reload = match changes.recv().await {
                Ok(Change::Notice(channel)) => channel == "alarms",
                Ok(Change::Connected) | Err(RecvError::Lagged(_)) => true,
                Ok(Change::Lost) => false,
                Err(RecvError::Closed) => return,
            };
            while reload && let Err(error) = self.reload().await {
                repeats::say!(warn, "", { cause = chain(&error) }, "the alarm rules cannot be read again yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Reads all rules again; a change made by this process calls it so that its caller reads its own write.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let mut rules: Vec<_> = self.0.store.rules().await?.into_iter().map(Arc::new).collect();
        // PostgreSQL's order depends on the locale; pages need bytes.
        rules.sort_by(|one: &Arc<Rule>, other| one.name.cmp(&other.name));
        self.0.rules.store(Arc::new(rules));
        self.0.version.send_modify(|version| *version += 1);
        Ok(())
    }
}
