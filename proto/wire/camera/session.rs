//! A session after the handshake: numbers, MACs, messages.

use bytes::{BufMut as _, Bytes, BytesMut};
use thiserror::Error;

use super::{
    ByeReason, DecodeError, FRAME_PREFIX_LEN, Flags, FrameInfo, FrameMac, FramePacket, Header, Kind, MAC_LEN, Message,
    Packet, checksum::crc32, keys,
};

/// Both directions of a session. Take it apart to read and write from different places.
pub struct Session {
    /// What the other side says.
    pub incoming: Incoming,
    /// What this side says.
    pub outgoing: Outgoing,
}

/// Why a packet ends the session.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SessionError {
    /// Repeated, lost or reordered.
    #[error("message number {found} instead of {expected}")]
    Sequence {
        /// What its header says.
        found: u32,
        /// What comes next.
        expected: u32,
    },
    /// It had to carry a MAC and does not, or carries a wrong one.
    #[error("{0:?} with a missing or wrong MAC")]
    Mac(Kind),
    /// Damaged on the way; only a FRAME may be.
    #[error("{0:?} with a wrong CRC")]
    Crc(Kind),
    /// Not a message of a session.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl SessionError {
    /// What to say in the BYE.
    pub fn bye(&self) -> ByeReason {
        match self {
            Self::Sequence { .. } => ByeReason::OutOfSequence,
            Self::Mac(_) => ByeReason::BadMac,
            Self::Crc(_) => ByeReason::Malformed,
            Self::Decode(error) => error.bye(),
        }
    }
}

/// What a packet turned out to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Received {
    /// A message.
    Message(Message),
    /// A kind nobody here knows, and that may be passed over.
    PassedOver(u8),
    /// A FRAME whose CRC is wrong: counted, not used.
    DamagedFrame,
}

/// The receiving direction.
pub struct Incoming {
    key: keys::DirectionKey,
    next_seq: u32,
    frames: u32,
    frame_mac: FrameMac,
}

impl Incoming {
    pub(super) fn new(key: keys::DirectionKey, next_seq: u32, frame_mac: FrameMac) -> Self {
        Self { key, next_seq, frames: 0, frame_mac }
    }

    /// Checks a packet's number and MAC and reads its payload.
    ///
    /// # Errors
    /// Each ends the session: say [`SessionError::bye`] and close.
    pub fn receive(&mut self, packet: &Packet) -> Result<Received, SessionError> {
        let kind = packet.header.kind;
        if packet.header.seq != self.next_seq {
            return Err(SessionError::Sequence { found: packet.header.seq, expected: self.next_seq });
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        let is_frame = kind == Kind::Frame;
        let required = !is_frame || self.frame_mac.requires(self.frames);
        self.frames = self.frames.wrapping_add(u32::from(is_frame));
        if !packet.intact {
            // A damaged frame is one picture less. Damage elsewhere, or where a MAC has to prove the sender, is not
            // told from an attack.
            return if is_frame && !required { Ok(Received::DamagedFrame) } else { Err(SessionError::Crc(kind)) };
        }
        match packet.mac {
            Some(mac) if keys::is_equal(&mac, &self.key.mac(&[&packet.header.to_bytes(), &packet.payload])) => {}
            None if !required => {}
            _ => return Err(SessionError::Mac(kind)),
        }
        Ok(Message::parse(packet)?.map_or(Received::PassedOver(kind.code()), Received::Message))
    }
}

/// The sending direction.
pub struct Outgoing {
    key: keys::DirectionKey,
    next_seq: u32,
    frames: u32,
    frame_mac: FrameMac,
    with_crc: bool,
}

impl Outgoing {
    pub(super) fn new(key: keys::DirectionKey, next_seq: u32, frame_mac: FrameMac) -> Self {
        Self { key, next_seq, frames: 0, frame_mac, with_crc: false }
    }

    /// Makes every message from now on carry a CRC-32, for lines that damage bytes.
    pub fn set_crc(&mut self, with_crc: bool) {
        self.with_crc = with_crc;
    }

    /// Appends a message. `t_us`: the sender's monotonic clock in microseconds.
    pub fn message(&mut self, message: &Message, t_us: u64, out: &mut BytesMut) {
        let mut payload = BytesMut::new();
        message.put(&mut payload);
        let header = self.header(message.kind(), true, t_us, payload.len());
        header.put(out);
        out.put_slice(&payload);
        out.put_slice(&self.trailer(&header, &[&payload]));
    }

    /// Makes a FRAME. `t_us`: when it was captured, on the sender's monotonic clock in microseconds. The receiver's
    /// limit is the caller's to keep.
    pub fn frame(&mut self, info: &FrameInfo, t_us: u64, jpeg: Bytes) -> FramePacket {
        let required = self.frame_mac.requires(self.frames);
        self.frames = self.frames.wrapping_add(1);
        let mut prefix = BytesMut::with_capacity(FRAME_PREFIX_LEN);
        info.put(&mut prefix);
        let header = self.header(Kind::Frame, required, t_us, FRAME_PREFIX_LEN + jpeg.len());
        let trailer = self.trailer(&header, &[&prefix, &jpeg]);
        let mut head = BytesMut::new();
        header.put(&mut head);
        head.put_slice(&prefix);
        FramePacket { head: head.freeze(), jpeg, trailer: trailer.freeze() }
    }

    fn header(&mut self, kind: Kind, mac: bool, t_us: u64, length: usize) -> Header {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        let flags = Flags { mac, crc: self.with_crc };
        Header { kind, flags, seq, t_us, length: u32::try_from(length).unwrap_or(u32::MAX) }
    }

    fn trailer(&self, header: &Header, payload: &[&[u8]]) -> BytesMut {
        let mut trailer = BytesMut::with_capacity(header.flags.trailer_len());
        let header_bytes = header.to_bytes();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(4);
        parts.push(&header_bytes);
        parts.extend(payload);
        let mac: [u8; MAC_LEN];
        if header.flags.mac {
            mac = self.key.mac(&parts);
            trailer.put_slice(&mac);
            parts.push(&mac);
        }
        if header.flags.crc {
            trailer.put_u32(crc32(&parts));
        }
        trailer
    }
}
