//! `larderctl camera watch`: presence and telemetry as they change.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use larder_proto::pb::WatchCamerasRequest;
use tokio_util::sync::CancellationToken;

use super::{StatusView, all};
use crate::{
    Failure, Out,
    client::{Hub, next},
    units, when,
};

/// What to watch.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Their names or ids [default: all, those added later too]
    pub cameras: Vec<String>,
    /// The shortest time between two lines about one camera, 1s to 1m
    #[arg(long, value_parser = units::duration, default_value = "1s")]
    pub interval: Duration,
}

pub(super) async fn watch(hub: &Hub, args: WatchArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let request = WatchCamerasRequest { cameras: args.cameras, interval: Some(units::to_wire(args.interval)) };
    let mut stream = hub.cameras().watch_cameras(request).await?.into_inner();
    let mut names = BTreeMap::new();
    loop {
        let Some(status) = next(&mut stream, &stop).await? else { return Ok(()) };
        let view = StatusView::from(status);
        if out.is_json() {
            out.json_line(&view)?;
            continue;
        }
        if !names.contains_key(&view.camera_id) {
            names.extend(all(hub).await?.into_iter().map(|camera| (camera.id, camera.name)));
        }
        let name = names.get(&view.camera_id).map_or(view.camera_id.as_str(), String::as_str);
        out.line(&line(name, &view, out))?;
    }
}

fn line(name: &str, view: &StatusView, out: &Out) -> String {
    let mut parts = vec![when::show(out.now(), out.zone()), format!("{name:<12}"), format!("{:<7}", view.presence)];
    if view.fps > 0.0 {
        parts.push(format!("{:>4.1} fps {:>6.1} kB/s", view.fps, view.bytes_per_second / 1000.0));
    }
    if let Some(telemetry) = &view.telemetry {
        parts.push(format!("{} dBm", telemetry.rssi_dbm));
        parts.push(format!("heap {}", units::show_bytes(u64::from(telemetry.heap_free_bytes))));
        let celsius = telemetry.sensors.iter().filter_map(|sensor| sensor.celsius);
        parts.extend(celsius.map(|celsius| format!("{celsius:.1} °C")));
    }
    let refused: u64 = view.frames_refused.values().sum();
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    if view.viewers > 0 {
        parts.push(format!("{} watching", view.viewers));
    }
    if view.recording {
        parts.push("recording".to_owned());
    }
    parts.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::{CameraStatus, Presence, Telemetry};

    use super::*;
    use crate::output::tests::Written;

    #[test]
    fn a_line_says_what_is_known_and_nothing_else() {
        let out = Written::default().out(false);
        let mut status = CameraStatus::default();
        status.set_presence(Presence::Offline);
        assert_eq!(line("fridge", &status.clone().into(), &out), "2026-11-22 15:00:00  fridge        offline");

        status.set_presence(Presence::Online);
        status.fps = 9.9;
        status.bytes_per_second = 150_000.0;
        status.telemetry = Some(Telemetry { rssi_dbm: -60, heap_free_bytes: 140_000, ..Default::default() });
        status.recording = true;
        assert_eq!(
            line("fridge", &status.into(), &out),
            "2026-11-22 15:00:00  fridge        online    9.9 fps  150.0 kB/s  -60 dBm  heap 140.0 kB  recording"
        );
    }
}
