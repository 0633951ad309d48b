//! The channels of the hub: who tells people, and who answers for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::{
    Channel, Config, Delivery, DeliveryId,
    directory::Directory,
    lines::{Lines, Now},
    note::Note,
    rows::Rows,
    send::Sender,
    store::Store,
};
use crate::{
    alarms::{Alarm, ChannelId, Error, Message, Occasion},
    clock::Clock,
    db::Db,
    mqtt, repeats,
    secrets::HubKey,
    tasks::Tasks,
    trust,
};

/// The longest that a test may take.
const TEST: Duration = Duration::from_secs(25);

/// What channels need.
#[expect(missing_docs, reason = "the types say it")]
pub struct Deps {
    pub db: Db,
    pub hub_key: HubKey,
    pub clock: Clock,
    pub tasks: Tasks,
    /// The hub's broker, if it has one.
    pub mqtt: Option<mqtt::Client>,
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Channels or deliveries can't be read.
    #[error("the alarm channels cannot be read")]
    Channels(#[from] Error),
    /// The configured authority can't be used.
    #[error("alarms.ca_file")]
    Trust(#[from] trust::Error),
}

/// How a test went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tested {
    /// How long it took.
    pub took: Duration,
    /// What the other side said.
    pub answer: String,
}

/// The channels of the hub; clones share them.
#[derive(Clone)]
pub struct Channels(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) directory: Directory,
    pub(super) store: Store,
    pub(super) rows: Rows,
    pub(super) sender: Sender,
    pub(super) wake: Notify,
    lines: Mutex<Lines>,
    clock: Clock,
    zone: TimeZone,
}

impl Channels {
    /// Reads the channels and what was not through before, and begins to send.
    ///
    /// # Errors
    /// When they can't be read, or the configured authority can't be used.
    pub async fn start(config: &Config, deps: Deps) -> Result<Self, StartError> {
        let authorities = config.ca_file.as_deref().map(trust::certificates).transpose()?.unwrap_or_default();
        let store = Store::new(deps.db, deps.hub_key);
        let directory = Directory::load(store.clone()).await?;
        let rows = Rows::default();
        let channels = Self(Arc::new(Inner {
            directory: directory.clone(),
            store: store.clone(),
            rows: rows.clone(),
            sender: Sender::new(authorities, deps.mqtt, deps.clock.clone()),
            wake: Notify::new(),
            lines: Mutex::default(),
            clock: deps.clock,
            zone: TimeZone::system(),
        }));
        for delivery in store.waiting().await? {
            channels.push(delivery);
        }
        deps.tasks.spawn_until_stop(directory.follow());
        deps.tasks.spawn_until_stop(channels.clone().run());
        deps.tasks.spawn(rows.run(store, deps.tasks.stopping()));
        Ok(channels)
    }

    /// Tells of an alarm through these channels; through all when none is named. Never waits.
    pub fn tell(&self, alarm: &Alarm, occasion: Occasion, channels: &[ChannelId]) {
        let now = self.0.clock.now();
        let note = Note::new(Message::new(alarm, occasion, now, &self.0.zone), now);
        let told = self.0.directory.all();
        for channel in told.iter().filter(|channel| channels.is_empty() || channels.contains(&channel.id)) {
            let delivery = Delivery {
                id: DeliveryId(Uuid::now_v7()),
                alarm: alarm.id,
                about: Some(alarm.clone()),
                channel: channel.id,
                note: note.clone(),
                created_at: now,
                attempts: 0,
                next_attempt_at: now,
                finished: None,
                error: None,
            };
            self.0.rows.keep(delivery.clone());
            self.push(delivery);
        }
        self.0.wake.notify_one();
    }

    fn push(&self, delivery: Delivery) {
        let now = self.now();
        let lost = self.lines().push(delivery, now);
        if let Some(lost) = lost {
            metrics::counter!("larder_alarm_deliveries_total", "result" => "dropped").increment(1);
            repeats::say!(error, "", { alarm.id = %lost.alarm }, "too many alarms wait to be told: the oldest is given up");
            self.0.rows.keep(lost);
        }
    }

    /// The channel with that id or name.
    pub(in crate::alarms) fn find(&self, id_or_name: &str) -> Option<Arc<Channel>> {
        self.0.directory.find(id_or_name)
    }

    /// All channels by name.
    pub(in crate::alarms) fn all(&self) -> Vec<Arc<Channel>> {
        self.0.directory.all()
    }

    /// Whether messages can go to a broker.
    pub(in crate::alarms) fn has_broker(&self) -> bool {
        self.0.sender.has_broker()
    }

    pub(in crate::alarms) async fn insert(&self, channel: &Channel) -> Result<Channel, Error> {
        let channel = self.0.store.insert(channel).await?;
        self.0.directory.reload().await?;
        Ok(channel)
    }

    pub(in crate::alarms) async fn update(&self, channel: &Channel) -> Result<Channel, Error> {
        let channel = self.0.store.update(channel).await?;
        self.0.directory.reload().await?;
        self.lines().hurry(channel.id);
        self.0.wake.notify_one();
        Ok(channel)
    }

    pub(in crate::alarms) async fn delete(&self, channel: ChannelId) -> Result<(), Error> {
        self.0.store.delete(channel).await?;
        self.0.directory.reload().await
    }

    /// Sends a test message now, once. Dropped, nothing more is sent.
    pub(in crate::alarms) async fn test(&self, channel: &Channel) -> Result<Tested, Error> {
        let begun = Instant::now();
        let note = Note::test(self.0.clock.now());
        let sent = self.0.sender.send(channel, &note, DeliveryId(Uuid::now_v7()));
        let not_sent = |why: String| Error::NotSent(channel.name.clone(), why);
        match tokio::time::timeout(TEST, sent).await {
            Ok(Ok(answer)) => Ok(Tested { took: begun.elapsed(), answer }),
            Ok(Err(failed)) => Err(not_sent(failed.why)),
            Err(_) => Err(not_sent(format!("no answer within {} s", TEST.as_secs()))),
        }
    }

    /// The newest deliveries before one, of one alarm or of all. What waits for its row is written first, so that rows
    /// tell all.
    pub(in crate::alarms) async fn deliveries(
        &self,
        alarm: Option<crate::alarms::AlarmId>,
        before: Option<DeliveryId>,
        most: i64,
    ) -> Result<Vec<Delivery>, Error> {
        self.0.rows.write(&self.0.store).await?;
        self.0.store.deliveries(alarm, before, most).await
    }

    pub(super) fn now(&self) -> Now {
        let instant = Instant::now();
        Now { instant, wall: self.0.clock.at(instant) }
    }

    pub(super) fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
