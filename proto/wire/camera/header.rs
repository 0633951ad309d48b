//! The 24 bytes before every payload.

use bytes::{Buf as _, BufMut, BytesMut};
use thiserror::Error;

/// Bytes of a header.
pub const HEADER_LEN: usize = 24;
/// "LRD1".
pub const MAGIC: u32 = 0x4c52_4431;

/// What a message is. The codes are a contract.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Camera to hub, first.
    Hello,
    /// Hub to camera: the hub proves itself.
    Challenge,
    /// Camera to hub: the camera proves itself.
    Auth,
    /// Hub to camera: what is wanted.
    Welcome,
    /// Camera to hub: one picture.
    Frame,
    /// Camera to hub: how it is doing.
    Telemetry,
    /// Hub to camera: one command.
    Control,
    /// Camera to hub: what became of a command.
    Ack,
    /// Hub to camera: new firmware follows.
    UpdateBegin,
    /// Hub to camera: a piece of it.
    UpdateData,
    /// Hub to camera: that was all of it.
    UpdateEnd,
    /// Camera to hub: how the update stands.
    UpdateStatus,
    /// Either way: answer with the same 8 bytes.
    Ping,
    /// Either way: the 8 bytes of a PING.
    Pong,
    /// Either way: the session ends, and why.
    Bye,
    /// A code this version does not know.
    Other(u8),
}

impl Kind {
    const CODES: [(Self, u8); 15] = [
        (Self::Hello, 1),
        (Self::Challenge, 2),
        (Self::Auth, 3),
        (Self::Welcome, 4),
        (Self::Frame, 16),
        (Self::Telemetry, 17),
        (Self::Control, 32),
        (Self::Ack, 33),
        (Self::UpdateBegin, 34),
        (Self::UpdateData, 35),
        (Self::UpdateEnd, 36),
        (Self::UpdateStatus, 37),
        (Self::Ping, 48),
        (Self::Pong, 49),
        (Self::Bye, 63),
    ];

    /// The code on the wire.
    pub fn code(self) -> u8 {
        if let Self::Other(code) = self {
            return code;
        }
        Self::CODES.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| *code)
    }

    /// The kind of a code.
    pub fn from_code(code: u8) -> Self {
        Self::CODES.iter().find(|(_, known)| *known == code).map_or(Self::Other(code), |(kind, _)| *kind)
    }

    /// Whether a reader that does not know this kind passes over it (top bit set) instead of ending the session.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::Other(code) if code & 0x80 != 0)
    }
}

/// What follows the payload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags {
    /// A MAC of 16 bytes.
    pub mac: bool,
    /// A CRC-32 over header, payload and MAC, last of all.
    pub crc: bool,
}

impl Flags {
    const MAC: u8 = 1;
    const CRC: u8 = 2;

    /// The byte on the wire.
    pub fn bits(self) -> u8 {
        (u8::from(self.mac) * Self::MAC) | (u8::from(self.crc) * Self::CRC)
    }

    /// Bytes that follow the payload.
    pub fn trailer_len(self) -> usize {
        usize::from(self.mac) * super::MAC_LEN + usize::from(self.crc) * super::CRC_LEN
    }
}

/// A header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// What the message is.
    pub kind: Kind,
    /// What follows the payload.
    pub flags: Flags,
    /// Counts the messages of this direction from 0.
    pub seq: u32,
    /// The sender's monotonic clock in microseconds; in a FRAME the capture time.
    pub t_us: u64,
    /// Bytes of the payload alone.
    pub length: u32,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum HeaderError {
    /// Not the camera link, or its byte stream slipped.
    #[error("magic is {0:#010x}, not \"LRD1\"")]
    Magic(u32),
    /// A flag nobody knows would change what follows the payload.
    #[error("unknown flags {0:#04x}")]
    Flags(u8),
    /// Must be zero.
    #[error("reserved field is {0:#06x}, not zero")]
    Reserved(u16),
}

impl Header {
    /// Reads a header. The limit on `length` is the caller's: [`decode`](super::decode) checks it.
    ///
    /// # Errors
    /// When the magic, the flags or the reserved field are not as this version has them.
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, HeaderError> {
        let mut bytes = &bytes[..];
        let magic = bytes.get_u32();
        if magic != MAGIC {
            return Err(HeaderError::Magic(magic));
        }
        let kind = Kind::from_code(bytes.get_u8());
        let bits = bytes.get_u8();
        let flags = Flags { mac: bits & Flags::MAC != 0, crc: bits & Flags::CRC != 0 };
        if flags.bits() != bits {
            return Err(HeaderError::Flags(bits));
        }
        let reserved = bytes.get_u16();
        if reserved != 0 {
            return Err(HeaderError::Reserved(reserved));
        }
        Ok(Self { kind, flags, seq: bytes.get_u32(), t_us: bytes.get_u64(), length: bytes.get_u32() })
    }

    /// Appends the header.
    pub fn put(&self, out: &mut impl BufMut) {
        out.put_u32(MAGIC);
        out.put_u8(self.kind.code());
        out.put_u8(self.flags.bits());
        out.put_u16(0);
        out.put_u32(self.seq);
        out.put_u64(self.t_us);
        out.put_u32(self.length);
    }

    /// The header's bytes, as MACs and the handshake's transcript take them.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        self.put(&mut &mut bytes[..]);
        bytes
    }

    /// Bytes of the whole message: header, payload and what follows it.
    pub fn message_len(&self) -> usize {
        HEADER_LEN + usize::try_from(self.length).unwrap_or(usize::MAX / 2) + self.flags.trailer_len()
    }

    /// The header at the front of a buffer, if it is there whole.
    pub(super) fn peek(buffer: &BytesMut) -> Result<Option<Self>, HeaderError> {
        buffer.first_chunk::<HEADER_LEN>().map(Self::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_a_contract() {
        let codes: Vec<_> = Kind::CODES.iter().map(|(kind, code)| format!("{kind:?}={code}")).collect();
        assert_eq!(
            codes.join(" "),
            "Hello=1 Challenge=2 Auth=3 Welcome=4 Frame=16 Telemetry=17 Control=32 Ack=33 \
             UpdateBegin=34 UpdateData=35 UpdateEnd=36 UpdateStatus=37 Ping=48 Pong=49 Bye=63"
        );
        for code in 0..=255 {
            assert_eq!(Kind::from_code(code).code(), code);
            assert_eq!(Kind::from_code(code).is_optional(), code >= 0x80);
        }
    }

    #[test]
    fn a_foreign_header_is_refused_and_says_why() {
        let header =
            Header { kind: Kind::Ping, flags: Flags { mac: true, crc: true }, seq: 7, t_us: u64::MAX, length: 8 };
        let bytes = header.to_bytes();
        assert_eq!(Header::parse(&bytes), Ok(header));
        assert_eq!(header.message_len(), 24 + 8 + 16 + 4);
        let with = |at: usize, value: u8| {
            let mut changed = bytes;
            changed[at] = value;
            Header::parse(&changed).unwrap_err()
        };
        assert_eq!(with(0, b'X'), HeaderError::Magic(0x5852_4431));
        assert_eq!(with(5, 7), HeaderError::Flags(7));
        assert_eq!(with(7, 1), HeaderError::Reserved(1));
    }
}
