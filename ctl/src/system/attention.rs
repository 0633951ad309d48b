//! What needs somebody, and what that person can do. Pure.

use serde::Serialize;

use super::status::{PartView, StatusView};
use crate::{alarm::AlarmView, camera::view::CameraView};

/// A fragment is two seconds and is on disk two seconds later; a busy machine takes longer.
const LATE_SECONDS: f64 = 30.0;
/// Boards try again every half a minute at the latest, and need some seconds for the rest.
const TIME_TO_CONNECT_SECONDS: u64 = 60;

/// How bad it is; the worst comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// What somebody wanted to be told of.
    Alarm,
    /// Something does not work.
    NotReady,
    /// Somebody should look.
    Warning,
}

/// One thing that needs somebody.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Attention {
    pub(super) severity: Severity,
    /// The part or the camera.
    pub(super) about: String,
    pub(super) what: String,
    /// Empty when `what` says it.
    pub(super) to_do: String,
}

/// All of it, the worst first.
pub(super) fn needed(view: &StatusView) -> Vec<Attention> {
    let alarms = view.alarms.iter().map(of_alarm);
    let parts = view.parts.iter().filter(|part| !part.reason.is_empty() || !part.ready).map(of_part);
    let cameras = view.camera_list.iter().filter_map(|camera| of_camera(camera, view.uptime_seconds));
    let mut all: Vec<_> = alarms.chain(parts).chain(cameras).collect();
    all.sort_by_key(|attention| attention.severity);
    all
}

fn of_alarm(alarm: &AlarmView) -> Attention {
    let seen = alarm.acknowledged_at.is_some();
    Attention {
        severity: Severity::Alarm,
        about: alarm.rule_name.clone(),
        what: alarm.message.clone(),
        to_do: if seen { String::new() } else { format!("larderctl alarm ack {}", alarm.rule_name) },
    }
}

fn of_part(part: &PartView) -> Attention {
    Attention {
        severity: if part.ready { Severity::Warning } else { Severity::NotReady },
        about: part.name.replace('_', " "),
        what: part.detail.clone(),
        to_do: advice(&part.name, &part.reason).to_owned(),
    }
}

/// What helps where the detail does not say it; the reasons are those of `docs/operations.md`.
fn advice(part: &str, reason: &str) -> &'static str {
    match (part, reason) {
        ("recorder", "disk_full") => {
            "remove other files, larderctl recording delete, larderctl recording unpin, or lower recordings.free_mib"
        }
        ("recorder", "read_only") => "dmesg says why; check the disk and mount it again",
        (_, "not_writable" | "unreadable") => "look at its owner and mode, and at the disk",
        ("recorder", "encoder") => "install ffmpeg, or correct recordings.ffmpeg and recordings.encoder",
        (_, "accept_failed") => "raise LimitNOFILE of the service, or lower http.max_connections",
        _ => "",
    }
}

fn of_camera(camera: &CameraView, uptime_seconds: u64) -> Option<Attention> {
    let status = camera.status.as_ref()?;
    let was_here = status.last_frame_at.is_some() || !status.offline_reason.is_empty();
    if status.presence == "offline" && !was_here && uptime_seconds < TIME_TO_CONNECT_SECONDS {
        return None;
    }
    let wants_recording = camera.mode == "continuous";
    let (what, to_do) = match status.presence {
        "offline" if was_here => ("is offline".to_owned(), "look at its power and its Wi-Fi"),
        "offline" => (
            "has not connected since the hub started".to_owned(),
            "a new one needs its key (larderctl camera key NAME makes another); else look at its power and its Wi-Fi",
        ),
        "stalled" => ("is connected and sends no pictures".to_owned(), "larderctl camera control NAME reboot"),
        _ if wants_recording && !status.recording => {
            ("is to be recorded all the time and is not".to_owned(), "larderctl recording timeline NAME says why")
        }
        _ => {
            let lag = status.recording_lag_seconds.filter(|lag| *lag > LATE_SECONDS)?;
            (format!("is recorded {lag:.0} s late"), "the machine is too slow: lower its rate or its size")
        }
    };
    let to_do = to_do.replace("NAME", &camera.name);
    Some(Attention { severity: Severity::Warning, about: camera.name.clone(), what, to_do })
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::{Camera, CameraStatus, Presence};

    use super::*;

    fn camera(adjust: impl FnOnce(&mut CameraStatus)) -> CameraView {
        let mut status = CameraStatus::default();
        status.set_presence(Presence::Offline);
        adjust(&mut status);
        CameraView::from(Camera { name: "fridge".into(), status: Some(status), ..Default::default() })
    }

    #[test]
    fn a_camera_gets_its_time_to_connect_after_the_hubs_start() {
        let new = camera(|_| {});
        assert_eq!(of_camera(&new, 16), None);
        let attention = of_camera(&new, 61).expect("it should have connected by now");
        assert_eq!(attention.what, "has not connected since the hub started");
        assert!(attention.to_do.starts_with("a new one needs its key (larderctl camera key fridge"));
    }

    #[test]
    fn one_that_was_here_and_is_gone_is_looked_at_at_once() {
        let gone = camera(|status| status.last_frame_at = Some(prost_types::Timestamp { seconds: 1, nanos: 0 }));
        assert_eq!(of_camera(&gone, 16).expect("it is gone").to_do, "look at its power and its Wi-Fi");
        let refused = camera(|status| "wrong key".clone_into(&mut status.offline_reason));
        assert_eq!(of_camera(&refused, 16).expect("it was refused").what, "is offline");
    }
}
