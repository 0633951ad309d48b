use larder_proto::pb::{
    CaptureSettings, FrameSize, RecordingSettings, SensorReading,
    camera_source::{MjpegPull, WebSocketPush},
};

use super::*;
use crate::output::tests::Written;

fn telemetry() -> Telemetry {
    Telemetry {
        uptime: Some(prost_types::Duration { seconds: 3_725, nanos: 0 }),
        heap_free_bytes: 142_336,
        heap_min_free_bytes: 98_304,
        heap_largest_block_bytes: 65_536,
        psram_free_bytes: 3_900_000,
        chip_celsius: Some(41.25),
        rssi_dbm: -61,
        frames_captured: 1_000,
        frames_sent: 990,
        frames_dropped: 10,
        reset_reason: "power on".into(),
        sensors: vec![
            SensorReading { index: 0, celsius: Some(4.5), error_count: 0 },
            SensorReading { index: 1, celsius: None, error_count: 3 },
        ],
        ..Default::default()
    }
}

fn fridge() -> CameraView {
    let at = |second: i64| Some(prost_types::Timestamp { seconds: 1_795_359_600 + second, nanos: 0 });
    let mut recording = RecordingSettings {
        max_age: Some(prost_types::Duration { seconds: 2_592_000, nanos: 0 }),
        max_bytes: Some(50_000_000_000),
        ..Default::default()
    };
    recording.set_mode(RecordingMode::Continuous);
    let mut status = CameraStatus {
        camera_id: "6f8a1c52-9f0e-4f3a-8a55-0d2f8f3b7c11".into(),
        presence_since: at(-3_600),
        last_frame_at: at(-2),
        size: Some(FrameSize { width: 640, height: 480 }),
        fps: 9.96,
        bytes_per_second: 152_300.0,
        frames_received: 35_990,
        frames_refused: [("truncated".to_owned(), 2)].into(),
        telemetry: Some(telemetry()),
        address: "192.168.1.31:50123".into(),
        firmware_version: "1.0.0".into(),
        viewers: 1,
        recording: true,
        round_trip: Some(prost_types::Duration { seconds: 0, nanos: 4_230_000 }),
        recording_lag: Some(prost_types::Duration { seconds: 2, nanos: 500_000_000 }),
        ..Default::default()
    };
    status.set_presence(Presence::Online);
    CameraView::from(Camera {
        id: "6f8a1c52-9f0e-4f3a-8a55-0d2f8f3b7c11".into(),
        name: "fridge".into(),
        title: "The fridge".into(),
        capture: Some(CaptureSettings {
            size: Some(FrameSize { width: 640, height: 480 }),
            quality: 12,
            active_fps: 10,
            idle_fps: 2,
        }),
        recording: Some(recording),
        created_at: at(-86_400),
        updated_at: at(-86_400),
        status: Some(status),
        source: None,
    })
}

fn cellar() -> CameraView {
    CameraView::from(Camera { name: "cellar".into(), ..Default::default() })
}

#[test]
fn the_list_has_a_line_for_each_camera() {
    let written = Written::default();
    list(&[fridge(), cellar()], &mut written.out(false)).expect("written");
    insta::assert_snapshot!(written.text());
}

#[test]
fn one_camera_is_shown_with_all_that_is_known() {
    let written = Written::default();
    show(&fridge(), &mut written.out(false)).expect("written");
    insta::assert_snapshot!(written.text());
}

#[test]
fn programs_read_names_with_units() {
    let written = Written::default();
    show(&fridge(), &mut written.out(true)).expect("written");
    insta::assert_snapshot!(written.text());
}

#[test]
fn it_is_told_where_pictures_come_from() {
    let shown = |kind: Kind| {
        let source = Some(larder_proto::pb::CameraSource { kind: Some(kind) });
        super::super::source::told(&CameraView::from(Camera { source, ..Default::default() }))
    };
    let pull = MjpegPull { url: "http://esp:81/stream".into(), has_login: true };
    assert_eq!(shown(Kind::Mjpeg(pull)), "fetched from http://esp:81/stream, with a user and password");
    let push = |addresses: &[&str]| WebSocketPush { addresses: addresses.iter().map(|&one| one.into()).collect() };
    assert_eq!(shown(Kind::Websocket(push(&[]))), "pushed over WebSocket, to a secret path");
    assert_eq!(shown(Kind::Websocket(push(&["10.0.0.9"]))), "pushed over WebSocket from 10.0.0.9, or to a secret path");
    assert_eq!(shown(Kind::CameraLink(CameraLink {})), "it dials the hub");
}

#[test]
fn a_key_that_went_into_a_file_is_not_written_out() {
    let key = CameraKey { key_hex: "abcd".into(), provisioning_line: "hub abcd".into(), websocket_path: "/ef".into() };
    let shown = serde_json::to_string(&Key::new(&key, None)).expect("json");
    assert_eq!(shown, r#"{"key":"abcd","provisioning_line":"hub abcd","websocket_path":"/ef"}"#);
    let kept = serde_json::to_string(&Key::new(&key, Some(Path::new("fridge.key")))).expect("json");
    assert_eq!(kept, r#"{"key_file":"fridge.key"}"#);
}

#[test]
fn a_time_ahead_of_the_clock_is_told_as_such() {
    let now: Timestamp = "2026-11-22T15:00:00Z".parse().expect("a time");
    assert_eq!(ago(now, now), "now");
    assert_eq!(ago("2026-11-22T14:58:30Z".parse().expect("a time"), now), "1m 30s ago");
    assert_eq!(ago("2026-11-22T15:00:10Z".parse().expect("a time"), now), "10s ahead");
    assert_eq!(ago("2026-11-22T15:00:01Z".parse().expect("a time"), now), "now");
}
