//! Where cameras come in: the camera link, and boards that stay as they are.
//!
//! `listener` takes connections within limits; `connection` proves who it is and then runs a `reader` and a `writer`
//! side by side; `registry` knows the sessions that stand. [`boards`] fetches the pictures of boards of another make,
//! or lets them be pushed. A frame's way: its source (sequence, MAC; or the parts of an answer), `intake`, in which
//! are `wire::jpeg` (structure) and `clock_map` (when it was captured), [`hub::Publisher`](crate::hub::Publisher).
//! Nothing on it waits. [`thermometer`] takes temperatures in.

mod announce;
pub mod boards;
mod clock_map;
mod config;
mod connection;
mod ended;
mod intake;
mod listener;
mod reader;
mod registry;
mod sampler;
pub mod thermometer;
mod troubles;
mod update;
mod writer;

use std::{net::SocketAddr, sync::Arc};

use larder_proto::wire::{
    CameraId,
    camera::{ByeReason, Command, Size},
};
use tokio::sync::watch;

pub use config::{Announce, Config};
pub use listener::StartError;
pub use registry::{Acknowledged, ControlError};
pub use update::{Firmware, UpdateError};

use crate::{
    cameras,
    clock::Clock,
    events::Events,
    hub::Hub,
    parts::{Recent, Trouble},
    repeats::Repeats,
    secrets,
    tasks::Tasks,
};

/// What is asked of a camera when it connects, and when this changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Pixels.
    pub size: Size,
    /// The OV2640's scale: 4 is best, 63 worst.
    pub quality: u8,
    /// Frames a second when something moves or someone looks.
    pub active_fps: u8,
    /// Frames a second otherwise.
    pub idle_fps: u8,
}

impl Wanted {
    /// The commands that make it so where it was otherwise.
    fn changes_from(&self, before: &Self) -> Vec<Command> {
        let rate = |wanted: &Self| Command::Rate { active_fps: wanted.active_fps, idle_fps: wanted.idle_fps };
        let all = |wanted: &Self| [Command::Size(wanted.size), Command::Quality(wanted.quality), rate(wanted)];
        all(self).into_iter().zip(all(before)).filter(|(now, then)| now != then).map(|(now, _)| now).collect()
    }
}

/// Which cameras there are. Answers from memory: it is asked while a camera waits.
pub trait Cameras: Send + Sync + 'static {
    /// A camera's key; `None` when there is no such camera.
    fn key(&self, camera: CameraId) -> Option<[u8; secrets::KEY_LEN]>;
    /// What is asked of a camera; `None` when there is no such camera on the camera link.
    fn wanted(&self, camera: CameraId) -> Option<Wanted>;
    /// The cameras that do not dial the camera link, and where their pictures come from. They have no `wanted`.
    fn boards(&self) -> Vec<(CameraId, cameras::Source)>;
    /// Marked changed whenever any camera changes.
    fn changes(&self) -> watch::Receiver<u64>;
}

impl Cameras for cameras::Directory {
    fn key(&self, camera: CameraId) -> Option<[u8; secrets::KEY_LEN]> {
        Self::key(self, camera).map(|key| key.0)
    }

    fn wanted(&self, camera: CameraId) -> Option<Wanted> {
        let camera = self.get(camera).filter(|camera| camera.source == cameras::Source::Link)?;
        let cameras::Capture { width, height, quality, active_fps, idle_fps } = camera.capture;
        Some(Wanted { size: Size { width, height }, quality, active_fps, idle_fps })
    }

    fn boards(&self) -> Vec<(CameraId, cameras::Source)> {
        let is_board = |camera: &Arc<cameras::Camera>| camera.source != cameras::Source::Link;
        self.all().into_iter().filter(is_board).map(|camera| (camera.id, camera.source.clone())).collect()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        Self::changes(self)
    }
}

/// What the camera link needs of the rest of the hub.
pub struct Deps {
    /// How boards of another make come in.
    pub boards: boards::Config,
    /// Where frames go.
    pub hub: Hub,
    /// Who may connect.
    pub cameras: Arc<dyn Cameras>,
    /// Where the readings of their telemetry go.
    pub probes: thermometer::Probes,
    /// What time it is.
    pub clock: Clock,
    /// Where refusals are told.
    pub events: Events,
    /// The machine's name, by which the hub is announced.
    pub host: String,
    /// Stopping these ends the link: every camera is told so.
    pub tasks: Tasks,
}

/// What every connection shares.
struct Shared {
    config: Config,
    hub: Hub,
    cameras: Arc<dyn Cameras>,
    probes: thermometer::Probes,
    clock: Clock,
    events: Events,
    tasks: Tasks,
    registry: registry::Registry,
    sampler: sampler::Sampler,
    troubles: Repeats,
    trouble: Recent,
}

/// The running camera link; clones share it.
#[derive(Clone)]
pub struct Ingest {
    address: SocketAddr,
    websocket_address: Option<SocketAddr>,
    registry: registry::Registry,
    cameras: Arc<dyn Cameras>,
    trouble: Recent,
}

/// Listens for cameras, until `deps.tasks` stop. Needs a tokio runtime.
///
/// # Errors
/// When the address can't be listened on.
pub async fn start(config: Config, deps: Deps) -> Result<Ingest, StartError> {
    let listener = listener::bind(config.address, listener::KEY)?;
    let unknown = |source| StartError::of(config.address, listener::KEY, source);
    let address = listener.local_addr().map_err(unknown)?;
    let Deps { boards, hub, cameras, probes, clock, events, host, tasks } = deps;
    let registry = registry::Registry::default();
    announce::start(config.announce, address, &host, &tasks);
    let known = Arc::clone(&cameras);
    let (troubles, trouble) = (Repeats::default(), Recent::default());
    tasks.spawn_until_stop(troubles.clone().tell_counts());
    let shared = Shared {
        config,
        hub,
        cameras,
        probes,
        clock,
        events,
        registry: registry.clone(),
        sampler: sampler::Sampler::start(&tasks),
        troubles,
        trouble: trouble.clone(),
        tasks: tasks.clone(),
    };
    let shared = Arc::new(shared);
    let websocket_address = boards::start(&boards, &shared)?;
    tasks.spawn_until_stop(listener::accept(listener, shared, listener::Serving::Link));
    tracing::info!(camera_link.address = %address, "cameras can connect");
    Ok(Ingest { address, websocket_address, registry, cameras: known, trouble })
}

impl Ingest {
    /// Where cameras dial.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where boards push over WebSocket.
    pub fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket_address
    }

    /// What is the matter, if cameras can't connect.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.ask()
    }

    /// Sends one command to a connected camera and waits for its acknowledgement, 5 s at most. Cancel safe: the camera
    /// may still do it.
    ///
    /// # Errors
    /// When the camera is offline, refuses, or does not answer in time.
    pub async fn control(&self, camera: CameraId, command: Command) -> Result<Acknowledged, ControlError> {
        self.registry.control(camera, command).await
    }

    /// Sends new firmware to a connected camera until it has checked and kept it; then it starts anew with it. `sent`
    /// hears how many bytes the camera has. Dropped before, the camera forgets what it got and goes on as it was.
    ///
    /// # Errors
    /// When the camera is offline, takes none, refuses it, or does not answer in time.
    pub async fn update(
        &self,
        camera: CameraId,
        firmware: &Firmware,
        sent: impl FnMut(u32) + Send,
    ) -> Result<(), UpdateError> {
        let key = self.cameras.key(camera).ok_or(UpdateError::Offline)?;
        self.registry.update(camera, &key, firmware, sent).await
    }

    /// The number of a camera's session, which no other has; `None` while it is offline.
    pub fn session(&self, camera: CameraId) -> Option<u64> {
        self.registry.generation(camera)
    }

    /// Ends a camera's session, giving the reason. `false` when there is none.
    pub fn disconnect(&self, camera: CameraId, reason: ByeReason) -> bool {
        self.registry.end(camera, reason)
    }
}

#[cfg(test)]
mod tests;
