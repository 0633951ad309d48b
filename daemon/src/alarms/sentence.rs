//! An alarm in a sentence for people: what, where, since when.

use jiff::{Timestamp, tz::TimeZone};
use larder_proto::wire::camera::MilliCelsius;

use super::{
    message::{at, show},
    rule::Condition,
};
use crate::temperatures::Unit;

/// Whom a sentence is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// The sensor's or the camera's title or name.
    pub(super) name: String,
    /// How its values are shown.
    pub(super) unit: Unit,
    /// Its newest value.
    pub(super) value: Option<MilliCelsius>,
}

pub(super) fn sentence(condition: &Condition, about: &About, since: Timestamp, zone: &TimeZone) -> String {
    let since = at(since, zone);
    let name = &about.name;
    let value = about.value.map(|value| format!("; now {}", degrees(value, about.unit))).unwrap_or_default();
    match condition {
        Condition::Above(threshold) => {
            format!("{name} is above {} since {since}{value}.", degrees(threshold.limit, about.unit))
        }
        Condition::Below(threshold) => {
            format!("{name} is below {} since {since}{value}.", degrees(threshold.limit, about.unit))
        }
        Condition::Rate(rate) => {
            let way = if rate.change.0 < 0 { "fell" } else { "rose" };
            let by = difference(rate.change, about.unit);
            format!("{name} {way} by {by} or more within {}, since {since}{value}.", show(rate.within))
        }
        Condition::SensorSilent { .. } => format!("{name} has sent no value since {since}."),
        Condition::CameraOffline { .. } => format!("{name} has sent no pictures since {since}."),
        Condition::RecordingStalled { .. } => {
            format!("{name} sends pictures, but they are not recorded since {since}.")
        }
        Condition::DiskFloor { .. } => {
            format!("The disk of the recordings has less free than its floor since {since}.")
        }
    }
}

fn degrees(value: MilliCelsius, unit: Unit) -> String {
    match unit {
        Unit::Celsius => format!("{:.1} °C", value.celsius()),
        Unit::Fahrenheit => format!("{:.1} °F", value.celsius() * 1.8 + 32.0),
    }
}

fn difference(change: MilliCelsius, unit: Unit) -> String {
    let celsius = change.celsius().abs();
    match unit {
        Unit::Celsius => format!("{celsius:.1} °C"),
        Unit::Fahrenheit => format!("{:.1} °F", celsius * 1.8),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_proto::wire::CameraId;

    use super::{
        super::rule::{Rate, Threshold},
        *,
    };
    use crate::temperatures::SensorId;

    #[test]
    fn every_condition_is_a_sentence() {
        let (sensor, camera, after) = (SensorId::random(), CameraId::random(), Duration::from_hours(2));
        let limit = MilliCelsius(5_000);
        let threshold = Threshold { sensor, limit, after, hysteresis: MilliCelsius(500) };
        let rate = |change| Condition::Rate(Rate { sensor, change: MilliCelsius(change), within: after });
        let all = [
            Condition::Above(threshold),
            Condition::Below(threshold),
            rate(5_000),
            rate(-5_000),
            Condition::SensorSilent { sensor, after },
            Condition::CameraOffline { camera, after },
            Condition::RecordingStalled { camera, after },
            Condition::DiskFloor { after },
        ];
        let about = About { name: "Fridge".to_owned(), unit: Unit::Celsius, value: Some(MilliCelsius(7_250)) };
        let since = "2026-11-22T14:05:30Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let told: Vec<String> = all.iter().map(|condition| sentence(condition, &about, since, &zone)).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        Fridge is above 5.0 °C since 2026-11-22 15:05 CET; now 7.2 °C.
        Fridge is below 5.0 °C since 2026-11-22 15:05 CET; now 7.2 °C.
        Fridge rose by 5.0 °C or more within 2 h, since 2026-11-22 15:05 CET; now 7.2 °C.
        Fridge fell by 5.0 °C or more within 2 h, since 2026-11-22 15:05 CET; now 7.2 °C.
        Fridge has sent no value since 2026-11-22 15:05 CET.
        Fridge has sent no pictures since 2026-11-22 15:05 CET.
        Fridge sends pictures, but they are not recorded since 2026-11-22 15:05 CET.
        The disk of the recordings has less free than its floor since 2026-11-22 15:05 CET.
        ");
        let fahrenheit = About { unit: Unit::Fahrenheit, value: None, ..about };
        assert_eq!(
            sentence(&Condition::Above(threshold), &fahrenheit, since, &TimeZone::UTC),
            "Fridge is above 41.0 °F since 2026-11-22 14:05 UTC."
        );
        assert!(sentence(&rate(5_000), &fahrenheit, since, &TimeZone::UTC).contains("by 9.0 °F"));
    }
}
