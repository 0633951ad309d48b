//! What happens in the hub, told to whoever watches. Nothing is kept: a slow reader is told how many it missed.

use jiff::Timestamp;
pub use larder_proto::pb::EventKind as Kind;
use larder_proto::wire::CameraId;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::clock::Clock;

/// Enough for a burst (every camera changing at once) without holding memory.
const BACKLOG: usize = 256;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Which kind.
    pub kind: Kind,
    /// About which camera, if about one.
    pub camera: Option<CameraId>,
    /// A sentence for people.
    pub message: String,
}

/// Where events are told; clones share it.
#[derive(Clone)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    clock: Clock,
}

impl Events {
    /// A new teller.
    pub fn new(clock: Clock) -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), clock }
    }

    /// The clock that dates them: the hub's.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Tells everyone who watches. Never waits.
    pub fn tell(&self, kind: Kind, camera: Option<CameraId>, message: impl Into<String>) {
        let event = Event { at: self.clock.now(), kind, camera, message: message.into() };
        // An error means that nobody watches.
        let _ = self.sender.send(event);
    }

    /// Watches from now on.
    pub fn watch(&self) -> Watch {
        Watch(self.sender.subscribe())
    }
}

/// A reader of events.
pub struct Watch(broadcast::Receiver<Event>);

impl Watch {
    /// The next event and how many were missed before it. `None` when the hub is gone. Cancel safe, except that a
    /// count of missed events is lost with a dropped call.
    pub async fn next(&mut self) -> Option<(Event, u64)> {
        let mut missed = 0;
        loop {
            match self.0.recv().await {
                Ok(event) => return Some((event, missed)),
                Err(RecvError::Lagged(count)) => missed += count,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
