//! A connection whose failures are noted: what the hub's own statements meet is part of the database's health.

use std::ops::{Deref, DerefMut};

use tokio_postgres::{Error, Row, Statement, ToStatement, types::ToSql};

use super::health::Health;

/// Parameters of a statement.
type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection of the pool.
pub struct Client {
    inner: deadpool_postgres::Client,
    health: Health,
}

/// A transaction of a [`Client`]; rolled back unless it is committed.
pub struct Transaction<'a> {
    inner: deadpool_postgres::Transaction<'a>,
    health: Health,
}

/// The calls of [`tokio_postgres::Client`] that hand a statement to the server.
macro_rules! noted {
    ($($call:ident -> $answer:ty),*) => {$(
        #[doc = concat!("As [`tokio_postgres::Client::", stringify!($call), "`].\n\n# Errors\nAs that one.")]
        pub async fn $call(
            &self,
            statement: &(impl ToStatement + Sync + ?Sized),
            parameters: Parameters<'_>,
        ) -> Result<$answer, Error> {
            self.health.answered(self.inner.$call(statement, parameters).await)
        }
    )*};
}

impl Client {
    pub(super) fn new(inner: deadpool_postgres::Client, health: Health) -> Self {
        Self { inner, health }
    }

    noted!(query -> Vec<Row>, query_one -> Row, query_opt -> Option<Row>, execute -> u64);

    /// As [`deadpool_postgres::ClientWrapper::prepare_cached`].
    ///
    /// # Errors
    /// As that one.
    pub async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        self.health.answered(self.inner.prepare_cached(query).await)
    }

    /// As [`deadpool_postgres::ClientWrapper::transaction`].
    ///
    /// # Errors
    /// As that one.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let inner = self.health.answered(self.inner.transaction().await)?;
        Ok(Transaction { inner, health: self.health.clone() })
    }
}

impl Transaction<'_> {
    noted!(query -> Vec<Row>, query_one -> Row, query_opt -> Option<Row>, execute -> u64);

    /// As [`tokio_postgres::Transaction::commit`].
    ///
    /// # Errors
    /// As that one.
    pub async fn commit(self) -> Result<(), Error> {
        self.health.answered(self.inner.commit().await)
    }
}

impl Deref for Client {
    type Target = deadpool_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<'a> Deref for Transaction<'a> {
    type Target = deadpool_postgres::Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}
