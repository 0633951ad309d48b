//! Live frames to viewers that may be far away, over QUIC.
//!
//! `endpoint` takes connections within limits and hands each to what it asked for by ALPN; `hello` finds out who it is
//! and what it wants; a `session` sends the newest frames, as many at once as `pace` finds the line to carry. A session
//! runs over a `transport` and takes its frames from `pictures`, and knows no more of either. The bytes are
//! [`larder_proto::wire::relay`]'s.

mod config;
mod control;
mod delivery;
mod endpoint;
mod hello;
mod ladder;
mod limits;
mod pace;
mod pictures;
mod pixels;
mod scaled;
mod session;
mod transport;
mod web;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use larder_proto::wire::CameraId;

pub use config::Config;
pub use endpoint::{Bound, StartError, bind};

use crate::{
    access::Access,
    clock::Clock,
    hub::Hub,
    parts::Trouble,
    tasks::Tasks,
    viewers::{Passes, Viewers},
};

/// A camera that can be watched.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Which.
    pub id: CameraId,
    /// What people call it.
    pub name: Arc<str>,
}

/// Finds a camera by id or name.
pub type Find = Arc<dyn Fn(&str) -> Option<Camera> + Send + Sync>;

/// What the relay needs of the rest of the hub.
pub struct Deps {
    /// Where the frames are.
    pub hub: Hub,
    /// Which cameras there are.
    pub find: Find,
    /// Who may watch.
    pub access: Access,
    /// Who watches.
    pub viewers: Viewers,
    /// Who may watch once.
    pub passes: Passes,
    /// The time.
    pub clock: Clock,
    /// Certificate and protocols.
    pub tls: Arc<rustls::ServerConfig>,
    /// Owns the connections; stopping it closes them.
    pub tasks: Tasks,
}

/// What all sessions share; clones share it too.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    hub: Hub,
    find: Find,
    access: Access,
    viewers: Viewers,
    passes: Passes,
    clock: Clock,
    scaled: scaled::Scaled,
    tasks: Tasks,
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The running relay; clones share it.
#[derive(Clone)]
pub struct Relay {
    address: SocketAddr,
    is_lost: Arc<AtomicBool>,
}

impl Relay {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is the matter with it, if something is.
    pub fn trouble(&self) -> Option<Trouble> {
        let detail = "the relay's UDP socket failed, the log says why; restart larderd";
        self.is_lost.load(Ordering::Relaxed).then(|| Trouble::new("socket_lost", detail))
    }
}
