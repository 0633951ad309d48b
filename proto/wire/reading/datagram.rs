//! `LRT1`: one reading of one probe, signed.

use bytes::{Buf as _, BufMut as _};
use ring::hmac;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use uuid::Uuid;

use crate::wire::{
    CameraId,
    camera::{KEY_LEN, MAC_LEN, MOST_SENSORS, MilliCelsius, ReadingMark},
};

/// Bytes of a datagram, never more or less.
pub const DATAGRAM_LEN: usize = 60;
/// "LRT1".
pub const MAGIC: u32 = 0x4c52_5431;
/// The version spoken here.
pub const VERSION: u8 = 1;
/// Probes of one camera.
pub const MOST_PROBES: usize = MOST_SENSORS;
/// The coldest that a DS18B20 measures.
pub const LOWEST: MilliCelsius = MilliCelsius(-55_000);
/// The hottest that a DS18B20 measures.
pub const HIGHEST: MilliCelsius = MilliCelsius(125_000);

const SIGNED_LEN: usize = DATAGRAM_LEN - MAC_LEN;
const KEY_LABEL: &[u8] = b"U";
const NO_VALUE: i32 = i32::MIN;

/// How a probe answered. The codes are a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// With a temperature.
    Measured(MilliCelsius),
    /// Not at all: unplugged, or its wire is cut.
    Silent,
    /// With its power-on value: it lost power before it had measured.
    PowerOn,
    /// With bytes that fail its own checksum.
    Garbled,
}

impl Status {
    fn parts(self) -> (u8, i32) {
        match self {
            Self::Measured(value) => (0, value.0),
            Self::Silent => (1, NO_VALUE),
            Self::PowerOn => (2, NO_VALUE),
            Self::Garbled => (3, NO_VALUE),
        }
    }

    fn from_parts(code: u8, value: i32) -> Result<Self, DatagramError> {
        let failed = match code {
            0 if (LOWEST.0..=HIGHEST.0).contains(&value) => return Ok(Self::Measured(MilliCelsius(value))),
            0 => return Err(DatagramError::Value(value)),
            1 => Self::Silent,
            2 => Self::PowerOn,
            3 => Self::Garbled,
            _ => return Err(DatagramError::Status(code)),
        };
        if value == NO_VALUE { Ok(failed) } else { Err(DatagramError::Value(value)) }
    }

    /// The temperature, if there is one.
    pub fn value(self) -> Option<MilliCelsius> {
        if let Self::Measured(value) = self { Some(value) } else { None }
    }
}

/// Why a datagram is refused, in the order in which it is checked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DatagramError {
    /// Cut, padded or something else.
    #[error("{0} bytes instead of {DATAGRAM_LEN}")]
    Length(usize),
    /// Something else.
    #[error("magic is {0:#010x}, not \"LRT1\"")]
    Magic(u32),
    /// Of a version that is not spoken here.
    #[error("version {0}")]
    Version(u8),
    /// Must be zero.
    #[error("reserved field is {0:#04x}, not zero")]
    Reserved(u8),
    /// A camera has no such probe.
    #[error("probe {0} of {MOST_PROBES}")]
    Probe(u8),
    /// Not made with this camera's key, or changed since.
    #[error("a wrong MAC")]
    Mac,
    /// Nobody knows what it means.
    #[error("unknown status {0}")]
    Status(u8),
    /// Outside of what a probe measures, or a value beside a status that has none.
    #[error("a value of {0} thousandths of a degree")]
    Value(i32),
    /// Not newer than what was heard before.
    #[error("reading {}.{} after {}.{}", found.boot, found.seq, mark.boot, mark.seq)]
    Replayed {
        /// What it is.
        found: ReadingMark,
        /// The highest that was accepted.
        mark: ReadingMark,
    },
}

impl DatagramError {
    /// For logs and metrics. The names are a contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Length(_) => "length",
            Self::Magic(_) => "magic",
            Self::Version(_) => "version",
            Self::Reserved(_) => "reserved",
            Self::Probe(_) => "probe",
            Self::Mac => "mac",
            Self::Status(_) => "status",
            Self::Value(_) => "value",
            Self::Replayed { .. } => "replayed",
        }
    }
}

/// What a camera signs its readings with, made of its key once.
#[derive(Clone)]
pub struct ReadingKey(hmac::Key);

impl ReadingKey {
    /// HMAC-SHA256(the camera's key, "U" || its id).
    pub fn derive(key: &[u8; KEY_LEN], camera: CameraId) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        context.update(KEY_LABEL);
        context.update(camera.0.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref()))
    }

    fn mac(&self, signed: &[u8]) -> [u8; MAC_LEN] {
        let mut mac = [0; MAC_LEN];
        mac.copy_from_slice(&hmac::sign(&self.0, signed).as_ref()[..MAC_LEN]);
        mac
    }
}

/// One reading of one probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Who measured.
    pub camera: CameraId,
    /// Which of its probes, below [`MOST_PROBES`].
    pub probe: u8,
    /// How the probe answered.
    pub status: Status,
    /// The camera's starts, kept in its flash.
    pub boot: u32,
    /// Counts the datagrams of this boot from 1, those of all probes together. The TELEMETRY that repeats the reading
    /// carries the same number.
    pub seq: u32,
    /// When it was read, on the camera's clock in microseconds.
    pub t_us: u64,
}

impl Datagram {
    /// The signed bytes.
    pub fn seal(&self, key: &ReadingKey) -> [u8; DATAGRAM_LEN] {
        let (status, value) = self.status.parts();
        let mut bytes = [0; DATAGRAM_LEN];
        let (signed, mac) = bytes.split_at_mut(SIGNED_LEN);
        let mut out = &mut signed[..];
        out.put_u32(MAGIC);
        out.put_slice(&[VERSION, status, self.probe, 0]);
        out.put_slice(self.camera.0.as_bytes());
        out.put_u32(self.boot);
        out.put_u32(self.seq);
        out.put_u64(self.t_us);
        out.put_i32(value);
        mac.copy_from_slice(&key.mac(signed));
        bytes
    }

    /// Its place among the camera's datagrams.
    pub fn mark(&self) -> ReadingMark {
        ReadingMark { boot: self.boot, seq: self.seq }
    }

    /// Whether it comes after `mark`, the highest one that was accepted of this camera.
    ///
    /// # Errors
    /// [`DatagramError::Replayed`] when it was heard before, or something later was.
    pub fn check_newer(&self, mark: ReadingMark) -> Result<(), DatagramError> {
        let found = self.mark();
        if found > mark { Ok(()) } else { Err(DatagramError::Replayed { found, mark }) }
    }
}

/// A datagram whose signature is not checked yet: it only claims to be of its camera.
#[derive(Clone, Copy)]
pub struct SealedDatagram<'a> {
    camera: CameraId,
    bytes: &'a [u8; DATAGRAM_LEN],
}

impl<'a> SealedDatagram<'a> {
    /// Checks what needs no key, cheaply, so that garbage is thrown away before anything is looked up.
    ///
    /// # Errors
    /// When the length, the magic, the version, the reserved byte or the probe's number is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DatagramError> {
        let bytes: &[u8; DATAGRAM_LEN] = bytes.try_into().ok().ok_or(DatagramError::Length(bytes.len()))?;
        let mut fields = &bytes[..];
        let magic = fields.get_u32();
        let [version, _status, probe, reserved] = fields.get_u32().to_be_bytes();
        if magic != MAGIC {
            Err(DatagramError::Magic(magic))
        } else if version != VERSION {
            Err(DatagramError::Version(version))
        } else if reserved != 0 {
            Err(DatagramError::Reserved(reserved))
        } else if usize::from(probe) >= MOST_PROBES {
            Err(DatagramError::Probe(probe))
        } else {
            Ok(Self { camera: CameraId(Uuid::from_u128(fields.get_u128())), bytes })
        }
    }

    /// Who it claims to be of.
    pub fn camera(&self) -> CameraId {
        self.camera
    }

    /// Checks the signature, then reads the rest.
    ///
    /// # Errors
    /// When the MAC, the status or the value is wrong.
    pub fn open(&self, key: &ReadingKey) -> Result<Datagram, DatagramError> {
        let (signed, mac) = self.bytes.split_at(SIGNED_LEN);
        if !bool::from(key.mac(signed).ct_eq(mac)) {
            return Err(DatagramError::Mac);
        }
        let (code, probe) = (signed[5], signed[6]);
        let mut fields = &signed[24..];
        let (boot, seq, t_us) = (fields.get_u32(), fields.get_u32(), fields.get_u64());
        let status = Status::from_parts(code, fields.get_i32())?;
        Ok(Datagram { camera: self.camera, probe, status, boot, seq, t_us })
    }
}

#[cfg(test)]
#[path = "datagram_tests.rs"]
mod tests;
