//! Viewers far away, over QUIC.

mod crowds;
mod lines;
mod strangers;
mod watching;
mod web;

use larder_ctl::simulate::Report;
use larder_proto::{pb, wire::CameraId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Hub, simulated};

/// A hub with a camera, `fridge`, that sends, and the token of somebody far away who may look.
struct Scene {
    hub: Hub,
    camera: CameraId,
    token: String,
    sending: (CancellationToken, JoinHandle<Report>),
}

impl Scene {
    /// With pictures at the hub's rate.
    async fn start() -> Self {
        Self::start_with(&[], None).await
    }

    async fn at(fps: u8) -> Self {
        Self::start_with(&[], Some(fps)).await
    }

    async fn start_with(settings: &[&str], fps: Option<u8>) -> Self {
        let hub = Hub::start_with(settings).await;
        let (camera, key) = hub.add_named("fridge").await;
        let token = hub.token("far", pb::Role::Viewer).await;
        let sending = simulated(&hub, camera, key, |options| options.fps = fps);
        Self { hub, camera, token, sending }
    }

    /// Stops the camera, and then the hub.
    async fn stop(self) {
        let (stop, task) = self.sending;
        stop.cancel();
        task.await.unwrap();
        self.hub.stop().await;
    }
}

/// Who watches live.
async fn viewers(hub: &Hub) -> Vec<pb::Viewer> {
    let request = pb::ListViewersRequest { page_size: 1000, ..Default::default() };
    hub.clients.viewers.clone().list_viewers(request).await.unwrap().into_inner().viewers
}
