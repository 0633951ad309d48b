//! Durations, sizes and pictures' sizes as people write and read them.

use std::time::Duration;

use jiff::SignedDuration;
use larder_proto::pb::FrameSize;

/// Seconds in each unit of time, the longest first.
const SPANS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
/// Bytes in each unit of size. The longer names first, so that `MiB` is not read as `B`.
const SIZES: [(&str, u64); 13] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
    ("B", 1),
];
/// The OV2640's sizes.
const FRAME_SIZES: [(&str, u32, u32); 6] = [
    ("QQVGA", 160, 120),
    ("QVGA", 320, 240),
    ("VGA", 640, 480),
    ("SVGA", 800, 600),
    ("XGA", 1024, 768),
    ("UXGA", 1600, 1200),
];

/// Reads `90s`, `1h30m`, `30d`.
///
/// # Errors
///
/// It is nothing of the kind, or too long to count.
pub fn duration(text: &str) -> Result<Duration, String> {
    let complaint = || format!("\"{text}\" is no duration; write 90s, 15m, 1h30m, 30d or 2w");
    let mut rest = text.trim();
    let mut seconds = 0_u64;
    if rest.is_empty() {
        return Err(complaint());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(complaint)?;
        let count: u64 = rest[..digits].parse().ok().ok_or_else(complaint)?;
        rest = rest[digits..].trim_start();
        let (unit, length) = SPANS.into_iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(complaint)?;
        rest = rest[unit.len()..].trim_start();
        seconds = count.checked_mul(length).and_then(|more| seconds.checked_add(more)).ok_or_else(complaint)?;
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads `500 GB`, `1.5TiB`, `1000000`.
///
/// # Errors
///
/// It is nothing of the kind, or too large to count.
pub fn bytes(text: &str) -> Result<u64, String> {
    let complaint = || format!("\"{text}\" is no size; write 500GB, 20GiB or a number of bytes");
    let text_only = text.trim();
    let (number, unit) = SIZES
        .into_iter()
        .find_map(|(name, unit)| text_only.strip_suffix(name).map(|number| (number.trim_end(), unit)))
        .unwrap_or((text_only, 1));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let decimal = |digits: &str| digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !decimal(fraction) || fraction.is_empty() || whole.is_empty() {
        return Err(complaint());
    }
    let whole: u64 = whole.parse().ok().ok_or_else(complaint)?;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let fraction: u128 = fraction.parse().ok().ok_or_else(complaint)?;
    let part = u64::try_from(fraction * u128::from(unit) / scale).ok().ok_or_else(complaint)?;
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part)).ok_or_else(complaint)
}

/// Reads `640x480` or the name of one of the sensor's sizes.
///
/// # Errors
///
/// It is neither.
pub fn frame_size(text: &str) -> Result<FrameSize, String> {
    let named = FRAME_SIZES.into_iter().find(|(name, ..)| name.eq_ignore_ascii_case(text));
    if let Some((_, width, height)) = named {
        return Ok(FrameSize { width, height });
    }
    text.split_once(['x', 'X', '×'])
        .and_then(|(width, height)| Some(FrameSize { width: width.parse().ok()?, height: height.parse().ok()? }))
        .ok_or_else(|| {
            let names = FRAME_SIZES.map(|(name, ..)| name).join(", ");
            format!("\"{text}\" is no size; write 640x480, or one of {names}")
        })
}

/// A size for people, in decimal units, as disks are sold.
pub fn show_bytes(bytes: u64) -> String {
    for (name, unit) in [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)] {
        if bytes >= unit {
            // Tenths, in whole numbers: exact for every size.
            let tenths = (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// How many, for people.
pub fn show_count(count: impl Into<u64>, one: &str) -> String {
    match count.into() {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// How many a list holds, for people.
pub fn show_length(length: usize, one: &str) -> String {
    show_count(u64::try_from(length).unwrap_or(u64::MAX), one)
}

/// A duration for people: its two largest units, or milliseconds below a second.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, length) in &SPANS[1..] {
        if rest >= *length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    match duration.subsec_millis() {
        _ if !parts.is_empty() => parts.join(" "),
        0 => "0s".to_owned(),
        milliseconds => format!("{milliseconds}ms"),
    }
}

/// A picture's size for people.
pub fn show_frame_size(size: Option<&FrameSize>) -> String {
    size.map(|size| format!("{}×{}", size.width, size.height)).unwrap_or_default()
}

/// The wire's duration; absent or negative is `None`.
pub fn from_wire(duration: Option<&prost_types::Duration>) -> Option<Duration> {
    let duration = duration?;
    Some(Duration::new(u64::try_from(duration.seconds).ok()?, u32::try_from(duration.nanos).ok()?))
}

/// A duration for the wire; one too long for it becomes the longest there is.
pub fn to_wire(duration: Duration) -> prost_types::Duration {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    prost_types::Duration { seconds: duration.as_secs(), nanos: duration.subsec_nanos() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5_400));
        assert_eq!(seconds("1h 30m"), Ok(5_400));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for wrong in ["", "5", "h", "5y", "-5s", "99999999999999999999s", "18446744073709551615w"] {
            assert!(duration(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(bytes("500GB"), Ok(500_000_000_000));
        assert_eq!(bytes("500 GB"), Ok(500_000_000_000));
        assert_eq!(bytes("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(bytes("0.1T"), Ok(100_000_000_000));
        assert_eq!(bytes("42"), Ok(42));
        for wrong in ["", "GB", "1.GB", ".5GB", "-1GB", "1,5GB", "1.2.3", "99999999999TB"] {
            assert!(bytes(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn frame_sizes_have_names() {
        assert_eq!(frame_size("vga"), Ok(FrameSize { width: 640, height: 480 }));
        assert_eq!(frame_size("800x608"), Ok(FrameSize { width: 800, height: 608 }));
        assert!(frame_size("large").is_err());
        assert!(frame_size("640x").is_err());
    }

    #[test]
    fn durations_are_shown_by_their_two_largest_units() {
        let shown = |seconds| show_duration(Duration::from_secs(seconds));
        assert_eq!(shown(0), "0s");
        assert_eq!(show_duration(Duration::from_millis(320)), "320ms");
        assert_eq!(shown(59), "59s");
        assert_eq!(shown(5_400), "1h 30m");
        assert_eq!(shown(86_400 + 59), "1d");
        assert_eq!(shown(90_061), "1d 1h");
    }

    #[test]
    fn sizes_are_rounded_to_a_tenth() {
        assert_eq!(show_bytes(999), "999 B");
        assert_eq!(show_bytes(1_049), "1.0 kB");
        assert_eq!(show_bytes(1_050), "1.1 kB");
        assert_eq!(show_bytes(u64::MAX), "18446744.1 TB");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC*") {
            let _ = duration(&text);
            let _ = bytes(&text);
            let _ = frame_size(&text);
        }

        #[test]
        fn whole_seconds_come_back_from_the_wire(seconds in 0_u64..1 << 60) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(from_wire(Some(&to_wire(duration))), Some(duration));
        }
    }
}
