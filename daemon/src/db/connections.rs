//! How connections of the pool are made: each ends when the database is lost, so that nobody waits for a server that
//! hangs.

use std::{future::Future, pin::Pin};

use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::pool::Told;
use crate::{outcome::chain, tasks::Tasks};

/// What no single statement of the hub needs: longer, and it waits for a lock or a disk that will not come back.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'";

/// Makes the pool's connections.
pub(super) struct Connections {
    pub(super) tls: MakeRustlsConnect,
    pub(super) told: Told,
    /// Drive the connections.
    pub(super) tasks: Tasks,
}

type Connected<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for Connections {
    fn connect(&self, config: &Config) -> Connected<'_> {
        let config = config.clone();
        Box::pin(async move {
            let severed = self.told.severed();
            let (client, connection) = config.connect(self.tls.clone()).await?;
            let driver = self.tasks.spawn_until_stop(async move {
                tokio::select! {
                    biased;
                    () = severed.cancelled() => {}
                    ended = connection => {
                        if let Err(error) = ended {
                            tracing::debug!(cause = chain(&error), "a connection to the database broke");
                        }
                    }
                }
            });
            client.batch_execute(SETTINGS).await?;
            Ok((client, driver))
        })
    }
}
