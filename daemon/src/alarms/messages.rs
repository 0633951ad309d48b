//! The domain's nouns as messages, and pages of alarms: pure.

use jiff::Timestamp;
use larder_proto::pb::{self, alarm_condition};
use uuid::Uuid;

use super::{
    Alarm, AlarmId,
    engine::State,
    rule::{Condition, Rule, Threshold},
};
use crate::{
    outcome::Refusal,
    pb_page::List,
    pb_time::{duration, timestamp},
};

pub(super) fn rule(rule: &Rule, state: State) -> pb::AlarmRule {
    pb::AlarmRule {
        id: rule.id.to_string(),
        name: rule.name.clone(),
        condition: Some(condition(&rule.condition)),
        enabled: Some(rule.enabled),
        hold: Some(duration(rule.hold)),
        repeat: rule.repeat.map(duration),
        channels: rule.channels.iter().map(ToString::to_string).collect(),
        created_at: Some(timestamp(rule.created_at)),
        updated_at: Some(timestamp(rule.updated_at)),
        state: match state {
            State::Idle => pb::AlarmRuleState::Idle,
            State::Ok => pb::AlarmRuleState::Ok,
            State::Pending => pb::AlarmRuleState::Pending,
            State::Raised => pb::AlarmRuleState::Raised,
            State::Holding => pb::AlarmRuleState::Holding,
        }
        .into(),
    }
}

fn condition(condition: &Condition) -> pb::AlarmCondition {
    use alarm_condition::Condition as Message;
    let threshold = |threshold: &Threshold| alarm_condition::Threshold {
        sensor_id: threshold.sensor.to_string(),
        celsius: threshold.limit.celsius(),
        r#for: Some(duration(threshold.after)),
        hysteresis_celsius: Some(threshold.hysteresis.celsius()),
    };
    let condition = match condition {
        Condition::Above(above) => Message::Above(threshold(above)),
        Condition::Below(below) => Message::Below(threshold(below)),
        Condition::Rate(rate) => Message::Rate(alarm_condition::RateOfChange {
            sensor_id: rate.sensor.to_string(),
            celsius: rate.change.celsius(),
            within: Some(duration(rate.within)),
        }),
        Condition::SensorSilent { sensor, after } => Message::SensorSilent(alarm_condition::SensorSilent {
            sensor_id: sensor.to_string(),
            r#for: Some(duration(*after)),
        }),
        Condition::CameraOffline { camera, after } => Message::CameraOffline(alarm_condition::CameraOffline {
            camera_id: camera.to_string(),
            r#for: Some(duration(*after)),
        }),
        Condition::RecordingStalled { camera, after } => Message::RecordingStalled(alarm_condition::RecordingStalled {
            camera_id: camera.to_string(),
            r#for: Some(duration(*after)),
        }),
        Condition::DiskFloor { after } => {
            Message::DiskFloor(alarm_condition::DiskFloor { r#for: Some(duration(*after)) })
        }
    };
    pb::AlarmCondition { condition: Some(condition) }
}

pub(super) fn alarm(alarm: &Alarm) -> pb::Alarm {
    let acknowledged = alarm.acknowledged.as_ref();
    pb::Alarm {
        id: alarm.id.to_string(),
        rule_id: alarm.rule.to_string(),
        rule_name: alarm.rule_name.clone(),
        message: alarm.message.clone(),
        raised_at: Some(timestamp(alarm.raised_at)),
        since: Some(timestamp(alarm.since)),
        cleared_at: alarm.cleared_at.map(timestamp),
        acknowledged_at: acknowledged.map(|acknowledged| timestamp(acknowledged.at)),
        acknowledged_by: acknowledged.map(|acknowledged| acknowledged.by.clone()).unwrap_or_default(),
        extreme_celsius: alarm.extreme.map(|extreme| extreme.celsius()),
        sensor_id: alarm.sensor.map(|sensor| sensor.to_string()).unwrap_or_default(),
        camera_id: alarm.camera.map(|camera| camera.to_string()).unwrap_or_default(),
    }
}

const LIST: List = List("alarms");

/// The last alarm of a page. It stays right when alarms come and go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct After {
    pub(super) is_over: bool,
    pub(super) raised_at: Timestamp,
    pub(super) id: AlarmId,
}

impl After {
    pub(super) fn of(alarm: &Alarm) -> Self {
        Self { is_over: alarm.cleared_at.is_some(), raised_at: alarm.raised_at, id: alarm.id }
    }

    pub(super) fn token(self) -> String {
        let kind = if self.is_over { "over" } else { "raised" };
        LIST.token(format_args!("{kind}:{}:{}", self.raised_at.as_microsecond(), self.id))
    }

    /// From a page token; an empty one is `None`.
    pub(super) fn parse(token: &str) -> Result<Option<Self>, Refusal> {
        LIST.after(token, |last| {
            let mut parts = last.splitn(3, ':');
            let is_over = match parts.next()? {
                "over" => true,
                "raised" => false,
                _ => return None,
            };
            let raised_at = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
            let id: Uuid = parts.next()?.parse().ok()?;
            Some(Self { is_over, raised_at, id: AlarmId(id) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_tokens_come_back_and_others_are_refused() {
        for is_over in [true, false] {
            let after = After { is_over, raised_at: Timestamp::UNIX_EPOCH, id: AlarmId(Uuid::nil()) };
            assert_eq!(After::parse(&after.token()).unwrap(), Some(after));
        }
        assert_eq!(After::parse("").unwrap(), None);
        for wrong in ["x", "over:", "over:1:2", "gone:0:00000000-0000-0000-0000-000000000000"] {
            assert!(After::parse(&LIST.token(wrong)).is_err(), "{wrong}");
            assert!(After::parse(wrong).is_err(), "{wrong}");
        }
    }
}
