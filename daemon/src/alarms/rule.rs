//! What is watched: rules, and what a rule may say.

use std::time::Duration;

use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::MilliCelsius};

use super::{ChannelId, FieldError, RuleId};
use crate::{named, temperatures::SensorId};

/// The longest time a rule may name.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// A change is watched within this time.
const WITHIN: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));
/// A sensor sends every half minute: sooner it is not silent.
const SHORTEST_SILENCE: Duration = Duration::from_mins(1);
/// A camera that restarts is away for seconds.
const SHORTEST_ABSENCE: Duration = Duration::from_secs(10);
/// Nobody wants to be told more often than this.
const SHORTEST_REPEAT: Duration = Duration::from_mins(1);
/// Wider than what a DS18B20 can read.
const LIMITS: (MilliCelsius, MilliCelsius) = (MilliCelsius(-100_000), MilliCelsius(150_000));
const LARGEST_HYSTERESIS: MilliCelsius = MilliCelsius(20_000);
const MOST_CHANNELS: usize = 64;

/// How long the cause must be gone when a rule does not say.
pub(super) const DEFAULT_HOLD: Duration = Duration::from_mins(1);
/// By how much a value must come back when a rule does not say.
pub(super) const DEFAULT_HYSTERESIS: MilliCelsius = MilliCelsius(500);

/// What is watched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Made by the hub.
    pub id: RuleId,
    /// Unique.
    pub name: String,
    /// When it raises its alarm.
    pub condition: Condition,
    /// Switched off, it raises nothing.
    pub enabled: bool,
    /// The cause must be gone this long before the alarm is cleared.
    pub hold: Duration,
    /// A raised alarm that nobody acknowledged is told again after this.
    pub repeat: Option<Duration>,
    /// Who is told; empty: all.
    pub channels: Vec<ChannelId>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// When a rule raises its alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// A value is above a limit.
    Above(Threshold),
    /// A value is below a limit.
    Below(Threshold),
    /// A value changes too fast.
    Rate(Rate),
    /// No value comes.
    SensorSilent {
        /// From which sensor.
        sensor: SensorId,
        /// For how long.
        after: Duration,
    },
    /// No picture comes.
    CameraOffline {
        /// From which camera.
        camera: CameraId,
        /// For how long.
        after: Duration,
    },
    /// Pictures come and should be recorded, but nothing is.
    RecordingStalled {
        /// Of which camera.
        camera: CameraId,
        /// For how long.
        after: Duration,
    },
    /// The disk of the recordings has less than its floor free.
    DiskFloor {
        /// For how long.
        after: Duration,
    },
}

/// A value beyond a limit for a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Threshold {
    /// Whose value.
    pub sensor: SensorId,
    /// Beyond this.
    pub limit: MilliCelsius,
    /// For this long.
    pub after: Duration,
    /// It must come back by this much before the cause counts as gone.
    pub hysteresis: MilliCelsius,
}

/// A value that changes by so much within a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Whose value.
    pub sensor: SensorId,
    /// Positive: rises by at least this. Negative: falls.
    pub change: MilliCelsius,
    /// Within this.
    pub within: Duration,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    Sensor(SensorId),
    Camera(CameraId),
    Disk,
}

impl Condition {
    /// The name that rows keep.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Above(_) => "above",
            Self::Below(_) => "below",
            Self::Rate(_) => "rate",
            Self::SensorSilent { .. } => "sensor_silent",
            Self::CameraOffline { .. } => "camera_offline",
            Self::RecordingStalled { .. } => "recording_stalled",
            Self::DiskFloor { .. } => "disk_floor",
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Above(Threshold { sensor, .. })
            | Self::Below(Threshold { sensor, .. })
            | Self::Rate(Rate { sensor, .. })
            | Self::SensorSilent { sensor, .. } => Subject::Sensor(*sensor),
            Self::CameraOffline { camera, .. } | Self::RecordingStalled { camera, .. } => Subject::Camera(*camera),
            Self::DiskFloor { .. } => Subject::Disk,
        }
    }

    /// The sensor it is about.
    pub fn sensor(&self) -> Option<SensorId> {
        if let Subject::Sensor(sensor) = self.subject() { Some(sensor) } else { None }
    }

    /// The camera it is about.
    pub fn camera(&self) -> Option<CameraId> {
        if let Subject::Camera(camera) = self.subject() { Some(camera) } else { None }
    }

    /// The time it names: for how long, or within which.
    pub fn time(&self) -> Duration {
        match self {
            Self::Above(threshold) | Self::Below(threshold) => threshold.after,
            Self::Rate(rate) => rate.within,
            Self::SensorSilent { after, .. }
            | Self::CameraOffline { after, .. }
            | Self::RecordingStalled { after, .. }
            | Self::DiskFloor { after } => *after,
        }
    }
}

/// Checks what the types cannot, naming each wrong field.
pub(super) fn check(rule: &Rule) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if let Some(why) = named::complaint(&rule.name) {
        wrong.push(("rule.name".to_owned(), why));
    }
    time(&mut wrong, "hold", rule.hold, Duration::ZERO, LONGEST);
    if let Some(repeat) = rule.repeat {
        time(&mut wrong, "repeat", repeat, SHORTEST_REPEAT, LONGEST);
    }
    if rule.channels.len() > MOST_CHANNELS {
        wrong.push(("rule.channels".to_owned(), format!("names more than {MOST_CHANNELS}")));
    }
    check_condition(&mut wrong, &rule.condition);
    wrong
}

fn check_condition(wrong: &mut Vec<FieldError>, condition: &Condition) {
    let kind = condition.kind();
    let mut say = |field: &str, why: String| wrong.push((format!("rule.condition.{kind}.{field}"), why));
    let (shortest, longest) = match condition {
        Condition::Above(threshold) | Condition::Below(threshold) => {
            if !(LIMITS.0..=LIMITS.1).contains(&threshold.limit) {
                say("celsius", "is not from -100 to 150".to_owned());
            }
            if !(MilliCelsius(0)..=LARGEST_HYSTERESIS).contains(&threshold.hysteresis) {
                say("hysteresis_celsius", "is not from 0 to 20".to_owned());
            }
            (Duration::ZERO, LONGEST)
        }
        Condition::Rate(rate) => {
            if rate.change.0 == 0 || rate.change < LIMITS.0 || rate.change.0 > -LIMITS.0.0 {
                say("celsius", "is not from -100 to 100, or is 0".to_owned());
            }
            WITHIN
        }
        Condition::SensorSilent { .. } => (SHORTEST_SILENCE, LONGEST),
        Condition::CameraOffline { .. } | Condition::RecordingStalled { .. } => (SHORTEST_ABSENCE, LONGEST),
        Condition::DiskFloor { .. } => (Duration::ZERO, LONGEST),
    };
    let field = if matches!(condition, Condition::Rate(_)) { "within" } else { "for" };
    time(wrong, &format!("condition.{kind}.{field}"), condition.time(), shortest, longest);
}

/// Rows keep whole seconds.
fn time(wrong: &mut Vec<FieldError>, field: &str, value: Duration, shortest: Duration, longest: Duration) {
    let path = format!("rule.{field}");
    if !(shortest..=longest).contains(&value) {
        let why = format!("is not from {} to {}", super::message::show(shortest), super::message::show(longest));
        wrong.push((path, why));
    } else if value.subsec_nanos() != 0 {
        wrong.push((path, "is not whole seconds".to_owned()));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::alarms) fn above(sensor: SensorId, celsius: i32, after: Duration) -> Rule {
        let limit = MilliCelsius(celsius * 1000);
        Rule {
            id: RuleId::random(),
            name: "warm".to_owned(),
            condition: Condition::Above(Threshold { sensor, limit, after, hysteresis: DEFAULT_HYSTERESIS }),
            enabled: true,
            hold: DEFAULT_HOLD,
            repeat: None,
            channels: Vec::new(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_wrong_field_of_a_rule_is_named() {
        let sensor = SensorId::random();
        let good = above(sensor, 5, Duration::from_hours(2));
        assert_eq!(check(&good), []);
        let paths = |rule: &Rule| check(rule).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        let limit = MilliCelsius(150_001);
        let hysteresis = MilliCelsius(-1);
        let wrong = Rule {
            name: "Warm".to_owned(),
            hold: Duration::from_millis(1500),
            repeat: Some(Duration::from_secs(59)),
            condition: Condition::Below(Threshold { sensor, limit, after: LONGEST * 2, hysteresis }),
            ..good.clone()
        };
        let below = |field: &str| format!("rule.condition.below.{field}");
        assert_eq!(
            paths(&wrong),
            ["rule.name", "rule.hold", "rule.repeat", &below("celsius"), &below("hysteresis_celsius"), &below("for")]
        );
        let rate = Rate { sensor, change: MilliCelsius(0), within: Duration::from_secs(59) };
        let wrong = Rule { condition: Condition::Rate(rate), ..good.clone() };
        assert_eq!(paths(&wrong), ["rule.condition.rate.celsius", "rule.condition.rate.within"]);
        let camera = CameraId::random();
        for (condition, path) in [
            (Condition::SensorSilent { sensor, after: Duration::ZERO }, "sensor_silent"),
            (Condition::CameraOffline { camera, after: Duration::ZERO }, "camera_offline"),
            (Condition::RecordingStalled { camera, after: Duration::ZERO }, "recording_stalled"),
            (Condition::DiskFloor { after: LONGEST * 2 }, "disk_floor"),
        ] {
            assert_eq!(paths(&Rule { condition, ..good.clone() }), [format!("rule.condition.{path}.for")]);
        }
    }
}
