//! What each sensor reads. Rendered here and not kept by the recorder, which would go on telling of sensors that were
//! removed.

use std::{fmt::Write as _, sync::Arc};

use super::catalogue::declaration;
use crate::temperatures::{Reading, Sensor, State};

/// A sensor at this moment.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the types say it")]
pub struct SensorNow {
    pub sensor: Arc<Sensor>,
    pub state: State,
    pub latest: Option<Reading>,
}

/// A number of each sensor; `None` when it has none.
type Value = fn(&SensorNow) -> Option<f64>;

const VALUES: &[(&str, Value)] = &[
    // What is old or failed is no temperature of now; that it is missing can be alarmed on.
    ("larder_sensor_celsius", |now| {
        let value = now.latest.and_then(|latest| latest.value).filter(|_| now.state == State::Fresh);
        value.map(|value| value.celsius())
    }),
    ("larder_sensor_fresh", |now| Some(f64::from(u8::from(now.state == State::Fresh)))),
    ("larder_sensor_newest_reading_timestamp_seconds", |now| {
        now.latest.map(|latest| latest.captured_at.as_duration().as_secs_f64())
    }),
];

const INFO: &str = "larder_sensor_info";

/// All metrics of these sensors.
pub(super) fn render(sensors: &[SensorNow]) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for (name, value) in VALUES {
        text.push_str(&declaration(name));
        for now in sensors {
            if let Some(value) = value(now) {
                let _ = writeln!(text, "{name}{{sensor=\"{}\"}} {value}", now.sensor.id);
            }
        }
    }
    text.push_str(&declaration(INFO));
    for SensorNow { sensor, .. } in sensors {
        let camera = sensor.camera.map(|camera| camera.to_string()).unwrap_or_default();
        let (id, name) = (sensor.id, &sensor.name);
        let _ = writeln!(text, "{INFO}{{sensor=\"{id}\",name=\"{name}\",camera=\"{camera}\"}} 1");
    }
    text
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::{CameraId, camera::MilliCelsius};

    use super::{super::catalogue::METRICS, *};
    use crate::{
        clock::from_us,
        temperatures::{SensorId, Source, Unit},
    };

    fn now(state: State, value: Option<MilliCelsius>) -> SensorNow {
        let (camera, at) = (CameraId::random(), from_us(1_700_000_000_500_000));
        let sensor = Sensor {
            id: SensorId::random(),
            key: 1,
            name: "top".to_owned(),
            title: String::new(),
            source: Source::Probe { camera, index: 0 },
            offset: MilliCelsius(0),
            unit: Unit::Celsius,
            camera: Some(camera),
            created_at: at,
            updated_at: at,
        };
        let latest = Some(Reading { sensor: sensor.id, captured_at: at, received_at: at, value });
        SensorNow { sensor: Arc::new(sensor), state, latest }
    }

    #[test]
    fn a_fresh_sensor_has_a_temperature_and_others_have_none() {
        let cold = Some(MilliCelsius(-18_062));
        let sensors = [now(State::Fresh, cold), now(State::Silent, cold), now(State::Failed, None)];
        let text = render(&sensors);
        let id = |number: usize| sensors[number].sensor.id;
        assert!(text.contains("# TYPE larder_sensor_celsius gauge\n"), "{text}");
        assert!(text.contains(&format!("larder_sensor_celsius{{sensor=\"{}\"}} -18.062\n", id(0))), "{text}");
        assert_eq!(text.matches("larder_sensor_celsius{").count(), 1);
        for (number, fresh) in [(0, 1), (1, 0), (2, 0)] {
            assert!(text.contains(&format!("larder_sensor_fresh{{sensor=\"{}\"}} {fresh}\n", id(number))), "{text}");
        }
        assert_eq!(text.matches("_timestamp_seconds{").count(), 3);
        assert!(text.contains("1700000000.5"), "{text}");
        let camera = sensors[0].sensor.camera.unwrap();
        let info = format!("larder_sensor_info{{sensor=\"{}\",name=\"top\",camera=\"{camera}\"}} 1\n", id(0));
        assert!(text.contains(&info), "{text}");
    }

    #[test]
    fn every_metric_of_a_sensor_is_in_the_catalogue() {
        for name in VALUES.iter().map(|(name, _)| *name).chain([INFO]) {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{name}");
        }
    }
}
