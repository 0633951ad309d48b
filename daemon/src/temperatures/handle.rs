//! Where readings come in, and where what is known of them now is asked.

use std::{
    collections::HashSet,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use larder_proto::wire::{
    CameraId,
    camera::{MilliCelsius, ReadingMark},
};
use tokio::sync::{broadcast, watch};

use super::{
    Discovered, Error, Heard, Reading, Sensor, SensorId, Source, State, Taken, directory::Directory,
    discovered::Unknown, live::Live, store::Store,
};
use crate::{clock::Clock, db, db::Db, tasks::Tasks};

/// Readings a watcher may be behind before it misses some: minutes of a house full of sensors.
const BACKLOG: usize = 1024;

/// What temperatures need.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub tasks: Tasks,
    /// The state folder.
    pub state: PathBuf,
}

/// Why temperatures can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Sensors or their newest readings can't be read.
    #[error("the sensors cannot be read")]
    Sensors(#[from] Error),
}

/// Sensors and their readings; clones share them.
#[derive(Clone)]
pub struct Temperatures(Arc<Inner>);

struct Inner {
    store: Store,
    directory: Directory,
    clock: Clock,
    live: Mutex<Live>,
    unknown: Mutex<Unknown>,
    told: broadcast::Sender<Reading>,
}

impl Temperatures {
    /// Reads the sensors and begins to follow them.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn start(deps: Deps) -> Result<Self, StartError> {
        let store = Store::new(deps.db.clone());
        let directory = Directory::load(store.clone()).await?;
        let mut live = Live::default();
        for readings in store.newest().await.map_err(Error::from)? {
            live.remember(&readings);
        }
        deps.tasks.spawn_until_stop(directory.clone().follow());
        let temperatures = Self(Arc::new(Inner {
            store,
            directory,
            clock: deps.clock,
            live: Mutex::new(live),
            unknown: Mutex::default(),
            told: broadcast::Sender::new(BACKLOG),
        }));
        deps.tasks.spawn_until_stop(temperatures.clone().forget());
        Ok(temperatures)
    }

    /// Takes what was heard. Never waits, and never touches the database or the disk.
    pub fn offer(&self, mut heard: Heard) -> Taken {
        if let Source::Text { address, .. } = &mut heard.source {
            *address = address.to_canonical();
        }
        let Some(sensor) = self.of_source(&heard.source) else {
            self.unknown().note(heard);
            return Taken::Unknown;
        };
        let reading = Reading {
            sensor: sensor.id,
            captured_at: heard.captured_at,
            received_at: heard.received_at,
            value: heard.value.map(|value| MilliCelsius(value.0.saturating_add(sensor.offset.0))),
        };
        if !self.live().take(reading, self.0.clock.epoch()) {
            return Taken::OutOfOrder;
        }
        // An error means that nobody watches.
        let _ = self.0.told.send(reading);
        Taken::Kept
    }

    /// All sensors by name.
    pub fn all(&self) -> Vec<Arc<Sensor>> {
        self.0.directory.all()
    }

    /// The sensor with that id or name.
    pub fn find(&self, id_or_name: &str) -> Option<Arc<Sensor>> {
        self.0.directory.find(id_or_name)
    }

    /// The sensor with that id.
    pub fn get(&self, id: SensorId) -> Option<Arc<Sensor>> {
        self.0.directory.get(id)
    }

    /// The sensor whose readings come from there.
    pub fn of_source(&self, source: &Source) -> Option<Arc<Sensor>> {
        self.0.directory.of_source(source)
    }

    /// The addresses that text is taken from, IPv4 ones as such.
    pub fn text_addresses(&self) -> Arc<HashSet<IpAddr>> {
        self.0.directory.text_addresses()
    }

    /// Counts the changes of sensors; marked changed at each.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.directory.changes()
    }

    /// A sensor's newest reading, one that failed too.
    pub fn latest(&self, sensor: SensorId) -> Option<Reading> {
        self.live().latest(sensor)
    }

    /// Readings from now on, failed ones too. A watcher that lags misses the oldest.
    pub fn watch(&self) -> broadcast::Receiver<Reading> {
        self.0.told.subscribe()
    }

    /// How often a sensor sends: learned from its readings, 30 s until then.
    pub fn interval(&self, sensor: SensorId) -> Duration {
        self.live().interval(sensor)
    }

    /// Whether a sensor's readings come.
    pub fn state(&self, sensor: SensorId) -> State {
        let now = self.0.clock.now();
        self.live().state(sensor, now)
    }

    /// Sources that were heard and belong to no sensor, the newest first.
    pub fn discovered(&self) -> Vec<Discovered> {
        let mut unknown = self.unknown();
        unknown.retain(|source| self.of_source(source).is_none());
        unknown.all()
    }

    /// The newest datagram that was taken from each camera, as the database knows it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load_marks(&self) -> Result<Vec<(CameraId, ReadingMark)>, db::Error> {
        self.0.store.marks().await
    }

    /// Keeps marks, whether they are higher or lower than before. Those of cameras that are gone are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_marks(&self, marks: &[(CameraId, ReadingMark)]) -> Result<(), db::Error> {
        self.0.store.save_marks(marks).await
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Reads the sensors again after a change made here.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        self.0.directory.reload().await
    }

    /// Forgets what is known of sensors that are gone, until dropped.
    async fn forget(self) {
        let mut changes = self.changes();
        while changes.changed().await.is_ok() {
            self.live().retain(|sensor| self.get(sensor).is_some());
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self) -> MutexGuard<'_, Unknown> {
        self.0.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
