//! Backups of the database: a dump each night beside the recordings, the last few of them, and the wish to restore one.
//!
//! ```text
//! nightly, service ─▶ job ─▶ dumping ─ db: pg_dump ─▶ folder          service: restore ─▶ order ─▶ app: stop, restore, start
//! ```
//! A dump is written beside its name, read back to its end and then named, so that what has a name is whole.

mod config;
mod dumping;
mod folder;
mod messages;
mod metrics;
mod name;
mod nightly;
mod service;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::watch;
use uuid::Uuid;

pub use config::Config;
pub use folder::{Backup, Folders};
pub use name::{Kind, Name, NotOne};
pub use service::Service;

use crate::{
    clock::Clock,
    db::{
        Db,
        jobs::{self, Job, Jobs},
    },
    parts::Trouble,
    recorder::Recorder,
    tasks::{Tasks, blocking},
};
use dumping::Dumping;

/// What backups need.
pub struct Deps {
    /// What is dumped.
    pub db: Db,
    /// Who does it.
    pub jobs: Jobs,
    /// Whose folder they lie beside.
    pub recorder: Recorder,
    /// Where they lie.
    pub folders: Folders,
    /// Dates them.
    pub clock: Clock,
}

/// Backups; clones share them.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    config: Config,
    db: Db,
    jobs: Jobs,
    recorder: Recorder,
    folders: Folders,
    clock: Clock,
    zone: TimeZone,
    /// Why the last one failed, unless one succeeded since.
    trouble: Mutex<Option<Trouble>>,
    orders: watch::Sender<Option<Order>>,
    last: Option<Outcome>,
}

/// A backup that is to be restored.
#[derive(Clone, Debug)]
pub struct Order {
    /// To find its outcome by.
    pub id: Uuid,
    /// Which backup.
    pub name: Name,
    /// Whether another hub's becomes this one's.
    pub take_over: bool,
    /// Whether what the database holds now may be lost.
    pub discard: bool,
}

/// How a restore went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was to be restored.
    pub order: Order,
    /// When it was over.
    pub at: Timestamp,
    /// The backup of what was there before, or why nothing was restored.
    pub result: Result<Option<Name>, String>,
}

impl Backups {
    /// Backups of a hub; `last` is how the restore went for which it was started. Begin the nightly ones with
    /// [`Backups::run`].
    pub fn new(config: Config, deps: Deps, last: Option<Outcome>) -> Self {
        let Deps { db, jobs, recorder, folders, clock } = deps;
        let backups = Self(Arc::new(Inner {
            config,
            db,
            jobs: jobs.clone(),
            recorder,
            folders,
            clock,
            zone: TimeZone::system(),
            trouble: Mutex::default(),
            orders: watch::Sender::new(None),
            last,
        }));
        jobs.register(Arc::new(Dumping(backups.clone())));
        backups
    }

    /// Begins one each night, until `tasks` stops.
    pub fn run(&self, tasks: &Tasks) {
        if self.0.config.keep > 0 {
            tasks.spawn_until_stop(self.clone().each_night());
        }
    }

    /// Why the last one failed; a warning: the hub works without.
    pub fn trouble(&self) -> Option<Trouble> {
        self.last_trouble().clone()
    }

    /// Waits until somebody wants one restored. Cancel safe.
    pub async fn restore_wanted(&self) -> Order {
        let mut orders = self.0.orders.subscribe();
        let order = orders.wait_for(Option::is_some).await;
        match order.ok().and_then(|order| order.clone()) {
            Some(order) => order,
            // It has a sender as long as this lives.
            None => std::future::pending().await,
        }
    }

    /// Begins one now.
    async fn begin(&self, nightly: bool) -> Result<Job, jobs::Error> {
        self.0.jobs.start(dumping::wanted(nightly)).await
    }

    fn is_under_way(&self) -> bool {
        self.0.jobs.unfinished().iter().any(|job| job.kind == dumping::KIND)
    }

    async fn is_due(&self) -> io::Result<bool> {
        let newest = self.list().await?.into_iter().find(|backup| backup.name.kind == Kind::Regular);
        let newest = newest.map(|backup| backup.name.at);
        if let Some(at) = newest {
            metrics::made(at);
        }
        Ok(nightly::is_due(self.0.clock.now(), newest, self.0.config.hour, &self.0.zone))
    }

    async fn list(&self) -> io::Result<Vec<Backup>> {
        let folders = self.0.folders.clone();
        blocking(move || folders.list()).await
    }

    async fn prepare(&self, kind: Kind) -> io::Result<()> {
        let folders = self.0.folders.clone();
        blocking(move || folders.prepare(kind)).await
    }

    async fn prune(&self, kind: Kind) -> io::Result<()> {
        // One that somebody asked for stays also where none is made at night.
        let (folders, keep) = (self.0.folders.clone(), self.0.config.keep.max(1));
        blocking(move || folders.prune(kind, keep)).await
    }

    fn path(&self, name: Name) -> PathBuf {
        self.0.folders.path(name)
    }

    /// One ended.
    fn ended(&self, trouble: Option<Trouble>) {
        if trouble.is_some() {
            metrics::failed();
        }
        *self.last_trouble() = trouble;
    }

    fn last_trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for what a restore replaces, in the state folder.
///
/// # Errors
/// When the folder can't be made.
pub fn before_restore(root: &Path, state: &Path, at: Timestamp) -> io::Result<(Name, PathBuf)> {
    let (folders, name) = (Folders::new(root, state), Name { at, kind: Kind::BeforeRestore });
    folders.prepare(name.kind)?;
    Ok((name, folders.path(name)))
}
