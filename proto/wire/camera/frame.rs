//! One picture.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::{PayloadError, Size};

/// Bytes of a FRAME's payload before the JPEG.
pub const FRAME_PREFIX_LEN: usize = 12;

/// What was special about a picture, as bits; unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameFlags(pub u8);

impl FrameFlags {
    /// Taken for a SNAPSHOT command.
    pub const SNAPSHOT: Self = Self(1);
    /// The lamp was on.
    pub const FLASH: Self = Self(2);
}

/// What a FRAME says of its picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameInfo {
    /// Counts captured pictures, those never sent included.
    pub number: u32,
    /// As the camera believes; the JPEG's own size counts.
    pub size: Size,
    /// The quality it was taken with.
    pub quality: u8,
    /// What was special about it.
    pub flags: FrameFlags,
    /// From capture to the first byte sent; a minute and more is sent as 65.535 s.
    pub queued: Duration,
}

impl FrameInfo {
    fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        Ok(Self {
            number: bytes.try_get_u32()?,
            size: Size { width: bytes.try_get_u16()?, height: bytes.try_get_u16()? },
            quality: bytes.try_get_u8()?,
            flags: FrameFlags(bytes.try_get_u8()?),
            queued: Duration::from_millis(bytes.try_get_u16()?.into()),
        })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.number);
        out.put_u16(self.size.width);
        out.put_u16(self.size.height);
        out.put_u8(self.quality);
        out.put_u8(self.flags.0);
        out.put_u16(u16::try_from(self.queued.as_millis()).unwrap_or(u16::MAX));
    }
}

/// A FRAME as it came; the JPEG is not looked at yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReceivedFrame {
    /// When it was captured, on the camera's clock in microseconds.
    pub t_us: u64,
    /// What the camera says of it.
    pub info: FrameInfo,
    /// What should be a JPEG. Shares the buffer it was read into.
    pub jpeg: Bytes,
}

impl ReceivedFrame {
    pub(super) fn parse(t_us: u64, mut payload: Bytes) -> Result<Self, PayloadError> {
        let info = FrameInfo::parse(&payload)?;
        payload.advance(FRAME_PREFIX_LEN);
        Ok(Self { t_us, info, jpeg: payload })
    }
}

/// A FRAME to be sent as three parts in one vectored write; the JPEG is not copied.
#[derive(Clone, Debug)]
pub struct FramePacket {
    /// Header and prefix.
    pub head: Bytes,
    /// The picture.
    pub jpeg: Bytes,
    /// MAC and CRC, if any.
    pub trailer: Bytes,
}

impl FramePacket {
    /// Bytes of the whole message.
    pub fn message_len(&self) -> usize {
        self.head.len() + self.jpeg.len() + self.trailer.len()
    }
}
