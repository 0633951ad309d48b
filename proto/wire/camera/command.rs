//! Commands to a camera and its answers.

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::{PayloadError, Size, fields};

/// Longest remark in bytes.
const MOST_REMARK: usize = 64;

/// A command with the number its ACK repeats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// Made by the hub; unique among the commands waiting for their ACK.
    pub id: u32,
    /// What to do.
    pub command: Command,
}

/// What a camera is told to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Pixels of the pictures from now on.
    Size(Size),
    /// The OV2640's JPEG quality, 4 (best) to 63.
    Quality(u8),
    /// Frames a second, each 1 to 30.
    Rate {
        /// When something moves or someone looks.
        active_fps: u8,
        /// Otherwise.
        idle_fps: u8,
    },
    /// One setting of the sensor's driver.
    Register {
        /// Which.
        setting: RegisterSetting,
        /// To what.
        value: i16,
    },
    /// The lamp, 0 (off) to 255.
    Flash(u8),
    /// Take a full-size picture and send it as the next frame.
    Snapshot,
    /// Turn, in degrees from the middle, each -90 to 90.
    PanTilt {
        /// To the right.
        pan_degrees: i8,
        /// Upward.
        tilt_degrees: i8,
    },
    /// Start again.
    Reboot,
    /// Change a setting of the image sensor's driver that this version does not know: answered with
    /// [`AckResult::Unsupported`].
    OtherRegister {
        /// Its code.
        setting: u8,
        /// In its own range.
        value: i16,
    },
    /// A command that this version does not know: answered with [`AckResult::Unsupported`]. Its body is not kept.
    Other(u8),
}

macro_rules! settings {
    ($($variant:ident = $code:literal $name:literal),+ $(,)?) => {
        /// A setting of the OV2640's driver (`sensor_t` in espressif/esp32-camera). Codes and names are a contract.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[expect(missing_docs, reason = "named after the driver's own functions")]
        pub enum RegisterSetting { $($variant),+ }

        impl RegisterSetting {
            /// Every setting.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code),+ }
            }

            /// The driver's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

settings! {
    Brightness = 1 "brightness", Contrast = 2 "contrast", Saturation = 3 "saturation",
    SpecialEffect = 4 "special_effect", WbMode = 5 "wb_mode", AeLevel = 6 "ae_level", AecValue = 7 "aec_value",
    AgcGain = 8 "agc_gain", GainCeiling = 9 "gainceiling", Awb = 10 "awb", AwbGain = 11 "awb_gain", Agc = 12 "agc",
    Aec = 13 "aec", Aec2 = 14 "aec2", HMirror = 15 "hmirror", VFlip = 16 "vflip", Lenc = 17 "lenc", Bpc = 18 "bpc",
    Wpc = 19 "wpc", RawGma = 20 "raw_gma", Dcw = 21 "dcw", ColorBar = 22 "colorbar",
}

impl RegisterSetting {
    /// The setting of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|setting| setting.code() == code)
    }

    /// The setting of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|setting| setting.name() == name)
    }
}

impl Control {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let id = bytes.try_get_u32()?;
        let command = match bytes.try_get_u8()? {
            1 => Command::Size(Size { width: bytes.try_get_u16()?, height: bytes.try_get_u16()? }),
            2 => Command::Quality(bytes.try_get_u8()?),
            3 => Command::Rate { active_fps: bytes.try_get_u8()?, idle_fps: bytes.try_get_u8()? },
            4 => {
                let (setting, value) = (bytes.try_get_u8()?, bytes.try_get_i16()?);
                RegisterSetting::from_code(setting)
                    .map_or(Command::OtherRegister { setting, value }, |setting| Command::Register { setting, value })
            }
            5 => Command::Flash(bytes.try_get_u8()?),
            6 => Command::Snapshot,
            7 => Command::PanTilt { pan_degrees: bytes.try_get_i8()?, tilt_degrees: bytes.try_get_i8()? },
            8 => Command::Reboot,
            code => return Ok(Self { id, command: Command::Other(code) }),
        };
        fields::end(bytes)?;
        Ok(Self { id, command })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.id);
        match self.command {
            Command::Size(size) => {
                out.put_u8(1);
                out.put_u16(size.width);
                out.put_u16(size.height);
            }
            Command::Quality(quality) => out.put_slice(&[2, quality]),
            Command::Rate { active_fps, idle_fps } => out.put_slice(&[3, active_fps, idle_fps]),
            Command::Register { setting, value } => put_register(out, setting.code(), value),
            Command::OtherRegister { setting, value } => put_register(out, setting, value),
            Command::Flash(level) => out.put_slice(&[5, level]),
            Command::Snapshot => out.put_u8(6),
            Command::PanTilt { pan_degrees, tilt_degrees } => {
                out.put_u8(7);
                out.put_i8(pan_degrees);
                out.put_i8(tilt_degrees);
            }
            Command::Reboot => out.put_u8(8),
            Command::Other(code) => out.put_u8(code),
        }
    }
}

fn put_register(out: &mut BytesMut, setting: u8, value: i16) {
    out.put_slice(&[4, setting]);
    out.put_i16(value);
}

/// What became of a command. The codes are a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AckResult {
    /// Done, or begun when it ends the session (reboot).
    Done,
    /// This camera can't do it.
    Unsupported,
    /// A value out of its range.
    OutOfRange,
    /// It was tried and failed.
    Failed,
    /// Not now.
    Busy,
}

impl AckResult {
    /// Every result, at the index of its code.
    pub const ALL: [Self; 5] = [Self::Done, Self::Unsupported, Self::OutOfRange, Self::Failed, Self::Busy];

    /// The code on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unsupported => 1,
            Self::OutOfRange => 2,
            Self::Failed => 3,
            Self::Busy => 4,
        }
    }

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unsupported => "unsupported",
            Self::OutOfRange => "out of range",
            Self::Failed => "failed",
            Self::Busy => "busy",
        }
    }
}

/// A camera's answer to a [`Control`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ack {
    /// Which command.
    pub id: u32,
    /// What became of it.
    pub result: AckResult,
    /// A few words, at most 64 bytes; mostly empty.
    pub remark: String,
}

impl Ack {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let id = bytes.try_get_u32()?;
        let code = bytes.try_get_u8()?;
        let unknown = PayloadError::Value { field: "result", value: code.into() };
        let result = AckResult::ALL.get(usize::from(code)).copied().ok_or(unknown)?;
        let remark = fields::text(bytes, "remark", MOST_REMARK)?;
        fields::end(bytes)?;
        Ok(Self { id, result, remark })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.id);
        out.put_u8(self.result.code());
        fields::put_text(out, &self.remark, MOST_REMARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_codes_are_a_contract() {
        let code = |command| {
            let mut out = BytesMut::new();
            Control { id: 0, command }.put(&mut out);
            (out[4], out.len())
        };
        assert_eq!(code(Command::Size(Size { width: 1, height: 1 })), (1, 9));
        assert_eq!(code(Command::Quality(12)), (2, 6));
        assert_eq!(code(Command::Rate { active_fps: 10, idle_fps: 1 }), (3, 7));
        assert_eq!(code(Command::Register { setting: RegisterSetting::VFlip, value: 1 }), (4, 8));
        assert_eq!(code(Command::Flash(1)), (5, 6));
        assert_eq!(code(Command::Snapshot), (6, 5));
        assert_eq!(code(Command::PanTilt { pan_degrees: 1, tilt_degrees: 1 }), (7, 7));
        assert_eq!(code(Command::Reboot), (8, 5));
        for (index, result) in AckResult::ALL.iter().enumerate() {
            assert_eq!(usize::from(result.code()), index);
        }
    }

    #[test]
    fn the_settings_are_numbered_in_the_drivers_order_and_found_by_name() {
        for (index, setting) in RegisterSetting::ALL.iter().enumerate() {
            assert_eq!(usize::from(setting.code()), index + 1);
            assert_eq!(RegisterSetting::from_name(setting.name()), Some(*setting));
            assert_eq!(RegisterSetting::from_code(setting.code()), Some(*setting));
        }
        assert_eq!(RegisterSetting::from_code(0), None);
        assert_eq!(RegisterSetting::from_name("sharpness"), None);
    }
}
