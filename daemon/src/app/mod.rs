//! The hub as a whole: what is started in which order, and stopped in which.
//!
//! Start: folders and secrets, ports taken, database (or what is remembered of it), caches, temperatures, recorder (its sweep), alarms, camera link,
//! and only then the ports are served. Stop follows the data: cameras first, then the closed hub ends its readers, the
//! recorder registers its last fragments, requests drain, and the database goes last.

mod descriptors;
mod follow;
mod restore;
mod serve;
mod tellers;
mod watch;

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use rustix::fs::FlockOperation;
use tokio::time::Instant;

use crate::{
    access::{Access, Accounts, Links},
    adoption::Adoption,
    alarms,
    backups::{self, Backups},
    cameras::{self, Directory},
    certs::Certs,
    clock::Clock,
    config::Config,
    db::{self, Cache, Db, jobs::Jobs},
    events::Events,
    http::listen,
    hub::Hub,
    identity::{self, Identity},
    ingest::{
        self, Ingest,
        thermometer::{self, Thermometer},
    },
    recorder::{self, Recorder},
    recordings, relay, repeats,
    secrets::HubKey,
    tasks::Tasks,
    temperatures::{self, Temperatures},
    viewers::{Passes, Viewers},
};
pub use restore::{Wanted, carry_out, restore};
use serve::{Built, Shared};
use tellers::Tellers;

/// Everything must end within this: systemd's own limit is 90 s, a person's patience is shorter.
const GRACE: Duration = Duration::from_secs(20);

/// A running hub.
pub struct App {
    addresses: Addresses,
    /// Large: it holds the configuration.
    shared: Box<Shared>,
    built: Built,
    _lock: fs::File,
}

/// Where a running hub is reached.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Addresses {
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub grpc: SocketAddr,
    pub camera_link: SocketAddr,
    pub boards: Option<SocketAddr>,
    pub thermometers: SocketAddr,
    pub thermometers_text: Option<SocketAddr>,
    pub relay: SocketAddr,
    pub socket: PathBuf,
}

/// What cameras and thermometers come in by.
struct Doors<'a> {
    config: &'a Config,
    state: &'a Path,
    hub: &'a Hub,
    directory: &'a Directory,
    clock: &'a Clock,
}

impl Doors<'_> {
    async fn open(
        &self,
        temperatures: &Temperatures,
        events: &Events,
        tasks: &Tasks,
    ) -> anyhow::Result<(Ingest, Thermometer)> {
        let cameras: Arc<dyn ingest::Cameras> = Arc::new(self.directory.clone());
        let thermometer = thermometer::start(
            &self.config.thermometers,
            thermometer::Deps {
                temperatures: temperatures.clone(),
                cameras: Arc::clone(&cameras),
                clock: self.clock.clone(),
                tasks: tasks.clone(),
                state: self.state.to_owned(),
            },
        )
        .await?;
        let ingest = ingest::start(
            self.config.camera_link.clone(),
            ingest::Deps {
                boards: self.config.boards.clone(),
                hub: self.hub.clone(),
                cameras,
                probes: thermometer.probes(),
                host: identity::host_name(),
                clock: self.clock.clone(),
                events: events.clone(),
                tasks: tasks.clone(),
            },
        )
        .await?;
        Ok((ingest, thermometer))
    }
}

/// The hub and its viewers, with what looks after them, the clock and the log.
fn watched(clock: &Clock, events: &Events, tasks: &Tasks) -> (Hub, Viewers) {
    let (hub, viewers) = (Hub::new(clock.clone(), events.clone()), Viewers::new(clock.clone()));
    tasks.spawn_until_stop(hub.clone().watch_presence());
    tasks.spawn_until_stop(viewers.clone().keep_rates());
    tasks.spawn_until_stop(repeats::of_the_process().clone().tell_counts());
    tasks.spawn_until_stop(follow::clock(clock.clone(), events.clone()));
    (hub, viewers)
}

/// The database. A hub that has worked with it before goes on without.
async fn database(
    config: &db::Config,
    state: &Path,
    cache: &Cache,
    events: &Events,
    tasks: &Tasks,
) -> Result<Db, db::StartError> {
    if cache.is_there() {
        Db::start_or_go_on(config, state, events.clone(), tasks).await
    } else {
        Db::start(config, state, events.clone(), tasks).await
    }
}

/// Long work, and who does it; alarms bring theirs.
fn jobs(db: &Db, clock: &Clock, recordings: &recordings::Store, recorder: &Recorder) -> Jobs {
    let jobs = Jobs::new(db.clone(), clock.clone());
    jobs.register(Arc::new(recordings::Deleting::new(recordings.clone(), Arc::new(recorder.clone()))));
    jobs
}

/// What backups are made of and by.
fn backed_up(config: &Config, db: &Db, jobs: &Jobs, recorder: &Recorder, clock: &Clock) -> backups::Deps {
    let state = config.state();
    let root = recordings_folder(config, &state);
    let folders = backups::Folders::new(&root, &state);
    backups::Deps { db: db.clone(), jobs: jobs.clone(), recorder: recorder.clone(), folders, clock: clock.clone() }
}

/// Places that are taken before anything slow starts, so that a taken port is told at once.
struct Places {
    http: listen::Bound,
    https: listen::Bound,
    grpc: listen::Bound,
    socket: listen::Bound,
    relay: relay::Bound,
    socket_path: PathBuf,
}

impl App {
    /// Starts everything.
    ///
    /// # Errors
    /// Whatever keeps the hub from working; what was started before is stopped by dropping it.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::start_on(Clock::new(), config, None).await
    }

    /// As [`App::start`]; `restored` is what the hub before was stopped for, to be told.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_after(config: Config, restored: Option<backups::Outcome>) -> anyhow::Result<Self> {
        Self::start_on(Clock::new(), config, restored).await
    }

    /// Starts everything on a clock of its own, for tests.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_on(clock: Clock, config: Config, restored: Option<backups::Outcome>) -> anyhow::Result<Self> {
        let events = Events::new(clock.clone());
        let (sources, servers, watchers, background) = (Tasks::new(), Tasks::new(), Tasks::new(), Tasks::new());
        descriptors::raise(serve::connections(&config));
        let state = config.state();
        let lock = prepare_state(&state)?;
        let hub_key = HubKey::load_or_create(&state)?;
        let places = Places::take(&config, &state)?;
        let certs = Certs::start(&config.tls, &state.join("certs"), clock.clone(), &background)?;

        let cache = Cache::new(&state, hub_key.clone());
        let db = database(&config.database, &state, &cache, &events, &background).await?;
        let camera_store = cameras::Store::new(db.clone(), hub_key.clone());
        let directory = Directory::load(camera_store.clone(), cache.clone()).await;
        background.spawn_until_stop(directory.clone().follow());
        let access = Access::new(&hub_key, &Links::load(&state)?, clock.clone());
        let accounts = Accounts::start(&config.access, access.clone(), (db.clone(), cache.clone()), &background).await;

        let (hub, viewers) = watched(&clock, &events, &background);
        let root = recordings_folder(&config, &state);
        let recordings = recordings::Store::new(db.clone());
        let deps = recorder::Deps {
            hub: hub.clone(),
            clock: clock.clone(),
            events: events.clone(),
            tasks: background.clone(),
            recordings: recordings.clone(),
            root: root.clone(),
            state: state.clone(),
        };
        let recorder = Recorder::start(&config.recordings, deps);
        let adoption = Adoption::start(&db, hub_key.clone(), &recorder, &background);
        background.spawn_until_stop(follow::cameras(directory.clone(), hub.clone(), recorder.clone()));
        let (of_db, of_clock, tasks) = (db.clone(), clock.clone(), background.clone());
        let deps = temperatures::Deps { db: of_db, clock: of_clock, tasks, state: state.clone(), cache };
        let temperatures = Temperatures::start(&config.temperatures, deps).await?;
        let jobs = jobs(&db, &clock, &recordings, &recorder);
        let tellers = Tellers { config: &config, db: &db, jobs: &jobs, key: &hub_key, clock: &clock, tasks: &watchers };
        let watched = alarms::Sources::new(&temperatures, &hub, &directory, &recorder);
        let (alarms, channels, mqtt) = tellers.start(&events, watched).await?;
        let backups = Backups::new(config.backups, backed_up(&config, &db, &jobs, &recorder, &clock), restored);
        jobs.run(&watchers);
        backups.run(&watchers);
        let doors = Doors { config: &config, state: &state, hub: &hub, directory: &directory, clock: &clock };
        let (ingest, thermometer) = doors.open(&temperatures, &events, &sources).await?;

        let addresses = places.addresses(&ingest, &thermometer)?;
        let shared = Shared {
            config,
            clock,
            events,
            hub,
            directory,
            access,
            viewers,
            passes: Passes::default(),
            recordings,
            root,
            certs,
            servers,
            sources,
            watchers,
            background,
        };
        let built = Built {
            adoption,
            camera_store,
            accounts,
            temperatures,
            alarms,
            channels,
            mqtt,
            jobs,
            backups,
            ingest,
            recorder,
            db,
        };
        shared.serve(&built, places, &addresses).await?;
        addresses.log();
        Ok(Self { addresses, shared: Box::new(shared), built, _lock: lock })
    }

    /// Where it is reached.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Where readings come in, for programs that bring their own.
    pub fn temperatures(&self) -> &Temperatures {
        &self.built.temperatures
    }

    /// Waits until somebody wants a backup restored, for which the hub must stop. Cancel safe.
    pub async fn restore_wanted(&self) -> backups::Order {
        self.built.backups.restore_wanted().await
    }

    /// Stops everything in order. `false` when something overran the grace period.
    pub async fn stop(self) -> bool {
        let Self { shared, built, .. } = &self;
        let end = Instant::now() + GRACE;
        // A part that overruns must not take the time of those behind it, of which each has this left for it.
        let left = |behind: u64| (end - Duration::from_secs(behind)).saturating_duration_since(Instant::now());
        let mut overran = Vec::new();
        if !shared.sources.stop(left(10)).await {
            overran.push("camera link");
        }
        shared.hub.close();
        if !built.recorder.close(left(7)).await {
            overran.push("recorder");
        }
        if !shared.servers.stop(left(5)).await {
            overran.push("requests");
        }
        // Before the background, which carries the database's connections: these have last rows to write.
        if !shared.watchers.stop(left(4)).await {
            overran.push("alarms and jobs");
        }
        if !shared.background.stop(left(3)).await {
            overran.push("background work");
        }
        if !built.db.close(left(0)).await {
            overran.push("database");
        }
        if !overran.is_empty() {
            tracing::warn!(parts = overran.join(", "), "the grace period of {} s was overrun", GRACE.as_secs());
        }
        tracing::info!("stopped");
        overran.is_empty()
    }
}

impl Places {
    fn take(config: &Config, state: &Path) -> anyhow::Result<Self> {
        let socket_path = state.join("larder.sock");
        Ok(Self {
            http: listen::bind_tcp(config.http.address, "http.address")?,
            https: listen::bind_tcp(config.http.https_address, "http.https_address")?,
            grpc: listen::bind_tcp(config.grpc.address, "grpc.address")?,
            relay: relay::bind(config.relay.address)?,
            socket: listen::bind_unix(&socket_path)?,
            socket_path,
        })
    }

    fn addresses(&self, ingest: &Ingest, thermometer: &Thermometer) -> anyhow::Result<Addresses> {
        let address = |bound: &listen::Bound| bound.address().context("a listener without an address");
        Ok(Addresses {
            http: address(&self.http)?,
            https: address(&self.https)?,
            grpc: address(&self.grpc)?,
            camera_link: ingest.address(),
            boards: ingest.websocket_address(),
            thermometers: thermometer.address(),
            thermometers_text: thermometer.text_address(),
            relay: self.relay.address()?,
            socket: self.socket_path.clone(),
        })
    }
}

impl Addresses {
    fn log(&self) {
        tracing::info!(
            http.address = %self.http,
            https.address = %self.https,
            grpc.address = %self.grpc,
            camera_link.address = %self.camera_link,
            thermometers.address = %self.thermometers,
            relay.address = %self.relay,
            socket.path = %self.socket.display(),
            "larderd is ready"
        );
    }

    /// By name, for people.
    fn listed(&self) -> Vec<(&'static str, String)> {
        let mut listed = vec![
            ("http", self.http.to_string()),
            ("https", self.https.to_string()),
            ("grpc", self.grpc.to_string()),
            ("camera_link", self.camera_link.to_string()),
            ("thermometers", self.thermometers.to_string()),
            ("relay", self.relay.to_string()),
            ("socket", self.socket.display().to_string()),
        ];
        listed.extend(self.boards.map(|address| ("boards_websocket", address.to_string())));
        listed.extend(self.thermometers_text.map(|address| ("thermometers_text", address.to_string())));
        listed
    }
}

/// Brings the schema up to date and ends; the names of what was applied. Not within a runtime.
///
/// # Errors
/// When there is no usable database.
pub fn migrate(config: &Config) -> anyhow::Result<Vec<String>> {
    let state = config.state();
    let _lock = prepare_state(&state)?;
    Ok(db::migrate_and_end(&config.database, &state)?)
}

/// Makes the database and the recordings folder this hub's, whosever they were, and ends; says only what they are when it is
/// not to be done `really`. Not within a runtime.
///
/// # Errors
/// When a hub works with this state folder or the database, or there is no usable database.
pub fn take_over(config: &Config, really: bool) -> anyhow::Result<TakenOver> {
    let state = config.state();
    let _lock = prepare_state(&state)?;
    let hub = Identity::load_or_create(&state)?;
    let signed = db::take_over_and_end(&config.database, &state, really)?;
    let folder = recordings_folder(config, &state);
    let has_folder =
        really && recorder::take_over(&folder, hub.id, signed.database).map_err(|why| anyhow::anyhow!(why))?;
    Ok(TakenOver { hub, database: signed, folder: has_folder.then_some(folder) })
}

/// What was taken over, or would be.
#[derive(Debug)]
pub struct TakenOver {
    /// This hub.
    pub hub: Identity,
    /// The database, and whose it was.
    pub database: db::Signed,
    /// The recordings folder, when it was marked anew.
    pub folder: Option<PathBuf>,
}

fn recordings_folder(config: &Config, state: &Path) -> PathBuf {
    config.recordings.folder.clone().unwrap_or_else(|| state.join("recordings"))
}

/// Makes the state folder and locks it: two hubs on one would overwrite each other.
fn prepare_state(state: &Path) -> anyhow::Result<fs::File> {
    let named = || format!("using the state folder {}", state.display());
    fs::DirBuilder::new().recursive(true).mode(0o755).create(state).with_context(named)?;
    let path = state.join("larder.lock");
    let lock = fs::OpenOptions::new().create(true).append(true).open(path).with_context(named)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            anyhow::bail!(
                "another larderd uses the state folder {}; stop it or name another with --state",
                state.display()
            )
        }
        Err(error) => Err(io::Error::from(error)).with_context(named),
    }
}
