//! The channels of the hub: who tells people, and who answers for it.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Channel, Config,
    delivery::{self, Delivering, KIND, lane},
    directory::Directory,
    note::Note,
    send::Sender,
    store::Store,
};
use crate::{
    alarms::{Alarm, AlarmId, ChannelId, Error, Message, Occasion},
    clock::Clock,
    db::{
        Db,
        jobs::{Filter, Job, JobId, Jobs},
    },
    mqtt,
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
    pub jobs: Jobs,
    pub hub_key: HubKey,
    pub clock: Clock,
    pub tasks: Tasks,
    /// The hub's broker, if it has one.
    pub mqtt: Option<mqtt::Client>,
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
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
    pub(super) jobs: Jobs,
    pub(super) store: Store,
    sender: Arc<Sender>,
    clock: Clock,
    zone: TimeZone,
}

impl Channels {
    /// Reads the channels, and brings the jobs what sends through them.
    ///
    /// # Errors
    /// When the configured authority can't be used.
    pub async fn start(config: &Config, deps: Deps) -> Result<Self, StartError> {
        let authorities = config.ca_file.as_deref().map(trust::certificates).transpose()?.unwrap_or_default();
        let store = Store::new(deps.db, deps.hub_key);
        let directory = Directory::load(store.clone()).await;
        let sender = Arc::new(Sender::new(authorities, deps.mqtt, deps.clock.clone()));
        deps.jobs.register(Arc::new(Delivering { directory: directory.clone(), sender: Arc::clone(&sender) }));
        let channels = Self(Arc::new(Inner {
            directory: directory.clone(),
            jobs: deps.jobs,
            store,
            sender,
            clock: deps.clock,
            zone: TimeZone::system(),
        }));
        deps.tasks.spawn_until_stop(directory.follow());
        deps.tasks.spawn_until_stop(channels.clone().forget_removed());
        Ok(channels)
    }

    /// Tells of an alarm through these channels; through all when none is named. Never waits.
    pub fn tell(&self, alarm: &Alarm, occasion: Occasion, channels: &[ChannelId]) {
        let now = self.0.clock.now();
        let note = Note::new(Message::new(alarm, occasion, now, &self.0.zone), now);
        let told = self.0.directory.all();
        for channel in told.iter().filter(|channel| channels.is_empty() || channels.contains(&channel.id)) {
            match delivery::job(channel, alarm.id, &note) {
                Ok(job) => drop(self.0.jobs.tell(job)),
                Err(error) => tracing::error!(%error, alarm.channel = channel.name, "an alarm can't be written down"),
            }
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
        self.0.jobs.hurry(KIND, &lane(channel.id));
        Ok(channel)
    }

    pub(in crate::alarms) async fn delete(&self, channel: ChannelId) -> Result<(), Error> {
        self.0.store.delete(channel).await?;
        self.0.directory.reload().await?;
        Ok(self.0.jobs.forget(KIND, &lane(channel)).await?)
    }

    /// Sends a test message now, once. Dropped, nothing more is sent.
    pub(in crate::alarms) async fn test(&self, channel: &Channel) -> Result<Tested, Error> {
        let begun = Instant::now();
        let note = Note::test(self.0.clock.now());
        let sent = self.0.sender.send(channel, &note, JobId(Uuid::now_v7()));
        let not_sent = |why: String| Error::NotSent(channel.name.clone(), why);
        match tokio::time::timeout(TEST, sent).await {
            Ok(Ok(answer)) => Ok(Tested { took: begun.elapsed(), answer }),
            Ok(Err(failed)) => Err(not_sent(failed.why)),
            Err(_) => Err(not_sent(format!("no answer within {} s", TEST.as_secs()))),
        }
    }

    /// The newest deliveries before one, of one alarm or of all.
    pub(in crate::alarms) async fn deliveries(
        &self,
        alarm: Option<AlarmId>,
        before: Option<JobId>,
        most: usize,
    ) -> Result<Vec<Job>, Error> {
        let filter = Filter { kind: Some(KIND), about: alarm.map(|alarm| alarm.0), before };
        Ok(self.0.jobs.list(filter, most).await?)
    }
}
