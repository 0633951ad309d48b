//! Boards of another make: what each firmware sends byte for byte, by small servers and clients of the tests' own.

mod pull;
mod push;
mod script;

use larder_proto::pb::{
    self, CameraSource,
    camera_source::{Kind, MjpegPull, WebSocketPush},
};

use crate::support::{Hub, get_with, until};

/// A hub that boards may push to, and a way to look at it.
struct House {
    hub: Hub,
    bearer: String,
}

impl House {
    async fn start() -> Self {
        Self::of(Hub::start_with(&["boards.websocket_address=127.0.0.1:0"]).await).await
    }

    async fn of(hub: Hub) -> Self {
        let name = format!("look-{}", hub.http().port());
        let bearer = format!("Bearer {}", hub.token(&name, pb::Role::Viewer).await);
        Self { hub, bearer }
    }

    /// Adds a camera that is not recorded; its key.
    async fn add(&self, name: &str, kind: Kind) -> pb::CreateCameraResponse {
        let mut recording = pb::RecordingSettings::default();
        recording.set_mode(pb::RecordingMode::Off);
        let camera = pb::Camera {
            name: name.to_owned(),
            source: Some(CameraSource { kind: Some(kind) }),
            recording: Some(recording),
            ..Default::default()
        };
        let request = pb::CreateCameraRequest { camera: Some(camera) };
        self.hub.clients.cameras.clone().create_camera(request).await.unwrap().into_inner()
    }

    async fn change(&self, name: &str, kind: Kind) -> Result<pb::Camera, tonic::Status> {
        let source = Some(CameraSource { kind: Some(kind) });
        let camera = pb::Camera { id: name.to_owned(), source, ..Default::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["source".to_owned()] });
        let request = pb::UpdateCameraRequest { camera: Some(camera), update_mask };
        Ok(self.hub.clients.cameras.clone().update_camera(request).await?.into_inner())
    }

    async fn camera(&self, name: &str) -> pb::Camera {
        let request = pb::GetCameraRequest { camera: name.to_owned() };
        self.hub.clients.cameras.clone().get_camera(request).await.unwrap().into_inner()
    }

    async fn status(&self, name: &str) -> pb::CameraStatus {
        self.camera(name).await.status.unwrap()
    }

    /// Waits until so many pictures were taken in.
    async fn received(&self, name: &str, count: u64) -> pb::CameraStatus {
        until(&format!("{count} pictures of {name}"), || async {
            let status = self.status(name).await;
            (status.frames_received >= count).then_some(status)
        })
        .await
    }

    async fn is(&self, name: &str, presence: pb::Presence) {
        until(&format!("{name} to be {presence:?}"), || async {
            (self.status(name).await.presence() == presence).then_some(())
        })
        .await;
    }

    /// Waits until the camera is offline for a reason that begins like this; an empty one is none at all.
    async fn is_offline_for(&self, name: &str, told: &str) {
        until(&format!("{name} to be offline: {told}"), || async {
            let reason = self.status(name).await.offline_reason;
            (reason.starts_with(told) && reason.is_empty() == told.is_empty()).then_some(())
        })
        .await;
    }

    async fn snapshot(&self, name: &str) -> bytes::Bytes {
        let path = format!("/cameras/{name}/snapshot.jpg");
        get_with(self.hub.http(), &path, &[("authorization", &self.bearer)]).await.body
    }

    /// A counter, all of whose labels are those of `series`: `name{reason="x"}`.
    async fn counter(&self, series: &str) -> u64 {
        let page = get_with(self.hub.http(), "/metrics", &[("authorization", &self.bearer)]).await;
        let line = page.text().lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

fn mjpeg(url: impl Into<String>) -> Kind {
    Kind::Mjpeg(MjpegPull { url: url.into(), has_login: false })
}

fn websocket(addresses: &[&str]) -> Kind {
    Kind::Websocket(WebSocketPush { addresses: addresses.iter().map(|&address| address.to_owned()).collect() })
}
