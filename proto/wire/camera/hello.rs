//! What a camera says first.

use std::fmt;

use bytes::{Buf as _, BufMut as _, BytesMut};
use uuid::Uuid;

use super::{NONCE_LEN, PROOF_LEN, PayloadError, fields};
use crate::wire::CameraId;

/// Bytes of a CHALLENGE's payload: version, nonce, time, proof.
pub const CHALLENGE_LEN: usize = 1 + NONCE_LEN + 8 + PROOF_LEN;
/// Bytes of an AUTH's payload: the proof.
pub const AUTH_LEN: usize = PROOF_LEN;
const MOST_FIRMWARE: usize = 32;

/// Why a camera started last: ESP-IDF's `esp_reset_reason_t`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ResetReason(pub u8);

impl ResetReason {
    /// Power came on.
    pub const POWER_ON: Self = Self(1);
    /// The program asked for it.
    pub const SOFTWARE: Self = Self(3);
    /// The supply fell too low.
    pub const BROWNOUT: Self = Self(9);

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self.0 {
            1 => "power-on",
            2 => "pin",
            3 => "software",
            4 => "panic",
            5 => "interrupt-watchdog",
            6 => "task-watchdog",
            7 => "other-watchdog",
            8 => "deep-sleep",
            9 => "brownout",
            10 => "sdio",
            _ => "unknown",
        }
    }
}

/// What a camera can do, as bits; unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// Has a lamp.
    pub const FLASH: Self = Self(1);
    /// Can be turned.
    pub const PAN_TILT: Self = Self(2);
    /// Has thermometers.
    pub const THERMOMETER: Self = Self(4);
    /// Takes its firmware over this link.
    pub const UPDATE: Self = Self(8);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The state of the image sensor.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CameraState(pub u8);

impl CameraState {
    /// It works.
    pub const READY: Self = Self(0);
    /// It could not be started; the board stays online and says so.
    pub const FAILED: Self = Self(1);
}

/// The highest temperature datagram a camera has sent: of two, the later boot or, within one, the later number.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ReadingMark {
    /// The boot counter it carried.
    pub boot: u32,
    /// Its number; 0 when none was sent since that boot.
    pub seq: u32,
}

/// What a camera says first.
#[derive(Clone, Eq, PartialEq)]
pub struct Hello {
    /// Lowest version it speaks.
    pub version_min: u8,
    /// Highest version it speaks.
    pub version_max: u8,
    /// Who it says it is.
    pub camera: CameraId,
    /// Fresh random bytes.
    pub nonce: [u8; NONCE_LEN],
    /// Counts its starts.
    pub boot: u32,
    /// The highest temperature datagram it has sent.
    pub reading_mark: ReadingMark,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Why it started last.
    pub reset_reason: ResetReason,
    /// How its image sensor is.
    pub camera_state: CameraState,
    /// At most 32 bytes.
    pub firmware_version: String,
}

impl Hello {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        Ok(Self {
            version_min: bytes.try_get_u8()?,
            version_max: bytes.try_get_u8()?,
            camera: CameraId(Uuid::from_bytes(fields::array(bytes)?)),
            nonce: fields::array(bytes)?,
            boot: bytes.try_get_u32()?,
            reading_mark: ReadingMark { boot: bytes.try_get_u32()?, seq: bytes.try_get_u32()? },
            capabilities: Capabilities(bytes.try_get_u32()?),
            reset_reason: ResetReason(bytes.try_get_u8()?),
            camera_state: CameraState(bytes.try_get_u8()?),
            firmware_version: fields::text(bytes, "firmware_version", MOST_FIRMWARE)?,
        })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.version_min);
        out.put_u8(self.version_max);
        out.put_slice(self.camera.0.as_bytes());
        out.put_slice(&self.nonce);
        out.put_u32(self.boot);
        out.put_u32(self.reading_mark.boot);
        out.put_u32(self.reading_mark.seq);
        out.put_u32(self.capabilities.0);
        out.put_u8(self.reset_reason.0);
        out.put_u8(self.camera_state.0);
        fields::put_text(out, &self.firmware_version, MOST_FIRMWARE);
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("camera", &self.camera)
            .field("versions", &(self.version_min..=self.version_max))
            .field("boot", &self.boot)
            .field("firmware_version", &self.firmware_version)
            .finish_non_exhaustive()
    }
}
