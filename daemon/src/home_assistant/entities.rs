//! What Home Assistant is told of each thing: its discovery messages, and the topics of their states: pure.
//!
//! Source of the keys: <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    alarms::{Alarm, Rule},
    cameras::Camera,
    temperatures::{Reading, Sensor},
};

/// A sensor that says nothing for so long has no state any more; for those that send seldom, four of their intervals.
pub(super) const SILENT: Duration = Duration::from_mins(10);

/// Where everything stands.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    /// What discovery messages begin with.
    pub(super) prefix: String,
    /// What the broker knows the hub by.
    pub(super) node: String,
    /// What states begin with.
    pub(super) base: String,
}

impl Topics {
    fn discovery(&self, component: &str, id: &str) -> String {
        format!("{}/{component}/{}/{id}/config", self.prefix, self.node)
    }

    /// All discovery messages of this hub, whatever they are about.
    pub(super) fn own(&self) -> String {
        format!("{}/+/{}/+/config", self.prefix, self.node)
    }

    pub(super) fn status(&self) -> String {
        format!("{}/status", self.base)
    }

    /// Below it is everything of a sensor.
    pub(super) fn sensor(&self, name: &str) -> String {
        format!("{}/sensors/{name}/", self.base)
    }

    /// Below it is everything of a camera.
    pub(super) fn camera(&self, name: &str) -> String {
        format!("{}/cameras/{name}/", self.base)
    }

    /// Below it is everything of an alarm rule.
    pub(super) fn rule(&self, name: &str) -> String {
        format!("{}/alarms/{name}/", self.base)
    }

    /// What every discovery message says: whose it is, and when it counts.
    fn entity(&self, id: &str, title: &str, name: &str, more: Value) -> Value {
        let mut entity = json!({
            "name": if title.is_empty() { name } else { title },
            "unique_id": format!("{}_{id}", self.node),
            "availability": [{ "topic": self.status() }],
            "availability_mode": "all",
            "device": {
                "identifiers": [format!("larder_{}", self.node)],
                "name": "Larder",
                "manufacturer": "Larder",
                "model": "larderd",
                "sw_version": env!("CARGO_PKG_VERSION"),
            },
            "origin": { "name": "larderd", "sw_version": env!("CARGO_PKG_VERSION") },
        });
        if let (Some(entity), Value::Object(more)) = (entity.as_object_mut(), more) {
            entity.extend(more);
        }
        entity
    }

    /// A sensor's discovery message, and where it goes.
    pub(super) fn of_sensor(&self, sensor: &Sensor, interval: Duration) -> (String, String) {
        let id = sensor.id.to_string();
        let entity = self.entity(
            &id,
            &sensor.title,
            &sensor.name,
            json!({
                "state_topic": format!("{}state", self.sensor(&sensor.name)),
                "value_template": "{{ value_json.celsius }}",
                "device_class": "temperature",
                "state_class": "measurement",
                "unit_of_measurement": "°C",
                "suggested_display_precision": 1,
                "expire_after": SILENT.max(interval * 4).as_secs(),
            }),
        );
        (self.discovery("sensor", &id), entity.to_string())
    }

    /// A camera's discovery message, and where it goes.
    pub(super) fn of_camera(&self, camera: &Camera) -> (String, String) {
        let id = camera.id.to_string();
        let own = self.camera(&camera.name);
        let entity = self.entity(
            &id,
            &camera.title,
            &camera.name,
            json!({
                "topic": format!("{own}image"),
                "availability": [{ "topic": self.status() }, { "topic": format!("{own}status") }],
            }),
        );
        (self.discovery("camera", &id), entity.to_string())
    }

    /// An alarm rule's discovery message, and where it goes.
    pub(super) fn of_rule(&self, rule: &Rule) -> (String, String) {
        let id = rule.id.to_string();
        let own = self.rule(&rule.name);
        let entity = self.entity(
            &id,
            "",
            &rule.name,
            json!({
                "state_topic": format!("{own}state"),
                "json_attributes_topic": format!("{own}attributes"),
                "device_class": "problem",
            }),
        );
        (self.discovery("binary_sensor", &id), entity.to_string())
    }
}

/// A sensor's state. A probe that failed has none.
pub(super) fn reading_state(reading: &Reading) -> Option<String> {
    let celsius = reading.value?.celsius();
    Some(json!({ "celsius": celsius, "at": reading.captured_at.to_string() }).to_string())
}

/// A rule's state and attributes.
pub(super) fn alarm_state(alarm: Option<&Alarm>) -> (&'static str, String) {
    let Some(alarm) = alarm else { return ("OFF", "{}".to_owned()) };
    let attributes = json!({
        "message": alarm.message,
        "since": alarm.since.to_string(),
        "raised_at": alarm.raised_at.to_string(),
        "worst_celsius": alarm.extreme.map(|extreme| extreme.celsius()),
        "acknowledged_by": alarm.acknowledged.as_ref().map(|acknowledged| acknowledged.by.as_str()),
    });
    ("ON", attributes.to_string())
}

/// What is to be taken away: discovery messages, and what stands below the topics of their things.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Discovery topic, and what its states begin with.
    known: BTreeMap<String, String>,
}

impl Told {
    /// Takes what there is now; what is not there any more, or moved: its discovery topic, unless it is told anew, and
    /// the beginning of its states' topics.
    pub(super) fn now(&mut self, now: BTreeMap<String, String>) -> Vec<(Option<String>, String)> {
        let before = std::mem::replace(&mut self.known, now);
        let gone = before.into_iter().filter(|(topic, states)| self.known.get(topic) != Some(states));
        gone.map(|(topic, states)| (Some(topic).filter(|topic| !self.known.contains_key(topic)), states)).collect()
    }
}

/// The topics of states that a discovery message names, if they are below `base`.
pub(super) fn named_topics(discovery: &[u8], base: &str) -> Vec<String> {
    let Ok(Value::Object(entity)) = serde_json::from_slice(discovery) else { return Vec::new() };
    let mut topics: Vec<String> = ["topic", "state_topic", "json_attributes_topic"]
        .iter()
        .filter_map(|key| entity.get(*key)?.as_str().map(str::to_owned))
        .collect();
    let availability = entity.get("availability").and_then(Value::as_array);
    let more = availability.into_iter().flatten().filter_map(|one| one.get("topic")?.as_str().map(str::to_owned));
    topics.extend(more);
    let (own, status) = (format!("{base}/"), format!("{base}/status"));
    topics.retain(|topic| topic.starts_with(&own) && *topic != status);
    topics
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use larder_proto::wire::camera::MilliCelsius;

    use super::*;
    use crate::temperatures::{SensorId, Source, Unit};

    fn topics() -> Topics {
        Topics { prefix: "homeassistant".to_owned(), node: "larder".to_owned(), base: "larder".to_owned() }
    }

    fn sensor() -> Sensor {
        let source = Source::Text { address: [10, 0, 0, 1].into(), device: "x".to_owned() };
        Sensor {
            id: SensorId(uuid::Uuid::nil()),
            key: 1,
            name: "fridge".to_owned(),
            title: "Kühlschrank".to_owned(),
            source,
            offset: MilliCelsius(0),
            unit: Unit::Celsius,
            camera: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_sensor_is_told_with_its_unit_its_states_and_when_it_counts() {
        let (topic, message) = topics().of_sensor(&sensor(), Duration::from_secs(30));
        assert_eq!(topic, "homeassistant/sensor/larder/00000000-0000-0000-0000-000000000000/config");
        let message: Value = serde_json::from_str(&message).unwrap();
        for (key, expected) in [
            ("name", "Kühlschrank"),
            ("state_topic", "larder/sensors/fridge/state"),
            ("unique_id", "larder_00000000-0000-0000-0000-000000000000"),
            ("device_class", "temperature"),
            ("unit_of_measurement", "°C"),
        ] {
            assert_eq!(message[key], expected, "{key}");
        }
        assert_eq!(
            (&message["expire_after"], &message["availability"][0]["topic"]),
            (&600.into(), &"larder/status".into())
        );
        let (_, seldom) = topics().of_sensor(&sensor(), Duration::from_mins(15));
        assert_eq!(serde_json::from_str::<Value>(&seldom).unwrap()["expire_after"], 3600);
    }

    #[test]
    fn a_reading_is_a_state_and_a_failed_one_is_none() {
        let at = "2026-07-01T12:00:00Z".parse().unwrap();
        let reading = Reading {
            sensor: SensorId(uuid::Uuid::nil()),
            captured_at: at,
            received_at: at,
            value: Some(MilliCelsius(4_250)),
        };
        assert_eq!(reading_state(&reading).unwrap(), r#"{"at":"2026-07-01T12:00:00Z","celsius":4.25}"#);
        assert_eq!(reading_state(&Reading { value: None, ..reading }), None);
    }

    #[test]
    fn what_is_removed_or_renamed_is_taken_away() {
        let mut told = Told::default();
        let of = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
            entries.iter().map(|(topic, states)| ((*topic).to_owned(), (*states).to_owned())).collect()
        };
        assert_eq!(told.now(of(&[("a", "s/a/"), ("b", "s/b/")])), []);
        assert_eq!(
            told.now(of(&[("a", "s/c/")])),
            [(None, "s/a/".to_owned()), (Some("b".to_owned()), "s/b/".to_owned())]
        );
    }

    #[test]
    fn only_the_hubs_own_topics_are_taken_away_with_a_discovery_message() {
        let (_, message) = topics().of_sensor(&sensor(), SILENT);
        assert_eq!(named_topics(message.as_bytes(), "larder"), ["larder/sensors/fridge/state"]);
        assert_eq!(named_topics(br#"{"topic":"other/x","state_topic":"larder/status"}"#, "larder"), [""; 0]);
        assert_eq!(named_topics(b"garbage", "larder"), [""; 0]);
    }
}
