//! Rules and alarms in PostgreSQL.

mod alarms;
mod rules;

use tokio::sync::broadcast;
use tokio_postgres::{Row, types::FromSql};

use crate::db::{self, Change, Db};

/// Rules and alarms in PostgreSQL; clones share the pool.
#[derive(Clone)]
pub(super) struct Store {
    db: Db,
}

impl Store {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Changes as the database tells them.
    pub(super) fn changes(&self) -> broadcast::Receiver<Change> {
        self.db.changes()
    }
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, db::Error> {
    row.try_get(column).map_err(db::Error::Statement)
}
