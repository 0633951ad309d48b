//! Requests become rules here, or an error that names each wrong field.

use std::time::Duration;

use larder_proto::{
    pb::{self, alarm_condition},
    wire::{CameraId, camera::MilliCelsius},
};
use prost_types::FieldMask;

use super::{
    ChannelId, Error, FieldError, RuleId,
    rule::{self, Condition, DEFAULT_HOLD, DEFAULT_HYSTERESIS, Rate, Rule, Threshold},
};
use crate::{pb_mask, temperatures::SensorId};

/// Every path a mask may hold.
const PATHS: &[&str] = &["name", "condition", "enabled", "hold", "repeat", "channels"];

/// Finds what requests name, by id or name.
pub(super) trait Names {
    fn sensor(&self, id_or_name: &str) -> Option<SensorId>;
    fn camera(&self, id_or_name: &str) -> Option<CameraId>;
    fn channel(&self, id_or_name: &str) -> Option<ChannelId>;
}

/// A rule to add: absent settings take their defaults.
pub(super) fn new_rule(wanted: &pb::AlarmRule, names: &dyn Names, now: jiff::Timestamp) -> Result<Rule, Error> {
    let mut rule = Rule {
        id: RuleId::random(),
        name: String::new(),
        // Stands where a request names none, until it is refused.
        condition: Condition::DiskFloor { after: Duration::ZERO },
        enabled: true,
        hold: DEFAULT_HOLD,
        repeat: None,
        channels: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    let mut paths = set_paths(wanted);
    paths.retain(|path| path != "name" && path != "condition");
    paths.extend(["name".to_owned(), "condition".to_owned()]);
    apply(&mut rule, wanted, &paths, names)?;
    Ok(rule)
}

/// A rule as it is to be after an update.
pub(super) fn updated(
    known: &Rule,
    wanted: &pb::AlarmRule,
    mask: Option<&FieldMask>,
    names: &dyn Names,
) -> Result<Rule, Error> {
    let paths = pb_mask::paths(mask, || set_paths(wanted), PATHS).map_err(|wrong| Error::Fields(vec![wrong]))?;
    let mut rule = known.clone();
    apply(&mut rule, wanted, &paths, names)?;
    Ok(rule)
}

/// The paths of the fields that are set, for a request without a mask.
fn set_paths(wanted: &pb::AlarmRule) -> Vec<String> {
    pb_mask::set(&[
        ("name", !wanted.name.is_empty()),
        ("condition", wanted.condition.is_some()),
        ("enabled", wanted.enabled.is_some()),
        ("hold", wanted.hold.is_some()),
        ("repeat", wanted.repeat.is_some()),
        ("channels", !wanted.channels.is_empty()),
    ])
}

fn apply(rule: &mut Rule, wanted: &pb::AlarmRule, paths: &[String], names: &dyn Names) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for path in paths {
        match path.as_str() {
            "name" => rule.name.clone_from(&wanted.name),
            "condition" => {
                let message = wanted.condition.as_ref().and_then(|condition| condition.condition.as_ref());
                if let Some(parsed) = condition(message, names, &mut wrong) {
                    rule.condition = parsed;
                }
            }
            "enabled" => rule.enabled = wanted.enabled.unwrap_or(true),
            "hold" => rule.hold = wanted.hold.map_or(DEFAULT_HOLD, |hold| time("hold", Some(hold), &mut wrong)),
            "repeat" => rule.repeat = wanted.repeat.map(|repeat| time("repeat", Some(repeat), &mut wrong)),
            "channels" => rule.channels = channels(&wanted.channels, names, &mut wrong),
            _ => {}
        }
    }
    for error in rule::check(rule) {
        if !wrong.iter().any(|(path, _)| error.0.starts_with(path)) {
            wrong.push(error);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Fields(wrong)) }
}

fn channels(wanted: &[String], names: &dyn Names, wrong: &mut Vec<FieldError>) -> Vec<ChannelId> {
    let mut channels = Vec::new();
    for name in wanted {
        match names.channel(name) {
            Some(channel) => channels.push(channel),
            None => wrong.push(("rule.channels".to_owned(), format!("no such channel {name:?}"))),
        }
    }
    channels.sort_unstable();
    channels.dedup();
    channels
}

fn condition(
    wanted: Option<&alarm_condition::Condition>,
    names: &dyn Names,
    wrong: &mut Vec<FieldError>,
) -> Option<Condition> {
    use alarm_condition::Condition as Wanted;
    let Some(wanted) = wanted else {
        wrong.push(("rule.condition".to_owned(), "is not set".to_owned()));
        return None;
    };
    Some(match wanted {
        Wanted::Above(above) => Condition::Above(threshold("above", above, names, wrong)?),
        Wanted::Below(below) => Condition::Below(threshold("below", below, names, wrong)?),
        Wanted::Rate(rate) => {
            let within = time("condition.rate.within", rate.within, wrong);
            let change = milli("rate.celsius", rate.celsius, wrong);
            Condition::Rate(Rate { sensor: sensor("rate", &rate.sensor_id, names, wrong)?, change, within })
        }
        Wanted::SensorSilent(silent) => {
            let after = time("condition.sensor_silent.for", silent.r#for, wrong);
            Condition::SensorSilent { sensor: sensor("sensor_silent", &silent.sensor_id, names, wrong)?, after }
        }
        Wanted::CameraOffline(offline) => {
            let after = time("condition.camera_offline.for", offline.r#for, wrong);
            Condition::CameraOffline { camera: camera("camera_offline", &offline.camera_id, names, wrong)?, after }
        }
        Wanted::RecordingStalled(stalled) => {
            let after = time("condition.recording_stalled.for", stalled.r#for, wrong);
            let camera = camera("recording_stalled", &stalled.camera_id, names, wrong)?;
            Condition::RecordingStalled { camera, after }
        }
        Wanted::DiskFloor(floor) => {
            Condition::DiskFloor { after: time("condition.disk_floor.for", floor.r#for, wrong) }
        }
    })
}

fn threshold(
    kind: &str,
    wanted: &alarm_condition::Threshold,
    names: &dyn Names,
    wrong: &mut Vec<FieldError>,
) -> Option<Threshold> {
    let limit = milli(&format!("{kind}.celsius"), wanted.celsius, wrong);
    let hysteresis = wanted
        .hysteresis_celsius
        .map_or(DEFAULT_HYSTERESIS, |hysteresis| milli(&format!("{kind}.hysteresis_celsius"), hysteresis, wrong));
    let after = time(&format!("condition.{kind}.for"), wanted.r#for, wrong);
    Some(Threshold { sensor: sensor(kind, &wanted.sensor_id, names, wrong)?, limit, after, hysteresis })
}

fn sensor(kind: &str, wanted: &str, names: &dyn Names, wrong: &mut Vec<FieldError>) -> Option<SensorId> {
    let found = names.sensor(wanted);
    if found.is_none() {
        wrong.push((format!("rule.condition.{kind}.sensor_id"), format!("no such sensor {wanted:?}")));
    }
    found
}

fn camera(kind: &str, wanted: &str, names: &dyn Names, wrong: &mut Vec<FieldError>) -> Option<CameraId> {
    let found = names.camera(wanted);
    if found.is_none() {
        wrong.push((format!("rule.condition.{kind}.camera_id"), format!("no such camera {wanted:?}")));
    }
    found
}

/// An absent time is zero; whether that is enough is said by the rule's own check.
fn time(path: &str, wanted: Option<prost_types::Duration>, wrong: &mut Vec<FieldError>) -> Duration {
    let Some(wanted) = wanted else { return Duration::ZERO };
    Duration::try_from(wanted).unwrap_or_else(|_| {
        wrong.push((format!("rule.{path}"), "is negative".to_owned()));
        Duration::ZERO
    })
}

/// Thousandths, of what is within a thousand degrees.
fn milli(path: &str, celsius: f64, wrong: &mut Vec<FieldError>) -> MilliCelsius {
    if !(-1000.0..=1000.0).contains(&celsius) {
        wrong.push((format!("rule.condition.{path}"), "is out of range".to_owned()));
        return MilliCelsius(0);
    }
    #[expect(clippy::cast_possible_truncation, reason = "far within the range of an i32")]
    MilliCelsius((celsius * 1000.0).round() as i32)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const SENSOR: SensorId = SensorId(uuid::Uuid::from_u128(1));
    const CHANNEL: ChannelId = ChannelId(uuid::Uuid::from_u128(2));
    const CAMERA: CameraId = CameraId(uuid::Uuid::from_u128(3));

    struct Known;

    impl Names for Known {
        fn sensor(&self, name: &str) -> Option<SensorId> {
            (name == "fridge").then_some(SENSOR)
        }

        fn camera(&self, name: &str) -> Option<CameraId> {
            (name == "cam").then_some(CAMERA)
        }

        fn channel(&self, name: &str) -> Option<ChannelId> {
            (name == "phone" || name == CHANNEL.to_string()).then_some(CHANNEL)
        }
    }

    pub(in crate::alarms) fn new(wanted: &pb::AlarmRule) -> Result<Rule, Error> {
        new_rule(wanted, &Known, jiff::Timestamp::UNIX_EPOCH)
    }

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    fn wanted(condition: alarm_condition::Condition) -> pb::AlarmRule {
        let condition = pb::AlarmCondition { condition: Some(condition) };
        pb::AlarmRule { name: "warm".to_owned(), condition: Some(condition), ..Default::default() }
    }

    fn above(sensor: &str) -> alarm_condition::Threshold {
        alarm_condition::Threshold {
            sensor_id: sensor.to_owned(),
            celsius: 5.0,
            r#for: seconds(60),
            ..Default::default()
        }
    }

    fn fields(result: Result<Rule, Error>) -> Vec<String> {
        match result.unwrap_err() {
            Error::Fields(fields) => fields.into_iter().map(|(path, _)| path).collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_new_rule_takes_defaults() {
        let rule = new(&wanted(alarm_condition::Condition::Above(above("fridge")))).unwrap();
        assert_eq!((rule.enabled, rule.hold, rule.repeat), (true, DEFAULT_HOLD, None));
        let limit = MilliCelsius(5_000);
        let after = Duration::from_secs(60);
        let expected = Threshold { sensor: SENSOR, limit, after, hysteresis: DEFAULT_HYSTERESIS };
        assert_eq!(rule.condition, Condition::Above(expected));
    }

    #[test]
    fn every_condition_comes_back_as_it_went() {
        use alarm_condition::{CameraOffline, Condition as C, DiskFloor, RateOfChange, RecordingStalled, SensorSilent};
        let (sensor_id, camera_id) = ("fridge".to_owned(), "cam".to_owned());
        for condition in [
            C::Above(above("fridge")),
            C::Below(above("fridge")),
            C::Rate(RateOfChange { sensor_id: sensor_id.clone(), celsius: -3.0, within: seconds(600) }),
            C::SensorSilent(SensorSilent { sensor_id, r#for: seconds(600) }),
            C::CameraOffline(CameraOffline { camera_id: camera_id.clone(), r#for: seconds(60) }),
            C::RecordingStalled(RecordingStalled { camera_id, r#for: seconds(60) }),
            C::DiskFloor(DiskFloor { r#for: None }),
        ] {
            let rule = new(&wanted(condition)).unwrap();
            let message = super::super::messages::rule(&rule, super::super::engine::State::Ok);
            struct ById;
            impl Names for ById {
                fn sensor(&self, id: &str) -> Option<SensorId> {
                    id.parse().ok()
                }
                fn camera(&self, id: &str) -> Option<CameraId> {
                    id.parse().ok()
                }
                fn channel(&self, _: &str) -> Option<ChannelId> {
                    None
                }
            }
            let again = new_rule(&message, &ById, jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(again, Rule { id: again.id, ..rule });
        }
    }

    #[test]
    fn an_update_changes_what_its_mask_names_and_can_empty_it() {
        let mut with = wanted(alarm_condition::Condition::Above(above("fridge")));
        with.repeat = seconds(600);
        with.channels = vec!["phone".to_owned(), CHANNEL.to_string()];
        let known = new(&with).unwrap();
        assert_eq!((known.repeat, known.channels.as_slice()), (Some(Duration::from_secs(600)), &[CHANNEL][..]));
        let mask = FieldMask { paths: vec!["repeat".to_owned(), "channels".to_owned()] };
        let changed = updated(&known, &pb::AlarmRule::default(), Some(&mask), &Known).unwrap();
        assert_eq!(changed, Rule { repeat: None, channels: Vec::new(), ..known.clone() });
        let off = pb::AlarmRule { enabled: Some(false), ..Default::default() };
        assert_eq!(updated(&known, &off, None, &Known).unwrap(), Rule { enabled: false, ..known });
    }

    #[test]
    fn wrong_fields_and_masks_are_named() {
        assert_eq!(fields(new(&pb::AlarmRule::default())), ["rule.condition", "rule.name"]);
        let nowhere = wanted(alarm_condition::Condition::Above(above("attic")));
        assert_eq!(fields(new(&nowhere)), ["rule.condition.above.sensor_id"]);
        let mut wrong = wanted(alarm_condition::Condition::Above(alarm_condition::Threshold {
            celsius: f64::NAN,
            r#for: seconds(-1),
            ..above("fridge")
        }));
        wrong.channels = vec!["fax".to_owned()];
        assert_eq!(fields(new(&wrong)), ["rule.channels", "rule.condition.above.celsius", "rule.condition.above.for"]);
        let known = new(&wanted(alarm_condition::Condition::Above(above("fridge")))).unwrap();
        let mask = FieldMask { paths: vec!["state".to_owned()] };
        assert_eq!(fields(updated(&known, &pb::AlarmRule::default(), Some(&mask), &Known)), ["update_mask"]);
    }
}
