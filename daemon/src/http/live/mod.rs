//! Live pictures: JPEG over WebSocket for the page, MJPEG and snapshots for players and home automation.
//!
//! All three read through a [`Viewer`](crate::hub::Viewer), so that a slow reader skips to the newest frame.

mod count;
mod handshake;
mod mjpeg;
mod peer;
mod rfc6455;
mod session;
mod snapshot;
mod socket;
mod window;
pub mod wire;

use std::{pin::Pin, sync::Arc};

use axum::{Router, routing::get};
use futures_util::stream::FuturesUnordered;
use larder_proto::wire::CameraId;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    hub::{Hub, Topic},
    outcome::{Kind, Refusal},
    tasks::Tasks,
};

/// Finds a camera by id or name.
pub type Find = Arc<dyn Fn(&str) -> Option<CameraId> + Send + Sync>;

/// What live pictures need; clones share it.
#[derive(Clone)]
pub struct Live {
    /// Where the frames are.
    pub hub: Hub,
    /// Which cameras there are.
    pub find: Find,
    /// The time.
    pub clock: Clock,
    /// Owns the sessions; stopping it closes them.
    pub tasks: Tasks,
}

/// Waits for a reason to end, which comes once. Kept in a set, which looks at it when it was woken and not each time the
/// view is: looking takes locks that all views share.
type Ending = FuturesUnordered<Waiting>;
type Waiting = Pin<Box<dyn Future<Output = wire::CloseCode> + Send>>;

/// Method and pattern of each route here.
pub(super) const ROUTES: &[(&str, &str)] = &[
    ("GET", "/cameras/{camera}/live"),
    ("GET", "/cameras/{camera}/stream.mjpeg"),
    ("GET", "/cameras/{camera}/snapshot.jpg"),
];

/// The routes of live pictures. Each needs a [`Caller`](crate::access::Caller) in the request's extensions.
pub(super) fn routes(live: Live) -> Router {
    Router::new()
        .route("/cameras/{camera}/live", get(socket::upgrade))
        .route("/cameras/{camera}/stream.mjpeg", get(mjpeg::stream).with_state(mjpeg::Streams::new(live.clone())))
        .route("/cameras/{camera}/snapshot.jpg", get(snapshot::newest))
        .with_state(live)
}

impl Live {
    fn topic(&self, camera: &str) -> Result<Arc<Topic>, Refusal> {
        let id =
            (self.find)(camera).ok_or_else(|| Refusal::new(Kind::NotFound, format!("no such camera {camera:?}")))?;
        Ok(self.hub.ensure(id))
    }

    /// Tells when every view, or those of this caller, must end.
    fn ending(&self, revoked: &CancellationToken) -> Ending {
        let (stop, revoked) = (self.tasks.stopping(), revoked.clone());
        let ending: Waiting = Box::pin(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => wire::CloseCode::GoingAway,
                () = revoked.cancelled() => wire::CloseCode::Revoked,
            }
        });
        std::iter::once(ending).collect()
    }

    fn is_known(&self, camera: CameraId) -> bool {
        (self.find)(&camera.to_string()).is_some()
    }
}

#[cfg(test)]
mod tests;
