//! The pool of connections, and what the hub hears of the database.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject as _};
use thiserror::Error;
use tokio::sync::{broadcast, watch};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Client, Config, MigrateError,
    cause::{self, Cause, Place},
    cluster::{self, Cluster},
    config::require_tls_beyond_this_machine,
    connections::Connections,
    health::Health,
    keeper::Keeper,
    owner::{Owned, Unfit},
    probe,
    tools::Tools,
};
use crate::{
    events::Events,
    identity::Identity,
    outcome::{Kind, Refusal, chain},
    parts::Trouble,
    tasks::Tasks,
};

/// How long a request waits for a connection.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// How long the start waits for a server: longer than a cluster's recovery (seconds) and than a server that boots
/// beside the hub.
pub(super) const START_WAIT: Duration = Duration::from_secs(60);
/// How long a start waits that can go on without: a cluster that was stopped in order is there in two seconds.
const SHORT_WAIT: Duration = Duration::from_secs(10);
/// More than all channels in one burst; a reader that lags reloads whole.
const CHANGES: usize = 64;

/// The database; clones share the pool.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    told: Told,
    health: Health,
    cluster: Option<Arc<Cluster>>,
    hub: Identity,
    tools: Arc<Tools>,
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
    standing: watch::Sender<Standing>,
    /// When the hub of before wrote last.
    before: Arc<OnceLock<Option<Timestamp>>>,
    /// Ends the connections that were made before the database was lost.
    severed: Arc<Mutex<CancellationToken>>,
}

/// How the hub and its database stand.
#[derive(Clone)]
enum Standing {
    /// It was not reached yet.
    Unknown,
    /// It is this hub's, and is there.
    Held(Owned),
    /// It may not be used.
    Lost(Arc<Unfit>),
}

/// Waits for the database to be this hub's.
pub(super) struct Held(watch::Receiver<Standing>);

impl Held {
    /// Until it is. Cancel safe.
    pub(super) async fn held(&mut self) {
        if self.0.wait_for(|standing| matches!(standing, Standing::Held(_))).await.is_err() {
            // Nobody keeps it any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Told {
    fn new() -> Self {
        Self {
            changes: broadcast::Sender::new(CHANGES),
            standing: watch::Sender::new(Standing::Unknown),
            before: Arc::default(),
            severed: Arc::default(),
        }
    }

    pub(super) fn tell(&self, change: Change) {
        // An error means that nobody caches anything.
        let _ = self.changes.send(change);
    }

    pub(super) fn connected(&self, owned: Owned) {
        // Whatever is taken again was this hub's in between.
        self.before.get_or_init(|| owned.last_written_at);
        self.standing.send_replace(Standing::Held(owned));
        self.tell(Change::Connected);
    }

    pub(super) fn lost(&self, unfit: Unfit) {
        let before = self.standing.send_replace(Standing::Lost(Arc::new(unfit)));
        if let Standing::Held(_) = before {
            // A server that hangs answers nothing for ever: whoever waits for an answer is told so now. And another hub may
            // take the database from now on.
            std::mem::take(&mut *self.severed.lock().unwrap_or_else(PoisonError::into_inner)).cancel();
            self.tell(Change::Lost);
        }
    }

    /// Whether the database is this hub's and there, as it changes.
    fn held(&self) -> Held {
        Held(self.standing.subscribe())
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
    Cluster(#[source] Arc<cluster::Error>),
    /// The URL is wrong.
    #[error("database.url is no PostgreSQL URL")]
    Url(#[source] tokio_postgres::Error),
    /// The CA file is unusable.
    #[error("database.ca_file cannot be used: {0}")]
    Ca(String),
    /// It may not be used.
    #[error("there is no database to work with; set database.url, or start the server")]
    Unfit(#[source] Arc<Unfit>),
    /// It was never heard of within the time.
    #[error("the database did not answer; see its log")]
    Silent,
    /// Who this hub is can't be told.
    #[error("who this hub is cannot be read")]
    Identity(#[source] std::io::Error),
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

    /// Whether the server's disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Statement(error) if error.code() == Some(&SqlState::DISK_FULL))
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
    /// Starts the hub's own cluster or reaches a server, takes it for this hub, brings the schema up to date and listens
    /// for notices.
    ///
    /// # Errors
    /// When there is no usable database within a minute.
    pub async fn start(config: &Config, state: &Path, events: Events, tasks: &Tasks) -> Result<Self, StartError> {
        let db = Self::begin(config, state, events, tasks)?;
        db.taken(START_WAIT).await?;
        Ok(db)
    }

    /// As [`Db::start`], for a hub that can go on without: when the database does not come at once, it is taken whenever
    /// it comes.
    ///
    /// # Errors
    /// When the configuration is wrong, or the database was made by a newer Larder.
    pub async fn start_or_go_on(
        config: &Config,
        state: &Path,
        events: Events,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let db = Self::begin(config, state, events, tasks)?;
        match db.taken(SHORT_WAIT).await {
            Err(StartError::Unfit(unfit)) if matches!(*unfit, Unfit::Schema(MigrateError::Newer(_))) => {
                Err(StartError::Unfit(unfit))
            }
            Err(error) => {
                tracing::warn!(cause = chain(&error), "starting without the database, with what is remembered of it");
                Ok(db)
            }
            Ok(()) => Ok(db),
        }
    }

    fn begin(config: &Config, state: &Path, events: Events, tasks: &Tasks) -> Result<Self, StartError> {
        let (mut server, cluster) = server(config, state, tasks)?;
        server.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(10));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let told = Told::new();
        let tools = Arc::new(Tools::new(config, &server));
        let tls = tls(config)?;
        let connections = Connections { tls: tls.clone(), told: told.clone(), tasks: tasks.clone() };
        let manager = Manager::from_connect(server.clone(), connections, recycling);
        let pool = Pool::builder(manager)
            .max_size(config.max_connections)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StartError::Unfit(Arc::new(Error::Unavailable(error.into()).into())))?;
        let hub = Identity::load_or_create(state).map_err(StartError::Identity)?;
        let cluster = cluster.map(Arc::new);
        let health = Health::new(cluster.as_ref().map_or_else(|| Place::server(&server), |cluster| cluster.files()));
        tasks.spawn_until_stop(probe::run(
            server.clone(),
            tls.clone(),
            health.clone(),
            told.held(),
            events.clock().clone(),
        ));
        let keeper =
            Keeper { config: server, cluster: cluster.clone(), tls, hub: hub.clone(), told: told.clone(), events };
        tasks.spawn_until_stop(keeper.run());
        Ok(Self { pool, told, health, cluster, hub, tools })
    }

    /// Waits until the database is this hub's, or it is clear that it will not be soon: a server elsewhere that does not
    /// answer is waited for, one of the hub's own that does not start is not.
    async fn taken(&self, patience: Duration) -> Result<(), StartError> {
        let mut standing = self.told.standing.subscribe();
        let taken = async {
            // It has a sender as long as this lives.
            let settled = |standing: &Standing| match standing {
                Standing::Unknown => false,
                Standing::Held(_) => true,
                Standing::Lost(unfit) => !matches!(**unfit, Unfit::Away(Error::Unavailable(_))),
            };
            let _ = standing.wait_for(settled).await;
        };
        let failed = async {
            match &self.cluster {
                Some(cluster) => cluster.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = taken => {}
            error = failed => return Err(StartError::Cluster(error)),
            () = tokio::time::sleep(patience) => {}
        }
        match &*self.told.standing.borrow() {
            Standing::Held(_) => Ok(()),
            Standing::Lost(unfit) => Err(StartError::Unfit(Arc::clone(unfit))),
            Standing::Unknown => Err(StartError::Silent),
        }
    }

    /// The hub whose database it is to be.
    pub fn hub(&self) -> &Identity {
        &self.hub
    }

    /// How it is dumped.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// When a hub wrote to the database last before this one began, by its clock; absent while that is not known.
    pub fn last_written_at(&self) -> Option<Timestamp> {
        self.told.before.get().copied().flatten()
    }

    /// Which database it is; absent while it may not be used.
    pub fn id(&self) -> Option<Uuid> {
        match &*self.told.standing.borrow() {
            Standing::Held(owned) => Some(owned.database),
            Standing::Unknown | Standing::Lost(_) => None,
        }
    }

    /// A connection. Waits five seconds at most, and not at all while the database is known to be away. Its calls end
    /// with [`Error::Unavailable`] when the database is lost meanwhile, also when it hangs without a word.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none.
    pub async fn client(&self) -> Result<Client, Error> {
        let unfit = match &*self.told.standing.borrow() {
            Standing::Held(_) => None,
            Standing::Unknown => Some("it was not reached yet".to_owned()),
            Standing::Lost(unfit) => Some(chain(unfit)),
        };
        if let Some(why) = unfit {
            return Err(Error::Unavailable(why.into()));
        }
        match self.pool.get().await {
            Ok(client) => Ok(Client::new(client, self.health.clone())),
            Err(error) => {
                self.note(&error);
                Err(error.into())
            }
        }
    }

    /// Notes why there is no connection.
    fn note(&self, error: &PoolError) {
        match error {
            PoolError::Backend(error) => {
                if let Some(cause) = Cause::of(error).filter(|cause| *cause != Cause::Away) {
                    self.health.met(cause, &cause::words(error));
                }
            }
            PoolError::Timeout(TimeoutType::Wait) => {
                let most = self.pool.status().max_size;
                self.health.met(Cause::Busy, &format!("all {most} connections of database.max_connections are in use"));
            }
            _ => {}
        }
    }

    /// Changes from now on. A reader that lags must take it as [`Change::Connected`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.told.changes.subscribe()
    }

    /// What is wrong, if something is.
    pub fn trouble(&self) -> Option<Trouble> {
        let unfit = match &*self.told.standing.borrow() {
            Standing::Held(_) => return self.health.trouble(),
            Standing::Unknown => None,
            Standing::Lost(unfit) => Some(Arc::clone(unfit)),
        };
        // Why the hub's own does not start says more than that nobody answers.
        if let Some(error) = self.cluster.as_ref().and_then(|cluster| cluster.failure()) {
            return Some(Trouble::new("not_started", chain(&error)));
        }
        Some(match unfit.as_deref() {
            Some(Unfit::Away(error)) => self.health.away(error),
            Some(unfit) => unfit.trouble(),
            None => self.health.away(&Error::Unavailable("it was not reached yet".into())),
        })
    }

    /// The folder of the hub's own cluster; `None` when the server is another's.
    pub fn folder(&self) -> Option<PathBuf> {
        self.cluster.as_ref().map(|cluster| cluster.folder().to_owned())
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

/// How the server is reached, and the hub's own cluster when it runs one, which begins to start.
pub(super) fn server(
    config: &Config,
    state: &Path,
    tasks: &Tasks,
) -> Result<(tokio_postgres::Config, Option<Cluster>), StartError> {
    let (mut server, cluster) = match &config.url {
        Some(url) => (url.parse().map_err(StartError::Url)?, None),
        None => {
            let cluster = Cluster::begin(state, config.bin_dir.as_deref(), tasks).map_err(StartError::Cluster)?;
            (cluster.connection(), Some(cluster))
        }
    };
    require_tls_beyond_this_machine(&mut server);
    server.application_name("larderd").connect_timeout(WAIT);
    Ok((server, cluster))
}

pub(super) fn tls(config: &Config) -> Result<MakeRustlsConnect, StartError> {
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
