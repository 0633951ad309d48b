//! Boards of another make, which stay as they are: their pictures are fetched over HTTP, or they push them
//! over WebSocket. From there on a picture goes the way of every other one.
//!
//! The bytes are `larder_proto::wire::boards`; `docs/boards.md` tells people how to use each board. Beside the camera
//! link's counters there is one of its own:
//!
//! | counter | counts | labels |
//! |---|---|---|
//! | `larder_board_pulls_failed_total` | times a board's pictures could not be fetched | `reason`: `connect`, `too-slow`, `http` (its answer is none), `unauthorized`, `status` (any but 200), `content-type` (no stream of pictures) |

mod config;
mod pull;
mod session;
mod stamps;
mod status;
mod websocket;

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use larder_proto::wire::CameraId;
use tokio::task::JoinHandle;

pub use config::Config;

use super::{
    Shared, StartError,
    listener::{self, Serving},
};
use crate::cameras::{PullUrl, Source};

/// Begins to fetch, and listens if it is told to; where.
pub(super) fn start(config: &Config, shared: &Arc<Shared>) -> Result<Option<SocketAddr>, StartError> {
    let tasks = &shared.tasks;
    let bound = config.websocket_address.map(|address| {
        let listener = listener::bind(address, config::KEY)?;
        let bound = listener.local_addr().map_err(|source| StartError::of(address, config::KEY, source))?;
        tasks.spawn_until_stop(listener::accept(listener, Arc::clone(shared), Serving::Boards));
        tracing::info!(boards.address = %bound, "boards can push pictures");
        Ok(bound)
    });
    tasks.spawn_until_stop(follow(Arc::clone(shared)));
    bound.transpose()
}

/// Keeps one puller for each camera that is fetched, until dropped. A puller whose camera is no more like that ends by
/// itself.
async fn follow(shared: Arc<Shared>) {
    let mut changes = shared.cameras.changes();
    let mut running: HashMap<CameraId, (PullUrl, JoinHandle<()>)> = HashMap::new();
    loop {
        changes.mark_unchanged();
        running.retain(|_, (_, task)| !task.is_finished());
        for (camera, source) in shared.cameras.boards() {
            let Source::Mjpeg(url) = source else { continue };
            if running.get(&camera).is_none_or(|(known, _)| *known != url) {
                let task = shared.tasks.spawn_until_stop(pull::run(Arc::clone(&shared), camera, url.clone()));
                running.insert(camera, (url, task));
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

pub(super) use websocket::run as websocket;
