//! `CameraService` over gRPC.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use larder_proto::{
    pb::{self, camera_service_server::CameraService},
    wire::CameraId,
};
use tonic::{Request, Response, Status};

use super::{Camera, Directory, Error, Key, Source, Store, firmware, parse, status, watch};
use crate::{
    access::Caller,
    clock::Clock,
    events::{Events, Kind as EventKind},
    hub::Hub,
    ingest::{ControlError, Ingest},
    outcome::{Kind, Refusal},
    pb_page::{self, List},
    pb_time::duration,
    recorder::Recorder,
};

const WATCH_DEFAULT: Duration = Duration::from_secs(1);
const WATCH_RANGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// What the service commands.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub store: Store,
    pub directory: Directory,
    pub hub: Hub,
    pub ingest: Ingest,
    pub recorder: Recorder,
    pub clock: Clock,
    pub events: Events,
    /// Where a camera on the local network dials: an address or a name.
    pub host: Arc<dyn Fn() -> String + Send + Sync>,
}

/// `CameraService`.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

impl Service {
    /// A service over the hub's parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    fn find(&self, id_or_name: &str) -> Result<Arc<Camera>, Refusal> {
        self.0.directory.find(id_or_name).ok_or_else(|| Error::NotFound(id_or_name.to_owned()).into())
    }

    fn message(&self, camera: &Camera) -> pb::Camera {
        let topic = self.0.hub.ensure(camera.id);
        status::camera(camera, Some(status::status(topic.snapshot())))
    }

    async fn changed(&self, camera: &Camera, what: &str) -> Result<(), Refusal> {
        self.0.directory.reload().await?;
        tracing::info!(camera.id = %camera.id, camera.name = camera.name, change = what, "a camera was changed");
        self.0.events.tell(EventKind::CameraChanged, Some(camera.id), format!("camera {} was {what}", camera.name));
        Ok(())
    }

    async fn create(&self, wanted: &pb::Camera) -> Result<pb::CreateCameraResponse, Refusal> {
        let camera = parse::new_camera(wanted, self.0.clock.now())?;
        self.check_addresses(&camera)?;
        let (camera, key) = self.0.store.insert(&camera).await?;
        self.changed(&camera, "added").await?;
        Ok(pb::CreateCameraResponse { camera: Some(self.message(&camera)), key: Some(self.key(camera.id, key)) })
    }

    async fn update(&self, request: pb::UpdateCameraRequest) -> Result<pb::Camera, Refusal> {
        let wanted = request.camera.ok_or_else(|| Refusal::field("camera", "is not set"))?;
        let known = self.find(&wanted.id)?;
        let camera = parse::updated(&known, &wanted, request.update_mask.as_ref())?;
        self.check_addresses(&camera)?;
        let camera = self.0.store.update(&camera).await?;
        self.changed(&camera, "changed").await?;
        Ok(self.message(&camera))
    }

    async fn delete(&self, id_or_name: &str) -> Result<(), Refusal> {
        let camera = self.find(id_or_name)?;
        self.0.store.expect(camera.id).await?;
        // Files and their rows first: a row without a camera could no longer name its files.
        let removal = self.0.recorder.remove_camera(camera.id).await.map_err(Refusal::internal)?;
        self.0.store.delete(camera.id).await?;
        removal.confirm();
        self.changed(&camera, "removed").await?;
        self.0.hub.remove(camera.id);
        Ok(())
    }

    async fn rotate(&self, id_or_name: &str) -> Result<pb::CameraKey, Refusal> {
        let camera = self.find(id_or_name)?;
        let key = self.0.store.rotate_key(camera.id).await?;
        self.changed(&camera, "given a new key").await?;
        Ok(self.key(camera.id, key))
    }

    async fn control(&self, request: pb::ControlCameraRequest) -> Result<pb::ControlCameraResponse, Refusal> {
        let camera = self.find(&request.camera)?;
        let command = parse::command(request.command)?;
        let acknowledged = self.0.ingest.control(camera.id, command).await.map_err(|error| {
            let kind = match error {
                ControlError::Timeout => Kind::DeadlineExceeded,
                ControlError::Offline | ControlError::Refused(_) => Kind::FailedPrecondition,
            };
            Refusal::new(kind, format!("camera {:?}: {error}", camera.name))
        })?;
        Ok(pb::ControlCameraResponse {
            remark: acknowledged.remark,
            round_trip: Some(duration(acknowledged.round_trip)),
        })
    }

    /// An address is one camera's: else nobody could tell whose pictures come from it.
    fn check_addresses(&self, camera: &Camera) -> Result<(), Refusal> {
        let Source::WebSocket(addresses) = &camera.source else { return Ok(()) };
        for other in self.0.directory.all() {
            let Source::WebSocket(taken) = &other.source else { continue };
            let same = addresses.iter().find(|address| other.id != camera.id && taken.contains(address));
            if let Some(address) = same {
                let why = format!("{address} is camera {:?}: let one of the two show its secret path", other.name);
                return Err(Error::Fields(vec![("camera.source.websocket.addresses".to_owned(), why)]).into());
            }
        }
        Ok(())
    }

    fn key(&self, id: CameraId, key: Key) -> pb::CameraKey {
        let (host, port) = ((self.0.host)(), self.0.ingest.address().port());
        let key_hex = key.to_hex();
        let provisioning_line = format!("larder hub={host}:{port} camera={id} key={key_hex}");
        pb::CameraKey { key_hex, provisioning_line, websocket_path: key.websocket_path(id) }
    }
}

fn interval(wanted: Option<prost_types::Duration>) -> Result<Duration, Refusal> {
    let Some(wanted) = wanted else { return Ok(WATCH_DEFAULT) };
    let interval =
        Duration::try_from(wanted).ok().filter(|interval| (WATCH_RANGE.0..=WATCH_RANGE.1).contains(interval));
    interval.ok_or_else(|| Refusal::field("interval", "is not from 100 ms to 60 s"))
}

#[tonic::async_trait]
impl CameraService for Service {
    async fn create_camera(
        &self,
        request: Request<pb::CreateCameraRequest>,
    ) -> Result<Response<pb::CreateCameraResponse>, Status> {
        let wanted = request.into_inner().camera.ok_or_else(|| Refusal::field("camera", "is not set"))?;
        Ok(Response::new(self.create(&wanted).await?))
    }

    async fn get_camera(&self, request: Request<pb::GetCameraRequest>) -> Result<Response<pb::Camera>, Status> {
        let camera = self.find(&request.get_ref().camera)?;
        Ok(Response::new(self.message(&camera)))
    }

    async fn list_cameras(
        &self,
        request: Request<pb::ListCamerasRequest>,
    ) -> Result<Response<pb::ListCamerasResponse>, Status> {
        let request = request.get_ref();
        let all = self.0.directory.all();
        let (cameras, next_page_token) =
            pb_page::by_name(List("cameras"), &all, request.page_size, &request.page_token)?;
        let cameras = cameras.iter().map(|camera| self.message(camera)).collect();
        Ok(Response::new(pb::ListCamerasResponse { cameras, next_page_token }))
    }

    async fn update_camera(&self, request: Request<pb::UpdateCameraRequest>) -> Result<Response<pb::Camera>, Status> {
        Ok(Response::new(self.update(request.into_inner()).await?))
    }

    async fn delete_camera(
        &self,
        request: Request<pb::DeleteCameraRequest>,
    ) -> Result<Response<pb::DeleteCameraResponse>, Status> {
        self.delete(&request.get_ref().camera).await?;
        Ok(Response::new(pb::DeleteCameraResponse {}))
    }

    async fn rotate_camera_key(
        &self,
        request: Request<pb::RotateCameraKeyRequest>,
    ) -> Result<Response<pb::RotateCameraKeyResponse>, Status> {
        let key = self.rotate(&request.get_ref().camera).await?;
        Ok(Response::new(pb::RotateCameraKeyResponse { key: Some(key) }))
    }

    async fn control_camera(
        &self,
        request: Request<pb::ControlCameraRequest>,
    ) -> Result<Response<pb::ControlCameraResponse>, Status> {
        Ok(Response::new(self.control(request.into_inner()).await?))
    }

    type UpdateFirmwareStream = Pin<Box<dyn Stream<Item = Result<pb::UpdateFirmwareResponse, Status>> + Send>>;

    async fn update_firmware(
        &self,
        request: Request<pb::UpdateFirmwareRequest>,
    ) -> Result<Response<Self::UpdateFirmwareStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let request = request.into_inner();
        let camera = self.find(&request.camera)?;
        let steps = firmware::update(Arc::clone(&self.0), camera, firmware::parse(request)?);
        Ok(Response::new(Box::pin(caller.until_revoked(steps))))
    }

    type WatchCamerasStream = Pin<Box<dyn Stream<Item = Result<pb::CameraStatus, Status>> + Send>>;

    async fn watch_cameras(
        &self,
        request: Request<pb::WatchCamerasRequest>,
    ) -> Result<Response<Self::WatchCamerasStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let request = request.into_inner();
        let interval = interval(request.interval)?;
        let mut wanted = Vec::with_capacity(request.cameras.len());
        for camera in &request.cameras {
            wanted.push(self.find(camera)?.id);
        }
        let statuses = watch::statuses(self.0.hub.clone(), self.0.directory.clone(), wanted, interval);
        Ok(Response::new(Box::pin(caller.until_revoked(statuses))))
    }
}
