//! What is recorded is what was captured, when it was captured.

use std::time::Duration;

use larder_ctl::simulate::{Dial, Link};
use larder_proto::{
    pb::{
        self,
        delete_recordings_request::{RecordingIds, What},
    },
    wire::{
        CameraId,
        camera::{ByeReason, Telemetry},
    },
};
use tokio::time::Instant;

use crate::support::{Hub, Pictures, frame_times, get, get_with, runs, session_clock, simulated, until};

/// The issue with time stamps elsewhere: ffmpeg's own are up to seconds off. Half a millisecond is the container's
/// rounding, the rest is left to the clock map's slewing.
const TOLERANCE: Duration = Duration::from_millis(5);

async fn all_recordings(hub: &Hub, camera: CameraId) -> Vec<pb::Recording> {
    let request = pb::ListRecordingsRequest { camera: camera.to_string(), ..Default::default() };
    let mut recordings = hub.clients.recordings.clone().list_recordings(request).await.unwrap().into_inner().recordings;
    recordings.reverse();
    recordings
}

async fn status(hub: &Hub, camera: CameraId) -> pb::CameraStatus {
    let request = pb::GetCameraRequest { camera: camera.to_string() };
    hub.clients.cameras.clone().get_camera(request).await.unwrap().into_inner().status.unwrap()
}

/// The recordings once so many have ended.
async fn ended(hub: &Hub, camera: CameraId, count: usize) -> Vec<pb::Recording> {
    until("recordings to end", || async {
        let all = all_recordings(hub, camera).await;
        (all.iter().filter(|recording| recording.ended_at.is_some()).count() >= count).then_some(all)
    })
    .await
}

fn timeline_of(camera: CameraId, hours: i64) -> pb::GetTimelineRequest {
    let now = jiff::Timestamp::now();
    let at = |time: jiff::Timestamp| Some(prost_types::Timestamp { seconds: time.as_second(), nanos: 0 });
    let range = pb::TimeRange {
        from: at(now - jiff::SignedDuration::from_hours(hours)),
        to: at(now + jiff::SignedDuration::from_mins(5)),
    };
    pb::GetTimelineRequest { camera: camera.to_string(), range: Some(range) }
}

#[tokio::test(flavor = "multi_thread")]
async fn irregular_pictures_and_a_pause_of_seven_seconds_keep_their_times() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let clock = session_clock();
    let mut pictures = Pictures::new(320, 240);
    let address = hub.addresses().camera_link.to_string();
    let mut link = Link::connect(&address, &Dial::new(camera, key), clock()).await.unwrap();

    // What a camera says of itself when it connects; it tells the hub the delay of the line as well.
    for _ in 0..5 {
        link.send_telemetry(Telemetry::default(), clock()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Milliseconds to wait before each picture: uneven, and once seven seconds.
    let mut waits: Vec<u64> = (0..50).map(|n| [20, 33, 140, 61, 250][n % 5]).collect();
    waits.extend([7_000, 40, 40, 300, 40, 40, 40, 500, 40, 40]);
    let mut taken = Vec::new();
    let mut due = Instant::now();
    for wait in waits {
        due += Duration::from_millis(wait);
        let picture = pictures.take();
        tokio::time::sleep_until(due).await;
        let t_us = clock();
        taken.push(Duration::from_micros(t_us));
        link.send_frame(picture, t_us).await.unwrap();
    }
    link.goodbye(ByeReason::Done, clock()).await.unwrap();

    ended(&hub, camera, 2).await;
    let runs = runs(&hub.recordings(), &camera.to_string());
    assert_eq!(runs.len(), 2, "the pause ends a run: {runs:?}");
    let mut recorded = Vec::new();
    for run in &runs {
        let started_us = run.about["started_at_us"].as_u64().unwrap();
        recorded.extend(frame_times(run).into_iter().map(|pts| Duration::from_micros(started_us) + pts));
    }
    let status = status(&hub, camera).await;
    assert_eq!(recorded.len(), taken.len(), "every picture is there once: {status:?} {runs:?} {recorded:?}");
    for (n, (recorded_at, taken_at)) in recorded.iter().zip(&taken).enumerate() {
        let (since, true_since) = (*recorded_at - recorded[0], *taken_at - taken[0]);
        let off = since.abs_diff(true_since);
        assert!(off <= TOLERANCE, "picture {n} is {off:?} off: {since:?} instead of {true_since:?}");
    }

    let timeline = hub.clients.recordings.clone().get_timeline(timeline_of(camera, 1)).await.unwrap().into_inner();
    assert_eq!(timeline.spans.len(), 2);
    assert!(
        timeline.gaps.iter().any(|gap| gap.reason() == pb::GapReason::Stalled && gap.ended_at.is_some()),
        "{:?}",
        timeline.gaps
    );
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_size_in_mid_stream_plays_on_both_sides() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let clock = session_clock();
    let address = hub.addresses().camera_link.to_string();
    let mut link = Link::connect(&address, &Dial::new(camera, key), clock()).await.unwrap();
    for (width, height) in [(320, 240), (640, 480)] {
        let mut pictures = Pictures::new(width, height);
        for _ in 0..30 {
            let picture = pictures.take();
            tokio::time::sleep(Duration::from_millis(50)).await;
            link.send_frame(picture, clock()).await.unwrap();
        }
    }
    link.goodbye(ByeReason::Done, clock()).await.unwrap();

    let recordings = ended(&hub, camera, 2).await;
    let sizes: Vec<_> = recordings.iter().map(|one| one.size.unwrap()).map(|size| (size.width, size.height)).collect();
    assert_eq!(sizes, [(320, 240), (640, 480)]);
    assert_eq!(recordings[0].end_reason(), pb::EndReason::SizeChanged);
    for run in runs(&hub.recordings(), &camera.to_string()) {
        assert_eq!(frame_times(&run).len(), 30);
    }

    // The playlist over both says so, and every byte range it names is served.
    let token = hub.token("player", pb::Role::Viewer).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let from = recordings[0].started_at.unwrap().seconds - 60;
    let path = format!("/hls/fridge/{}/{}.m3u8", from * 1_000_000, (from + 300) * 1_000_000);
    let playlist = get_with(hub.http(), &path, &headers).await;
    assert_eq!(playlist.status, 200, "{}", playlist.text());
    let text = playlist.text();
    assert!(text.contains("#EXT-X-ENDLIST") && text.contains("#EXT-X-PROGRAM-DATE-TIME:"), "{text}");
    assert_eq!(text.matches("#EXT-X-MAP:").count(), 2, "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    assert_eq!(get(hub.http(), &path).await.status, 401);
    let media = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
    let range = text.lines().find_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:")).unwrap();
    let (length, offset) = range.split_once('@').unwrap();
    let (length, offset): (u64, u64) = (length.parse().unwrap(), offset.parse().unwrap());
    // Relative to the playlist, so that a proxy may serve it under a prefix.
    let media = format!("/hls/fridge/{}", media.strip_prefix("../").unwrap());
    let wanted = format!("bytes={offset}-{}", offset + length - 1);
    let part = get_with(hub.http(), &media, &[headers[0], ("range", &wanted)]).await;
    assert_eq!((part.status.as_u16(), part.body.len() as u64), (206, length), "{media}");
    assert_eq!(&part.body[4..8], b"moof");
    assert_eq!(get_with(hub.http(), &media, &[("range", &wanted)]).await.status, 401);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_and_its_absence_is_a_gap() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    until("the first fragment", || async {
        all_recordings(&hub, camera).await.iter().any(|one| one.fragments >= 1).then_some(())
    })
    .await;
    let hub = hub.restart().await;
    stop.cancel();
    task.await.unwrap();
    // The port is another one after the restart, so another camera process dials.
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    until("a second recording", || async {
        let all = all_recordings(&hub, camera).await;
        (all.len() == 2 && all[1].fragments >= 1).then_some(())
    })
    .await;
    let recordings = all_recordings(&hub, camera).await;
    assert_eq!(recordings[0].end_reason(), pb::EndReason::HubStopped);
    assert!(recordings[0].ended_at.is_some() && recordings[1].ended_at.is_none());
    let timeline = hub.clients.recordings.clone().get_timeline(timeline_of(camera, 1)).await.unwrap().into_inner();
    assert!(timeline.gaps.iter().any(|gap| gap.reason() == pb::GapReason::HubDown), "{:?}", timeline.gaps);
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_in_manual_mode_is_recorded_from_start_to_stop() {
    let hub = Hub::start().await;
    let recording = pb::RecordingSettings { mode: pb::RecordingMode::Manual.into(), ..Default::default() };
    let camera = pb::Camera { name: "fridge".to_owned(), recording: Some(recording), ..Default::default() };
    let (camera, key) = hub.add(camera).await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    let mut cameras = hub.clients.cameras.clone();
    until("the camera", || async { (status(&hub, camera).await.frames_received > 5).then_some(()) }).await;
    assert!(all_recordings(&hub, camera).await.is_empty());

    let mut client = hub.clients.recordings.clone();
    client.start_recording(pb::StartRecordingRequest { camera: "fridge".to_owned() }).await.unwrap();
    until("it to record", || async { status(&hub, camera).await.recording.then_some(()) }).await;
    until("a fragment", || async {
        all_recordings(&hub, camera).await.iter().any(|one| one.fragments >= 1).then_some(())
    })
    .await;
    client.stop_recording(pb::StopRecordingRequest { camera: "fridge".to_owned() }).await.unwrap();
    // The last fragment is registered when stop answers.
    let recordings = all_recordings(&hub, camera).await;
    assert_eq!((recordings.len(), recordings[0].end_reason()), (1, pb::EndReason::Stopped));

    let mask = prost_types::FieldMask { paths: vec!["recording.mode".to_owned()] };
    let off = pb::RecordingSettings { mode: pb::RecordingMode::Off.into(), ..Default::default() };
    let update = pb::Camera { id: "fridge".to_owned(), recording: Some(off), ..Default::default() };
    cameras.update_camera(pb::UpdateCameraRequest { camera: Some(update), update_mask: Some(mask) }).await.unwrap();
    let refused = client.start_recording(pb::StartRecordingRequest { camera: "fridge".to_owned() }).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);

    // Deleting takes the files with the rows.
    let ids = RecordingIds { ids: vec![recordings[0].id.clone()] };
    let request = pb::DeleteRecordingsRequest { what: Some(What::Recordings(ids)) };
    let deleted = client.delete_recordings(request).await.unwrap().into_inner();
    assert!(deleted.segments >= 1 && deleted.bytes > 1000, "{deleted:?}");
    let job = hub.clients.ended(&deleted.job.unwrap().id).await;
    assert_eq!((job.state(), job.progress.unwrap().done), (pb::JobState::Succeeded, deleted.segments));
    assert!(all_recordings(&hub, camera).await.is_empty());
    assert!(runs(&hub.recordings(), &camera.to_string()).is_empty());
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}
