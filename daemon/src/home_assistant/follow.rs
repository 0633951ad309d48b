//! Tells Home Assistant of everything as it changes.

use std::{collections::BTreeMap, time::Duration};

use larder_proto::wire::CameraId;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Sources,
    entities::{self, Told, Topics},
};
use crate::{
    hub::Presence,
    mqtt::{self, Held},
    temperatures::Reading,
};

/// How often cameras are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What tells Home Assistant.
pub(super) struct Follow {
    mqtt: mqtt::Client,
    topics: Topics,
    picture_every: Option<Duration>,
    sources: Sources,
    told: Told,
    /// When a camera's picture was sent last, and which.
    pictures: BTreeMap<CameraId, (Instant, u64)>,
}

impl Follow {
    pub(super) fn new(mqtt: mqtt::Client, prefix: String, picture_every: Option<Duration>, sources: Sources) -> Self {
        let topics = Topics { prefix, node: mqtt.node().to_owned(), base: mqtt.base().to_owned() };
        Self { mqtt, topics, picture_every, sources, told: Told::default(), pictures: BTreeMap::new() }
    }

    /// Tells until dropped.
    pub(super) async fn run(mut self) {
        let Sources { cameras, temperatures, alarms, .. } = self.sources.clone();
        let (mut sensors_changed, mut cameras_changed) = (temperatures.changes(), cameras.changes());
        let (mut rules_changed, mut alarms_changed) = (alarms.rule_changes(), alarms.watch());
        let mut readings = temperatures.watch();
        self.describe();
        // Only now: what is not described yet would be taken for something that is gone.
        let mut held = self.mqtt.listen(&self.topics.own()).await;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let goes_on = tokio::select! {
                biased;
                changed = sensors_changed.changed() => changed.map(|()| self.describe()).is_ok(),
                changed = cameras_changed.changed() => changed.map(|()| self.describe()).is_ok(),
                changed = rules_changed.changed() => changed.map(|()| self.describe()).is_ok(),
                changed = alarms_changed.recv() => is_open(&changed, |_| self.tell_alarms()),
                reading = readings.recv() => is_open(&reading, |reading| match reading {
                    Some(reading) => self.tell_reading(reading),
                    None => self.tell_readings(),
                }),
                found = held.recv() => is_open(&found, |found| {
                    if let Some(found) = found {
                        self.tidy(found);
                    }
                }),
                _ = ticks.tick() => {
                    self.look_at_cameras();
                    true
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Tells what there is, and takes away what is there no more.
    fn describe(&mut self) {
        let mut now = BTreeMap::new();
        let mut tell = |(topic, message): (String, String), states: String| {
            self.mqtt.keep(&topic, message);
            now.insert(topic, states);
        };
        for sensor in self.sources.temperatures.all() {
            let interval = self.sources.temperatures.interval(sensor.id);
            tell(self.topics.of_sensor(&sensor, interval), self.topics.sensor(&sensor.name));
        }
        for camera in self.sources.cameras.all() {
            tell(self.topics.of_camera(&camera), self.topics.camera(&camera.name));
        }
        for rule in self.sources.alarms.rules().iter() {
            tell(self.topics.of_rule(rule), self.topics.rule(&rule.name));
        }
        for (topic, states) in self.told.now(now) {
            if let Some(topic) = topic {
                self.mqtt.forget(&topic);
            }
            self.mqtt.forget_below(&states);
        }
        self.pictures.retain(|camera, _| self.sources.cameras.get(*camera).is_some());
        self.tell_readings();
        self.tell_alarms();
    }

    fn tell_readings(&self) {
        for sensor in self.sources.temperatures.all() {
            let latest = self.sources.temperatures.latest(sensor.id);
            // An old one would count as new there.
            let is_new = |reading: &Reading| {
                self.sources.clock.now().duration_since(reading.received_at).unsigned_abs() < entities::SILENT
            };
            if let Some(reading) = latest.filter(is_new) {
                self.tell_reading(&reading);
            }
        }
    }

    fn tell_reading(&self, reading: &Reading) {
        let sensor = self.sources.temperatures.get(reading.sensor);
        if let (Some(sensor), Some(state)) = (sensor, entities::reading_state(reading)) {
            self.mqtt.keep(&format!("{}state", self.topics.sensor(&sensor.name)), state);
        }
    }

    fn tell_alarms(&self) {
        let raised = self.sources.alarms.raised();
        for rule in self.sources.alarms.rules().iter() {
            let own = self.topics.rule(&rule.name);
            let (state, attributes) = entities::alarm_state(raised.iter().find(|alarm| alarm.rule == rule.id));
            self.mqtt.keep(&format!("{own}attributes"), attributes);
            self.mqtt.keep(&format!("{own}state"), state);
        }
    }

    fn look_at_cameras(&mut self) {
        for camera in self.sources.cameras.all() {
            let Some(topic) = self.sources.hub.topic(camera.id) else { continue };
            let own = self.topics.camera(&camera.name);
            let is_online = topic.presence().borrow().presence == Presence::Online;
            self.mqtt.keep(&format!("{own}status"), if is_online { "online" } else { "offline" });
            let (Some(every), Some(frame)) = (self.picture_every, topic.newest()) else { continue };
            let sent = self.pictures.get(&camera.id);
            if sent.is_none_or(|(at, sequence)| at.elapsed() >= every && *sequence != frame.sequence) {
                self.pictures.insert(camera.id, (Instant::now(), frame.sequence));
                self.mqtt.keep(&format!("{own}image"), frame.jpeg.clone());
            }
        }
    }

    /// What the broker holds from another life of the hub, of a thing that is gone.
    fn tidy(&self, held: &Held) {
        if self.mqtt.keeps(&held.topic) {
            return;
        }
        for topic in entities::named_topics(&held.payload, &self.topics.base) {
            // Another thing may have its name by now.
            if !self.mqtt.keeps(&topic) {
                self.mqtt.forget(&topic);
            }
        }
        self.mqtt.forget(&held.topic);
    }
}

/// Does something with what was told, or with nothing when some of it was missed. `false` when nothing comes any more.
fn is_open<T>(told: &Result<T, RecvError>, then: impl FnOnce(Option<&T>)) -> bool {
    match told {
        Ok(told) => then(Some(told)),
        Err(RecvError::Lagged(_)) => then(None),
        Err(RecvError::Closed) => return false,
    }
    true
}
