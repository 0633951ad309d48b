//! From a stream of bytes to whole messages.

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;

use super::{ByeReason, CRC_LEN, HEADER_LEN, Header, HeaderError, Kind, MAC_LEN, PayloadError, checksum::crc32};

/// Largest payloads, checked from the header before anything is allocated for them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Of a FRAME.
    pub frame: u32,
    /// Of an UPDATE_DATA.
    pub update_data: u32,
    /// Of everything else.
    pub other: u32,
}

impl Limits {
    /// Of a session: an OV2640's buffer is width * height / 5, 384,000 bytes at most.
    pub const SESSION: Self = Self { frame: 512 * 1024, update_data: 4096, other: 1024 };
    /// Before both sides are proven.
    pub const HANDSHAKE: Self = Self { frame: 0, update_data: 0, other: 256 };

    /// The limit of a kind.
    pub fn of(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Frame => self.frame,
            Kind::UpdateData => self.update_data,
            _ => self.other,
        }
    }
}

/// A whole message whose payload is not looked at yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Its header.
    pub header: Header,
    /// Its payload, sharing the buffer it was read into.
    pub payload: Bytes,
    /// What it carries to prove its sender.
    pub mac: Option<[u8; MAC_LEN]>,
    /// Whether its CRC, if it carries one, is right.
    pub intact: bool,
}

/// Why bytes are refused. Each ends the session.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DecodeError {
    /// The header is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The payload is larger than may be.
    #[error("{kind:?} of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// What it is.
        kind: Kind,
        /// What its header says.
        length: u32,
        /// What may be.
        limit: u32,
    },
    /// Nobody knows this kind, and it may not be passed over.
    #[error("unknown message type {0}")]
    UnknownKind(u8),
    /// A known kind at the wrong time or in the wrong direction.
    #[error("{0:?} has no place here")]
    Unexpected(Kind),
    /// The payload is not what its kind has.
    #[error("{kind:?}: {source}")]
    Payload {
        /// What it is.
        kind: Kind,
        /// What is wrong.
        source: PayloadError,
    },
}

impl DecodeError {
    /// What to say in the BYE.
    pub fn bye(&self) -> ByeReason {
        match self {
            Self::Header(_) | Self::Payload { .. } => ByeReason::Malformed,
            Self::TooLarge { .. } => ByeReason::TooLarge,
            Self::UnknownKind(_) => ByeReason::UnknownType,
            Self::Unexpected(_) => ByeReason::Unexpected,
        }
    }
}

/// Takes one whole message off the front of `buffer`; `None` when more bytes are needed. Once the header is there, and
/// within the limits, room for the rest is reserved, so that the next reads fill it without moving what is there.
///
/// # Errors
/// When the header is not one or breaks a limit. The buffer can't be read further then.
pub fn decode(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Packet>, DecodeError> {
    let Some(header) = Header::peek(buffer)? else {
        buffer.reserve(HEADER_LEN - buffer.len());
        return Ok(None);
    };
    let limit = limits.of(header.kind);
    if header.length > limit {
        return Err(DecodeError::TooLarge { kind: header.kind, length: header.length, limit });
    }
    let whole = header.message_len();
    if buffer.len() < whole {
        buffer.reserve(whole - buffer.len());
        return Ok(None);
    }
    let mut message = buffer.split_to(whole).freeze();
    let crc = header.flags.crc.then(|| message.split_off(whole - CRC_LEN).get_u32());
    let intact = crc.is_none_or(|crc| crc == crc32(&[&message]));
    message.advance(HEADER_LEN);
    let mac = header.flags.mac.then(|| {
        let mut mac = [0; MAC_LEN];
        mac.copy_from_slice(&message.split_off(message.len() - MAC_LEN));
        mac
    });
    Ok(Some(Packet { header, payload: message, mac, intact }))
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;

    use super::*;
    use crate::wire::camera::Flags;

    fn header(kind: Kind, length: u32) -> Header {
        Header { kind, flags: Flags::default(), seq: 0, t_us: 0, length }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_from_the_header_alone() {
        for (limits, kind, most) in [
            (Limits::HANDSHAKE, Kind::Hello, 256),
            (Limits::SESSION, Kind::Telemetry, 1024),
            (Limits::SESSION, Kind::Other(200), 1024),
            (Limits::SESSION, Kind::UpdateData, 4096),
            (Limits::SESSION, Kind::Frame, 524_288),
        ] {
            let mut buffer = BytesMut::new();
            header(kind, most).put(&mut buffer);
            assert_eq!(decode(&mut buffer, &limits), Ok(None));
            let mut buffer = BytesMut::new();
            header(kind, most + 1).put(&mut buffer);
            let capacity = buffer.capacity();
            let refused = decode(&mut buffer, &limits).unwrap_err();
            assert_eq!(refused, DecodeError::TooLarge { kind, length: most + 1, limit: most });
            assert_eq!((refused.bye(), buffer.capacity()), (ByeReason::TooLarge, capacity));
        }
        let mut buffer = BytesMut::new();
        header(Kind::Frame, 1).put(&mut buffer);
        assert!(decode(&mut buffer, &Limits::HANDSHAKE).is_err(), "no frame before both sides are proven");
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_arrive() {
        let mut stream = BytesMut::new();
        for (length, fill) in [(8, 1), (0, 2), (300, 3)] {
            header(Kind::Telemetry, length).put(&mut stream);
            stream.put_bytes(fill, usize::try_from(length).unwrap());
        }
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        for byte in stream {
            buffer.put_u8(byte);
            while let Some(packet) = decode(&mut buffer, &Limits::SESSION).unwrap() {
                found.push((packet.payload.len(), packet.payload.first().copied()));
            }
        }
        assert_eq!(found, [(8, Some(1)), (0, None), (300, Some(3))]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_payload_is_not_copied_out_of_the_buffer_it_was_read_into() {
        let mut buffer = BytesMut::new();
        header(Kind::Frame, 8).put(&mut buffer);
        buffer.put_bytes(5, 8);
        let start = buffer.as_ptr();
        let packet = decode(&mut buffer, &Limits::SESSION).unwrap().unwrap();
        assert_eq!(packet.payload.as_ptr(), start.wrapping_add(HEADER_LEN));
    }
}
