//! What the hub knows of a camera, as a message.

use jiff::Timestamp;
use larder_proto::{
    pb,
    wire::camera::{MilliCelsius, Telemetry},
};

use super::{Camera, Mode, Source};
use crate::{
    hub::{Presence, Snapshot},
    pb_time::{duration, timestamp},
};

/// A camera as a message.
pub(super) fn camera(camera: &Camera, status: Option<pb::CameraStatus>) -> pb::Camera {
    let capture = &camera.capture;
    let recording = &camera.recording;
    pb::Camera {
        id: camera.id.to_string(),
        name: camera.name.clone(),
        title: camera.title.clone(),
        capture: Some(pb::CaptureSettings {
            size: Some(size((capture.width, capture.height))),
            quality: capture.quality.into(),
            active_fps: capture.active_fps.into(),
            idle_fps: capture.idle_fps.into(),
        }),
        recording: Some(pb::RecordingSettings {
            mode: mode(recording.mode).into(),
            max_age: recording.max_age.map(duration),
            max_bytes: recording.max_bytes,
        }),
        created_at: Some(timestamp(camera.created_at)),
        updated_at: Some(timestamp(camera.updated_at)),
        status,
        source: Some(source(&camera.source)),
    }
}

fn source(source: &Source) -> pb::CameraSource {
    use pb::camera_source::{CameraLink, Kind, MjpegPull, WebSocketPush};
    let kind = match source {
        Source::Link => Kind::CameraLink(CameraLink {}),
        Source::Mjpeg(url) => Kind::Mjpeg(MjpegPull { url: url.to_string(), has_login: url.has_login() }),
        Source::WebSocket(addresses) => {
            Kind::Websocket(WebSocketPush { addresses: addresses.iter().map(ToString::to_string).collect() })
        }
    };
    pb::CameraSource { kind: Some(kind) }
}

/// How a camera is doing, as a message.
pub(super) fn status(snapshot: Snapshot) -> pb::CameraStatus {
    let session = snapshot.session.unwrap_or_default();
    pb::CameraStatus {
        camera_id: snapshot.camera.to_string(),
        presence: presence(snapshot.presence.presence).into(),
        presence_since: Some(timestamp(snapshot.presence.since)),
        last_frame_at: snapshot.last_frame_at.map(timestamp),
        size: snapshot.size.map(size),
        fps: snapshot.fps,
        bytes_per_second: snapshot.bytes_per_second,
        frames_received: snapshot.frames_received,
        frames_refused: snapshot.frames_refused.into_iter().map(|(why, count)| (why.to_owned(), count)).collect(),
        telemetry: snapshot.telemetry.map(|(at, telemetry)| self::telemetry(at, &telemetry)),
        address: session.address,
        firmware_version: session.firmware_version,
        offline_reason: snapshot.offline_reason,
        viewers: snapshot.viewers,
        recording: snapshot.recording,
        recording_lag: snapshot.recording_lag.map(duration),
        round_trip: snapshot.round_trip.map(duration),
    }
}

fn telemetry(received_at: Timestamp, telemetry: &Telemetry) -> pb::Telemetry {
    pb::Telemetry {
        received_at: Some(timestamp(received_at)),
        uptime: Some(duration(telemetry.uptime)),
        heap_free_bytes: telemetry.heap_free_bytes,
        heap_min_free_bytes: telemetry.heap_min_free_bytes,
        heap_largest_block_bytes: telemetry.heap_largest_block_bytes,
        psram_free_bytes: telemetry.psram_free_bytes,
        chip_celsius: telemetry.chip.map(MilliCelsius::celsius),
        rssi_dbm: telemetry.rssi_dbm.into(),
        frames_captured: telemetry.frames_captured,
        frames_sent: telemetry.frames_sent,
        frames_dropped: telemetry.frames_dropped,
        frames_corrupt: telemetry.frames_corrupt,
        longest_send_stall: Some(duration(telemetry.longest_send_stall)),
        reconnects: telemetry.reconnects,
        reset_reason: telemetry.reset_reason.name().to_owned(),
        sensors: telemetry
            .sensors
            .iter()
            .map(|reading| pb::SensorReading {
                index: reading.index.into(),
                celsius: reading.value.map(MilliCelsius::celsius),
                error_count: reading.error_count,
            })
            .collect(),
    }
}

fn presence(presence: Presence) -> pb::Presence {
    match presence {
        Presence::Offline => pb::Presence::Offline,
        Presence::Online => pb::Presence::Online,
        Presence::Stalled => pb::Presence::Stalled,
    }
}

fn mode(mode: Mode) -> pb::RecordingMode {
    match mode {
        Mode::Continuous => pb::RecordingMode::Continuous,
        Mode::Manual => pb::RecordingMode::Manual,
        Mode::Off => pb::RecordingMode::Off,
    }
}

fn size((width, height): (u16, u16)) -> pb::FrameSize {
    pb::FrameSize { width: width.into(), height: height.into() }
}
