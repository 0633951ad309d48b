//! Temperatures in a playlist, as date ranges (RFC 8216, 4.3.2.7).

use std::ops::Range;

use futures_util::future::join_all;
use hls_m3u8::tags::ExtXDateRange;
use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::MilliCelsius};

use super::playlist::WriteError;
use crate::{
    outcome::chain,
    repeats,
    temperatures::{Reading, Temperatures},
};

/// Sensors of one camera that playlists tell of: as many as it can have probes.
const MOST_SENSORS: usize = 8;

/// A value to be shown while its moment is played.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Noted {
    /// Of the sensor.
    pub(super) name: String,
    /// What rows call it: short, and never another's.
    pub(super) key: i32,
    pub(super) at: Timestamp,
    pub(super) value: MilliCelsius,
}

/// At most one a minute for each sensor of a camera. Where they can't be read the footage plays without them.
pub(super) async fn of_camera(temperatures: &Temperatures, camera: CameraId, range: &Range<Timestamp>) -> Vec<Noted> {
    let sensors = temperatures.all().into_iter().filter(|sensor| sensor.camera == Some(camera)).take(MOST_SENSORS);
    let noted = sensors.map(|sensor| async move {
        let readings = temperatures.one_a_minute(&sensor, range).await.unwrap_or_else(|error| {
            repeats::say!(warn, "", { cause = chain(&error) }, "a playlist lacks its temperatures");
            Vec::new()
        });
        let noted = |reading: Reading| {
            let value = reading.value?;
            Some(Noted { name: sensor.name.clone(), key: sensor.key, at: reading.captured_at, value })
        };
        readings.into_iter().filter_map(noted).collect::<Vec<_>>()
    });
    join_all(noted).await.concat()
}

/// One line each. What is said of a moment stays the same in every playlist that has it.
pub(super) fn lines(noted: &[Noted]) -> Result<String, WriteError> {
    let mut text = String::new();
    for Noted { name, key, at, value } in noted {
        let range = ExtXDateRange::builder()
            .id(format!("temperature-{key}-{}", at.as_microsecond()))
            .class("larder.temperature")
            .start_date(at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
            // In quotes: a plain number in a playlist can't be negative.
            .insert_client_attribute("X-TEMP-C", decimal(*value))
            .insert_client_attribute("X-SENSOR", name.clone())
            .build()?;
        text.push_str(&range.to_string());
        text.push('\n');
    }
    Ok(text)
}

/// Degrees with three decimals, exactly.
fn decimal(value: MilliCelsius) -> String {
    let sign = if value.0 < 0 { "-" } else { "" };
    let milli = value.0.unsigned_abs();
    format!("{sign}{}.{:03}", milli / 1000, milli % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_us;

    #[test]
    fn a_reading_is_a_line_with_its_value_in_quotes() {
        let noted =
            Noted { name: "top".to_owned(), key: 3, at: from_us(1_700_000_000_250_000), value: MilliCelsius(-17_005) };
        assert_eq!(
            lines(&[noted]).unwrap(),
            "#EXT-X-DATERANGE:ID=\"temperature-3-1700000000250000\",CLASS=\"larder.temperature\",\
             START-DATE=\"2023-11-14T22:13:20.250Z\",X-SENSOR=\"top\",X-TEMP-C=\"-17.005\"\n"
        );
    }

    #[test]
    fn decimals_are_exact() {
        for (milli, text) in [(0, "0.000"), (-5, "-0.005"), (4250, "4.250"), (-127_000, "-127.000")] {
            assert_eq!(decimal(MilliCelsius(milli)), text);
        }
    }
}
