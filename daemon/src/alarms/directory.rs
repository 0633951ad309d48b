//! All rules in memory, so that watching does not wait for the database.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::{Error, RuleId, rule::Rule, store::Store};
use crate::{
    db::{Change, Mirror, Mirrored},
    named::{ByName, Named},
};

/// All rules; clones share them. Stale while the database is away.
pub(super) type Directory = Mirror<Store>;

impl Named for Rule {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Mirrored for Store {
    type Listing = ByName<Rule>;
    type Error = Error;
    const NAME: &'static str = "alarms";

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes()
    }

    async fn read(&self) -> Result<ByName<Rule>, Error> {
        Ok(self.rules().await?.into_iter().map(Arc::new).collect())
    }
}

impl Directory {
    pub(super) fn all(&self) -> Vec<Arc<Rule>> {
        self.listing().all()
    }

    pub(super) fn find(&self, id_or_name: &str) -> Option<Arc<Rule>> {
        let id: Option<RuleId> = id_or_name.parse().ok();
        let by_id = id.and_then(|id| self.all().into_iter().find(|rule| rule.id == id));
        by_id.or_else(|| self.listing().find(id_or_name))
    }
}
