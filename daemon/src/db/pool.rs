//! The pool of connections, and what the hub hears of the database.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject as _};
use thiserror::Error;
use tokio::sync::broadcast;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::{
    Config, MigrateError,
    cluster::{self, Cluster},
    config::require_tls_beyond_this_machine,
    connections::Connections,
    migrate, migrate_blocking, notices,
};
use crate::{
    events::Events,
    outcome::{Kind, Refusal, chain},
    parts::Trouble,
    tasks::Tasks,
};

/// How long a request waits for a connection.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// How long the start waits for a server: longer than a cluster's recovery (seconds) and than a server that boots
/// beside the hub.
const START_WAIT: Duration = Duration::from_secs(60);
/// Given to the hub's own cluster to end after [`migrate_and_end`].
const GRACE: Duration = Duration::from_secs(20);
/// More than all channels in one burst; a reader that lags reloads whole.
const CHANGES: usize = 64;

/// A connection of the pool.
pub type Client = deadpool_postgres::Client;

/// The database; clones share the pool.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    told: Told,
    cluster: Option<Arc<Cluster>>,
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

/// Tells what happens to the database, and remembers the last of it.
#[derive(Clone)]
pub(super) struct Told {
    changes: broadcast::Sender<Change>,
    lost: Arc<AtomicBool>,
    /// Ends the connections that were made before the database was lost.
    severed: Arc<Mutex<CancellationToken>>,
}

impl Told {
    fn new() -> Self {
        Self { changes: broadcast::Sender::new(CHANGES), lost: Arc::default(), severed: Arc::default() }
    }

    pub(super) fn tell(&self, change: Change) {
        match change {
            Change::Connected => self.lost.store(false, Ordering::Relaxed),
            Change::Lost => {
                self.lost.store(true, Ordering::Relaxed);
                // A server that hangs answers nothing for ever: whoever waits for an answer is told so now.
                std::mem::take(&mut *self.severed.lock().unwrap_or_else(PoisonError::into_inner)).cancel();
            }
            Change::Notice(_) => {}
        }
        // An error means that nobody caches anything.
        let _ = self.changes.send(change);
    }

    /// Cancelled when the database is lost.
    pub(super) fn severed(&self) -> CancellationToken {
        self.severed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How the pool's connections are used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// Connections that somebody works with.
    pub in_use: usize,
    /// Connections that wait for work.
    pub idle: usize,
    /// Calls that wait for a connection.
    pub waiting: usize,
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

/// Why the database can't be used at start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The hub's own cluster does not start.
    #[error("the hub's own PostgreSQL does not start")]
    Cluster(#[from] cluster::Error),
    /// The URL is wrong.
    #[error("database.url is no PostgreSQL URL")]
    Url(#[source] tokio_postgres::Error),
    /// The CA file is unusable.
    #[error("database.ca_file cannot be used: {0}")]
    Ca(String),
    /// No answer within the time.
    #[error("no database answers; set database.url, or start the server")]
    Unreachable(#[source] Error),
    /// There is no runtime to start the cluster in.
    #[error("starting the async runtime")]
    Runtime(#[source] std::io::Error),
    /// The schema can't be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl Error {
    /// Whether the same statement will be refused again, whatever the state of the server: what it holds is wrong (classes
    /// 22 and 23, PostgreSQL's appendix A), or was in a row.
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Unavailable(_) => false,
            Self::Statement(error) => {
                error.code().is_none_or(|code| code.code().starts_with("22") || code.code().starts_with("23"))
            }
            Self::Broken { .. } => true,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        // Besides a closed connection: the server is shutting down, starting up, out of connections (57P0x, 53300), or
        // too slow for the statement's time limit (57014).
        let away = error.is_closed()
            || error
                .code()
                .is_some_and(|code| code.code().starts_with("57P") || matches!(code.code(), "53300" | "57014"));
        if away { Self::Unavailable(error.into()) } else { Self::Statement(error) }
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
                Self::new(Kind::Unavailable, "the database is not reachable; try again later").because(cause)
            }
            Error::Statement(_) | Error::Broken { .. } => Self::internal(error),
        }
    }
}

impl Db {
    /// Starts the hub's own cluster or reaches a server, brings the schema up to date and listens for notices.
    ///
    /// # Errors
    /// When there is no usable database within a minute.
    pub async fn start(config: &Config, state: &Path, events: Events, tasks: &Tasks) -> Result<Self, StartError> {
        let (server, cluster) = server(config, state, tasks).await?;
        let (db, server) = Self::reach(config, server, cluster.map(Arc::new), tasks)?;
        let mut client = db.first_client().await.map_err(StartError::Unreachable)?;
        let applied = migrate(&mut client).await?;
        let tls = tls(config)?;
        tasks.spawn_until_stop(notices::run(server, tls, db.told.clone(), events));
        if !applied.is_empty() {
            tracing::info!(db.migrations = applied.join(", "), "the schema was brought up to date");
        }
        Ok(db)
    }

    fn reach(
        config: &Config,
        mut server: tokio_postgres::Config,
        cluster: Option<Arc<Cluster>>,
        tasks: &Tasks,
    ) -> Result<(Self, tokio_postgres::Config), StartError> {
        server.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(10));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let told = Told::new();
        let connections = Connections { tls: tls(config)?, told: told.clone(), tasks: tasks.clone() };
        let manager = Manager::from_connect(server.clone(), connections, recycling);
        let pool = Pool::builder(manager)
            .max_size(config.max_connections)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StartError::Unreachable(Error::Unavailable(error.into())))?;
        Ok((Self { pool, told, cluster }, server))
    }

    async fn first_client(&self) -> Result<Client, Error> {
        let end = tokio::time::Instant::now() + START_WAIT;
        loop {
            match self.client().await {
                Ok(client) => return Ok(client),
                Err(error) if tokio::time::Instant::now() >= end => return Err(error),
                Err(error) => {
                    tracing::warn!(cause = chain(&error), "waiting for the database");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// A connection. Waits five seconds at most, and not at all while the database is known to be away. Its calls end
    /// with [`Error::Unavailable`] when the database is lost meanwhile, also when it hangs without a word.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none.
    pub async fn client(&self) -> Result<Client, Error> {
        if self.told.lost.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("it was lost and is not back yet".into()));
        }
        Ok(self.pool.get().await?)
    }

    /// Changes from now on. A reader that lags must take it as [`Change::Connected`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.told.changes.subscribe()
    }

    /// What is wrong, if something is.
    pub fn trouble(&self) -> Option<Trouble> {
        let detail = "away; live view and recording go on, changes are refused until it is back";
        self.told.lost.load(Ordering::Relaxed).then(|| Trouble::new("away", detail))
    }

    /// How the pool's connections are used.
    pub fn usage(&self) -> Usage {
        let status = self.pool.status();
        Usage {
            in_use: status.size.saturating_sub(status.available),
            idle: status.available.min(status.size),
            waiting: status.waiting,
        }
    }

    /// Closes the pool, then stops the hub's own cluster if it runs one. `false` when that takes longer than `grace`.
    pub async fn close(&self, grace: Duration) -> bool {
        self.pool.close();
        match &self.cluster {
            Some(cluster) => cluster.stop(grace).await,
            None => true,
        }
    }
}

/// How the server is reached, and the hub's own cluster when it runs one.
async fn server(
    config: &Config,
    state: &Path,
    tasks: &Tasks,
) -> Result<(tokio_postgres::Config, Option<Cluster>), StartError> {
    let (mut server, cluster) = match &config.url {
        Some(url) => (url.parse().map_err(StartError::Url)?, None),
        None => {
            let cluster = Cluster::start(state, config.bin_dir.as_deref(), tasks).await?;
            (cluster.connection(), Some(cluster))
        }
    };
    require_tls_beyond_this_machine(&mut server);
    server.application_name("larderd").connect_timeout(WAIT);
    Ok((server, cluster))
}

/// Brings the schema up to date and ends: what `larderd migrate` does, without a runtime of its caller's. The names of
/// what was applied.
///
/// # Errors
/// When there is no usable database, or a migration fails.
pub fn migrate_and_end(config: &Config, state: &Path) -> Result<Vec<String>, StartError> {
    // The hub's own cluster is a child process that is waited for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let tasks = Tasks::new();
    let (server, cluster) = runtime.block_on(server(config, state, &tasks))?;
    let unreachable = |error: tokio_postgres::Error| StartError::Unreachable(error.into());
    let applied = tls(config).and_then(|tls| {
        runtime.block_on(first_answer(&server, &tls)).map_err(unreachable)?;
        let mut client = postgres::Config::from(server).connect(tls).map_err(unreachable)?;
        Ok(migrate_blocking(&mut client)?)
    });
    runtime.block_on(async {
        tasks.stop(GRACE).await;
        if let Some(cluster) = cluster {
            cluster.stop(GRACE).await;
        }
    });
    applied
}

/// Waits for a server that boots meanwhile.
async fn first_answer(server: &tokio_postgres::Config, tls: &MakeRustlsConnect) -> Result<(), tokio_postgres::Error> {
    let end = tokio::time::Instant::now() + START_WAIT;
    loop {
        match server.connect(tls.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) if tokio::time::Instant::now() >= end => return Err(error),
            Err(error) => {
                tracing::warn!(cause = chain(&error), "waiting for the database");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn tls(config: &Config) -> Result<MakeRustlsConnect, StartError> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(path) => {
            let failed = |why: String| StartError::Ca(format!("{}: {why}", path.display()));
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
        }
        None if config.url.is_some() => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        None => {}
    }
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(client))
}
