//! `RecordingService` over gRPC.

use std::{ops::Range, pin, sync::Arc};

use futures_util::{Stream, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use larder_proto::{
    pb::{self, delete_recordings_request::What, recording_service_server::RecordingService},
    wire::CameraId,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    Adopting, Deletable, Deletion, Pin, PinError, Position, RunId, RunSummary, Store, Verified, adopting, ask,
    messages, verification::Verification,
};
use crate::{
    access::{Access, Caller, Grant},
    cameras::{Camera, Directory, Mode},
    clock::Clock,
    db::jobs::{Failed, Jobs},
    jobs,
    outcome::{Kind, Refusal},
    pb_page,
    pb_time::timestamp,
};

/// A live play URL reaches this far back: the live playlist's minute, and time for its first request.
const BEFORE_LIVE: SignedDuration = SignedDuration::from_mins(5);

/// Recordings named in one request to delete them.
const MOST_RECORDINGS: usize = 1000;

/// What the recorder is told.
#[tonic::async_trait]
pub trait Commands: Send + Sync + 'static {
    /// Records a camera in manual mode from now on.
    async fn start(&self, camera: CameraId) -> Result<(), Refusal>;
    /// Stops that; answers when the last fragment is registered.
    async fn stop(&self, camera: CameraId) -> Result<(), Refusal>;
    /// Keeps a range from being deleted: in files and in a row.
    async fn pin(&self, camera: CameraId, range: Range<Timestamp>, note: &str) -> Result<Pin, Refusal>;
    /// Takes a pin away; `false` when there is none.
    async fn unpin(&self, id: Uuid) -> Result<bool, Refusal>;
    /// Deletes segments by their rows' ids: marks rows, unlinks files, removes rows. How many: what is pinned stays.
    async fn delete(&self, segments: &[i64]) -> Result<u64, Failed>;
    /// Compares a segment with its checksums by its row's id; `None` when it is gone.
    async fn verify(&self, segment: i64) -> Result<Option<Verified>, Refusal>;
}

impl From<PinError> for Refusal {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Rows(error) => error.into(),
            PinError::TooLate { .. } => Self::new(Kind::FailedPrecondition, error.to_string()),
        }
    }
}

/// What the service commands.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub store: Store,
    pub directory: Directory,
    pub recorder: Arc<dyn Commands>,
    pub adoption: Arc<dyn Adopting>,
    pub jobs: Jobs,
    pub access: Access,
    pub clock: Clock,
    /// Where browsers reach the hub, without a slash at the end: `https://fridge.local:8443`.
    pub bases: Vec<String>,
}

/// `RecordingService`.
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

    fn manual(&self, id_or_name: &str) -> Result<Arc<Camera>, Refusal> {
        let camera = self.find(id_or_name)?;
        if camera.recording.mode == Mode::Manual {
            return Ok(camera);
        }
        let why = format!(
            "camera {:?} records in mode {}; set its mode to manual first",
            camera.name,
            camera.recording.mode.name()
        );
        Err(Refusal::new(Kind::FailedPrecondition, why))
    }

    async fn summary(&self, field: &str, id: &str) -> Result<RunSummary, Refusal> {
        let run = RunId(ask::id(field, id)?);
        let summary = self.0.store.run_summary(run).await?;
        summary.ok_or_else(|| Refusal::new(Kind::NotFound, format!("no such recording \"{}\"", run.0)))
    }

    async fn list(&self, request: &pb::ListRecordingsRequest) -> Result<pb::ListRecordingsResponse, Refusal> {
        let camera = match request.camera.as_str() {
            "" => None,
            camera => Some(self.find(camera)?.id),
        };
        let range = request.range.as_ref().map(|range| ask::range(Some(range))).transpose()?;
        let size = pb_page::size(request.page_size)?;
        let after = ask::position(&request.page_token)?;
        // One more than asked for tells whether there is another page.
        let mut runs = self.0.store.runs(camera, range.as_ref(), after, u32::from(size) + 1).await?;
        let more = runs.len() > usize::from(size);
        if more {
            runs.pop();
        }
        let last = runs.last().filter(|_| more);
        let token = last.map(|last| ask::token_of(Position { placed_at: last.placed_at, run: last.run.id }));
        Ok(pb::ListRecordingsResponse {
            recordings: runs.iter().map(messages::recording).collect(),
            next_page_token: token.unwrap_or_default(),
        })
    }

    async fn start(&self, camera: &str) -> Result<(), Refusal> {
        let camera = self.manual(camera)?;
        // The row first: what was answered holds after a restart.
        self.0.store.start_manual(camera.id).await?;
        self.0.recorder.start(camera.id).await?;
        tracing::info!(camera.id = %camera.id, camera.name = camera.name, "recording was started by hand");
        Ok(())
    }

    async fn stop(&self, camera: &str) -> Result<(), Refusal> {
        let camera = self.manual(camera)?;
        self.0.store.stop_manual(camera.id).await?;
        self.0.recorder.stop(camera.id).await?;
        tracing::info!(camera.id = %camera.id, camera.name = camera.name, "recording was stopped by hand");
        Ok(())
    }

    async fn timeline(&self, request: &pb::GetTimelineRequest) -> Result<pb::Timeline, Refusal> {
        let camera = self.find(&request.camera)?.id;
        let range = ask::timeline_range(request.range.as_ref())?;
        let timeline = self.0.store.timeline(camera, &range).await?;
        let pins = self.0.store.pins(camera, &range).await?;
        Ok(pb::Timeline {
            camera_id: camera.to_string(),
            range: Some(messages::range(&range)),
            spans: timeline.stretches.iter().map(messages::span).collect(),
            gaps: timeline.gaps.iter().map(messages::gap).collect(),
            pins: pins.iter().map(messages::pin).collect(),
        })
    }

    fn play_url(&self, request: &pb::CreatePlayUrlRequest) -> Result<pb::CreatePlayUrlResponse, Refusal> {
        let camera = self.find(&request.camera)?.id;
        let range = ask::play_range(request.range.as_ref())?;
        let now = self.0.clock.now();
        let expires_at = now + ask::valid_for(request.valid_for)?;
        let (playlist, from, to) = match range {
            None => ("live.m3u8".to_owned(), now - BEFORE_LIVE, Timestamp::MAX),
            Some(range) => {
                let playlist = format!("{}/{}.m3u8", range.start.as_microsecond(), range.end.as_microsecond());
                (playlist, range.start, range.end)
            }
        };
        let grant = self.0.access.sign(&Grant { camera, from, to, expires_at });
        // By id, so that the URL outlives a new name.
        let path = format!("/hls/{camera}/{playlist}?grant={grant}");
        let urls = self.0.bases.iter().map(|base| format!("{base}{path}")).collect();
        Ok(pb::CreatePlayUrlResponse { path, urls, expires_at: Some(timestamp(expires_at)) })
    }

    async fn pin(&self, request: &pb::PinRangeRequest) -> Result<pb::Pin, Refusal> {
        let camera = self.find(&request.camera)?;
        let range = ask::range(request.range.as_ref())?;
        let pin = self.0.recorder.pin(camera.id, range, ask::note(&request.note)?).await?;
        Ok(messages::pin(&pin))
    }

    async fn unpin(&self, id: &str) -> Result<(), Refusal> {
        let id = ask::id("id", id)?;
        if self.0.recorder.unpin(id).await? {
            return Ok(());
        }
        Err(Refusal::new(Kind::NotFound, format!("no such pin \"{id}\"")))
    }

    async fn delete(&self, request: pb::DeleteRecordingsRequest) -> Result<pb::DeleteRecordingsResponse, Refusal> {
        let (what, title) = match request.what {
            Some(What::Recordings(wanted)) => self.of_recordings(&wanted.ids).await?,
            Some(What::CameraRange(wanted)) => {
                let camera = self.find(&wanted.camera)?;
                let range = ask::range(wanted.range.as_ref())?;
                let title = format!("delete what {} recorded from {} to {}", camera.name, range.start, range.end);
                (Deletion::span(camera.id, &range, self.0.store.last_segment().await?), title)
            }
            None => return Err(Refusal::field("what", "is not set")),
        };
        let pins = self.0.store.pins_against(&what).await?;
        if !pins.is_empty() {
            let named = pins.iter().map(|pin| format!("{} ({} to {})", pin.id, pin.range.start, pin.range.end));
            let why = format!("nothing was deleted; pins hold it: {}", named.collect::<Vec<_>>().join(", "));
            return Err(Refusal::new(Kind::FailedPrecondition, why));
        }
        let Deletable { segments, bytes } = self.0.store.deletable_size(&what).await?;
        let job = match segments {
            0 => None,
            _ => Some(self.0.jobs.start(what.job(title)?).await?),
        };
        Ok(pb::DeleteRecordingsResponse { segments, bytes, job: job.as_ref().map(jobs::message) })
    }

    async fn verify(&self, request: &pb::VerifyRecordingsRequest) -> Result<Verification, Refusal> {
        let camera = match request.camera.as_str() {
            "" => None,
            camera => Some(self.find(camera)?.id),
        };
        let range = request.range.as_ref().map(|range| ask::range(Some(range))).transpose()?;
        Verification::begin(self.0.store.clone(), Arc::clone(&self.0.recorder), camera, range).await
    }

    async fn of_recordings(&self, ids: &[String]) -> Result<(Deletion, String), Refusal> {
        let runs = ids.iter().map(|id| ask::id("recordings.ids", id)).collect::<Result<Vec<_>, _>>()?;
        if !(1..=MOST_RECORDINGS).contains(&runs.len()) {
            let why = format!("{} are named, 1 to {MOST_RECORDINGS} may be", runs.len());
            return Err(Refusal::field("recordings.ids", why));
        }
        let known = self.0.store.ended(&runs).await?;
        for run in &runs {
            match known.get(&RunId(*run)) {
                None => return Err(Refusal::new(Kind::NotFound, format!("no such recording \"{run}\""))),
                Some(false) => {
                    let why = format!("recording \"{run}\" is still going on; delete a range of it, or stop it first");
                    return Err(Refusal::new(Kind::FailedPrecondition, why));
                }
                Some(true) => {}
            }
        }
        let title = match runs.as_slice() {
            [run] => format!("delete recording {run}"),
            runs => format!("delete {} recordings", runs.len()),
        };
        Ok((Deletion::Runs(runs), title))
    }
}

#[tonic::async_trait]
impl RecordingService for Service {
    async fn list_recordings(
        &self,
        request: Request<pb::ListRecordingsRequest>,
    ) -> Result<Response<pb::ListRecordingsResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref()).await?))
    }

    async fn get_recording(
        &self,
        request: Request<pb::GetRecordingRequest>,
    ) -> Result<Response<pb::Recording>, Status> {
        let summary = self.summary("id", &request.get_ref().id).await?;
        Ok(Response::new(messages::recording(&summary)))
    }

    async fn start_recording(
        &self,
        request: Request<pb::StartRecordingRequest>,
    ) -> Result<Response<pb::StartRecordingResponse>, Status> {
        self.start(&request.get_ref().camera).await?;
        Ok(Response::new(pb::StartRecordingResponse {}))
    }

    async fn stop_recording(
        &self,
        request: Request<pb::StopRecordingRequest>,
    ) -> Result<Response<pb::StopRecordingResponse>, Status> {
        self.stop(&request.get_ref().camera).await?;
        Ok(Response::new(pb::StopRecordingResponse {}))
    }

    async fn get_timeline(&self, request: Request<pb::GetTimelineRequest>) -> Result<Response<pb::Timeline>, Status> {
        Ok(Response::new(self.timeline(request.get_ref()).await?))
    }

    async fn create_play_url(
        &self,
        request: Request<pb::CreatePlayUrlRequest>,
    ) -> Result<Response<pb::CreatePlayUrlResponse>, Status> {
        Ok(Response::new(self.play_url(request.get_ref())?))
    }

    async fn pin_range(&self, request: Request<pb::PinRangeRequest>) -> Result<Response<pb::Pin>, Status> {
        Ok(Response::new(self.pin(request.get_ref()).await?))
    }

    async fn unpin(&self, request: Request<pb::UnpinRequest>) -> Result<Response<pb::UnpinResponse>, Status> {
        self.unpin(&request.get_ref().id).await?;
        Ok(Response::new(pb::UnpinResponse {}))
    }

    async fn delete_recordings(
        &self,
        request: Request<pb::DeleteRecordingsRequest>,
    ) -> Result<Response<pb::DeleteRecordingsResponse>, Status> {
        Ok(Response::new(self.delete(request.into_inner()).await?))
    }

    async fn find_footage(&self, _: Request<pb::FindFootageRequest>) -> Result<Response<pb::FoundFootage>, Status> {
        Ok(Response::new(adopting::found(self.0.adoption.found().await?)))
    }

    type AdoptFootageStream = pin::Pin<Box<dyn Stream<Item = Result<pb::AdoptFootageResponse, Status>> + Send>>;

    async fn adopt_footage(
        &self,
        request: Request<pb::AdoptFootageRequest>,
    ) -> Result<Response<Self::AdoptFootageStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let progress = adopting::stream(self.0.adoption.adopt()).map_err(Status::from);
        Ok(Response::new(Box::pin(caller.until_revoked(progress))))
    }

    type VerifyRecordingsStream = pin::Pin<Box<dyn Stream<Item = Result<pb::VerifyRecordingsResponse, Status>> + Send>>;

    async fn verify_recordings(
        &self,
        request: Request<pb::VerifyRecordingsRequest>,
    ) -> Result<Response<Self::VerifyRecordingsStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let found = self.verify(request.get_ref()).await?.stream().map_err(Status::from);
        Ok(Response::new(Box::pin(caller.until_revoked(found))))
    }
}

#[cfg(test)]
mod tests;
