//! The live WebSocket, byte by byte. All numbers are big-endian.
//!
//! Hub to viewer, one binary message a frame: a header of [`HEADER_LEN`] bytes, then the JPEG.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, [`VERSION`] |
//! | 1 | flags: 1 asks for an acknowledgement, the others are 0 |
//! | 2 | reserved, 0 |
//! | 4 | frames skipped since the one sent before, at most 2³²−1 |
//! | 8 | frame sequence |
//! | 8 | captured at, microseconds since 1970, signed |
//! | 8 | sent at, microseconds since 1970, signed, on the same clock |
//!
//! Viewer to hub, one binary message of [`ACK_LEN`] bytes for each frame that asks for it: its sequence, once it and all
//! before it were shown or passed over. Others may be acknowledged too. At most [`WINDOW`] frames are unacknowledged.
//! Text is never sent.

use jiff::Timestamp;

use crate::hub::Seen;

/// The first byte of a frame's header.
pub const VERSION: u8 = 1;
/// Bytes before the JPEG.
pub const HEADER_LEN: usize = 32;
/// In a frame's flags: acknowledge it.
pub const ACKNOWLEDGE: u8 = 1;
/// Bytes of an acknowledgement.
pub const ACK_LEN: usize = 8;
/// Frames sent and not acknowledged. Four fill a line of 200 ms round trip at 20 frames a second; what waits in
/// queues on the way is never more.
pub const WINDOW: usize = 4;

/// Why the hub closes. The numbers are a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseCode {
    /// The hub stops; try again soon (RFC 6455 7.4.1).
    GoingAway,
    /// The viewer broke a rule of the protocol (RFC 6455 7.4.1).
    ProtocolError,
    /// The viewer sent what is not an acknowledgement (RFC 6455 7.4.1).
    Unsupported,
    /// The viewer sent a message longer than any of its may be (RFC 6455 7.4.1).
    TooBig,
    /// The viewer acknowledged nothing for too long; try again, perhaps with a smaller picture.
    TooSlow,
    /// The viewer's access was revoked: sign in again.
    Revoked,
    /// The camera was removed.
    CameraRemoved,
    /// Somebody who manages the hub ended this view.
    Disconnected,
}

impl CloseCode {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::Unsupported => 1003,
            Self::TooBig => 1009,
            Self::TooSlow => 4001,
            Self::Revoked => 4003,
            Self::CameraRemoved => 4004,
            Self::Disconnected => 4005,
        }
    }

    /// The words on the wire.
    pub fn reason(self) -> &'static str {
        match self {
            Self::GoingAway => "the hub stops",
            Self::ProtocolError => "against the protocol",
            Self::Unsupported => "not an acknowledgement",
            Self::TooBig => "too long a message",
            Self::TooSlow => "too slow",
            Self::Revoked => "access was revoked",
            Self::CameraRemoved => "the camera was removed",
            Self::Disconnected => "disconnected",
        }
    }
}

/// What stands before a frame's JPEG.
pub fn head(seen: &Seen, sent_at: Timestamp, asks: bool) -> [u8; HEADER_LEN] {
    let frame = &seen.frame;
    let mut head = [0; HEADER_LEN];
    head[0] = VERSION;
    head[1] = if asks { ACKNOWLEDGE } else { 0 };
    head[4..8].copy_from_slice(&u32::try_from(seen.skipped).unwrap_or(u32::MAX).to_be_bytes());
    head[8..16].copy_from_slice(&frame.sequence.to_be_bytes());
    head[16..24].copy_from_slice(&frame.captured_at.as_microsecond().to_be_bytes());
    head[24..].copy_from_slice(&sent_at.as_microsecond().to_be_bytes());
    head
}

/// The sequence in an acknowledgement; `None` when it is not one.
pub fn decode_ack(message: &[u8]) -> Option<u64> {
    <[u8; ACK_LEN]>::try_from(message).ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::hub::Frame;

    #[test]
    fn a_frame_is_laid_out_as_documented() {
        let frame = Frame {
            sequence: 0x0102_0304_0506_0708,
            captured_at: Timestamp::from_microsecond(1_000_000).expect("a time"),
            received_at: Timestamp::UNIX_EPOCH,
            clock_epoch: 0,
            width: 640,
            height: 480,
            jpeg: Bytes::from_static(&[0xFF, 0xD8, 0xFF, 0xD9]),
        };
        let seen = Seen { frame: Arc::new(frame), skipped: 3 };
        let head = head(&seen, Timestamp::from_microsecond(-1).expect("a time"), true);
        let expected = [
            &[1, 1, 0, 0][..],
            &[0, 0, 0, 3],
            &[1, 2, 3, 4, 5, 6, 7, 8],
            &[0, 0, 0, 0, 0, 0x0F, 0x42, 0x40],
            &[0xFF; 8],
        ];
        assert_eq!(head, *expected.concat());
        let many = Seen { skipped: u64::MAX, ..seen };
        let many = super::head(&many, Timestamp::UNIX_EPOCH, false);
        assert_eq!((many[1], &many[4..8]), (0, &[0xFF; 4][..]));
    }

    #[test]
    fn an_acknowledgement_is_eight_bytes_and_nothing_else() {
        assert_eq!(decode_ack(&[0, 0, 0, 0, 0, 0, 1, 2]), Some(258));
        assert_eq!(decode_ack(&[0; 7]), None);
        assert_eq!(decode_ack(&[0; 9]), None);
    }

    #[test]
    fn close_codes_are_a_contract() {
        use CloseCode::{CameraRemoved, Disconnected, GoingAway, ProtocolError, Revoked, TooBig, TooSlow, Unsupported};
        let codes = [GoingAway, ProtocolError, Unsupported, TooBig, TooSlow, Revoked, CameraRemoved, Disconnected];
        assert_eq!(codes.map(CloseCode::code), [1001, 1002, 1003, 1009, 4001, 4003, 4004, 4005]);
    }
}
