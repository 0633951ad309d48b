//! Sensors as people and programs read them.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use larder_proto::pb::{
    DiscoveredSensor, Reading, Sensor, SensorSource, SensorState, TemperatureUnit, sensor_source::Source,
};
use serde::Serialize;

use super::Scale;
use crate::{Failure, Out, temperature::show_degrees, units::show_duration, when};

/// A sensor, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in temperatures.proto, with units")]
pub struct SensorView {
    pub id: String,
    pub name: String,
    pub title: String,
    /// `probe 0 of fridge`, `cam_one_temp from 192.168.1.20`.
    pub source: String,
    pub offset_celsius: f64,
    pub unit: &'static str,
    pub camera_id: String,
    pub camera: Option<String>,
    pub state: &'static str,
    pub latest: Option<ReadingView>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    #[serde(skip)]
    pub(crate) scale: Scale,
}

/// A reading, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in temperatures.proto, with units")]
pub struct ReadingView {
    pub sensor_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    pub captured_at: Option<Timestamp>,
    pub received_at: Option<Timestamp>,
    /// Absent when the probe failed.
    pub celsius: Option<f64>,
}

/// Something that was heard, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in temperatures.proto, with units")]
pub struct DiscoveredView {
    pub suggested_name: String,
    pub source: String,
    pub celsius: Option<f64>,
    pub readings: u64,
    pub first_heard_at: Option<Timestamp>,
    pub last_heard_at: Option<Timestamp>,
}

impl SensorView {
    /// With the cameras' names, by id.
    pub fn of(sensor: Sensor, cameras: &BTreeMap<String, String>) -> Self {
        let scale = if sensor.unit() == TemperatureUnit::Fahrenheit { Scale::Fahrenheit } else { Scale::Celsius };
        Self {
            source: source(sensor.source.as_ref(), cameras),
            camera: cameras.get(&sensor.camera_id).cloned(),
            unit: if scale == Scale::Fahrenheit { "fahrenheit" } else { "celsius" },
            state: match sensor.state() {
                SensorState::Unspecified => "unknown",
                SensorState::Never => "never",
                SensorState::Fresh => "fresh",
                SensorState::Silent => "silent",
                SensorState::Failed => "failed",
            },
            latest: sensor.latest.map(ReadingView::from),
            created_at: when::from_wire(sensor.created_at.as_ref()),
            updated_at: when::from_wire(sensor.updated_at.as_ref()),
            scale,
            id: sensor.id,
            name: sensor.name,
            title: sensor.title,
            offset_celsius: sensor.offset_celsius,
            camera_id: sensor.camera_id,
        }
    }

    /// The newest value, for people.
    pub(crate) fn value(&self) -> String {
        self.latest.as_ref().map(|latest| show_degrees(latest.celsius, self.scale)).unwrap_or_default()
    }

    /// How long ago that was, for people.
    pub(crate) fn age(&self, now: Timestamp) -> String {
        let at = self.latest.as_ref().and_then(|latest| latest.received_at);
        let age = at.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        age.map(|age| format!("{} ago", show_duration(Duration::from_secs(age.as_secs())))).unwrap_or_default()
    }
}

impl From<Reading> for ReadingView {
    fn from(reading: Reading) -> Self {
        Self {
            sensor: None,
            captured_at: when::from_wire(reading.captured_at.as_ref()),
            received_at: when::from_wire(reading.received_at.as_ref()),
            celsius: reading.celsius,
            sensor_id: reading.sensor_id,
        }
    }
}

impl DiscoveredView {
    /// With the cameras' names, by id.
    pub fn of(found: DiscoveredSensor, cameras: &BTreeMap<String, String>) -> Self {
        Self {
            source: source(found.source.as_ref(), cameras),
            celsius: found.celsius,
            readings: found.readings,
            first_heard_at: when::from_wire(found.first_heard_at.as_ref()),
            last_heard_at: when::from_wire(found.last_heard_at.as_ref()),
            suggested_name: found.suggested_name,
        }
    }
}

fn source(source: Option<&SensorSource>, cameras: &BTreeMap<String, String>) -> String {
    match source.and_then(|source| source.source.as_ref()) {
        None => String::new(),
        Some(Source::Probe(probe)) => {
            let camera = cameras.get(&probe.camera_id).unwrap_or(&probe.camera_id);
            format!("probe {} of {camera}", probe.index)
        }
        Some(Source::Text(text)) => format!("{} from {}", text.device, text.address),
    }
}

pub(super) fn list(views: &[SensorView], out: &mut Out) -> Result<(), Failure> {
    let now = out.now();
    out.list(views, &["NAME", "VALUE", "STATE", "READ", "CAMERA", "SOURCE", "TITLE"], |view| {
        vec![
            view.name.clone(),
            view.value(),
            view.state.to_owned(),
            view.age(now),
            view.camera.clone().unwrap_or_default(),
            view.source.clone(),
            view.title.clone(),
        ]
    })
}

pub(super) fn show(view: &SensorView, out: &mut Out) -> Result<(), Failure> {
    let (now, zone) = (out.now(), out.zone().clone());
    let stamp = |at: Option<Timestamp>| at.map(|at| when::show(at, &zone)).unwrap_or_default();
    out.one(view, |out| {
        let offset = if view.offset_celsius == 0.0 { String::new() } else { format!("{:+} °C", view.offset_celsius) };
        out.fields(&[
            ("Id", view.id.clone()),
            ("Name", view.name.clone()),
            ("Title", view.title.clone()),
            ("Source", view.source.clone()),
            ("Value", view.value()),
            ("Read", view.age(now)),
            ("State", view.state.to_owned()),
            ("Offset", offset),
            ("Unit", view.unit.to_owned()),
            ("Camera", view.camera.clone().unwrap_or_default()),
            ("Added", stamp(view.created_at)),
            ("Changed", stamp(view.updated_at)),
        ])
    })
}

pub(super) fn discovered(views: &[DiscoveredView], out: &mut Out) -> Result<(), Failure> {
    let zone = out.zone().clone();
    out.list(views, &["SUGGESTED NAME", "VALUE", "READINGS", "LAST HEARD", "SOURCE"], |view| {
        vec![
            view.suggested_name.clone(),
            show_degrees(view.celsius, Scale::Celsius),
            view.readings.to_string(),
            view.last_heard_at.map(|at| when::show(at, &zone)).unwrap_or_default(),
            view.source.clone(),
        ]
    })
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::sensor_source::{CameraProbe, TextDevice};

    use super::*;
    use crate::output::tests::Written;

    fn at(second: i64) -> Option<prost_types::Timestamp> {
        let three: Timestamp = "2026-11-22T15:00:00Z".parse().expect("a time");
        Some(prost_types::Timestamp { seconds: three.as_second() + second, nanos: 0 })
    }

    fn views() -> Vec<SensorView> {
        let probe = Source::Probe(CameraProbe { camera_id: "6f8a".into(), index: 1 });
        let mut top = Sensor {
            id: "0193".into(),
            name: "top".into(),
            title: "Top shelf".into(),
            source: Some(SensorSource { source: Some(probe) }),
            offset_celsius: -0.5,
            camera_id: "6f8a".into(),
            latest: Some(Reading {
                captured_at: at(-20),
                received_at: at(-20),
                celsius: Some(4.25),
                ..Default::default()
            }),
            created_at: at(-86_400),
            ..Default::default()
        };
        top.set_state(SensorState::Fresh);
        let text = Source::Text(TextDevice { address: "192.168.1.20".into(), device: "cam_one_temp".into() });
        let mut cellar = Sensor {
            name: "cellar".into(),
            source: Some(SensorSource { source: Some(text) }),
            latest: Some(Reading { received_at: at(-4000), celsius: Some(-17.5), ..Default::default() }),
            ..Default::default()
        };
        cellar.set_unit(TemperatureUnit::Fahrenheit);
        cellar.set_state(SensorState::Silent);
        let cameras = [("6f8a".to_owned(), "fridge".to_owned())].into();
        [top, cellar].into_iter().map(|sensor| SensorView::of(sensor, &cameras)).collect()
    }

    #[test]
    fn the_list_tells_values_in_each_sensors_own_unit() {
        let written = Written::default();
        list(&views(), &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        NAME    VALUE   STATE   READ       CAMERA  SOURCE                          TITLE
        top     4.2 °C  fresh   20s ago    fridge  probe 1 of fridge               Top shelf
        cellar  0.5 °F  silent  1h 6m ago          cam_one_temp from 192.168.1.20
        ");
    }

    #[test]
    fn one_sensor_is_shown_with_all_that_is_known() {
        let written = Written::default();
        show(&views()[0], &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        Id      0193
        Name    top
        Title   Top shelf
        Source  probe 1 of fridge
        Value   4.2 °C
        Read    20s ago
        State   fresh
        Offset  -0.5 °C
        Unit    celsius
        Camera  fridge
        Added   2026-11-21 15:00:00
        ");
    }
}
