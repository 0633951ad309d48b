//! What people and programs read.

use jiff::Timestamp;
use larder_proto::pb::{
    Camera, CameraStatus, Presence, RecordingMode, RecordingSettings, SystemStatus, Version, system_status,
};

use super::*;
use crate::{output::tests::Written, units};

const START: i64 = 1_790_000_000;

fn camera(name: &str, presence: Presence, recording: bool) -> CameraView {
    let seconds = |after: i64| when::to_wire(Timestamp::from_second(START + after).expect("a time"));
    let mut settings = RecordingSettings::default();
    settings.set_mode(RecordingMode::Continuous);
    let online = presence == Presence::Online;
    let mut status = CameraStatus {
        last_frame_at: Some(seconds(if online { 3_725 } else { 500 })),
        fps: if online { 9.96 } else { 0.0 },
        viewers: u32::from(online),
        recording,
        recording_lag: recording.then(|| units::to_wire(Duration::from_millis(2_140))),
        ..Default::default()
    };
    status.set_presence(presence);
    let name = name.to_owned();
    CameraView::from(Camera { name, status: Some(status), recording: Some(settings), ..Default::default() })
}

fn part(name: &str, ready: bool, reason: &str, detail: &str) -> system_status::Part {
    system_status::Part { name: name.into(), ready, reason: reason.into(), detail: detail.into() }
}

fn status(parts: Vec<system_status::Part>, cameras: Vec<CameraView>) -> StatusView {
    let online = cameras.iter().filter(|camera| camera.status.as_ref().is_some_and(|one| one.presence == "online"));
    let status = SystemStatus {
        version: Some(Version { version: "0.1.0".into(), camera_link: 1 }),
        started_at: Some(when::to_wire(Timestamp::from_second(START).expect("a time"))),
        uptime: Some(units::to_wire(Duration::from_secs(3_725))),
        parts,
        cameras: u32::try_from(cameras.len()).expect("few"),
        cameras_online: u32::try_from(online.count()).expect("few"),
        viewers: 1,
        recording: 1,
        disk: Some(system_status::Disk {
            path: "/var/lib/larder/recordings".into(),
            total_bytes: 500_000_000_000,
            free_bytes: 123_400_000_000,
            floor_bytes: 5_000_000_000,
            recordings_bytes: 42_000_000,
            recorded_bytes_per_day: Some(9_600_000_000),
            database_bytes: Some(58_000_000),
            other_bytes: Some(376_500_000_000),
            other_growth_bytes_per_minute: 2_100_000_000,
        }),
        listeners: vec![system_status::Listener { name: "http".into(), address: "0.0.0.0:8080".into() }],
    };
    StatusView::new(status, cameras, Vec::new())
}

fn ill() -> StatusView {
    let away = "it does not answer; live view and recording go on, changes are refused until it is back. The hub \
                starts it again by itself; /var/lib/larder/postgres/postgres.log says what keeps it from that";
    let ends = "the certificate ends at 2026-09-25T00:00:00Z; renew the files of tls.certificate and tls.key";
    status(
        vec![
            part("database", false, "away", away),
            part("recorder", true, "", ""),
            part("camera_link", true, "", ""),
            part("certificates", true, "expiring", ends),
        ],
        vec![
            camera("attic", Presence::Stalled, false),
            camera("cellar", Presence::Offline, false),
            camera("fridge", Presence::Online, true),
            camera("garage", Presence::Online, false),
        ],
    )
}

fn read(view: &StatusView) -> String {
    let written = Written::default();
    show(view, &mut written.out(false)).expect("written");
    written.text()
}

#[test]
fn what_is_wrong_stands_first_with_what_to_do() {
    insta::assert_snapshot!(read(&ill()));
}

#[test]
fn a_raised_alarm_stands_before_everything() {
    let mut view = ill();
    let message = "fridge is above 5.0 °C since 2026-09-21 14:00 UTC; now 8.2 °C.".to_owned();
    let alarm = larder_proto::pb::Alarm { rule_name: "warm".into(), message, ..Default::default() };
    view.alarms = vec![alarm.into()];
    view.attention = super::super::attention::needed(&view);
    let text = read(&view);
    let first: Vec<&str> = text.lines().take(4).collect();
    assert_eq!(
        first,
        [
            "1 alarm is raised. Larder 0.1.0, up 1h 2m (since 2026-09-21 14:13:20)",
            "",
            "  * alarm      warm: fridge is above 5.0 °C since 2026-09-21 14:00 UTC; now 8.2 °C.",
            "               to do: larderctl alarm ack warm",
        ]
    );
}

#[test]
fn a_hub_that_is_well_says_so_in_its_first_line() {
    let parts = vec![part("database", true, "", ""), part("recorder", true, "", "")];
    insta::assert_snapshot!(read(&status(parts, vec![camera("fridge", Presence::Online, true)])));
}

#[test]
fn a_hub_without_cameras_says_how_to_add_one() {
    let mut view = status(vec![part("recorder", false, "starting", "not looked at yet")], Vec::new());
    view.disk = None;
    insta::assert_snapshot!(read(&view));
}

#[test]
fn programs_read_all_of_it() {
    let written = Written::default();
    written.out(true).one(&ill(), |_| Ok(())).expect("written");
    insta::assert_snapshot!(written.text());
}

#[test]
fn the_bar_shows_what_is_there_however_small() {
    let disk = |total, free, floor, recordings| {
        bar(&DiskView {
            path: String::new(),
            total_bytes: total,
            free_bytes: free,
            floor_bytes: floor,
            recordings_bytes: recordings,
            recorded_bytes_per_day: None,
            database_bytes: None,
            other_bytes: None,
            other_growth_bytes_per_minute: 0,
            days_left: None,
        })
    };
    assert_eq!(disk(40, 20, 4, 10), format!("{}{}{}{}", "#".repeat(10), "=".repeat(10), ".".repeat(16), "!".repeat(4)));
    assert_eq!(disk(1_000_000, 999_999, 0, 1), format!("#{}", ".".repeat(39)));
    assert_eq!(disk(40, 0, 4, 40), "#".repeat(40));
    assert_eq!(disk(40, 0, 40, 400), "#".repeat(40), "numbers that contradict each other");
}
