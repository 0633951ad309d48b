//! The domain's nouns as messages: pure.

use larder_proto::{pb, wire::camera::MilliCelsius};

use super::{Discovered, Reading, Sensor, Series, Source, State, Unit, series::Point};
use crate::pb_time::{duration, timestamp};

pub(super) fn sensor(sensor: &Sensor, latest: Option<&Reading>, state: State) -> pb::Sensor {
    pb::Sensor {
        id: sensor.id.to_string(),
        name: sensor.name.clone(),
        title: sensor.title.clone(),
        source: Some(source(&sensor.source)),
        offset_celsius: sensor.offset.celsius(),
        unit: match sensor.unit {
            Unit::Celsius => pb::TemperatureUnit::Celsius,
            Unit::Fahrenheit => pb::TemperatureUnit::Fahrenheit,
        }
        .into(),
        camera_id: sensor.camera.map(|camera| camera.to_string()).unwrap_or_default(),
        created_at: Some(timestamp(sensor.created_at)),
        updated_at: Some(timestamp(sensor.updated_at)),
        latest: latest.map(reading),
        state: match state {
            State::Never => pb::SensorState::Never,
            State::Fresh => pb::SensorState::Fresh,
            State::Silent => pb::SensorState::Silent,
            State::Failed => pb::SensorState::Failed,
        }
        .into(),
    }
}

pub(super) fn source(source: &Source) -> pb::SensorSource {
    use pb::sensor_source::{CameraProbe, Source as Message, TextDevice};
    let source = match source {
        Source::Probe { camera, index } => {
            Message::Probe(CameraProbe { camera_id: camera.to_string(), index: (*index).into() })
        }
        Source::Text { address, device } => {
            Message::Text(TextDevice { address: address.to_string(), device: device.clone() })
        }
    };
    pb::SensorSource { source: Some(source) }
}

pub(super) fn reading(reading: &Reading) -> pb::Reading {
    pb::Reading {
        sensor_id: reading.sensor.to_string(),
        captured_at: Some(timestamp(reading.captured_at)),
        received_at: Some(timestamp(reading.received_at)),
        celsius: reading.value.map(|value| value.celsius()),
    }
}

pub(super) fn discovered(found: &Discovered, suggested_name: String) -> pb::DiscoveredSensor {
    pb::DiscoveredSensor {
        source: Some(source(&found.source)),
        first_heard_at: Some(timestamp(found.first_heard_at)),
        last_heard_at: Some(timestamp(found.last_heard_at)),
        readings: found.readings,
        celsius: found.value.map(|value| value.celsius()),
        suggested_name,
    }
}

pub(super) fn series(series: &Series) -> pb::Series {
    let milli = |value: fn(&Point) -> MilliCelsius| series.points.iter().map(|point| value(point).0).collect();
    pb::Series {
        sensor_id: series.sensor.to_string(),
        at_us: series.points.iter().map(|point| point.at.as_microsecond()).collect(),
        min_milli_celsius: milli(|point| point.least),
        max_milli_celsius: milli(|point| point.most),
        mean_milli_celsius: milli(|point| point.mean),
        count: series.points.iter().map(|point| point.count).collect(),
        step: Some(duration(series.step)),
        gap_after: Some(duration(series.gap_after)),
    }
}

/// A name nobody has: the wanted one made fit, with a number when it is taken.
pub(super) fn suggested_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = String::new();
    for character in wanted.chars().map(|character| character.to_ascii_lowercase()) {
        let fits = character.is_ascii_lowercase() || character.is_ascii_digit();
        if fits {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        name.insert_str(0, "sensor-");
    }
    // Room for a number behind it.
    name.truncate(28);
    let name = name.trim_end_matches('-');
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_names_are_names_that_nobody_has() {
        let free = |wanted: &str| suggested_name(wanted, |_| false);
        assert_eq!(free("cam_one_temp"), "cam-one-temp");
        assert_eq!(free("Kühlschrank 1"), "k-hlschrank-1");
        assert_eq!(free("9"), "sensor-9");
        assert_eq!(free("__"), "sensor");
        for wanted in ["", "-", "ÄÖ", &"x".repeat(64), &format!("{}--b", "a".repeat(27))] {
            assert_eq!(crate::named::complaint(&free(wanted)), None, "{wanted:?} became {:?}", free(wanted));
        }
        let taken = ["fridge", "fridge-2"];
        assert_eq!(suggested_name("fridge", |name| taken.contains(&name)), "fridge-3");
    }
}
