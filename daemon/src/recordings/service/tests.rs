//! `RecordingService` against a real PostgreSQL.

use std::sync::Mutex;

use larder_proto::pb::delete_recordings_request::{CameraRange, RecordingIds};
use tokio::sync::watch;
use tonic::Code;
use uuid::Uuid;

use super::*;
use crate::db::jobs::JobId;
use crate::recordings::{
    Adopted, Deleting, EndReason, Found, Gap, GapReason, Segment,
    testing::{Bench, at, ended, run, segment},
};

/// Takes the recorder's place: keeps to the order of rows, and has no files.
struct Rows {
    store: Store,
    told: Mutex<Vec<&'static str>>,
}

#[tonic::async_trait]
impl Commands for Rows {
    async fn start(&self, _: CameraId) -> Result<(), Refusal> {
        self.told.lock().unwrap().push("start");
        Ok(())
    }

    async fn stop(&self, _: CameraId) -> Result<(), Refusal> {
        self.told.lock().unwrap().push("stop");
        Ok(())
    }

    async fn pin(&self, camera: CameraId, range: Range<Timestamp>, note: &str) -> Result<Pin, Refusal> {
        Ok(self.store.pin(camera, &range, note).await?)
    }

    async fn unpin(&self, id: Uuid) -> Result<bool, Refusal> {
        Ok(self.store.unpin(id).await?.is_some())
    }

    async fn verify(&self, segment: i64) -> Result<Option<Verified>, Refusal> {
        let found = self.store.verifiable_segment(segment).await?;
        Ok(found.map(|(segment, fragments)| Verified::of(segment, &fragments)))
    }

    async fn delete(&self, segments: &[i64]) -> Result<u64, Failed> {
        let marked = self.store.mark_deleting(segments).await?;
        assert_eq!(marked.len(), segments.len());
        self.store.remove_segments(segments).await?;
        Ok(segments.len().try_into().unwrap())
    }
}

/// Takes the adoption's place where no folder is.
struct Nothing;

#[tonic::async_trait]
impl Adopting for Nothing {
    async fn found(&self) -> Result<Found, Refusal> {
        Ok(Found::default())
    }

    fn adopt(&self) -> watch::Receiver<Adopted> {
        watch::channel(Adopted { ended: Some(Ok(())), ..Adopted::default() }).1
    }
}

struct Stage {
    bench: Bench,
    camera: CameraId,
    recorder: Arc<Rows>,
    service: Service,
}

impl Stage {
    /// Deletes, and waits for the job's end; the answer with the job as it ended.
    async fn delete(&self, request: Request<pb::DeleteRecordingsRequest>) -> pb::DeleteRecordingsResponse {
        let mut answer = self.service.delete_recordings(request).await.unwrap().into_inner();
        let id = JobId(answer.job.as_ref().unwrap().id.parse().unwrap());
        let mut watch = self.service.0.jobs.watch(Some(id)).await.unwrap();
        while let Some(job) = watch.next().await {
            answer.job = Some(jobs::message(&job.unwrap()));
        }
        assert_eq!(answer.job.as_ref().unwrap().state(), pb::JobState::Succeeded);
        answer
    }
}

async fn stage() -> Stage {
    let bench = Bench::start().await;
    let camera = bench.camera("fridge").await;
    let by_hand = bench.camera("cellar").await;
    let manual = "UPDATE cameras SET recording_mode = 'manual' WHERE id = $1";
    bench.db.client().await.unwrap().execute(manual, &[&by_hand.0]).await.unwrap();
    let recorder = Arc::new(Rows { store: bench.store.clone(), told: Mutex::default() });
    let commands: Arc<dyn Commands> = recorder.clone();
    let jobs = Jobs::new(bench.db.clone(), Clock::new());
    jobs.register(Arc::new(Deleting::new(bench.store.clone(), commands.clone())));
    jobs.run(&bench.tasks);
    let service = Service::new(Parts {
        store: bench.store.clone(),
        directory: bench.directory().await,
        recorder: commands,
        adoption: Arc::new(Nothing),
        jobs,
        access: bench.access(),
        clock: Clock::new(),
        bases: vec!["http://fridge.local:8080".to_owned()],
    });
    Stage { bench, camera, recorder, service }
}

fn asked(from: i64, to: i64) -> Option<pb::TimeRange> {
    Some(messages::range(&(at(from)..at(to))))
}

fn of_range(from: i64, to: i64) -> Request<pb::DeleteRecordingsRequest> {
    let range = CameraRange { camera: "fridge".to_owned(), range: asked(from, to) };
    Request::new(pb::DeleteRecordingsRequest { what: Some(What::CameraRange(range)) })
}

#[tokio::test]
async fn recording_by_hand_starts_and_stops_in_manual_mode_alone() {
    let stage = stage().await;
    let start = |camera: &str| Request::new(pb::StartRecordingRequest { camera: camera.to_owned() });
    let refused = stage.service.start_recording(start("fridge")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("mode continuous"), "{}", refused.message());
    assert_eq!(stage.service.start_recording(start("attic")).await.unwrap_err().code(), Code::NotFound);

    stage.service.start_recording(start("cellar")).await.unwrap();
    assert_eq!(stage.bench.store.manual().await.unwrap().len(), 1);
    let stop = Request::new(pb::StopRecordingRequest { camera: "cellar".to_owned() });
    stage.service.stop_recording(stop).await.unwrap();
    assert_eq!(stage.bench.store.manual().await.unwrap(), []);
    assert_eq!(*stage.recorder.told.lock().unwrap(), ["start", "stop"]);
    stage.bench.stop().await;
}

#[tokio::test]
async fn pages_follow_each_other_and_a_timeline_tells_runs_gaps_and_pins() {
    let stage = stage().await;
    let store = &stage.bench.store;
    for ordinal in 0..3 {
        let one =
            ended(run(stage.camera, ordinal, ordinal * 30, ordinal * 100), ordinal * 100 + 60, EndReason::Stalled);
        store.insert_run(&one).await.unwrap();
        store.upsert_segment(&segment(&one, ordinal * 30, ordinal * 100, 30)).await.unwrap();
        let gap = Gap {
            camera: stage.camera,
            started_at: at(ordinal * 100 + 60),
            ended_at: Some(at(ordinal * 100 + 100)),
            reason: GapReason::Stalled,
        };
        store.open_gap(&gap).await.unwrap();
    }

    let (mut token, mut starts) = (String::new(), Vec::new());
    loop {
        let request = pb::ListRecordingsRequest { page_size: 2, page_token: token, ..Default::default() };
        let page = stage.service.list_recordings(Request::new(request)).await.unwrap().into_inner();
        starts
            .extend(page.recordings.iter().map(|recording| recording.started_at.unwrap().seconds - at(0).as_second()));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(starts, [200, 100, 0]);

    let pin = pb::PinRangeRequest { camera: "fridge".into(), range: asked(110, 120), note: "milk".into() };
    let pin = stage.service.pin_range(Request::new(pin)).await.unwrap().into_inner();
    let request = pb::GetTimelineRequest { camera: "fridge".into(), range: asked(30, 1000) };
    let timeline = stage.service.get_timeline(Request::new(request)).await.unwrap().into_inner();
    assert_eq!((timeline.spans.len(), timeline.gaps.len(), timeline.pins), (3, 3, vec![pin.clone()]));
    assert_eq!(timeline.spans[0].started_at, asked(30, 31).unwrap().from);
    assert_eq!(timeline.gaps[0].reason(), pb::GapReason::Stalled);

    let request = || Request::new(pb::UnpinRequest { id: pin.id.clone() });
    RecordingService::unpin(&stage.service, request()).await.unwrap();
    assert_eq!(RecordingService::unpin(&stage.service, request()).await.unwrap_err().code(), Code::NotFound);
    stage.bench.stop().await;
}

#[tokio::test]
async fn deletion_takes_whole_closed_segments_and_none_that_a_pin_holds() {
    let stage = stage().await;
    let store = &stage.bench.store;
    let first = run(stage.camera, 0, 0, 0);
    store.insert_run(&first).await.unwrap();
    store.upsert_segment(&segment(&first, 0, 0, 30)).await.unwrap();
    store.upsert_segment(&segment(&first, 30, 60, 30)).await.unwrap();
    store.upsert_segment(&Segment { closed: false, ..segment(&first, 60, 120, 5) }).await.unwrap();
    let pin = store.pin(stage.camera, &(at(70)..at(80)), "").await.unwrap();

    let of_runs = |ids: &[Uuid]| {
        let ids = ids.iter().map(Uuid::to_string).collect();
        let what = Some(What::Recordings(RecordingIds { ids }));
        Request::new(pb::DeleteRecordingsRequest { what })
    };
    let whole = || of_runs(&[first.id.0]);
    let going_on = stage.service.delete_recordings(whole()).await.unwrap_err();
    assert_eq!(going_on.code(), Code::FailedPrecondition);
    let pinned = stage.service.delete_recordings(of_range(0, 500)).await.unwrap_err();
    assert_eq!(pinned.code(), Code::FailedPrecondition);
    assert!(pinned.message().contains(&pin.id.to_string()), "{}", pinned.message());
    assert_eq!(store.segments_known(first.id).await.unwrap().len(), 3);

    let deleted = stage.delete(of_range(59, 60)).await;
    assert_eq!((deleted.segments, deleted.bytes), (1, 30_000));
    let job = deleted.job.unwrap();
    assert_eq!((job.kind.as_str(), job.progress.unwrap().done), ("recording_deletion", 1));
    let again = stage.service.delete_recordings(of_range(59, 60)).await.unwrap().into_inner();
    assert_eq!((again.segments, again.job), (0, None), "there is nothing left to do");
    store.unpin(pin.id).await.unwrap();
    assert_eq!(stage.delete(of_range(0, 500)).await.segments, 1, "the open one stays");
    store.end_run(first.id, at(130), EndReason::Stopped).await.unwrap();
    let unknown = Uuid::now_v7();
    let one_is_unknown = stage.service.delete_recordings(of_runs(&[first.id.0, unknown])).await.unwrap_err();
    assert_eq!(one_is_unknown.code(), Code::NotFound);
    assert!(one_is_unknown.message().contains(&unknown.to_string()));
    assert_eq!(stage.delete(whole()).await.segments, 1);
    assert_eq!(stage.service.delete_recordings(whole()).await.unwrap_err().code(), Code::NotFound);
    for wrong in [Request::new(pb::DeleteRecordingsRequest { what: None }), of_runs(&[]), of_runs(&[unknown; 1001])] {
        assert_eq!(stage.service.delete_recordings(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn a_play_url_is_signed_for_its_range_or_for_live() {
    let stage = stage().await;
    let request = pb::CreatePlayUrlRequest { camera: "fridge".into(), range: asked(0, 60), valid_for: None };
    let range = stage.service.create_play_url(Request::new(request)).await.unwrap().into_inner();
    let (from, to) = (at(0).as_microsecond(), at(60).as_microsecond());
    assert!(range.path.starts_with(&format!("/hls/{}/{from}/{to}.m3u8?grant=", stage.camera)), "{}", range.path);
    assert_eq!(range.urls, [format!("http://fridge.local:8080{}", range.path)]);
    let request = pb::CreatePlayUrlRequest {
        camera: "fridge".into(),
        range: None,
        valid_for: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
    };
    let live = stage.service.create_play_url(Request::new(request)).await.unwrap().into_inner();
    assert!(live.path.starts_with(&format!("/hls/{}/live.m3u8?grant=", stage.camera)));
    assert!(live.expires_at.unwrap().seconds < range.expires_at.unwrap().seconds);
    stage.bench.stop().await;
}
