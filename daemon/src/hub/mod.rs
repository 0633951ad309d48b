//! The hub: one topic a camera, owned for the life of the process.
//!
//! A source holds a [`Publisher`] that never waits. Screens hold a [`Viewer`]: the newest frame and how many were
//! skipped. The recorder holds a [`Tap`]: every frame through a bounded queue, losses marked. No reader can slow a
//! source, and a camera that reconnects keeps its readers.

mod frame;
mod presence;
mod rate;
mod tap;
mod topic;
mod viewer;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use larder_proto::wire::CameraId;

pub use frame::Frame;
pub use presence::{Presence, PresenceState};
pub use tap::{Tap, Tapped};
pub use topic::{Publisher, SessionInfo, Snapshot, Topic};
pub use viewer::{Seen, Viewer};

use crate::{
    clock::Clock,
    events::{self, Events},
};

/// How often presence is judged.
const PRESENCE_CHECK: Duration = Duration::from_millis(250);

/// All topics; clones share them.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    topics: RwLock<HashMap<CameraId, Arc<Topic>>>,
    clock: Clock,
    events: Events,
}

impl Hub {
    /// A hub without topics.
    pub fn new(clock: Clock, events: Events) -> Self {
        Self(Arc::new(Inner { topics: RwLock::default(), clock, events }))
    }

    /// The topic of a camera, made when it is not there.
    pub fn ensure(&self, camera: CameraId) -> Arc<Topic> {
        if let Some(topic) = self.topic(camera) {
            return topic;
        }
        let mut topics = self.0.topics.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(topics.entry(camera).or_insert_with(|| Arc::new(Topic::new(camera, self.0.clock.clone()))))
    }

    /// The topic of a camera.
    pub fn topic(&self, camera: CameraId) -> Option<Arc<Topic>> {
        self.0.topics.read().unwrap_or_else(PoisonError::into_inner).get(&camera).cloned()
    }

    /// All topics, in no order.
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        self.0.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Ends a removed camera's topic: its readers end, its publisher is refused.
    pub fn remove(&self, camera: CameraId) {
        let topic = self.0.topics.write().unwrap_or_else(PoisonError::into_inner).remove(&camera);
        if let Some(topic) = topic {
            topic.close();
        }
    }

    /// Ends every topic, so that all readers end. The hub can't be used after.
    pub fn close(&self) {
        for topic in self.topics() {
            topic.close();
        }
    }

    /// Judges presence and tells of its changes, until dropped. Cancel safe.
    pub async fn watch_presence(self) {
        let mut ticks = tokio::time::interval(PRESENCE_CHECK);
        let mut known: HashMap<CameraId, Presence> = HashMap::new();
        loop {
            ticks.tick().await;
            for topic in self.topics() {
                let presence = topic.judge_presence();
                let before = known.insert(topic.camera(), presence).unwrap_or(Presence::Offline);
                if before != presence {
                    self.tell(&topic, presence);
                }
            }
        }
    }

    fn tell(&self, topic: &Topic, presence: Presence) {
        let camera = topic.camera();
        let (kind, message) = match presence {
            Presence::Online => (events::Kind::CameraOnline, "the camera sends pictures"),
            Presence::Stalled => (events::Kind::CameraStalled, "the camera is connected but sends no pictures"),
            Presence::Offline => (events::Kind::CameraOffline, "the camera is gone"),
        };
        tracing::info!(camera.id = %camera, presence = presence.name(), "presence changed");
        self.0.events.tell(kind, Some(camera), message);
    }
}

#[cfg(test)]
mod tests;
