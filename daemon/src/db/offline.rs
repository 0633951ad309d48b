//! What is done with the database while no hub runs: `larderd migrate`, `take-over` and `restore`, without a runtime of
//! their caller's.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{runtime::Runtime, time::Instant};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Config, StartError, migrate_blocking,
    owner::{self, Signed, Unfit},
    pool::{START_WAIT, server, tls},
};
use crate::{identity::Identity, outcome::chain, tasks::Tasks};

/// Given to the hub's own cluster to end.
const GRACE: Duration = Duration::from_secs(20);

/// Brings the schema up to date and ends. The names of what was applied.
///
/// # Errors
/// When there is no usable database, it is another hub's, or a migration fails.
pub fn migrate_and_end(config: &Config, state: &Path) -> Result<Vec<String>, StartError> {
    briefly(config, state, |runtime, mut held, hub| {
        // Held meanwhile: nobody else works with it.
        runtime.block_on(owner::expect_ours(&held.client, hub.id)).map_err(unfit)?;
        let mut client = postgres::Config::from(std::mem::take(&mut held.server)).connect(held.tls).map_err(unfit)?;
        migrate_blocking(&mut client).map_err(unfit)
    })
}

/// Signs the database for this hub, whosever it was, and ends; says what there is to do, when it is not to be done
/// `really`.
///
/// # Errors
/// When there is no usable database, or a hub works with it.
pub fn take_over_and_end(config: &Config, state: &Path, really: bool) -> Result<Signed, StartError> {
    briefly(config, state, |runtime, mut held, hub| {
        runtime.block_on(owner::take_over(&mut held.client, hub, really)).map_err(unfit)
    })
}

/// A connection, and how to make more.
pub(super) struct Held {
    pub(super) client: Client,
    pub(super) server: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

pub(super) fn unfit(error: impl Into<Unfit>) -> StartError {
    StartError::Unfit(Arc::new(error.into()))
}

/// Starts the hub's own cluster or reaches a server, does something, and ends.
pub(super) fn briefly<T, E: From<StartError>>(
    config: &Config,
    state: &Path,
    work: impl FnOnce(&Runtime, Held, &Identity) -> Result<T, E>,
) -> Result<T, E> {
    let hub = Identity::load_or_create(state).map_err(StartError::Identity)?;
    // The hub's own cluster is a child process that is waited for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let tasks = Tasks::new();
    // Within the runtime, which runs the cluster's task.
    let (server, cluster) = runtime.block_on(async { server(config, state, &tasks) })?;
    let held = tls(config).and_then(|tls| {
        if let Some(cluster) = &cluster {
            runtime.block_on(cluster.started()).map_err(StartError::Cluster)?;
        }
        let client = runtime.block_on(first_answer(&server, &tls, &tasks)).map_err(unfit)?;
        Ok(Held { client, server, tls })
    });
    let done = held.map_err(E::from).and_then(|held| work(&runtime, held, &hub));
    runtime.block_on(async {
        tasks.stop(GRACE).await;
        if let Some(cluster) = cluster {
            cluster.stop(GRACE).await;
        }
    });
    done
}

/// Waits for a server that boots meanwhile. Its connection is driven by the runtime.
async fn first_answer(
    server: &tokio_postgres::Config,
    tls: &MakeRustlsConnect,
    tasks: &Tasks,
) -> Result<Client, tokio_postgres::Error> {
    let end = Instant::now() + START_WAIT;
    loop {
        match server.connect(tls.clone()).await {
            Ok((client, connection)) => {
                tasks.spawn_until_stop(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(cause = chain(&error), "the connection to the database broke");
                    }
                });
                return Ok(client);
            }
            Err(error) if Instant::now() >= end => return Err(error),
            Err(error) => {
                tracing::warn!(cause = chain(&error), "waiting for the database");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
