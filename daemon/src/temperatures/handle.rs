//! Where readings come in, and where what is known of them now is asked.

use std::{
    collections::HashSet,
    io,
    net::IpAddr,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use larder_proto::wire::{
    CameraId,
    camera::{MilliCelsius, ReadingMark},
};
use tokio::sync::{broadcast, mpsc, watch};

use super::{
    Config, Discovered, Error, Heard, Reading, Sensor, SensorId, Series, Source, State, Taken,
    directory::{self, Directory},
    discovered::Unknown,
    live::Live,
    queue::Entry,
    series,
    store::{Kept, Store},
    upkeep::Upkeep,
    writer::{self, Came, Health, Writer},
};
use crate::{
    clock::Clock,
    db::{self, Cache, Db},
    outcome::chain,
    parts::Trouble,
    repeats,
    tasks::Tasks,
};

/// Readings a watcher may be behind before it misses some: minutes of a house full of sensors.
const BACKLOG: usize = 1024;

/// Sensors whose readings are fetched at once: a graph must not take all of the pool.
const FETCHED_AT_ONCE: usize = 4;

/// What temperatures need.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub tasks: Tasks,
    /// The state folder.
    pub state: PathBuf,
    /// What is remembered of sensors.
    pub cache: Cache,
}

/// Why temperatures can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Their queue on the disk can't be used.
    #[error("the readings that wait for the database cannot be read from {path}")]
    Queue {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
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
    intake: mpsc::Sender<Came>,
    health: Health,
}

impl Temperatures {
    /// Reads the sensors, begins to follow them, and to write readings, those first that still wait.
    ///
    /// # Errors
    /// When their queue on the disk can't be used.
    pub async fn start(config: &Config, deps: Deps) -> Result<Self, StartError> {
        let store = Store::new(deps.db.clone());
        let directory = Directory::load(directory::Rows { store: store.clone(), cache: deps.cache }).await;
        let path = deps.state.join("readings");
        let most_bytes = u64::from(config.queue_mib) << 20;
        let opened = writer::open(path.clone(), most_bytes, deps.clock.clone()).await;
        let (queue, waiting) = opened.map_err(|source| StartError::Queue { path, source })?;
        let (intake, entries) = mpsc::channel(writer::INTAKE);
        let health = Health::new();
        let writer = Writer::new(queue, waiting, deps.clock.settings(), store.clone(), health.clone());
        deps.tasks.spawn(writer.run(entries, deps.tasks.stopping()));
        deps.tasks.spawn_until_stop(directory.clone().follow());
        let upkeep =
            Upkeep { config: *config, store: store.clone(), directory: directory.clone(), clock: deps.clock.clone() };
        deps.tasks.spawn_until_stop(upkeep.run());
        let temperatures = Self(Arc::new(Inner {
            store,
            directory,
            clock: deps.clock,
            live: Mutex::default(),
            unknown: Mutex::default(),
            told: broadcast::Sender::new(BACKLOG),
            intake,
            health,
        }));
        deps.tasks.spawn_until_stop(temperatures.clone().forget());
        if let Err(error) = temperatures.remember().await {
            tracing::warn!(cause = chain(&error), "the newest readings cannot be read yet");
            let later = temperatures.clone();
            deps.tasks.spawn_until_stop(async move { db::until_read("readings", || later.remember()).await });
        }
        Ok(temperatures)
    }

    /// Reads each sensor's newest readings; what was heard meanwhile is newer.
    async fn remember(&self) -> Result<(), db::Error> {
        let newest = self.0.store.newest().await?;
        let mut live = self.live();
        newest.iter().for_each(|readings| live.remember(readings));
        Ok(())
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
        self.keep(reading);
        // An error means that nobody watches.
        let _ = self.0.told.send(reading);
        Taken::Kept
    }

    /// Hands a reading to the writer. What a probe sends that failed is no row.
    fn keep(&self, reading: Reading) {
        let Reading { sensor, captured_at, received_at, value: Some(value) } = reading else { return };
        let clock = &self.0.clock;
        // Two readings of the clock may stand on both sides of a step; that one reading has the wrong date, as before.
        let moment = if clock.is_set() { None } else { clock.booted(clock.epoch(), captured_at) };
        if self.0.intake.try_send((Entry { sensor, captured_at, received_at, value }, moment)).is_err() {
            metrics::counter!("larder_readings_dropped_total", "reason" => "disk_hangs").increment(1);
            repeats::say!(error, "", { sensor.id = %sensor }, "the disk hangs; readings are lost");
        }
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

    /// What is wrong, if something is.
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.health.trouble()
    }

    /// Sources that were heard and belong to no sensor, the newest first.
    pub fn discovered(&self) -> Vec<Discovered> {
        let mut unknown = self.unknown();
        unknown.retain(|source| self.of_source(source).is_none());
        unknown.all()
    }

    /// Graphs of some sensors with at most so many points each (2 or more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series(
        &self,
        sensors: &[Arc<Sensor>],
        range: &Range<Timestamp>,
        points: u32,
    ) -> Result<Vec<Series>, db::Error> {
        let one = |sensor: Arc<Sensor>| async move {
            let (points, step) = self.0.store.points(sensor.key, range, points).await?;
            let step = step.unsigned_abs();
            let gap_after = series::gap_after(&points, step, self.interval(sensor.id));
            Ok(Series { sensor: sensor.id, points, step, gap_after })
        };
        stream::iter(sensors.to_vec()).map(one).buffered(FETCHED_AT_ONCE).try_collect().await
    }

    /// The single reading of a sensor that lies nearest to a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nearest(&self, sensor: &Sensor, at: Timestamp) -> Result<Option<Reading>, db::Error> {
        Ok(self.0.store.nearest(sensor.key, at).await?.map(|kept| reading(sensor.id, &kept)))
    }

    /// A sensor's first reading of each minute of a range that begins with a whole one, or the minute's mean where
    /// single readings are no longer kept. What was answered once stays so when more is read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn one_a_minute(&self, sensor: &Sensor, range: &Range<Timestamp>) -> Result<Vec<Reading>, db::Error> {
        let kept = self.0.store.one_a_minute(sensor.key, range).await?;
        Ok(kept.iter().map(|kept| reading(sensor.id, kept)).collect())
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

/// A row of that sensor.
pub(super) fn reading(sensor: SensorId, kept: &Kept) -> Reading {
    Reading { sensor, captured_at: kept.captured_at, received_at: kept.received_at, value: Some(kept.value) }
}
