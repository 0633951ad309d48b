//! How a camera looks to people and to programs.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use larder_proto::pb::{
    Camera, CameraKey, CameraStatus, Presence, RecordingMode, Telemetry,
    camera_source::{CameraLink, Kind},
};
use serde::Serialize;

use crate::{
    Failure, Out,
    units::{self, show_bytes, show_duration},
    when,
};

/// A camera, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in cameras.proto, with units")]
pub struct CameraView {
    pub id: String,
    pub name: String,
    pub title: String,
    pub source: &'static str,
    pub source_url: Option<String>,
    pub source_has_login: bool,
    pub websocket_addresses: Vec<String>,
    pub width: u32,
    pub height: u32,
    pub quality: u32,
    pub active_fps: u32,
    pub idle_fps: u32,
    pub mode: &'static str,
    pub max_age_seconds: Option<u64>,
    pub max_bytes: Option<u64>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub status: Option<StatusView>,
}

/// How a camera is doing, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in cameras.proto, with units")]
pub struct StatusView {
    pub camera_id: String,
    pub presence: &'static str,
    pub presence_since: Option<Timestamp>,
    pub last_frame_at: Option<Timestamp>,
    pub width: u32,
    pub height: u32,
    pub fps: f64,
    pub bytes_per_second: f64,
    pub frames_received: u64,
    pub frames_refused: BTreeMap<String, u64>,
    pub address: String,
    pub firmware_version: String,
    pub offline_reason: String,
    pub viewers: u32,
    pub recording: bool,
    pub round_trip_us: u64,
    pub recording_lag_seconds: Option<f64>,
    pub telemetry: Option<TelemetryView>,
}

/// What a camera says of itself, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in cameras.proto, with units")]
pub struct TelemetryView {
    pub received_at: Option<Timestamp>,
    pub uptime_seconds: u64,
    pub heap_free_bytes: u32,
    pub heap_min_free_bytes: u32,
    pub heap_largest_block_bytes: u32,
    pub psram_free_bytes: u32,
    pub chip_celsius: Option<f64>,
    pub rssi_dbm: i32,
    pub frames_captured: u32,
    pub frames_sent: u32,
    pub frames_dropped: u32,
    pub frames_corrupt: u32,
    pub longest_send_stall_ms: u64,
    pub reconnects: u32,
    pub reset_reason: String,
    pub sensors: Vec<SensorView>,
}

/// A thermometer's value, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in cameras.proto, with units")]
pub struct SensorView {
    pub index: u32,
    pub celsius: Option<f64>,
    pub error_count: u32,
}

impl From<Camera> for CameraView {
    fn from(camera: Camera) -> Self {
        let capture = camera.capture.unwrap_or_default();
        let size = capture.size.unwrap_or_default();
        let recording = camera.recording.unwrap_or_default();
        let source = camera.source.and_then(|source| source.kind).unwrap_or(Kind::CameraLink(CameraLink {}));
        let (source, source_url, source_has_login, websocket_addresses) = match source {
            Kind::CameraLink(_) => ("link", None, false, Vec::new()),
            Kind::Mjpeg(pull) => ("mjpeg", Some(pull.url), pull.has_login, Vec::new()),
            Kind::Websocket(push) => ("websocket", None, false, push.addresses),
        };
        Self {
            source,
            source_url,
            source_has_login,
            websocket_addresses,
            mode: mode_name(recording.mode()),
            id: camera.id,
            name: camera.name,
            title: camera.title,
            width: size.width,
            height: size.height,
            quality: capture.quality,
            active_fps: capture.active_fps,
            idle_fps: capture.idle_fps,
            max_age_seconds: units::from_wire(recording.max_age.as_ref()).map(|age| age.as_secs()),
            max_bytes: recording.max_bytes,
            created_at: when::from_wire(camera.created_at.as_ref()),
            updated_at: when::from_wire(camera.updated_at.as_ref()),
            status: camera.status.map(StatusView::from),
        }
    }
}

impl From<CameraStatus> for StatusView {
    fn from(status: CameraStatus) -> Self {
        let size = status.size.unwrap_or_default();
        Self {
            presence: presence_name(status.presence()),
            presence_since: when::from_wire(status.presence_since.as_ref()),
            last_frame_at: when::from_wire(status.last_frame_at.as_ref()),
            camera_id: status.camera_id,
            width: size.width,
            height: size.height,
            fps: status.fps,
            bytes_per_second: status.bytes_per_second,
            frames_received: status.frames_received,
            frames_refused: status.frames_refused.into_iter().collect(),
            address: status.address,
            firmware_version: status.firmware_version,
            offline_reason: status.offline_reason,
            viewers: status.viewers,
            recording: status.recording,
            round_trip_us: micros(status.round_trip.as_ref()),
            recording_lag_seconds: units::from_wire(status.recording_lag.as_ref()).map(|lag| lag.as_secs_f64()),
            telemetry: status.telemetry.map(TelemetryView::from),
        }
    }
}

impl From<Telemetry> for TelemetryView {
    fn from(telemetry: Telemetry) -> Self {
        Self {
            received_at: when::from_wire(telemetry.received_at.as_ref()),
            uptime_seconds: units::from_wire(telemetry.uptime.as_ref()).unwrap_or_default().as_secs(),
            heap_free_bytes: telemetry.heap_free_bytes,
            heap_min_free_bytes: telemetry.heap_min_free_bytes,
            heap_largest_block_bytes: telemetry.heap_largest_block_bytes,
            psram_free_bytes: telemetry.psram_free_bytes,
            chip_celsius: telemetry.chip_celsius,
            rssi_dbm: telemetry.rssi_dbm,
            frames_captured: telemetry.frames_captured,
            frames_sent: telemetry.frames_sent,
            frames_dropped: telemetry.frames_dropped,
            frames_corrupt: telemetry.frames_corrupt,
            longest_send_stall_ms: micros(telemetry.longest_send_stall.as_ref()) / 1000,
            reconnects: telemetry.reconnects,
            reset_reason: telemetry.reset_reason,
            sensors: telemetry
                .sensors
                .into_iter()
                .map(|sensor| SensorView {
                    index: sensor.index,
                    celsius: sensor.celsius,
                    error_count: sensor.error_count,
                })
                .collect(),
        }
    }
}

/// A new camera, with its key unless that went into a file.
#[derive(Serialize)]
pub(super) struct Added<'a> {
    camera: &'a CameraView,
    #[serde(flatten)]
    key: Key<'a>,
}

impl<'a> Added<'a> {
    pub(super) fn new(camera: &'a CameraView, key: &'a CameraKey, file: Option<&'a Path>) -> Self {
        Self { camera, key: Key::new(key, file) }
    }
}

/// A key, or the file it went into.
#[derive(Serialize)]
pub(super) struct Key<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioning_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    websocket_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<&'a Path>,
}

impl<'a> Key<'a> {
    pub(super) fn new(key: &'a CameraKey, file: Option<&'a Path>) -> Self {
        let shown = file.is_none();
        Self {
            key: shown.then_some(key.key_hex.as_str()),
            provisioning_line: shown.then_some(key.provisioning_line.as_str()),
            websocket_path: Some(key.websocket_path.as_str()).filter(|path| shown && !path.is_empty()),
            key_file: file,
        }
    }
}

pub(super) fn list(views: &[CameraView], out: &mut Out) -> Result<(), Failure> {
    let now = out.now();
    out.list(views, &["NAME", "STATE", "SIZE", "FPS", "SIGNAL", "RECORDING", "LAST FRAME", "ADDRESS"], |camera| {
        let status = camera.status.as_ref();
        vec![
            camera.name.clone(),
            status.map_or("unknown", |status| status.presence).to_owned(),
            status.filter(|status| status.width > 0).map(size).unwrap_or_default(),
            status.filter(|status| status.fps > 0.0).map(|status| format!("{:.1}", status.fps)).unwrap_or_default(),
            status.and_then(|status| status.telemetry.as_ref()).map(signal).unwrap_or_default(),
            recording(camera),
            status.and_then(|status| status.last_frame_at).map(|at| ago(at, now)).unwrap_or_else(|| "never".to_owned()),
            status.map(|status| status.address.clone()).unwrap_or_default(),
        ]
    })
}

pub(super) fn show(camera: &CameraView, out: &mut Out) -> Result<(), Failure> {
    out.one(camera, |out| {
        out.fields(&settings_fields(camera, out))?;
        let Some(status) = &camera.status else { return Ok(()) };
        out.line("")?;
        out.fields(&status_fields(status, out))?;
        let Some(telemetry) = &status.telemetry else { return Ok(()) };
        out.line("")?;
        out.fields(&telemetry_fields(telemetry))
    })
}

fn settings_fields(camera: &CameraView, out: &Out) -> Vec<(&'static str, String)> {
    let stamp = |at: Option<Timestamp>| at.map(|at| when::show(at, out.zone())).unwrap_or_default();
    let age = camera.max_age_seconds.map(|age| format!("for {}", show_duration(std::time::Duration::from_secs(age))));
    let bytes = camera.max_bytes.map(|bytes| format!("up to {}", show_bytes(bytes)));
    let kept = age.into_iter().chain(bytes).collect::<Vec<_>>().join(", ");
    vec![
        ("Name", camera.name.clone()),
        ("Title", camera.title.clone()),
        ("Id", camera.id.clone()),
        ("Pictures", super::source::told(camera)),
        (
            "Capture",
            format!(
                "{}×{}, quality {}, {} fps active, {} fps idle",
                camera.width, camera.height, camera.quality, camera.active_fps, camera.idle_fps
            ),
        ),
        ("Recorded", camera.mode.to_owned()),
        ("Kept", if kept.is_empty() { "while there is space".to_owned() } else { kept }),
        ("Added", stamp(camera.created_at)),
        ("Changed", stamp(camera.updated_at).clone()),
    ]
}

fn status_fields(status: &StatusView, out: &Out) -> Vec<(&'static str, String)> {
    let now = out.now();
    let since = status.presence_since.map(|at| format!(" since {}", when::show(at, out.zone()))).unwrap_or_default();
    let refused = status.frames_refused.iter().filter(|(_, count)| **count > 0);
    let refused = refused.map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ");
    let rate = if status.fps > 0.0 {
        format!("{}, {:.1} fps, {:.1} kB/s", size(status), status.fps, status.bytes_per_second / 1000.0)
    } else {
        String::new()
    };
    vec![
        ("State", format!("{}{since}", status.presence)),
        ("Why", status.offline_reason.clone()),
        ("Frames", rate),
        ("Received", status.frames_received.to_string()),
        ("Refused", refused),
        ("Last frame", status.last_frame_at.map(|at| ago(at, now)).unwrap_or_default()),
        ("Recording", recorded(status)),
        ("Viewers", status.viewers.to_string()),
        ("Address", status.address.clone()),
        ("Firmware", status.firmware_version.clone()),
        ("Round trip", if status.round_trip_us > 0 { round_trip(status.round_trip_us) } else { String::new() }),
    ]
}

fn telemetry_fields(telemetry: &TelemetryView) -> Vec<(&'static str, String)> {
    let kb = |bytes: u32| show_bytes(u64::from(bytes));
    let sensors = telemetry.sensors.iter().map(|sensor| match sensor.celsius {
        Some(celsius) => format!("{}: {celsius:.2} °C", sensor.index),
        None => format!("{}: failed ({} errors)", sensor.index, sensor.error_count),
    });
    vec![
        ("Up for", show_duration(std::time::Duration::from_secs(telemetry.uptime_seconds))),
        ("Signal", signal(telemetry)),
        (
            "Heap free",
            format!(
                "{} (least {}, largest block {})",
                kb(telemetry.heap_free_bytes),
                kb(telemetry.heap_min_free_bytes),
                kb(telemetry.heap_largest_block_bytes)
            ),
        ),
        ("PSRAM free", kb(telemetry.psram_free_bytes)),
        ("Chip", telemetry.chip_celsius.map(|celsius| format!("{celsius:.1} °C")).unwrap_or_default()),
        (
            "Captured",
            format!(
                "{} ({} sent, {} dropped, {} corrupt)",
                telemetry.frames_captured, telemetry.frames_sent, telemetry.frames_dropped, telemetry.frames_corrupt
            ),
        ),
        ("Stalls", format!("{} ms at longest", telemetry.longest_send_stall_ms)),
        ("Reconnects", telemetry.reconnects.to_string()),
        ("Last reset", telemetry.reset_reason.clone()),
        ("Sensors", sensors.collect::<Vec<_>>().join(", ")),
    ]
}

/// How long ago, in a word or two.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match std::time::Duration::try_from(now.duration_since(at)) {
        Ok(since) if since.as_secs() < 1 => "now".to_owned(),
        Ok(since) => format!("{} ago", show_duration(since)),
        // What is told and the time are asked for one after the other; more than that, and a clock is off.
        Err(_) => match at.duration_since(now).unsigned_abs() {
            ahead if ahead.as_secs() < 2 => "now".to_owned(),
            ahead => format!("{} ahead", show_duration(ahead)),
        },
    }
}

/// Absent is 0.
fn micros(duration: Option<&prost_types::Duration>) -> u64 {
    u64::try_from(units::from_wire(duration).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn presence_name(presence: Presence) -> &'static str {
    match presence {
        Presence::Online => "online",
        Presence::Stalled => "stalled",
        Presence::Offline => "offline",
        Presence::Unspecified => "unknown",
    }
}

fn mode_name(mode: RecordingMode) -> &'static str {
    match mode {
        RecordingMode::Continuous => "continuous",
        RecordingMode::Manual => "manual",
        RecordingMode::Off => "off",
        RecordingMode::Unspecified => "unknown",
    }
}

fn recording(camera: &CameraView) -> String {
    let now = camera.status.as_ref().is_some_and(|status| status.recording);
    format!("{}{}", camera.mode, if now { ", now" } else { "" })
}

fn recorded(status: &StatusView) -> String {
    match status.recording_lag_seconds {
        Some(lag) => format!("now, on disk up to {lag:.1} s ago"),
        None if status.recording => "now".to_owned(),
        None => "not now".to_owned(),
    }
}

fn size(status: &StatusView) -> String {
    format!("{}×{}", status.width, status.height)
}

fn signal(telemetry: &TelemetryView) -> String {
    format!("{} dBm", telemetry.rssi_dbm)
}

/// Microseconds as milliseconds with a tenth.
pub(super) fn round_trip(microseconds: u64) -> String {
    format!("{}.{} ms", microseconds / 1000, microseconds % 1000 / 100)
}

#[cfg(test)]
mod tests;
