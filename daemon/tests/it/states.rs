//! A state folder of an earlier release is opened by this one, with everything in it.
//!
//! Each archive below `tests/states` was made by `tests/states/make` with the release of its day: two runs of a camera with
//! a pin and a gap, a thermometer, an alarm whose message waits, an admin, a token, and the keys.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use larder_daemon::{clock::Clock, config::Config, db::cluster::Cluster, tasks::Tasks};
use larder_proto::pb::{self, sign_in_request};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Hub, frame_times, get_with, runs, simulated, until};

fn archives() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/states");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut archives: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    archives.sort();
    assert!(!archives.is_empty());
    archives
}

/// Deliveries that were through in schema 6, where they had a table of their own; one was too old to be sent.
const FINISHED: &str = "DO $$ BEGIN IF to_regclass('alarm_deliveries') IS NOT NULL THEN
    INSERT INTO alarm_deliveries SELECT other.id, alarm_id, channel_id, 'repeated', message, created_at, now(),
        other.delivered, 3, next_attempt_at, CASE WHEN other.delivered THEN NULL ELSE '410 Gone' END
    FROM alarm_deliveries, (VALUES ('00000000-0000-7000-8000-000000000001'::uuid, true),
                                   ('00000000-0000-7000-8000-000000000002'::uuid, false)) other (id, delivered);
END IF; END $$";

/// The state folder of an archive, with its database in a cluster; and what must be found.
async fn unpacked(archive: &Path) -> (TempDir, Value) {
    let state = tempfile::tempdir().unwrap();
    let mut unpacking = Command::new("tar");
    unpacking.arg("xzf").arg(archive).arg("-C").arg(state.path()).arg("--no-same-owner");
    assert!(unpacking.status().unwrap().success());
    let tasks = Tasks::new();
    let cluster = Cluster::start(state.path(), Config::default().database.bin_dir.as_deref(), &tasks).await.unwrap();
    let dump = fs::read_to_string(state.path().join("database.sql")).unwrap();
    let connection = cluster.connection();
    // Outside the runtime, which the blocking client has one of its own for.
    tokio::task::spawn_blocking(move || {
        let mut client = postgres::Config::from(connection).connect(postgres::NoTls).unwrap();
        client.batch_execute(&dump).unwrap();
        client.batch_execute("SET search_path = public").unwrap();
        client.batch_execute(FINISHED).unwrap();
    })
    .await
    .unwrap();
    tasks.stop(Duration::from_secs(5)).await;
    assert!(cluster.stop(Duration::from_secs(20)).await);
    let expected = serde_json::from_slice(&fs::read(state.path().join("expected.json")).unwrap()).unwrap();
    (state, expected)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_state_of_every_earlier_release_opens_with_all_that_was_in_it() {
    for archive in archives() {
        let (state, expected) = unpacked(&archive).await;
        let hub = Hub::start_in(state, &[]).await;
        recordings(&hub, &expected).await;
        alarms(&hub, &expected).await;
        temperatures(&hub).await;
        access(&hub, &expected).await;
        camera(&hub, &expected).await;
        hub.stop().await;
    }
}

/// A former release kept no checksums, and nothing beside the recordings that says what a camera is: this one adds the latter
/// as soon as it has the database.
#[tokio::test]
async fn what_every_earlier_release_recorded_outlives_its_database_and_is_verified() {
    for archive in archives() {
        let (state, expected) = unpacked(&archive).await;
        let camera = text(&expected["camera"]["camera"]["id"]).to_owned();
        let hub = Hub::start_in(state, &[]).await;
        let first = verified(&hub).await;
        assert!(first.segments > 0 && first.not_verifiable == first.segments, "{first:?}");
        let kept = hub.recordings().join(&camera).join("camera.json");
        until("what the camera is to be kept", || async { kept.exists().then_some(()) }).await;
        let postgres = hub.state().join("postgres");
        let aside = postgres.with_extension("lost");
        let hub = hub.restart_after(Clock::new(), || fs::rename(&postgres, &aside).unwrap()).await;

        let request = pb::AdoptFootageRequest {};
        let mut progress = hub.clients.recordings.clone().adopt_footage(request).await.unwrap().into_inner();
        while progress.message().await.unwrap().is_some() {}
        recordings(&hub, &expected).await;
        let again = verified(&hub).await;
        assert_eq!((again.segments, again.bytes, again.damaged.len()), (first.segments, first.bytes, 0));
        hub.stop().await;
    }
}

/// All of it was read; the last answer.
async fn verified(hub: &Hub) -> pb::VerifyRecordingsResponse {
    let request = pb::VerifyRecordingsRequest::default();
    let mut answers = hub.clients.recordings.clone().verify_recordings(request).await.unwrap().into_inner();
    let mut last = pb::VerifyRecordingsResponse::default();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.damaged, []);
        last = answer;
    }
    last
}

/// Every run is listed, pinned as it was, and its pictures decode; the gap between them has its reason.
async fn recordings(hub: &Hub, expected: &Value) {
    let camera = text(&expected["camera"]["camera"]["id"]);
    let request = pb::ListRecordingsRequest { camera: camera.to_owned(), ..Default::default() };
    let listed = hub.clients.recordings.clone().list_recordings(request).await.unwrap().into_inner().recordings;
    let known = expected["runs"].as_array().unwrap();
    assert_eq!(listed.len(), known.len());
    for (run, known) in listed.iter().zip(known) {
        assert_eq!((run.id.as_str(), run.size_bytes), (text(&known["id"]), known["size_bytes"].as_u64().unwrap()));
        assert_eq!(u64::from(run.fragments), known["fragments"].as_u64().unwrap());
        assert_eq!(run.end_reason(), pb::EndReason::CameraOffline);
    }
    assert!(!listed[0].pinned && listed[1].pinned);
    for run in runs(&hub.recordings(), camera) {
        assert!(frame_times(&run).len() >= 20, "its pictures decode");
    }
    let (first, last) = (listed.last().unwrap(), &listed[0]);
    let range = pb::TimeRange { from: first.started_at, to: last.ended_at };
    let request = pb::GetTimelineRequest { camera: camera.to_owned(), range: Some(range) };
    let timeline = hub.clients.recordings.clone().get_timeline(request).await.unwrap().into_inner();
    assert_eq!(timeline.gaps.len(), expected["gaps"].as_array().unwrap().len());
    assert_eq!(timeline.gaps[0].reason(), pb::GapReason::CameraOffline);
    assert_eq!((timeline.pins.len(), timeline.pins[0].note.as_str()), (1, "keep me"));
}

/// The sensor is heard as before, with its offset.
async fn temperatures(hub: &Hub) {
    let known = || async {
        let request = pb::GetSensorRequest { sensor: "cellar".to_owned() };
        hub.clients.temperatures.clone().get_sensor(request).await.unwrap().into_inner()
    };
    let sensor = known().await;
    assert_eq!((sensor.offset_celsius, sensor.latest.unwrap().celsius), (0.5, Some(8.6)), "the newest that was kept");
    let device = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    device.send_to(b"cellar=9.0", hub.addresses().thermometers).unwrap();
    until("the next reading", || async { (known().await.latest.unwrap().celsius == Some(9.5)).then_some(()) }).await;
}

/// The alarm is still raised, its message is tried again or too old by now, and what became of others is still known.
async fn alarms(hub: &Hub, expected: &Value) {
    let request = pb::ListAlarmsRequest { raised_only: true, ..Default::default() };
    let raised = hub.clients.alarms.clone().list_alarms(request).await.unwrap().into_inner().alarms;
    let known = &expected["raised"][0];
    let [alarm] = raised.as_slice() else { panic!("one alarm: {raised:?}") };
    assert_eq!((alarm.id.as_str(), alarm.extreme_celsius), (text(&known["id"]), known["extreme_celsius"].as_f64()));
    let known = &expected["deliveries"][0];
    let delivery = until("another attempt", || async {
        let request = pb::ListAlarmDeliveriesRequest { alarm: alarm.id.clone(), ..Default::default() };
        let deliveries =
            hub.clients.alarms.clone().list_alarm_deliveries(request).await.unwrap().into_inner().deliveries;
        let delivery = deliveries.into_iter().find(|delivery| delivery.id == text(&known["id"])).unwrap();
        (u64::from(delivery.attempts) > known["attempts"].as_u64().unwrap()).then_some(delivery)
    })
    .await;
    assert_eq!((delivery.channel_name.as_str(), delivery.occasion()), ("house", pb::AlarmOccasion::Raised));
    assert!(delivery.error.contains("connecting"), "{delivery:?}");
    let request = pb::ListAlarmDeliveriesRequest { alarm: alarm.id.clone(), ..Default::default() };
    let all = hub.clients.alarms.clone().list_alarm_deliveries(request).await.unwrap().into_inner().deliveries;
    let state = |id: &str| all.iter().find(|one| one.id.ends_with(id)).map(|one| (one.state(), one.error.as_str()));
    assert_eq!(state("-000000000001"), Some((pb::AlarmDeliveryState::Delivered, "")));
    assert_eq!(state("-000000000002"), Some((pb::AlarmDeliveryState::Failed, "410 Gone")));
}

/// Passwords and tokens let in as before.
async fn access(hub: &Hub, expected: &Value) {
    let admin = &expected["admin"];
    let (name, password) = (text(&admin["name"]).to_owned(), text(&admin["password"]).to_owned());
    let credentials = Some(sign_in_request::Credentials::Password(sign_in_request::Password { name, password }));
    let signed_in = hub.clients.access.clone().sign_in(pb::SignInRequest { credentials }).await.unwrap().into_inner();
    assert_eq!(signed_in.identity.unwrap().role(), pb::Role::Admin);
    let bearer = format!("Bearer {}", text(&expected["token"]["secret"]));
    let answer = get_with(hub.http(), "/metrics", &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 200);
}

/// The board needs not be provisioned again: its key opens a session, and it is recorded.
async fn camera(hub: &Hub, expected: &Value) {
    let known = &expected["camera"];
    let id = text(&known["camera"]["id"]).parse().unwrap();
    let key = larder_ctl::simulate::key_from_hex(text(&known["key"])).unwrap();
    let (stop, board) = simulated(hub, id, key, |_| {});
    until("the camera to be recorded", || async {
        let request = pb::GetCameraRequest { camera: "fridge".to_owned() };
        let camera = hub.clients.cameras.clone().get_camera(request).await.unwrap().into_inner();
        assert_eq!((camera.title.as_str(), camera.recording.unwrap().max_bytes), ("Kitchen", Some(10_000_000_000)));
        camera.status.unwrap().recording.then_some(())
    })
    .await;
    stop.cancel();
    board.await.unwrap();
}
