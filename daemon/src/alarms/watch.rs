//! What rules are about, as it is now: temperatures, cameras, the recorder.

use std::{
    sync::atomic::{AtomicI8, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::MilliCelsius};
use tokio::time::Instant;

use super::{board::Facts, rule::Condition, sentence::About};
use crate::{
    cameras,
    hub::{Hub, Presence},
    recorder::Recorder,
    temperatures::{SensorId, Temperatures, Unit},
};

/// After the hub's start a camera gets this long to come back: its back-off is shorter.
const GRACE: Duration = Duration::from_secs(15);

/// What alarms watch.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Sources {
    pub temperatures: Temperatures,
    pub hub: Hub,
    pub cameras: cameras::Directory,
    pub recorder: Recorder,
}

impl Sources {
    /// Shares them.
    pub fn new(temperatures: &Temperatures, hub: &Hub, cameras: &cameras::Directory, recorder: &Recorder) -> Self {
        Self {
            temperatures: temperatures.clone(),
            hub: hub.clone(),
            cameras: cameras.clone(),
            recorder: recorder.clone(),
        }
    }
}

/// The sources, with what is asked of them less often.
pub(super) struct Watch {
    sources: Sources,
    started: Instant,
    /// -1: not looked at yet; 0: enough is free; 1: too little is.
    disk: AtomicI8,
}

impl Watch {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, started: Instant::now(), disk: AtomicI8::new(-1) }
    }

    pub(super) fn temperatures(&self) -> &Temperatures {
        &self.sources.temperatures
    }

    /// Asks how full the disk is. Touches the disk.
    pub(super) fn look_at_disk(&self) {
        let status = self.sources.recorder.status();
        // Zero: it was not looked at, or does not tell.
        if status.space.total_bytes > 0 {
            self.disk.store(i8::from(status.space.free_bytes < status.floor_bytes), Ordering::Relaxed);
        }
    }

    fn presence(&self, camera: CameraId) -> Option<Presence> {
        self.sources.hub.topic(camera).map(|topic| topic.snapshot().presence.presence)
    }
}

impl Facts for Watch {
    fn latest(&self, sensor: SensorId) -> Option<(Timestamp, MilliCelsius)> {
        let reading = self.sources.temperatures.latest(sensor)?;
        Some((reading.received_at, reading.value?))
    }

    fn is_offline(&self, camera: CameraId) -> Option<bool> {
        let is_online = self.presence(camera)? == Presence::Online;
        (is_online || self.started.elapsed() >= GRACE).then_some(!is_online)
    }

    fn is_stalled(&self, camera: CameraId) -> Option<bool> {
        let snapshot = self.sources.hub.topic(camera)?.snapshot();
        let should = snapshot.presence.presence == Presence::Online && self.sources.recorder.is_wanted(camera);
        Some(should && !snapshot.recording)
    }

    fn is_disk_low(&self) -> Option<bool> {
        match self.disk.load(Ordering::Relaxed) {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn about(&self, condition: &Condition) -> About {
        let called = |title: &str, name: &str| if title.is_empty() { name.to_owned() } else { title.to_owned() };
        let sensor = condition.sensor().and_then(|sensor| self.sources.temperatures.get(sensor));
        let camera = condition.camera().and_then(|camera| self.sources.cameras.get(camera));
        let name = match (&sensor, &camera) {
            (Some(sensor), _) => called(&sensor.title, &sensor.name),
            (_, Some(camera)) => called(&camera.title, &camera.name),
            _ => String::new(),
        };
        About {
            name,
            unit: sensor.as_ref().map_or_else(Unit::default, |sensor| sensor.unit),
            value: sensor.and_then(|sensor| self.latest(sensor.id)).map(|(_, value)| value),
        }
    }
}
