//! The hub's own PostgreSQL cluster in `<state>/postgres`: socket only, made at first start, restarted when it dies,
//! adopted when it outlived a killed hub.

mod account;
mod install;
mod made;
mod server;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use tokio::{
    process::Command,
    sync::{Mutex, watch},
};

use super::cause::Place as Files;
use crate::{outcome::chain, repeats, tasks::Tasks};
use account::Account;
use server::Server;

/// The server's socket. The number is PostgreSQL's default port, which only names it: no TCP port is opened.
const SOCKET: &str = ".s.PGSQL.5432";
/// A Unix socket's path holds 108 bytes with its end (unix(7)).
const LONGEST_SOCKET: usize = 107;
/// The cluster, beside the folder of its socket.
const DATA: &str = "data";
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// A cluster, which starts and is kept running.
pub struct Cluster {
    /// Holds the socket.
    run: PathBuf,
    data: PathBuf,
    server: Arc<Mutex<Option<Server>>>,
    /// How its last start went; absent while it starts.
    started: watch::Receiver<Option<Result<(), Arc<Error>>>>,
}

/// Where everything of a cluster is, and who runs it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    data: PathBuf,
    /// Holds the socket.
    run: PathBuf,
    log: PathBuf,
    bin: PathBuf,
    account: Account,
}

/// Why the cluster does not run.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error(
        "PostgreSQL is not installed: run `sudo apt-get install postgresql`, or set database.url or database.bin_dir"
    )]
    NotInstalled,
    #[error(
        "{data} was made by PostgreSQL {made_by}, which is not installed (found: {found}); run `sudo apt-get install postgresql-{made_by}`, or move the data with pg_upgrade"
    )]
    OtherVersion { data: PathBuf, made_by: String, found: String },
    #[error("the socket path {0} is longer than {LONGEST_SOCKET} bytes; use a shorter state folder")]
    SocketPath(PathBuf),
    #[error(
        "the user `{user}`, who runs PostgreSQL, cannot enter {folder}; run `chmod o+x {folder}` or use another state folder"
    )]
    Closed { user: String, folder: PathBuf },
    #[error(
        "started as root, and there is no user `postgres` to run PostgreSQL as; install postgresql or start larderd as another user"
    )]
    NoUser,
    #[error("cannot use {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{program} cannot be run")]
    Spawn {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("initdb failed: {0}")]
    Initdb(String),
    #[error("PostgreSQL ended while starting; the end of {log}: {tail}")]
    Ended { log: PathBuf, tail: String },
    #[error("PostgreSQL did not answer within {seconds} s; see {log}")]
    Silent { log: PathBuf, seconds: u64 },
}

impl Cluster {
    /// Begins to make the cluster when there is none, to adopt one that runs, else to start it; and keeps it running. What
    /// fails is tried again.
    ///
    /// # Errors
    /// When it never could be reached in this state folder.
    pub fn begin(state: &Path, bin_dir: Option<&Path>, tasks: &Tasks) -> Result<Self, Arc<Error>> {
        let run = Layout::run_folder(state)?;
        let server = Arc::new(Mutex::new(None));
        let (told, started) = watch::channel(None);
        let place = Place { state: state.to_owned(), bin_dir: bin_dir.map(Path::to_owned) };
        tasks.spawn_until_stop(keep_running(place, Arc::clone(&server), told));
        Ok(Self { data: run.with_file_name(DATA), run, server, started })
    }

    /// [`Cluster::begin`], waiting until it runs.
    ///
    /// # Errors
    /// When it can't be made or started; each message says what to do.
    pub async fn start(state: &Path, bin_dir: Option<&Path>, tasks: &Tasks) -> Result<Self, Arc<Error>> {
        let cluster = Self::begin(state, bin_dir, tasks)?;
        cluster.started().await?;
        Ok(cluster)
    }

    /// Waits until its first start has ended. Cancel safe.
    ///
    /// # Errors
    /// Why it does not run.
    pub async fn started(&self) -> Result<(), Arc<Error>> {
        let mut started = self.started.clone();
        let ended = started.wait_for(Option::is_some).await;
        // An error means that it was told to stop.
        ended.map_or(Ok(()), |ended| ended.clone().unwrap_or(Ok(())))
    }

    /// Waits until it runs. Cancel safe.
    pub(super) async fn running(&self) {
        let mut started = self.started.clone();
        if started.wait_for(|started| matches!(started, Some(Ok(())))).await.is_err() {
            // It was told to stop.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until a start fails. Cancel safe.
    pub(super) async fn failed(&self) -> Arc<Error> {
        let mut started = self.started.clone();
        match started.wait_for(|started| matches!(started, Some(Err(_)))).await.as_deref() {
            Ok(Some(Err(error))) => Arc::clone(error),
            _ => std::future::pending().await,
        }
    }

    /// Why it does not run, when its last start failed.
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.started.borrow().as_ref().and_then(|started| started.as_ref().err().cloned())
    }

    /// How to reach it.
    pub fn connection(&self) -> tokio_postgres::Config {
        connection(&self.run)
    }

    /// Where its data is.
    pub fn folder(&self) -> &Path {
        &self.data
    }

    /// Where its files are, for whoever has to look after them.
    pub(super) fn files(&self) -> Files {
        Files::Own { log: self.data.with_file_name("postgres.log"), data: self.data.clone() }
    }

    /// Stops it: sessions are ended, data is written (PostgreSQL's "fast" shutdown). `false` when that takes longer
    /// than `grace`; it goes on by itself.
    pub async fn stop(&self, grace: Duration) -> bool {
        let end = tokio::time::Instant::now() + grace;
        // Held by whoever starts it at the moment.
        let Ok(mut held) = tokio::time::timeout_at(end, self.server.lock()).await else { return false };
        match held.take() {
            Some(server) => server.stop(end.saturating_duration_since(tokio::time::Instant::now())).await,
            None => true,
        }
    }
}

/// Folders of PostgreSQL's programs where Debian keeps them.
pub(super) fn program_folders() -> impl Iterator<Item = PathBuf> {
    install::versions().into_iter().map(|(_, bin)| bin)
}

/// A program of PostgreSQL that runs as we do, without input, and gets `signal` when the hub is killed.
pub(super) fn bound_to_us(signal: &str, program: &Path) -> Command {
    Account::ours().command(signal, program)
}

/// What a cluster's layout is found by.
struct Place {
    state: PathBuf,
    bin_dir: Option<PathBuf>,
}

impl Layout {
    fn run_folder(state: &Path) -> Result<PathBuf, Error> {
        let state = std::path::absolute(state).map_err(|source| Error::File { path: state.to_owned(), source })?;
        let run = state.join("postgres/run");
        let socket = run.join(SOCKET);
        if socket.as_os_str().len() > LONGEST_SOCKET { Err(Error::SocketPath(socket)) } else { Ok(run) }
    }

    fn find(place: &Place) -> Result<Self, Error> {
        let run = Self::run_folder(&place.state)?;
        let home = run.parent().unwrap_or(&run).to_owned();
        let data = home.join(DATA);
        let bin = install::find_bin(place.bin_dir.as_deref(), &data)?;
        Ok(Self { log: home.join("postgres.log"), account: Account::of_the_cluster()?, data, run, bin })
    }

    fn connection(&self) -> tokio_postgres::Config {
        connection(&self.run)
    }
}

fn connection(run: &Path) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.host_path(run).user("larder").dbname("postgres");
    config
}

/// Starts the server, waits for its end and starts it again, until dropped.
async fn keep_running(
    place: Place,
    server: Arc<Mutex<Option<Server>>>,
    told: watch::Sender<Option<Result<(), Arc<Error>>>>,
) {
    let mut retry = FIRST_RETRY;
    // Held while it starts, so that `stop` waits and then stops what was started.
    let mut held = server.lock().await;
    loop {
        match start(&place).await {
            Ok(started) => {
                let pid = started.pid();
                *held = Some(started);
                drop(held);
                told.send_replace(Some(Ok(())));
                retry = FIRST_RETRY;
                server::ended(pid).await;
                held = server.lock().await;
                // Else it was stopped.
                let Some(mut dead) = held.take() else { return };
                told.send_replace(None);
                dead.reap().await;
                tracing::warn!("PostgreSQL ended; starting it again");
            }
            Err(error) => {
                drop(held);
                let error = Arc::new(error);
                repeats::say!(error, "", { cause = chain(&error) }, "PostgreSQL does not start");
                told.send_replace(Some(Err(error)));
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(LAST_RETRY);
                held = server.lock().await;
            }
        }
    }
}

async fn start(place: &Place) -> Result<Server, Error> {
    let layout = Layout::find(place)?;
    install::prepare(&layout).await?;
    Server::start_or_adopt(&layout).await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::db::{Config, Db};
    use crate::{clock::Clock, events::Events};

    #[tokio::test]
    async fn a_cluster_is_made_killed_restarted_adopted_and_stopped() {
        let state = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let db = Db::start(&Config::default(), state.path(), Events::new(Clock::new()), &tasks).await.unwrap();
        let client = db.client().await.unwrap();
        client.execute("CREATE TABLE kept (n int)", &[]).await.unwrap();
        let logged: String = client.query_one("SHOW log_parameter_max_length", &[]).await.unwrap().get(0);
        assert_eq!(logged, "0", "parameters are secrets");
        let log = std::fs::metadata(state.path().join("postgres/postgres.log")).unwrap();
        assert_eq!(log.permissions().mode() & 0o777, 0o600);
        let pid = read_pid(state.path());

        kill(pid, rustix::process::Signal::KILL);
        let mut changes = db.changes();
        // The first connection of all may be told of after the kill.
        let found = async {
            loop {
                while changes.recv().await.unwrap() != crate::db::Change::Connected {}
                let Ok(client) = db.client().await else { continue };
                if client.query("SELECT n FROM kept", &[]).await.is_ok() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found).await.unwrap();
        let restarted = read_pid(state.path());
        assert_ne!(restarted, pid);

        // A second start while it runs adopts the same server.
        tasks.stop(Duration::from_secs(5)).await;
        let again = Tasks::new();
        let adopted = Db::start(&Config::default(), state.path(), Events::new(Clock::new()), &again).await.unwrap();
        adopted.client().await.unwrap().query("SELECT n FROM kept", &[]).await.unwrap();
        assert_eq!(read_pid(state.path()), restarted);

        again.stop(Duration::from_secs(5)).await;
        assert!(adopted.close(Duration::from_secs(20)).await);
        assert!(!state.path().join("postgres/data/postmaster.pid").exists());
    }

    #[tokio::test]
    async fn a_server_that_is_about_to_end_is_followed_by_another() {
        let state = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        Cluster::start(state.path(), None, &tasks).await.unwrap();
        tasks.stop(Duration::from_secs(5)).await;
        let old = read_pid(state.path());

        // As when the hub was killed: the server ends, and takes a moment for it.
        kill(old, rustix::process::Signal::INT);
        let tasks = Tasks::new();
        let cluster = Cluster::start(state.path(), None, &tasks).await.unwrap();
        assert_ne!(read_pid(state.path()), old);
        tasks.stop(Duration::from_secs(5)).await;
        assert!(cluster.stop(Duration::from_secs(20)).await);
    }

    #[tokio::test]
    async fn a_server_that_takes_the_lock_while_ours_starts_is_adopted_and_a_strangers_number_locks_nothing() {
        let state = tempfile::tempdir().unwrap();
        let start = async || {
            let tasks = Tasks::new();
            let cluster = Cluster::start(state.path(), None, &tasks).await.unwrap();
            tasks.stop(Duration::from_secs(5)).await;
            cluster
        };
        assert!(start().await.stop(Duration::from_secs(20)).await);
        for _ in 0..3 {
            // As left by a kill between the making of the file and its first byte.
            std::fs::write(state.path().join("postgres/data/postmaster.pid"), "").unwrap();
            // And a lock on the socket whose number another process has now.
            let stranger = format!("{}\n", std::os::unix::process::parent_id());
            std::fs::write(state.path().join("postgres/run/.s.PGSQL.5432.lock"), stranger).unwrap();
            assert!(start().await.stop(Duration::from_secs(20)).await);
            // As when a hub is killed that had just begun a server: no lock is there yet.
            let (one, other) = tokio::join!(start(), start());
            assert!(one.stop(Duration::from_secs(20)).await);
            drop(other);
        }
    }

    #[tokio::test]
    async fn a_long_state_folder_is_refused_with_its_socket_path() {
        let long = std::env::temp_dir().join("x".repeat(100));
        let error = Cluster::start(&long, None, &Tasks::new()).await.err().unwrap();
        assert!(matches!(*error, Error::SocketPath(_)), "{error}");
    }

    fn read_pid(state: &Path) -> i32 {
        let text = std::fs::read_to_string(state.join("postgres/data/postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    fn kill(pid: i32, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}
