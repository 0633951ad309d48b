//! A connection to a broker (MQTT 3.1.1): messages that it is to hold, messages that it must take, and what it tells.
//!
//! Whoever has something to be held puts it on a shelf and never waits: the broker gets the newest of each topic when
//! it is there, and everything again when it was away. While the hub is there, `<topic>/status` says `online`; the
//! broker itself changes that to `offline` (its last will) when the connection is lost.

mod config;
mod link;
mod shelf;

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rumqttc::{AsyncClient, PublishOptions};
use thiserror::Error;
use tokio::sync::{Notify, broadcast};

use crate::{parts::Trouble, tasks::Tasks, trust};
use shelf::Shelf;

pub use config::{Config, is_level};

/// For the broker to say that it has a message.
const TAKEN: Duration = Duration::from_secs(10);
/// Messages that a listener may be behind.
const BACKLOG: usize = 256;

/// Why there is no connection to be had.
#[derive(Debug, Error)]
pub enum StartError {
    /// The password can't be read.
    #[error("cannot read mqtt.password_file {path}")]
    Password {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The authority can't be used.
    #[error("mqtt.ca_file")]
    Trust(#[from] trust::Error),
    /// The settings can't be used.
    #[error("mqtt: {0}")]
    Options(String),
}

/// Why the broker did not take a message.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SendError {
    /// It is away.
    #[error("the broker is away")]
    Away,
    /// It did not say in time that it has it, or was lost meanwhile.
    #[error("the broker did not take the message")]
    NotTaken,
}

/// What the broker holds on a topic that is listened to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Which topic.
    pub topic: String,
    /// Never empty.
    pub payload: Bytes,
}

/// A connection to the hub's broker; clones share it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    client: AsyncClient,
    shelf: Mutex<Shelf>,
    wake: Notify,
    is_connected: AtomicBool,
    listened: Mutex<Vec<String>>,
    held: broadcast::Sender<Held>,
    base: String,
    node: String,
}

impl Client {
    /// Begins to talk to the configured broker; `None` when none is configured. It need not be there yet.
    ///
    /// # Errors
    /// When the password or the authority can't be read.
    pub fn start(config: &Config, tasks: &Tasks) -> Result<Option<Self>, StartError> {
        let place = config.place().map_err(|why| StartError::Options(why.to_owned()))?;
        let Some(place) = place else { return Ok(None) };
        let password = config.password_file.as_ref().map(|path| {
            let read = fs::read_to_string(path);
            read.map_err(|source| StartError::Password { path: path.clone(), source })
        });
        let password = password.transpose()?.unwrap_or_default();
        let options = link::options(config, &place, password.trim_end_matches(['\r', '\n']))?;
        let built = AsyncClient::builder(options).try_build();
        let (client, events) = built.map_err(|error| StartError::Options(error.to_string()))?;
        let client = Self(Arc::new(Inner {
            client,
            shelf: Mutex::default(),
            wake: Notify::new(),
            is_connected: AtomicBool::new(false),
            listened: Mutex::default(),
            held: broadcast::Sender::new(BACKLOG),
            base: config.topic.clone(),
            node: config.client_id.clone(),
        }));
        client.keep(&client.status_topic(), "online");
        metrics::gauge!("larder_mqtt_up").set(0.0);
        link::spawn(client.clone(), events, tasks);
        Ok(Some(client))
    }

    /// What the hub's own topics begin with.
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// What the broker knows the hub by.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// Where `online` or `offline` stands.
    pub fn status_topic(&self) -> String {
        format!("{}/status", self.0.base)
    }

    /// The broker is to hold this message. Never waits.
    pub fn keep(&self, topic: &str, payload: impl Into<Bytes>) {
        if self.shelf().keep(topic, payload.into()) {
            self.0.wake.notify_one();
        }
    }

    /// The broker is to hold nothing on this topic any more. Never waits.
    pub fn forget(&self, topic: &str) {
        self.shelf().forget(topic);
        self.0.wake.notify_one();
    }

    /// The broker is to hold nothing below here any more, of what it was given. Never waits.
    pub fn forget_below(&self, prefix: &str) {
        let mut shelf = self.shelf();
        for topic in shelf.below(prefix) {
            shelf.forget(&topic);
        }
        drop(shelf);
        self.0.wake.notify_one();
    }

    /// Whether a message is to be held on that topic.
    pub fn keeps(&self, topic: &str) -> bool {
        self.shelf().has(topic)
    }

    /// Gives the broker a message, at least once, and waits until it says that it has it, 10 s at most. Dropped, the
    /// message may still come.
    ///
    /// # Errors
    /// When the broker is away or does not say so.
    pub async fn send(&self, topic: &str, payload: impl Into<Bytes>) -> Result<(), SendError> {
        if !self.is_connected() {
            return Err(SendError::Away);
        }
        let options = PublishOptions::at_least_once();
        let taken = async {
            let notice = self.0.client.publish_tracked(topic, payload.into(), options).await.ok()?;
            notice.wait_completion_async().await.ok()
        };
        let taken = tokio::time::timeout(TAKEN, taken).await;
        taken.ok().flatten().ok_or(SendError::NotTaken)
    }

    /// What the broker holds on topics that fit, now and whenever it is reached again.
    pub async fn listen(&self, filter: &str) -> broadcast::Receiver<Held> {
        let held = self.0.held.subscribe();
        self.listened().push(filter.to_owned());
        if self.is_connected() {
            link::subscribe(&self.0.client, filter.to_owned()).await;
        }
        held
    }

    /// What is the matter, if anything is.
    pub fn trouble(&self) -> Option<Trouble> {
        let detail = "the broker of mqtt.url is not reached; what it holds is old, and alarms to its topics wait";
        (!self.is_connected()).then(|| Trouble::warning("away", detail))
    }

    fn is_connected(&self) -> bool {
        self.0.is_connected.load(Ordering::Relaxed)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listened(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.listened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
