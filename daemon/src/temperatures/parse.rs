//! Requests become sensors here, or an error that names each wrong field.

use std::{net::IpAddr, ops::Range};

use jiff::Timestamp;
use larder_proto::{
    pb::{self, sensor_source},
    wire::{CameraId, camera::MilliCelsius},
};
use prost_types::FieldMask;

use super::{Error, FieldError, Sensor, SensorId, Source, Unit};
use crate::{outcome::Refusal, pb_mask, pb_time};

/// Every path a mask may hold.
const PATHS: &[&str] = &["name", "title", "source", "offset_celsius", "unit", "camera_id"];

/// Points of a graph when the request names none: about the pixels of a small one.
const DEFAULT_POINTS: u32 = 500;
const POINTS: std::ops::RangeInclusive<u32> = 2..=5000;
/// Sensors of one request.
const MOST_SENSORS: usize = 32;

/// Finds a camera by its id or name.
pub(super) type FindCamera<'a> = &'a dyn Fn(&str) -> Option<CameraId>;

/// A sensor to add: absent settings take their defaults.
pub(super) fn new_sensor(wanted: &pb::Sensor, find: FindCamera<'_>, now: jiff::Timestamp) -> Result<Sensor, Error> {
    let mut wrong = Vec::new();
    let source = source(wanted.source.as_ref(), find, &mut wrong);
    let mut sensor = Sensor {
        id: SensorId::random(),
        key: 0,
        name: String::new(),
        title: String::new(),
        // Where there is none, the request is refused below.
        source: source.unwrap_or_else(nowhere),
        offset: MilliCelsius(0),
        unit: Unit::default(),
        camera: None,
        created_at: now,
        updated_at: now,
    };
    if let Source::Probe { camera, .. } = sensor.source {
        sensor.camera = Some(camera);
    }
    let mut paths = set_paths(wanted);
    paths.push("name".to_owned());
    paths.retain(|path| path != "source");
    apply(&mut sensor, wanted, &paths, find, wrong)?;
    Ok(sensor)
}

/// A sensor as it is to be after an update.
pub(super) fn updated(
    known: &Sensor,
    wanted: &pb::Sensor,
    mask: Option<&FieldMask>,
    find: FindCamera<'_>,
) -> Result<Sensor, Error> {
    let paths = pb_mask::paths(mask, || set_paths(wanted), PATHS).map_err(|wrong| Error::Fields(vec![wrong]))?;
    let mut sensor = known.clone();
    apply(&mut sensor, wanted, &paths, find, Vec::new())?;
    Ok(sensor)
}

/// A range of time; nothing was read before 1970.
pub(super) fn range(wanted: Option<&pb::TimeRange>) -> Result<Range<Timestamp>, Refusal> {
    let range = pb_time::range(wanted)?;
    let start = range.start.max(Timestamp::UNIX_EPOCH);
    Ok(start..range.end.max(start))
}

/// How many points.
pub(super) fn points(wanted: u32) -> Result<u32, Refusal> {
    let points = if wanted == 0 { DEFAULT_POINTS } else { wanted };
    let why = || format!("{points} is not from {} to {}", POINTS.start(), POINTS.end());
    if POINTS.contains(&points) { Ok(points) } else { Err(Refusal::field("points", why())) }
}

/// At most so many names or ids.
pub(super) fn sensors(wanted: &[String]) -> Result<(), Refusal> {
    if wanted.len() <= MOST_SENSORS {
        return Ok(());
    }
    Err(Refusal::field("sensors", format!("{} are named, at most {MOST_SENSORS} may be", wanted.len())))
}

/// The paths of the fields that are set, for a request without a mask.
fn set_paths(wanted: &pb::Sensor) -> Vec<String> {
    pb_mask::set(&[
        ("name", !wanted.name.is_empty()),
        ("title", !wanted.title.is_empty()),
        ("source", wanted.source.is_some()),
        ("offset_celsius", wanted.offset_celsius != 0.0),
        ("unit", wanted.unit != 0),
        ("camera_id", !wanted.camera_id.is_empty()),
    ])
}

fn apply(
    sensor: &mut Sensor,
    wanted: &pb::Sensor,
    paths: &[String],
    find: FindCamera<'_>,
    mut wrong: Vec<FieldError>,
) -> Result<(), Error> {
    for path in paths {
        match path.as_str() {
            "name" => sensor.name.clone_from(&wanted.name),
            "title" => sensor.title.clone_from(&wanted.title),
            "source" => {
                if let Some(source) = source(wanted.source.as_ref(), find, &mut wrong) {
                    sensor.source = source;
                }
            }
            "offset_celsius" => match milli(wanted.offset_celsius) {
                Some(offset) => sensor.offset = offset,
                None => wrong.push(("sensor.offset_celsius".to_owned(), "is not from -20 to 20".to_owned())),
            },
            "unit" => match wanted.unit() {
                pb::TemperatureUnit::Unspecified => sensor.unit = Unit::default(),
                pb::TemperatureUnit::Celsius => sensor.unit = Unit::Celsius,
                pb::TemperatureUnit::Fahrenheit => sensor.unit = Unit::Fahrenheit,
            },
            "camera_id" if wanted.camera_id.is_empty() => sensor.camera = None,
            "camera_id" => match find(&wanted.camera_id) {
                Some(camera) => sensor.camera = Some(camera),
                None => wrong.push(no_camera("sensor.camera_id", &wanted.camera_id)),
            },
            _ => {}
        }
    }
    for error in super::check(sensor) {
        if !wrong.iter().any(|(path, _)| error.0.starts_with(path)) {
            wrong.push(error);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Fields(wrong)) }
}

fn source(wanted: Option<&pb::SensorSource>, find: FindCamera<'_>, wrong: &mut Vec<FieldError>) -> Option<Source> {
    let found = match wanted.and_then(|wanted| wanted.source.as_ref()) {
        None => Err(("sensor.source".to_owned(), "is not set".to_owned())),
        Some(sensor_source::Source::Probe(probe)) => find(&probe.camera_id)
            .map(|camera| Source::Probe { camera, index: u8::try_from(probe.index).unwrap_or(u8::MAX) })
            .ok_or_else(|| no_camera("sensor.source.probe.camera_id", &probe.camera_id)),
        Some(sensor_source::Source::Text(text)) => match text.address.parse::<IpAddr>() {
            Ok(address) => Ok(Source::Text { address: address.to_canonical(), device: text.device.clone() }),
            Err(error) => Err(("sensor.source.text.address".to_owned(), format!("{:?}: {error}", text.address))),
        },
    };
    found.map_err(|error| wrong.push(error)).ok()
}

fn no_camera(path: &str, camera: &str) -> FieldError {
    (path.to_owned(), format!("no such camera {camera:?}"))
}

/// Stands where a request names no source, until it is refused.
fn nowhere() -> Source {
    Source::Text { address: IpAddr::from([0, 0, 0, 0]), device: "-".to_owned() }
}

/// Thousandths, of what is within a hundred degrees.
fn milli(celsius: f64) -> Option<MilliCelsius> {
    #[expect(clippy::cast_possible_truncation, reason = "far within the range of an i32")]
    (-100.0..=100.0).contains(&celsius).then(|| MilliCelsius((celsius * 1000.0).round() as i32))
}

#[cfg(test)]
mod tests {
    use pb::sensor_source::{CameraProbe, TextDevice};

    use super::*;

    const CAMERA: CameraId = CameraId(uuid::Uuid::from_u128(7));

    fn find(name: &str) -> Option<CameraId> {
        (name == "fridge").then_some(CAMERA)
    }

    fn wanted(camera: &str) -> pb::Sensor {
        let probe = CameraProbe { camera_id: camera.to_owned(), index: 1 };
        let source = pb::SensorSource { source: Some(sensor_source::Source::Probe(probe)) };
        pb::Sensor { name: "top".to_owned(), source: Some(source), ..Default::default() }
    }

    fn known() -> Sensor {
        new_sensor(&wanted("fridge"), &find, jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    fn fields(result: Result<Sensor, Error>) -> Vec<String> {
        match result.unwrap_err() {
            Error::Fields(fields) => fields.into_iter().map(|(path, _)| path).collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_probe_belongs_to_its_camera_unless_another_is_named() {
        assert_eq!((known().source, known().camera), (Source::Probe { camera: CAMERA, index: 1 }, Some(CAMERA)));
        let text = TextDevice { address: "::ffff:10.0.0.7".to_owned(), device: "cam_one_temp".to_owned() };
        let source = pb::SensorSource { source: Some(sensor_source::Source::Text(text)) };
        let sensor =
            updated(&known(), &pb::Sensor { source: Some(source), ..Default::default() }, None, &find).unwrap();
        let address = IpAddr::from([10, 0, 0, 7]);
        assert_eq!(sensor.source, Source::Text { address, device: "cam_one_temp".to_owned() });
    }

    #[test]
    fn an_update_changes_what_its_mask_names_and_can_empty_it() {
        let mask = FieldMask { paths: vec!["camera_id".to_owned(), "offset_celsius".to_owned()] };
        let wanted = pb::Sensor { title: "Top".to_owned(), offset_celsius: -1.5, ..Default::default() };
        let changed = updated(&known(), &wanted, Some(&mask), &find).unwrap();
        assert_eq!((changed.camera, changed.offset, changed.title.as_str()), (None, MilliCelsius(-1500), ""));
        assert_eq!(updated(&known(), &wanted, None, &find).unwrap().title, "Top");
    }

    #[test]
    fn wrong_fields_and_masks_are_named() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        assert_eq!(fields(new_sensor(&pb::Sensor::default(), &find, now)), ["sensor.source", "sensor.name"]);
        assert_eq!(fields(new_sensor(&wanted("attic"), &find, now)), ["sensor.source.probe.camera_id"]);
        let mask = FieldMask { paths: vec!["id".to_owned()] };
        assert_eq!(fields(updated(&known(), &wanted("fridge"), Some(&mask), &find)), ["update_mask"]);
        for offset in [f64::NAN, f64::INFINITY, 20.001, -1e300] {
            let wanted = pb::Sensor { offset_celsius: offset, ..Default::default() };
            assert_eq!(fields(updated(&known(), &wanted, None, &find)), ["sensor.offset_celsius"], "{offset}");
        }
    }
}
