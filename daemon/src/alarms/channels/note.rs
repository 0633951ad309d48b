//! What is sent, as it was when it happened: the JSON of webhooks and MQTT, and what ntfy and e-mails say. A contract.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{Alarm, Message};

/// What is sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::alarms) struct Note {
    /// raised, repeated, cleared; test.
    pub(super) occasion: String,
    /// One line.
    pub(super) subject: String,
    /// Sentences, one a line.
    pub(super) text: String,
    /// When that was.
    pub(super) at: Timestamp,
    /// Absent in a test.
    pub(super) alarm: Option<About>,
}

/// The alarm as it stood.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::alarms) struct About {
    id: String,
    rule: String,
    rule_id: String,
    message: String,
    since: Timestamp,
    raised_at: Timestamp,
    cleared_at: Option<Timestamp>,
    worst_celsius: Option<f64>,
    sensor_id: Option<String>,
    camera_id: Option<String>,
}

impl Note {
    /// What tells of an alarm.
    pub(super) fn new(message: Message, at: Timestamp) -> Self {
        let occasion = message.occasion.name().to_owned();
        let alarm = Some(About::from(&message.alarm));
        Self { occasion, subject: message.subject, text: message.text, at, alarm }
    }

    /// What shows whether a channel works.
    pub(super) fn test(at: Timestamp) -> Self {
        Self {
            occasion: "test".to_owned(),
            subject: "Test from Larder".to_owned(),
            text: "This is how alarms will reach you.".to_owned(),
            at,
            alarm: None,
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> String {
        // Nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<&Alarm> for About {
    fn from(alarm: &Alarm) -> Self {
        Self {
            id: alarm.id.to_string(),
            rule: alarm.rule_name.clone(),
            rule_id: alarm.rule.to_string(),
            message: alarm.message.clone(),
            since: alarm.since,
            raised_at: alarm.raised_at,
            cleared_at: alarm.cleared_at,
            worst_celsius: alarm.extreme.map(|extreme| extreme.celsius()),
            sensor_id: alarm.sensor.map(|sensor| sensor.to_string()),
            camera_id: alarm.camera.map(|camera| camera.to_string()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::tz::TimeZone;
    use larder_proto::wire::camera::MilliCelsius;

    use super::{
        super::super::{AlarmId, Occasion, RuleId},
        *,
    };

    pub(in crate::alarms::channels) fn alarm() -> Alarm {
        Alarm {
            id: AlarmId(uuid::Uuid::nil()),
            rule: RuleId(uuid::Uuid::nil()),
            rule_name: "warm".to_owned(),
            message: "fridge is above 5.0 °C".to_owned(),
            since: "2026-07-01T10:00:00Z".parse().unwrap(),
            raised_at: "2026-07-01T12:00:00Z".parse().unwrap(),
            cleared_at: None,
            acknowledged: None,
            extreme: Some(MilliCelsius(8_250)),
            sensor: None,
            camera: None,
        }
    }

    #[test]
    fn its_json_is_a_contract() {
        let at = "2026-07-01T12:00:00Z".parse().unwrap();
        let note = Note::new(Message::new(&alarm(), Occasion::Raised, at, &TimeZone::UTC), at);
        insta::assert_snapshot!(note.json(), @r#"{"occasion":"raised","subject":"Alarm: warm","text":"fridge is above 5.0 °C","at":"2026-07-01T12:00:00Z","alarm":{"id":"00000000-0000-0000-0000-000000000000","rule":"warm","rule_id":"00000000-0000-0000-0000-000000000000","message":"fridge is above 5.0 °C","since":"2026-07-01T10:00:00Z","raised_at":"2026-07-01T12:00:00Z","cleared_at":null,"worst_celsius":8.25,"sensor_id":null,"camera_id":null}}"#);
        assert_eq!(serde_json::from_str::<Note>(&note.json()).unwrap(), note);
    }
}
