//! What a simulated board says of its health: a heap that breathes, a warm chip, a thermometer in the fridge.

use std::time::Duration;

use larder_proto::wire::camera::{MilliCelsius, Reading, ResetReason, Telemetry};

use super::climate::Climate;

/// How often the thermometer is read, as a real board does.
const READING_INTERVAL: Duration = Duration::from_secs(30);

/// Pictures counted since the camera's start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    pub(super) captured: u32,
    pub(super) sent: u32,
    pub(super) dropped: u32,
    pub(super) corrupt: u32,
    pub(super) reconnects: u32,
    pub(super) longest_send_stall: Duration,
}

/// The telemetry at `uptime`. `shift_us`: what the camera's clock reads beyond it.
pub(super) fn telemetry(uptime: Duration, shift_us: i64, counts: &Counts, reset_reason: ResetReason) -> Telemetry {
    let seconds = uptime.as_secs_f64();
    let heap = 148_000 + whole(9_000.0 * (seconds / 17.0).sin()) + whole(4_000.0 * (seconds / 3.1).sin());
    let newest = reading(reading_at(uptime));
    Telemetry {
        uptime,
        heap_free_bytes: heap.unsigned_abs(),
        heap_min_free_bytes: 131_072,
        heap_largest_block_bytes: 110_580,
        psram_free_bytes: 3_214_000,
        // The chip warms up within minutes of its start.
        chip: Some(MilliCelsius(31_000 + whole(22_000.0 * (1.0 - (-seconds / 180.0).exp())))),
        rssi_dbm: i8::try_from(-57 + whole(4.0 * (seconds / 11.0).sin())).unwrap_or(-57),
        reset_reason,
        frames_captured: counts.captured,
        frames_sent: counts.sent,
        frames_dropped: counts.dropped,
        frames_corrupt: counts.corrupt,
        longest_send_stall: counts.longest_send_stall,
        reconnects: counts.reconnects,
        sensors: vec![Reading { t_us: newest.t_us.saturating_add_signed(shift_us), ..newest }],
        pace: None,
    }
}

/// The newest reading there is at `uptime`, counted from 0.
pub(super) fn reading_at(uptime: Duration) -> u32 {
    u32::try_from(uptime.as_secs() / READING_INTERVAL.as_secs()).unwrap_or(u32::MAX)
}

/// When a reading is made, since the start.
pub(super) fn time_of(reading: u32) -> Duration {
    READING_INTERVAL * reading
}

/// A reading of the fridge's thermometer, the same each time it is asked for.
pub(super) fn reading(number: u32) -> Reading {
    let at = time_of(number);
    Reading {
        index: 0,
        seq: number.saturating_add(1),
        t_us: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
        value: Some(Climate::fridge().at(at)),
        error_count: 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
pub(super) fn whole(value: f64) -> i32 {
    value as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Telemetry {
        telemetry(Duration::from_secs(seconds), 0, &Counts::default(), ResetReason::POWER_ON)
    }

    #[test]
    fn the_thermometer_is_read_every_thirty_seconds() {
        assert_eq!(at(31).sensors, at(59).sensors);
        let (first, second) = (at(59).sensors[0], at(60).sensors[0]);
        assert_eq!((first.seq, first.t_us, second.seq, second.t_us), (2, 30_000_000, 3, 60_000_000));
    }

    #[test]
    fn values_stay_what_a_fridge_and_a_chip_have() {
        for seconds in (0..36_000).step_by(31) {
            let telemetry = at(seconds);
            let fridge = telemetry.sensors[0].value.unwrap();
            assert!((3_000..=7_000).contains(&fridge.0), "{fridge:?}");
            // A sixteenth of a degree is 62.5 thousandths.
            assert!(fridge.0 * 2 % 125 <= 1 || fridge.0 * 2 % 125 == 124, "{fridge:?}");
            assert!((30_000..55_000).contains(&telemetry.chip.unwrap().0));
            assert!(telemetry.heap_free_bytes > telemetry.heap_min_free_bytes);
            assert!((-65..-50).contains(&telemetry.rssi_dbm));
        }
    }
}
