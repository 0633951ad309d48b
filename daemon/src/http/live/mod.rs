//! Live pictures: JPEG over WebSocket for the page, MJPEG and snapshots for players and home automation.
//!
//! All three read through a [`Viewer`](crate::hub::Viewer), so that a slow reader skips to the newest frame.

mod circle;
mod handshake;
mod mjpeg;
mod peer;
mod rfc6455;
mod round;
mod session;
mod snapshot;
mod socket;
mod window;
pub mod wire;

use std::{pin::Pin, sync::Arc};

use axum::{Router, routing::get};
use futures_util::stream::FuturesUnordered;
use http::{HeaderMap, header, request::Parts};
use larder_proto::wire::CameraId;
use tokio_util::sync::CancellationToken;

use crate::{
    access::{Caller, PeerAddress},
    clock::Clock,
    hub::{Hub, Topic},
    outcome::{Kind, Refusal},
    tasks::Tasks,
    viewers::{Entry, Protocol, Seat, Viewers},
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
    /// Who watches.
    pub viewers: Viewers,
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
        .route("/cameras/{camera}/live", get(socket::upgrade).with_state(socket::Sockets::new(live.clone())))
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

    /// The caller of a request takes a seat.
    fn enter(&self, protocol: Protocol, camera: CameraId, parts: &Parts) -> Result<Seat, Refusal> {
        let caller = Caller::of(&parts.extensions)?;
        let address = parts.extensions.get::<PeerAddress>();
        Ok(self.viewers.enter(Entry {
            protocol,
            address: address.map_or_else(|| "local".to_owned(), |PeerAddress(address)| address.to_string()),
            user: Arc::clone(&caller.name),
            client: client(&parts.headers),
            camera,
        }))
    }

    /// Tells when every view, those of this caller, or this one must end.
    fn ending(&self, revoked: &CancellationToken, seat: &Seat) -> Ending {
        let (stop, revoked, disconnected) = (self.tasks.stopping(), revoked.clone(), seat.disconnected());
        let ending: Waiting = Box::pin(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => wire::CloseCode::GoingAway,
                () = revoked.cancelled() => wire::CloseCode::Revoked,
                () = disconnected.cancelled() => wire::CloseCode::Disconnected,
            }
        });
        std::iter::once(ending).collect()
    }

    fn is_known(&self, camera: CameraId) -> bool {
        (self.find)(&camera.to_string()).is_some()
    }
}

/// What program a request says it comes from.
fn client(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
