//! `SystemService` over gRPC.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use larder_proto::{
    pb::{self, system_service_server::SystemService},
    wire,
};
use tonic::{Request, Response, Status};

use super::VERSION;
use crate::{
    access::Caller,
    cameras::Directory,
    clock::Clock,
    events::{Events, Kind},
    hub::{Hub, Presence},
    outcome::Refusal,
    parts,
    pb_time::{duration, timestamp},
    recorder::Recorder,
};

/// What the service tells of.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub hub: Hub,
    pub directory: Directory,
    pub recorder: Recorder,
    pub clock: Clock,
    pub events: Events,
    pub parts: parts::Parts,
    pub started_at: Timestamp,
    pub listeners: Vec<(&'static str, String)>,
}

/// `SystemService`.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

impl Service {
    /// A service over the hub's parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    fn status(&self) -> pb::SystemStatus {
        let Parts { hub, directory, recorder, clock, parts, started_at, .. } = &*self.0;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let cameras = directory.all();
        let snapshots: Vec<_> = cameras.iter().map(|camera| hub.ensure(camera.id).snapshot()).collect();
        let uptime = clock.now().duration_since(*started_at);
        let disk = recorder.status();
        pb::SystemStatus {
            version: Some(version()),
            started_at: Some(timestamp(*started_at)),
            uptime: Some(duration(uptime.try_into().unwrap_or_default())),
            parts: parts
                .ask()
                .into_iter()
                .map(|part| pb::system_status::Part {
                    name: part.name.to_owned(),
                    ready: part.is_ready(),
                    reason: part.trouble.as_ref().map(|trouble| trouble.reason.to_owned()).unwrap_or_default(),
                    detail: part.trouble.map(|trouble| trouble.detail).unwrap_or_default(),
                })
                .collect(),
            cameras: count(cameras.len()),
            cameras_online: count(snapshots.iter().filter(|one| one.presence.presence == Presence::Online).count()),
            viewers: snapshots.iter().map(|one| one.viewers).sum(),
            recording: count(snapshots.iter().filter(|one| one.recording).count()),
            disk: Some(pb::system_status::Disk {
                path: disk.root.display().to_string(),
                total_bytes: disk.space.total_bytes,
                free_bytes: disk.space.free_bytes,
                floor_bytes: disk.floor_bytes,
                recordings_bytes: disk.taken.recordings_bytes,
                recorded_bytes_per_day: disk.bytes_per_day,
                database_bytes: disk.taken.database_bytes,
                other_bytes: disk.taken.other_bytes,
                other_growth_bytes_per_minute: disk.taken.other_growth_bytes,
            }),
            listeners: self
                .0
                .listeners
                .iter()
                .map(|(name, address)| pb::system_status::Listener {
                    name: (*name).to_owned(),
                    address: address.clone(),
                })
                .collect(),
        }
    }
}

fn version() -> pb::Version {
    pb::Version { version: VERSION.to_owned(), camera_link: wire::camera::VERSION.into() }
}

#[tonic::async_trait]
impl SystemService for Service {
    async fn get_status(&self, _: Request<pb::GetStatusRequest>) -> Result<Response<pb::SystemStatus>, Status> {
        Ok(Response::new(self.status()))
    }

    async fn get_version(&self, _: Request<pb::GetVersionRequest>) -> Result<Response<pb::Version>, Status> {
        Ok(Response::new(version()))
    }

    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<pb::Event, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<pb::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let known = |number: &i32| Kind::try_from(*number).ok().filter(|kind| *kind != Kind::Unspecified);
        let kinds: Option<Vec<Kind>> = request.get_ref().kinds.iter().map(known).collect();
        let kinds = kinds.ok_or_else(|| Refusal::field("kinds", "holds one that this hub does not know"))?;
        let watch = self.0.events.watch();
        let events = stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) });
        let wanted = events.filter_map(move |(event, missed)| {
            let wanted = kinds.is_empty() || kinds.contains(&event.kind);
            let message = pb::Event {
                at: Some(timestamp(event.at)),
                kind: event.kind.into(),
                camera_id: event.camera.map(|camera| camera.to_string()).unwrap_or_default(),
                message: event.message,
                missed,
            };
            std::future::ready(wanted.then_some(Ok(message)))
        });
        Ok(Response::new(Box::pin(caller.until_revoked(wanted))))
    }
}
