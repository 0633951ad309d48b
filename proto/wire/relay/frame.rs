//! What stands before a frame's JPEG on its stream.

use bytes::{Buf as _, BufMut as _};
use thiserror::Error;

use super::VERSION;

/// Bytes before the JPEG.
pub const FRAME_HEADER_LEN: usize = 40;
/// Most bytes of a frame's JPEG.
pub const MOST_FRAME: u32 = 1024 * 1024;
/// The code of a reset stream (RFC 9000, section 19.4) whose frame became too old on its way.
pub const RESET_STALE: u32 = 1;
/// The picture was made smaller by the hub.
const SCALED: u8 = 1;

/// A frame on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameHeader {
    /// Whether the hub made the picture smaller.
    pub is_scaled: bool,
    /// Frames that were not sent, or given up, since the frame before; at most 2³²−1.
    pub skipped: u32,
    /// Rises from frame to frame.
    pub sequence: u64,
    /// When the camera captured it, microseconds since 1970 on the hub's clock.
    pub captured_at_us: i64,
    /// When the hub began to send it, on the same clock.
    pub sent_at_us: i64,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Bytes of the JPEG, after which the stream ends; at most [`MOST_FRAME`].
    pub length: u32,
}

/// Why a stream carries no frame.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FrameHeaderError {
    /// Another version.
    #[error("a frame of version {0}")]
    Version(u8),
    /// A picture over the limit of every frame.
    #[error("a frame of {0} bytes")]
    TooLarge(u32),
}

impl FrameHeader {
    /// Reads a header. Flags and reserved bytes that are not known are passed over.
    ///
    /// # Errors
    /// When what follows can't be a frame.
    pub fn decode(bytes: &[u8; FRAME_HEADER_LEN]) -> Result<Self, FrameHeaderError> {
        let [version, flags, _, _, rest @ ..] = bytes;
        if *version != VERSION {
            return Err(FrameHeaderError::Version(*version));
        }
        let mut rest = &rest[..];
        let header = Self {
            is_scaled: flags & SCALED != 0,
            skipped: rest.get_u32(),
            sequence: rest.get_u64(),
            captured_at_us: rest.get_i64(),
            sent_at_us: rest.get_i64(),
            width: rest.get_u16(),
            height: rest.get_u16(),
            length: rest.get_u32(),
        };
        if header.length > MOST_FRAME { Err(FrameHeaderError::TooLarge(header.length)) } else { Ok(header) }
    }

    /// Its bytes.
    pub fn encode(&self) -> [u8; FRAME_HEADER_LEN] {
        let mut bytes = [0; FRAME_HEADER_LEN];
        let mut out = &mut bytes[..];
        out.put_slice(&[VERSION, if self.is_scaled { SCALED } else { 0 }, 0, 0]);
        out.put_u32(self.skipped);
        out.put_u64(self.sequence);
        out.put_i64(self.captured_at_us);
        out.put_i64(self.sent_at_us);
        out.put_u16(self.width);
        out.put_u16(self.height);
        out.put_u32(self.length);
        bytes
    }
}
