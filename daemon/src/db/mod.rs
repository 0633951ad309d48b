//! PostgreSQL: the pool, migrations, change notices, and the hub's own cluster.

use thiserror::Error;
use tokio::sync::broadcast;

use crate::outcome::{Kind, Refusal};

/// A connection of the pool.
pub type Client = deadpool_postgres::Client;

/// The database; clones share the pool.
#[derive(Clone)]
pub struct Db {
    pool: deadpool_postgres::Pool,
    changes: broadcast::Sender<Change>,
}

/// What happened to the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A NOTIFY on this channel.
    Notice(String),
    /// The connection for notices is there (again): whatever was cached may be stale, reload it whole.
    Connected,
    /// The connection was lost; what is cached stays in use.
    Lost,
}

/// Why a database call failed.
#[derive(Debug, Error)]
pub enum Error {
    /// No connection: the server is away or all connections are in use.
    #[error("the database is not reachable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement failed.
    #[error("a database statement failed")]
    Statement(#[source] tokio_postgres::Error),
    /// A row holds what it never should.
    #[error("a row of {table} is broken: {why}")]
    Broken {
        /// Which table.
        table: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.is_closed() { Self::Unavailable(error.into()) } else { Self::Statement(error) }
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(cause) => {
                Refusal::new(Kind::Unavailable, "the database is not reachable; try again later").because(cause)
            }
            Error::Statement(_) | Error::Broken { .. } => Refusal::internal(error),
        }
    }
}

impl Db {
    /// A connection. Waits five seconds at most.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none.
    pub async fn client(&self) -> Result<Client, Error> {
        Ok(self.pool.get().await?)
    }

    /// Changes from now on. A reader that lags must take it as [`Change::Connected`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}
