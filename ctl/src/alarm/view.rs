//! How alarms and rules look to people and to programs.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use larder_proto::pb::{Alarm, AlarmCondition, AlarmRule, AlarmRuleState, alarm_condition};
use serde::Serialize;

use super::degrees;
use crate::{
    Failure, Out,
    client::Hub,
    units::{self, show_duration},
    when,
};

/// An alarm, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in alarms.proto, with units")]
pub struct AlarmView {
    pub id: String,
    pub rule_id: String,
    pub rule_name: String,
    pub message: String,
    pub since: Option<Timestamp>,
    pub raised_at: Option<Timestamp>,
    pub cleared_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: String,
    pub extreme_celsius: Option<f64>,
    pub sensor_id: String,
    pub camera_id: String,
}

impl From<Alarm> for AlarmView {
    fn from(alarm: Alarm) -> Self {
        Self {
            since: when::from_wire(alarm.since.as_ref()),
            raised_at: when::from_wire(alarm.raised_at.as_ref()),
            cleared_at: when::from_wire(alarm.cleared_at.as_ref()),
            acknowledged_at: when::from_wire(alarm.acknowledged_at.as_ref()),
            id: alarm.id,
            rule_id: alarm.rule_id,
            rule_name: alarm.rule_name,
            message: alarm.message,
            acknowledged_by: alarm.acknowledged_by,
            extreme_celsius: alarm.extreme_celsius,
            sensor_id: alarm.sensor_id,
            camera_id: alarm.camera_id,
        }
    }
}

impl AlarmView {
    /// How it stands, in a word or two.
    pub fn state(&self) -> &'static str {
        match (self.cleared_at, self.acknowledged_at) {
            (Some(_), _) => "over",
            (None, Some(_)) => "acknowledged",
            (None, None) => "RAISED",
        }
    }

    /// How long its cause has been there, or was.
    fn lasted(&self, now: Timestamp) -> String {
        let lasted = self.since.map(|since| self.cleared_at.unwrap_or(now).duration_since(since).unsigned_abs());
        // Seconds are enough.
        lasted.map(|lasted| show_duration(Duration::from_secs(lasted.as_secs()))).unwrap_or_default()
    }
}

pub(super) fn alarms(views: &[AlarmView], out: &mut Out) -> Result<(), Failure> {
    let (zone, now) = (out.zone().clone(), out.now());
    out.list(views, &["RULE", "STATE", "RAISED", "LASTED", "MESSAGE", "ID"], |view| {
        vec![
            view.rule_name.clone(),
            view.state().to_owned(),
            view.raised_at.map(|at| when::show(at, &zone)).unwrap_or_default(),
            view.lasted(now),
            view.message.clone(),
            view.id.clone(),
        ]
    })
}

pub(super) fn alarm(view: &AlarmView, out: &mut Out) -> Result<(), Failure> {
    out.one(view, |out| {
        let (zone, now) = (out.zone().clone(), out.now());
        let stamp = |at: Option<Timestamp>| at.map(|at| when::show(at, &zone)).unwrap_or_default();
        let acknowledged =
            view.acknowledged_at.map(|at| format!("{} by {}", when::show(at, &zone), view.acknowledged_by));
        out.fields(&[
            ("Alarm", view.message.clone()),
            ("State", view.state().to_owned()),
            ("Rule", view.rule_name.clone()),
            ("Since", stamp(view.since)),
            ("Raised", stamp(view.raised_at)),
            ("Over", stamp(view.cleared_at)),
            ("Lasted", view.lasted(now)),
            ("Acknowledged", acknowledged.unwrap_or_default()),
            ("Worst", view.extreme_celsius.map(degrees::show).unwrap_or_default()),
            ("Id", view.id.clone()),
        ])
    })
}

/// A rule, for programs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleView {
    id: String,
    pub(super) name: String,
    state: &'static str,
    enabled: bool,
    condition: ConditionView,
    hold_seconds: u64,
    repeat_seconds: Option<u64>,
    /// Their names, or ids where those may not be known. Empty: all.
    channels: Vec<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

/// A condition, for programs.
#[derive(Clone, Debug, Default, Serialize)]
struct ConditionView {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hysteresis_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within_seconds: Option<u64>,
}

/// Names by id, of everything that rules name.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Asks for them. A name is a courtesy: where it may not be known, the id has to do.
    pub(super) async fn ask(hub: &Hub) -> Self {
        use larder_proto::pb::{ListAlarmChannelsRequest, ListCamerasRequest, ListSensorsRequest};
        let mut names = BTreeMap::new();
        let request = ListSensorsRequest { page_size: 1000, ..Default::default() };
        if let Ok(answer) = hub.temperatures().list_sensors(crate::client::quick(request)).await {
            names.extend(answer.into_inner().sensors.into_iter().map(|sensor| (sensor.id, sensor.name)));
        }
        let request = ListCamerasRequest { page_size: 1000, ..Default::default() };
        if let Ok(answer) = hub.cameras().list_cameras(crate::client::quick(request)).await {
            names.extend(answer.into_inner().cameras.into_iter().map(|camera| (camera.id, camera.name)));
        }
        let request = ListAlarmChannelsRequest { page_size: 1000, ..Default::default() };
        if let Ok(answer) = hub.alarms().list_alarm_channels(crate::client::quick(request)).await {
            names.extend(answer.into_inner().channels.into_iter().map(|channel| (channel.id, channel.name)));
        }
        Self(names)
    }

    fn of(&self, id: &str) -> String {
        self.0.get(id).map_or(id, String::as_str).to_owned()
    }
}

impl RuleView {
    pub(super) fn new(rule: AlarmRule, names: &Names) -> Self {
        let seconds = |time: Option<&prost_types::Duration>| units::from_wire(time).map(|time| time.as_secs());
        Self {
            state: state_name(rule.state()),
            condition: ConditionView::new(rule.condition.as_ref(), names),
            hold_seconds: seconds(rule.hold.as_ref()).unwrap_or_default(),
            repeat_seconds: seconds(rule.repeat.as_ref()),
            channels: rule.channels.iter().map(|channel| names.of(channel)).collect(),
            created_at: when::from_wire(rule.created_at.as_ref()),
            updated_at: when::from_wire(rule.updated_at.as_ref()),
            enabled: rule.enabled.unwrap_or(true),
            id: rule.id,
            name: rule.name,
        }
    }

    fn state(&self) -> String {
        if self.enabled { self.state.to_owned() } else { "off".to_owned() }
    }

    fn repeat(&self) -> String {
        self.repeat_seconds.map_or("never".to_owned(), |repeat| show_duration(Duration::from_secs(repeat)))
    }

    fn channels(&self) -> String {
        if self.channels.is_empty() { "all".to_owned() } else { self.channels.join(", ") }
    }
}

fn state_name(state: AlarmRuleState) -> &'static str {
    match state {
        AlarmRuleState::Ok => "ok",
        AlarmRuleState::Pending => "pending",
        AlarmRuleState::Raised => "RAISED",
        AlarmRuleState::Holding => "holding",
        AlarmRuleState::Idle | AlarmRuleState::Unspecified => "idle",
    }
}

impl ConditionView {
    fn new(condition: Option<&AlarmCondition>, names: &Names) -> Self {
        use alarm_condition::Condition;
        let seconds = |time: Option<&prost_types::Duration>| units::from_wire(time).map(|time| time.as_secs());
        let threshold = |kind, threshold: &alarm_condition::Threshold| Self {
            kind,
            sensor: Some(names.of(&threshold.sensor_id)),
            celsius: Some(threshold.celsius),
            hysteresis_celsius: threshold.hysteresis_celsius,
            for_seconds: seconds(threshold.r#for.as_ref()).or(Some(0)),
            ..Self::default()
        };
        match condition.and_then(|condition| condition.condition.as_ref()) {
            Some(Condition::Above(above)) => threshold("above", above),
            Some(Condition::Below(below)) => threshold("below", below),
            Some(Condition::Rate(rate)) => Self {
                kind: "rate",
                sensor: Some(names.of(&rate.sensor_id)),
                celsius: Some(rate.celsius),
                within_seconds: seconds(rate.within.as_ref()),
                ..Self::default()
            },
            Some(Condition::SensorSilent(silent)) => Self {
                kind: "sensor_silent",
                sensor: Some(names.of(&silent.sensor_id)),
                for_seconds: seconds(silent.r#for.as_ref()),
                ..Self::default()
            },
            Some(Condition::CameraOffline(offline)) => Self {
                kind: "camera_offline",
                camera: Some(names.of(&offline.camera_id)),
                for_seconds: seconds(offline.r#for.as_ref()),
                ..Self::default()
            },
            Some(Condition::RecordingStalled(stalled)) => Self {
                kind: "recording_stalled",
                camera: Some(names.of(&stalled.camera_id)),
                for_seconds: seconds(stalled.r#for.as_ref()),
                ..Self::default()
            },
            Some(Condition::DiskFloor(floor)) => {
                Self { kind: "disk_floor", for_seconds: seconds(floor.r#for.as_ref()).or(Some(0)), ..Self::default() }
            }
            None => Self::default(),
        }
    }

    /// In a few words.
    fn words(&self) -> String {
        let time = |seconds: Option<u64>| show_duration(Duration::from_secs(seconds.unwrap_or_default()));
        let after = match self.for_seconds {
            Some(0) | None => String::new(),
            seconds => format!(" for {}", time(seconds)),
        };
        let (sensor, camera) = (self.sensor.as_deref().unwrap_or_default(), self.camera.as_deref().unwrap_or_default());
        let celsius = self.celsius.unwrap_or_default();
        match self.kind {
            "rate" => {
                let way = if celsius < 0.0 { "falls" } else { "rises" };
                format!("{sensor} {way} by {} within {}", degrees::show(celsius.abs()), time(self.within_seconds))
            }
            "sensor_silent" => format!("{sensor} silent{after}"),
            "camera_offline" => format!("{camera} offline{after}"),
            "recording_stalled" => format!("{camera} not recorded{after}"),
            "disk_floor" => format!("disk below its floor{after}"),
            "" => String::new(),
            kind => format!("{sensor} {kind} {}{after}", degrees::show(celsius)),
        }
    }
}

/// A condition of a preset in a few words: whatever sensor.
pub(super) fn condition_words(condition: Option<&AlarmCondition>) -> String {
    ConditionView::new(condition, &Names::default()).words().trim_start().to_owned()
}

pub(super) fn rules(views: &[RuleView], out: &mut Out) -> Result<(), Failure> {
    out.list(views, &["NAME", "STATE", "WHEN", "REPEAT", "CHANNELS"], |view| {
        vec![view.name.clone(), view.state(), view.condition.words(), view.repeat(), view.channels()]
    })
}

pub(super) fn rule(view: &RuleView, out: &mut Out) -> Result<(), Failure> {
    out.one(view, |out| {
        let back = view.condition.hysteresis_celsius.map(|back| format!("comes back by {}", degrees::show(back)));
        out.fields(&[
            ("Rule", view.name.clone()),
            ("State", view.state()),
            ("When", view.condition.words()),
            ("Hysteresis", back.unwrap_or_default()),
            ("Hold", show_duration(Duration::from_secs(view.hold_seconds))),
            ("Repeat", view.repeat()),
            ("Channels", view.channels()),
            ("Id", view.id.clone()),
        ])
    })
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::alarm_condition::{Condition, RateOfChange, Threshold};

    use super::*;
    use crate::output::tests::Written;

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    #[test]
    fn rules_read_at_a_glance() {
        let rule = |name: &str, condition, state| {
            let condition = Some(AlarmCondition { condition: Some(condition) });
            let mut rule = AlarmRule { name: name.into(), condition, repeat: seconds(1_800), ..Default::default() };
            rule.set_state(state);
            rule
        };
        let above = Threshold { sensor_id: "7".into(), celsius: 5.0, r#for: seconds(7_200), hysteresis_celsius: None };
        let rate = RateOfChange { sensor_id: "7".into(), celsius: -3.0, within: seconds(600) };
        let names = Names([("7".to_owned(), "fridge".to_owned())].into());
        let views = [
            RuleView::new(rule("warm", Condition::Above(above), AlarmRuleState::Raised), &names),
            RuleView::new(rule("frost", Condition::Rate(rate), AlarmRuleState::Idle), &names),
        ];
        let written = Written::default();
        rules(&views, &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        NAME   STATE   WHEN                               REPEAT  CHANNELS
        warm   RAISED  fridge above 5.0 °C for 2h         30m     all
        frost  idle    fridge falls by 3.0 °C within 10m  30m     all
        ");
    }

    #[test]
    fn an_alarm_says_how_long_and_who_has_seen_it() {
        let stamp = |text: &str| Some(when::to_wire(text.parse().expect("a time")));
        let alarm = Alarm {
            id: "0193".into(),
            rule_name: "warm".into(),
            message: "fridge is above 5.0 °C.".into(),
            since: stamp("2026-11-22T12:30:00Z"),
            raised_at: stamp("2026-11-22T14:30:00Z"),
            acknowledged_at: stamp("2026-11-22T14:45:00Z"),
            acknowledged_by: "ann".into(),
            extreme_celsius: Some(8.25),
            ..Default::default()
        };
        let written = Written::default();
        super::alarm(&alarm.into(), &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        Alarm         fridge is above 5.0 °C.
        State         acknowledged
        Rule          warm
        Since         2026-11-22 12:30:00
        Raised        2026-11-22 14:30:00
        Lasted        2h 30m
        Acknowledged  2026-11-22 14:45:00 by ann
        Worst         8.2 °C
        Id            0193
        ");
    }
}
