//! What a viewer asks for, so that a thin line carries it.

use std::{fmt, time::Duration};

use bytes::{Buf as _, BufMut as _, BytesMut};

use crate::wire::fields::PayloadError;

/// Frames a second, in tenths: one frame in ten seconds up to 6,553.5.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rate(u16);

impl Rate {
    /// So many frames in ten seconds; `None` for none.
    pub fn from_tenths(tenths: u16) -> Option<Self> {
        (tenths > 0).then_some(Self(tenths))
    }

    /// Frames in ten seconds, never 0.
    pub fn tenths(self) -> u16 {
        self.0
    }

    /// The time from one frame to the next.
    pub fn interval(self) -> Duration {
        Duration::from_secs(10) / u32::from(self.0)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}"),
        }
    }
}

/// The most that is sent. Without a limit: what the camera gives, as far as the line carries it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    /// The highest rate.
    pub rate: Option<Rate>,
    /// The widest picture, in pixels. A larger one is made smaller, its shape kept; none is made larger.
    pub width: Option<u16>,
    /// The tallest picture, in pixels.
    pub height: Option<u16>,
}

impl Wish {
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self, PayloadError> {
        let rate = Rate::from_tenths(bytes.try_get_u16()?);
        let mut side = || bytes.try_get_u16().map(|pixels| (pixels > 0).then_some(pixels));
        Ok(Self { rate, width: side()?, height: side()? })
    }

    pub(super) fn put(self, out: &mut BytesMut) {
        out.put_u16(self.rate.map_or(0, Rate::tenths));
        out.put_u16(self.width.unwrap_or(0));
        out.put_u16(self.height.unwrap_or(0));
    }
}
