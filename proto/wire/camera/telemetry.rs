//! What a camera says of itself.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, BytesMut};
use serde::{Deserialize, Serialize};

use super::{PayloadError, ResetReason};

/// Thermometers in one message.
pub const MOST_SENSORS: usize = 8;
const PACE_LEN: usize = 3;
/// Stands for "no value" in a temperature.
const NO_VALUE: i32 = i32::MIN;

/// A temperature in thousandths of a degree Celsius.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct MilliCelsius(pub i32);

impl MilliCelsius {
    /// In degrees.
    pub fn celsius(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    fn from_wire(value: i32) -> Option<Self> {
        (value != NO_VALUE).then_some(Self(value))
    }

    fn to_wire(value: Option<Self>) -> i32 {
        value.map_or(NO_VALUE, |value| value.0)
    }
}

/// What a camera says of itself. Counts are since its start and wrap.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Telemetry {
    /// Since its start, in whole seconds on the wire.
    pub uptime: Duration,
    /// Free heap now.
    pub heap_free_bytes: u32,
    /// Least free heap since the start.
    pub heap_min_free_bytes: u32,
    /// Largest block that can be had.
    pub heap_largest_block_bytes: u32,
    /// Free PSRAM.
    pub psram_free_bytes: u32,
    /// `None`: the chip has no thermometer.
    pub chip: Option<MilliCelsius>,
    /// Wi-Fi signal, negative; 0 when unknown.
    pub rssi_dbm: i8,
    /// Why it started last.
    pub reset_reason: ResetReason,
    /// Pictures taken.
    pub frames_captured: u32,
    /// Pictures sent whole.
    pub frames_sent: u32,
    /// Pictures given up because sending was slower than taking.
    pub frames_dropped: u32,
    /// Pictures that were no JPEG as they came from the sensor.
    pub frames_corrupt: u32,
    /// The longest a send waited.
    pub longest_send_stall: Duration,
    /// Sessions after the first one.
    pub reconnects: u32,
    /// At most [`MOST_SENSORS`].
    pub sensors: Vec<Reading>,
    /// What it sends now; a slow line makes it less than what is wanted. `None`: the camera does not say.
    pub pace: Option<Pace>,
}

/// How fast and how well a camera sends its pictures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// Tenths of a frame a second.
    pub tenths_fps: u16,
    /// The OV2640's, 4 (best) to 63.
    pub quality: u8,
}

/// One thermometer's newest reading, the same that goes out as a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Which thermometer of this camera.
    pub index: u8,
    /// The number of the datagram that carried it: counts all datagrams of the camera since its start, from 1.
    pub seq: u32,
    /// When it was read, on the camera's clock in microseconds; the same as in the datagram.
    pub t_us: u64,
    /// `None`: the thermometer failed.
    pub value: Option<MilliCelsius>,
    /// Failed readings since the start.
    pub error_count: u32,
}

impl Telemetry {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let mut telemetry = Self {
            uptime: Duration::from_secs(bytes.try_get_u32()?.into()),
            heap_free_bytes: bytes.try_get_u32()?,
            heap_min_free_bytes: bytes.try_get_u32()?,
            heap_largest_block_bytes: bytes.try_get_u32()?,
            psram_free_bytes: bytes.try_get_u32()?,
            chip: MilliCelsius::from_wire(bytes.try_get_i32()?),
            frames_captured: bytes.try_get_u32()?,
            frames_sent: bytes.try_get_u32()?,
            frames_dropped: bytes.try_get_u32()?,
            frames_corrupt: bytes.try_get_u32()?,
            longest_send_stall: Duration::from_millis(bytes.try_get_u32()?.into()),
            reconnects: bytes.try_get_u32()?,
            rssi_dbm: bytes.try_get_i8()?,
            reset_reason: ResetReason(bytes.try_get_u8()?),
            sensors: Vec::new(),
            pace: None,
        };
        let count = bytes.try_get_u8()?;
        if usize::from(count) > MOST_SENSORS {
            return Err(PayloadError::Value { field: "sensor_count", value: count.into() });
        }
        for _ in 0..count {
            telemetry.sensors.push(Reading {
                index: bytes.try_get_u8()?,
                seq: bytes.try_get_u32()?,
                t_us: bytes.try_get_u64()?,
                value: MilliCelsius::from_wire(bytes.try_get_i32()?),
                error_count: bytes.try_get_u32()?,
            });
        }
        // It may end here, and it may be longer than this.
        if bytes.len() >= PACE_LEN {
            telemetry.pace = Some(Pace { tenths_fps: bytes.try_get_u16()?, quality: bytes.try_get_u8()? });
        }
        Ok(telemetry)
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(u32::try_from(self.uptime.as_secs()).unwrap_or(u32::MAX));
        out.put_u32(self.heap_free_bytes);
        out.put_u32(self.heap_min_free_bytes);
        out.put_u32(self.heap_largest_block_bytes);
        out.put_u32(self.psram_free_bytes);
        out.put_i32(MilliCelsius::to_wire(self.chip));
        out.put_u32(self.frames_captured);
        out.put_u32(self.frames_sent);
        out.put_u32(self.frames_dropped);
        out.put_u32(self.frames_corrupt);
        out.put_u32(u32::try_from(self.longest_send_stall.as_millis()).unwrap_or(u32::MAX));
        out.put_u32(self.reconnects);
        out.put_i8(self.rssi_dbm);
        out.put_u8(self.reset_reason.0);
        let sensors = &self.sensors[..self.sensors.len().min(MOST_SENSORS)];
        out.put_u8(u8::try_from(sensors.len()).unwrap_or(0));
        for reading in sensors {
            out.put_u8(reading.index);
            out.put_u32(reading.seq);
            out.put_u64(reading.t_us);
            out.put_i32(MilliCelsius::to_wire(reading.value));
            out.put_u32(reading.error_count);
        }
        if let Some(pace) = self.pace {
            out.put_u16(pace.tenths_fps);
            out.put_u8(pace.quality);
        }
    }
}
