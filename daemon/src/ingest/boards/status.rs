//! `JSN:{...}`: what a board says of itself.
//!
//! Firmwares differ in their names, so letters and digits alone count: `free_heap`, `freeHeap` and `FreeHeap` are one.
//! What is not understood is left out.

use larder_proto::wire::{
    camera::{MilliCelsius, Telemetry},
    reading::{HIGHEST, LOWEST},
};
use serde_json::{Map, Value};

const HEAP: &[&str] = &["freeheap", "heapfree", "heap"];
const LEAST_HEAP: &[&str] = &["minfreeheap", "heapmin", "minheap"];
const LARGEST_BLOCK: &[&str] = &["maxallocheap", "largestblock", "maxalloc"];
const PSRAM: &[&str] = &["freepsram", "psramfree", "psram"];
const RSSI: &[&str] = &["rssi", "wifirssi", "rssidbm"];
const CHIP: &[&str] = &["chiptempc", "chiptemp", "internaltempc", "internaltemp", "esptempc", "esp32tempc", "cputempc"];
const PROBE: &[&str] = &["dallastempc", "dallastemp", "ds18b20tempc", "ds18b20"];

/// What a status says.
#[derive(Debug, PartialEq)]
pub(super) struct Status {
    pub(super) telemetry: Telemetry,
    /// What its DS18B20 measures, if it speaks of one; `None` in it: the probe does not answer.
    pub(super) probe: Option<Option<MilliCelsius>>,
}

/// Reads a status. `None` when it is no JSON object.
pub(super) fn read(json: &[u8]) -> Option<Status> {
    let object: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let fields: Vec<(String, &Value)> = object.iter().map(|(name, value)| (plain(name), value)).collect();
    let find = |names: &[&str]| {
        names.iter().find_map(|name| fields.iter().find(|(found, _)| found == name)).map(|(_, value)| *value)
    };
    let count = |names| find(names).and_then(Value::as_u64).and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
    let rssi = find(RSSI).and_then(Value::as_i64).and_then(|value| i8::try_from(value).ok());
    let telemetry = Telemetry {
        heap_free_bytes: count(HEAP),
        heap_min_free_bytes: count(LEAST_HEAP),
        heap_largest_block_bytes: count(LARGEST_BLOCK),
        psram_free_bytes: count(PSRAM),
        rssi_dbm: rssi.unwrap_or(0),
        chip: find(CHIP).and_then(temperature),
        ..Telemetry::default()
    };
    Some(Status { telemetry, probe: find(PROBE).map(temperature) })
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Within what a probe measures; its driver's -127 is not.
fn temperature(value: &Value) -> Option<MilliCelsius> {
    let milli = (value.as_f64()? * 1000.0).round();
    let fits = (f64::from(LOWEST.0)..=f64::from(HIGHEST.0)).contains(&milli);
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the range of a probe")]
    fits.then_some(MilliCelsius(milli as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_however_they_are_written() {
        let text = br#"{"host_ident":"1","free_heap":120000,"FreePSRAM":3000000,"rssi":-61,"chipTempC":53.3,
            "dallasTempC":4.4375,"last_frame":[1]}"#;
        let status = read(text).unwrap();
        assert_eq!(
            status.telemetry,
            Telemetry {
                heap_free_bytes: 120_000,
                psram_free_bytes: 3_000_000,
                rssi_dbm: -61,
                chip: Some(MilliCelsius(53_300)),
                ..Telemetry::default()
            }
        );
        assert_eq!(status.probe, Some(Some(MilliCelsius(4_438))));
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(read(b"[1]"), None);
        assert_eq!(read(b"{\"rssi\":"), None);
        let none = Status { telemetry: Telemetry::default(), probe: None };
        assert_eq!(read(b"{}"), Some(none));
        let odd = read(br#"{"heap":-1,"rssi":-999,"psram":1e12,"dallasTempC":-127,"chipTempC":"hot"}"#).unwrap();
        assert_eq!(odd, Status { telemetry: Telemetry::default(), probe: Some(None) });
    }
}
