//! `ViewerService` over gRPC.

use std::{net::SocketAddr, sync::Arc};

use larder_proto::pb::{self, viewer::Protocol as Wire, viewer_service_server::ViewerService};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Limits, Passes, Protocol, Snapshot, Viewers, passes};
use crate::{
    access::Caller,
    cameras::{Camera, Directory},
    clock::Clock,
    outcome::{Kind, Refusal},
    pb_page::{self, List},
    pb_time::{duration, timestamp},
};

/// What a pass is to be used with.
#[derive(Clone)]
pub struct PassDetails {
    /// Where the relay listens.
    pub relay: SocketAddr,
    /// SHA-256 of the certificates that browsers may meet there and would not trust by themselves.
    pub certificate_hashes: Arc<dyn Fn() -> Vec<[u8; 32]> + Send + Sync>,
}

/// What the service tells of and commands.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub viewers: Viewers,
    pub passes: Passes,
    pub directory: Directory,
    pub clock: Clock,
    pub details: PassDetails,
}

const LIST: List = List("viewers");

/// `ViewerService`.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

impl Service {
    /// A service over the hub's parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    fn find(&self, id_or_name: &str) -> Result<Arc<Camera>, Refusal> {
        let camera = self.0.directory.find(id_or_name);
        camera.ok_or_else(|| Refusal::new(Kind::NotFound, format!("no such camera {id_or_name:?}")))
    }

    fn list(&self, request: &pb::ListViewersRequest) -> Result<pb::ListViewersResponse, Refusal> {
        let size = usize::from(pb_page::size(request.page_size)?);
        let after = LIST.after(&request.page_token, |number| number.parse().ok())?.unwrap_or(0);
        let only = if request.camera.is_empty() { None } else { Some(self.find(&request.camera)?.id) };
        let wanted = |one: &Snapshot| one.number > after && only.is_none_or(|only| one.entry.camera == only);
        let mut rest = self.0.viewers.all().into_iter().filter(wanted);
        let page: Vec<_> = rest.by_ref().take(size).collect();
        // The token is the last one's number: it stays right when some come and go.
        let next = rest.next().and(page.last()).map(|last| LIST.token(last.number));
        let viewers = page.into_iter().map(|one| self.message(one)).collect();
        Ok(pb::ListViewersResponse { viewers, next_page_token: next.unwrap_or_default() })
    }

    fn message(&self, one: Snapshot) -> pb::Viewer {
        let camera = self.0.directory.get(one.entry.camera);
        pb::Viewer {
            id: one.id.to_string(),
            camera_id: one.entry.camera.to_string(),
            camera_name: camera.map(|camera| camera.name.clone()).unwrap_or_default(),
            protocol: protocol(one.entry.protocol).into(),
            address: one.entry.address,
            user: one.entry.user.to_string(),
            client: one.entry.client,
            connected_at: Some(timestamp(one.connected_at)),
            frames_delivered: one.delivered,
            frames_skipped: one.skipped,
            queued_bytes: one.queued_bytes,
            round_trip: one.round_trip.map(duration),
            fps: one.fps,
            bytes_per_second: one.bytes_per_second,
            limits: one.limits.map(limits),
        }
    }

    fn disconnect(&self, id: &str) -> Result<(), Refusal> {
        let id: Uuid = id.parse().map_err(|_wrong| Refusal::field("id", format!("{id:?} is no UUID")))?;
        let no_such = || Refusal::new(Kind::NotFound, format!("no such viewer \"{id}\""));
        let entry = self.0.viewers.disconnect(id).ok_or_else(no_such)?;
        tracing::info!(
            viewer.id = %id, viewer.address = entry.address, user.name = %entry.user, "a viewer is disconnected"
        );
        Ok(())
    }

    fn pass(&self, caller: &Caller, camera: &str) -> Result<pb::Pass, Refusal> {
        let camera = self.find(camera)?;
        let pass = self.0.passes.issue(caller.clone(), camera.id)?;
        let expires = self.0.clock.now() + jiff::SignedDuration::try_from(passes::VALID).unwrap_or_default();
        let details = &self.0.details;
        Ok(pb::Pass {
            pass: pass.into_text(),
            expires_at: Some(timestamp(expires)),
            port: details.relay.port().into(),
            certificate_hashes: (details.certificate_hashes)().into_iter().map(|hash| hash.to_vec()).collect(),
        })
    }
}

fn protocol(protocol: Protocol) -> Wire {
    match protocol {
        Protocol::WebSocket => Wire::Websocket,
        Protocol::Mjpeg => Wire::Mjpeg,
        Protocol::Quic => Wire::Quic,
        Protocol::WebTransport => Wire::Webtransport,
        Protocol::Moq => Wire::Moq,
    }
}

fn limits(limits: Limits) -> pb::viewer::Limits {
    pb::viewer::Limits {
        fps: limits.fps,
        width: limits.width.map(u32::from),
        height: limits.height.map(u32::from),
        by_line: limits.by_line,
    }
}

#[tonic::async_trait]
impl ViewerService for Service {
    async fn list_viewers(
        &self,
        request: Request<pb::ListViewersRequest>,
    ) -> Result<Response<pb::ListViewersResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref())?))
    }

    async fn disconnect_viewer(
        &self,
        request: Request<pb::DisconnectViewerRequest>,
    ) -> Result<Response<pb::DisconnectViewerResponse>, Status> {
        self.disconnect(&request.get_ref().id)?;
        Ok(Response::new(pb::DisconnectViewerResponse {}))
    }

    async fn create_pass(&self, request: Request<pb::CreatePassRequest>) -> Result<Response<pb::Pass>, Status> {
        let caller = Caller::of_rpc(&request)?;
        Ok(Response::new(self.pass(caller, &request.get_ref().camera)?))
    }
}
