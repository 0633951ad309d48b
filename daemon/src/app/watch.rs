//! How the hub is doing: its parts, and the gauges that are read when somebody looks.

use std::{io, sync::Arc};

use jiff::Timestamp;
use metrics::gauge;

use super::serve::{Built, Shared};
#[cfg(feature = "moq")]
use crate::moq;
use crate::{
    disk::{Disk, Place},
    http::metrics::SensorNow,
    parts::{Ask, Parts, Recent},
    recorder,
    relay::Relay,
    system,
    temperatures::Sensor,
};

/// What the listeners tell of themselves.
#[derive(Default)]
pub(super) struct Troubles {
    pub(super) http: Recent,
    pub(super) https: Recent,
    pub(super) grpc: Recent,
    pub(super) socket: Recent,
    /// Whether the relay that cameras are published to is reached.
    #[cfg(feature = "moq")]
    pub(super) moq: Option<moq::Reached>,
}

/// Looks at the disks of recordings and state.
pub(super) fn disk(shared: &Shared) -> io::Result<Disk> {
    let root = shared.root.clone();
    let recordings = Place { only_with: Some(recorder::marker_of(&root)), folder: root };
    Disk::start(vec![recordings, Place { folder: shared.config.state(), only_with: None }])
}

/// Every part, each with what may be the matter with it.
pub(super) fn parts(shared: &Shared, built: &Built, relay: &Relay, disk: Disk, troubles: &Troubles) -> Parts {
    let (db, recorder, ingest) = (built.db.clone(), built.recorder.clone(), built.ingest.clone());
    let (certs, clock) = (shared.certs.clone(), shared.clock.clone());
    let (temperatures, alarms, relay) = (built.temperatures.clone(), built.alarms.clone(), relay.clone());
    let (cameras, backups) = (shared.directory.clone(), built.backups.clone());
    let Troubles { http, https, grpc, socket, .. } = troubles;
    let (http, https, grpc, socket) = (http.clone(), https.clone(), grpc.clone(), socket.clone());
    let mut parts: Vec<(&'static str, Ask)> = vec![
        ("database", Box::new(move || db.trouble())),
        ("disk", Box::new(move || disk.trouble())),
        ("recorder", Box::new(move || recorder.status().trouble)),
        ("temperatures", Box::new(move || temperatures.trouble())),
        ("alarms", Box::new(move || alarms.trouble())),
        ("cameras", Box::new(move || cameras.trouble())),
        ("backups", Box::new(move || backups.trouble())),
        ("camera_link", Box::new(move || ingest.trouble())),
        ("http", Box::new(move || http.ask())),
        ("https", Box::new(move || https.ask())),
        ("grpc", Box::new(move || grpc.ask())),
        ("socket", Box::new(move || socket.ask())),
        ("relay", Box::new(move || relay.trouble())),
        ("certificates", Box::new(move || certs.trouble())),
        ("clock", Box::new(move || clock.doubt())),
    ];
    #[cfg(feature = "moq")]
    if let Some(relay) = troubles.moq.clone() {
        parts.push(("moq", Box::new(move || relay.trouble())));
    }
    if let Some(mqtt) = built.mqtt.clone() {
        parts.push(("mqtt", Box::new(move || mqtt.trouble())));
    }
    Parts::new(parts)
}

/// What each sensor reads at this moment.
pub(super) fn sensors(built: &Built) -> Arc<dyn Fn() -> Vec<SensorNow> + Send + Sync> {
    let temperatures = built.temperatures.clone();
    let now = move |sensor: Arc<Sensor>| SensorNow {
        state: temperatures.state(sensor.id),
        latest: temperatures.latest(sensor.id),
        sensor,
    };
    let temperatures = built.temperatures.clone();
    Arc::new(move || temperatures.all().into_iter().map(&now).collect())
}

/// Sets the gauges of what is so at this moment.
pub(super) fn measure(shared: &Shared, built: &Built, parts: Parts) -> Arc<dyn Fn() + Send + Sync> {
    let (db, jobs) = (built.db.clone(), built.jobs.clone());
    let (recorder, certs) = (built.recorder.clone(), shared.certs.clone());
    let groups = [
        ("sources", shared.sources.clone()),
        ("servers", shared.servers.clone()),
        ("alarms", shared.watchers.clone()),
        ("others", shared.background.clone()),
    ];
    Arc::new(move || {
        gauge!("larder_build_info", "version" => system::VERSION).set(1.0);
        for part in parts.ask() {
            gauge!("larder_part_ready", "part" => part.name).set(flag(part.is_ready()));
            gauge!("larder_part_warning", "part" => part.name).set(flag(part.is_ready() && part.trouble.is_some()));
            if part.name == "database" {
                gauge!("larder_database_up").set(flag(part.is_ready()));
            }
        }
        if let Some(ends_at) = certs.ends_at() {
            gauge!("larder_certificate_expiry_timestamp_seconds").set(seconds(ends_at));
        }
        let usage = db.usage();
        gauge!("larder_database_connections", "state" => "in_use").set(number(usage.in_use));
        gauge!("larder_database_connections", "state" => "idle").set(number(usage.idle));
        gauge!("larder_database_waiting").set(number(usage.waiting));
        jobs.measure();
        let status = recorder.status();
        for (group, tasks) in &groups {
            gauge!("larder_tasks", "group" => *group).set(number(tasks.count()));
        }
        gauge!("larder_tasks", "group" => "recorder").set(number(status.tasks));
        gauge!("larder_recorder_rows_pending").set(number(status.rows_pending));
        gauge!("larder_recordings_bytes").set(bytes(status.taken.recordings_bytes));
        gauge!("larder_disk_free_bytes").set(bytes(status.space.free_bytes));
        gauge!("larder_disk_size_bytes").set(bytes(status.space.total_bytes));
        gauge!("larder_disk_floor_bytes").set(bytes(status.floor_bytes));
    })
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn number(value: usize) -> f64 {
    bytes(u64::try_from(value).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as Prometheus itself")]
fn bytes(value: u64) -> f64 {
    value as f64
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
