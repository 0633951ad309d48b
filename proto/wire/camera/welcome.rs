//! What the hub wants of a camera.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::PayloadError;

/// Pixels of a picture. Sent as numbers, never as a driver's index: those differ between core versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

/// Which frames of a session carry a MAC: 0 none, 1 all, n the first and every nth after it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameMac(pub u8);

impl FrameMac {
    /// No frame carries one.
    pub const OFF: Self = Self(0);
    /// Every frame carries one.
    pub const ALL: Self = Self(1);

    /// Whether the frame sent as number `index` of the session, from 0, must carry one.
    pub fn requires(self, index: u32) -> bool {
        self.0 != 0 && index.is_multiple_of(u32::from(self.0))
    }
}

/// What the hub wants: the last message of the handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Welcome {
    /// Of pictures.
    pub size: Size,
    /// The OV2640's JPEG quality, 4 (best) to 63.
    pub quality: u8,
    /// Frames a second when something moves or someone looks, 1 to 30.
    pub active_fps: u8,
    /// Frames a second otherwise, 1 to 30.
    pub idle_fps: u8,
    /// Which frames carry a MAC.
    pub frame_mac: FrameMac,
    /// How often the hub sends a PING; a camera that hears nothing for three of these dials again.
    pub ping_interval: Duration,
    /// How often TELEMETRY is wanted.
    pub telemetry_interval: Duration,
    /// The largest FRAME payload the hub takes, in bytes.
    pub largest_frame_bytes: u32,
}

impl Welcome {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        Ok(Self {
            size: Size { width: bytes.try_get_u16()?, height: bytes.try_get_u16()? },
            quality: bytes.try_get_u8()?,
            active_fps: bytes.try_get_u8()?,
            idle_fps: bytes.try_get_u8()?,
            frame_mac: FrameMac(bytes.try_get_u8()?),
            ping_interval: Duration::from_millis(bytes.try_get_u32()?.into()),
            telemetry_interval: Duration::from_millis(bytes.try_get_u32()?.into()),
            largest_frame_bytes: bytes.try_get_u32()?,
        })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let milliseconds = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        out.put_u16(self.size.width);
        out.put_u16(self.size.height);
        out.put_u8(self.quality);
        out.put_u8(self.active_fps);
        out.put_u8(self.idle_fps);
        out.put_u8(self.frame_mac.0);
        out.put_u32(milliseconds(self.ping_interval));
        out.put_u32(milliseconds(self.telemetry_interval));
        out.put_u32(self.largest_frame_bytes);
    }
}
