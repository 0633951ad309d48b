//! Times as people write them, and as the wire carries them.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

use crate::units;

/// What [`parse`] takes, for help texts.
pub const FORMS: &str = "`now`, `-2h` (ago), `14:30` (today), `2026-11-22`, `2026-11-22 14:30`, or RFC 3339";

/// Reads a time as people write it, in `zone`.
///
/// # Errors
///
/// It is none of [`FORMS`].
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = text.strip_prefix('-').or_else(|| text.strip_suffix(" ago")) {
        let ago = SignedDuration::try_from(units::duration(ago)?).map_err(|error| error.to_string())?;
        return now.checked_sub(ago).map_err(|error| error.to_string());
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok(stamp);
    }
    let today = now.to_zoned(zone.clone()).date();
    // In this order, since the reader of times of day takes them out of whole dates too.
    let local = if let Ok(moment) = text.replacen(' ', "T", 1).parse::<civil::DateTime>() {
        moment
    } else if let Ok(time) = text.parse::<civil::Time>() {
        today.to_datetime(time)
    } else {
        return Err(format!("\"{text}\" is no time; write {FORMS}"));
    };
    local.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string())
}

/// The day that begins at `date`'s midnight in `zone`.
///
/// # Errors
///
/// The day is out of range.
pub fn day(date: civil::Date, zone: &TimeZone) -> Result<(Timestamp, Timestamp), jiff::Error> {
    let from = date.to_zoned(zone.clone())?;
    let to = date.tomorrow()?.to_zoned(zone.clone())?;
    Ok((from.timestamp(), to.timestamp()))
}

/// A time for people: to the second, in `zone`, with the offset left out.
pub fn show(stamp: Timestamp, zone: &TimeZone) -> String {
    stamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The wire's time; absent or out of range is `None`.
pub fn from_wire(stamp: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let stamp = stamp?;
    Timestamp::new(stamp.seconds, stamp.nanos).ok()
}

/// A time for the wire.
pub fn to_wire(stamp: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: stamp.as_second(), nanos: stamp.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("a zone")
    }

    fn read(text: &str) -> Result<String, String> {
        let now: Timestamp = "2026-11-22T15:00:00Z".parse().expect("a time");
        parse(text, now, &berlin()).map(|stamp| stamp.to_string())
    }

    #[test]
    fn people_write_times_in_many_ways() {
        let cases = [
            ("now", "2026-11-22T15:00:00Z"),
            ("-2h", "2026-11-22T13:00:00Z"),
            ("1h30m ago", "2026-11-22T13:30:00Z"),
            ("14:30", "2026-11-22T13:30:00Z"),
            ("2026-11-21", "2026-11-20T23:00:00Z"),
            ("2026-11-21 08:15", "2026-11-21T07:15:00Z"),
            ("2026-11-21T08:15:30", "2026-11-21T07:15:30Z"),
            ("2026-11-21T08:15:30.25Z", "2026-11-21T08:15:30.25Z"),
            ("2026-11-21T08:15:30+09:00", "2026-11-20T23:15:30Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["", "yesterday", "25:00", "2026-13-01", "-2x"] {
            assert!(read(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_day_with_a_changed_clock_has_23_or_25_hours() {
        let hours = |text: &str| {
            let (from, to) = day(text.parse().expect("a date"), &berlin()).expect("a day");
            to.duration_since(from).as_hours()
        };
        assert_eq!(hours("2026-03-29"), 23);
        assert_eq!(hours("2026-10-25"), 25);
        assert_eq!(hours("2026-11-22"), 24);
    }

    #[test]
    fn the_wires_times_come_back_to_the_microsecond() {
        let stamp = Timestamp::from_microsecond(1_700_000_000_123_456).expect("a time");
        assert_eq!(from_wire(Some(&to_wire(stamp))), Some(stamp));
        let early = Timestamp::from_microsecond(-1).expect("a time");
        assert_eq!(from_wire(Some(&prost_types::Timestamp { seconds: -1, nanos: 999_999_000 })), Some(early));
        assert_eq!(from_wire(None), None);
    }
}
