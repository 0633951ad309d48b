//! WebSocket frames (RFC 6455, section 5), as far as a server needs them: pure.
//!
//! The hub's frames are whole and unmasked, so that a picture can follow its header without a copy. A viewer's frames
//! must be masked and small; what breaks a rule of the RFC is refused.

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;

/// The longest header of a server's frame.
pub(super) const HEAD_MOST: usize = 10;
/// The most a control frame may carry (5.5).
const CONTROL_MOST: usize = 125;
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const MASK_LEN: usize = 4;

/// What a frame is (5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn read(bits: u8) -> Option<Self> {
        let all = [Self::Continuation, Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong];
        all.into_iter().find(|opcode| opcode.bits() == bits)
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// What a viewer said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Inbound {
    /// A whole binary message.
    Binary(Bytes),
    /// The beginning of a text message, which no viewer has a use for; the text is not kept.
    Text,
    /// To be answered with a pong of the same content.
    Ping(Bytes),
    /// An answer to a ping, or a sign of life.
    Pong,
    /// It closes; the content (code and reason, or nothing) is to be sent back.
    Close(Bytes),
}

/// Why bytes are no frames that a viewer may send.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum DecodeError {
    /// A rule of the RFC is broken.
    #[error("against RFC 6455: {0}")]
    Protocol(&'static str),
    /// A message longer than may be.
    #[error("a message that is too long")]
    TooBig,
}

/// The header of a server's frame, and how many of its bytes count.
pub(super) fn head(opcode: Opcode, length: usize) -> ([u8; HEAD_MOST], usize) {
    let mut head = [0; HEAD_MOST];
    head[0] = FIN | opcode.bits();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => {
            head[1] = short;
            (head, 2)
        }
        (_, Ok(length)) => {
            head[1] = 126;
            head[2..4].copy_from_slice(&length.to_be_bytes());
            (head, 4)
        }
        _ => {
            head[1] = 127;
            head[2..].copy_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
            (head, 10)
        }
    }
}

/// Takes a viewer's bytes apart.
#[derive(Debug)]
pub(super) struct Decoder {
    most: usize,
    /// The pieces of a message that is not whole yet.
    begun: Option<BytesMut>,
}

/// A frame's header.
struct Head {
    opcode: Opcode,
    is_last: bool,
    /// Bytes before the content, the mask among them.
    len: usize,
    content: usize,
}

impl Decoder {
    /// Takes messages of so many bytes at most.
    pub(super) fn new(most: usize) -> Self {
        Self { most, begun: None }
    }

    /// The next message; `None` when more bytes are needed, for which there is room then.
    ///
    /// # Errors
    /// From the header alone, as soon as it is there. The rest of the bytes means nothing then.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Inbound>, DecodeError> {
        while let Some(head) = head_of(buffer)? {
            self.check(&head)?;
            let whole = head.len + head.content;
            if buffer.len() < whole {
                buffer.reserve(whole - buffer.len());
                return Ok(None);
            }
            let mut content = buffer.split_to(whole);
            content.advance(head.len - MASK_LEN);
            let mask = content.split_to(MASK_LEN);
            content.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if let Some(message) = self.take(&head, content)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn check(&self, head: &Head) -> Result<(), DecodeError> {
        match (head.opcode, &self.begun) {
            (Opcode::Continuation, None) => Err(DecodeError::Protocol("it goes on with nothing")),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(DecodeError::Protocol("a message within a message")),
            (Opcode::Continuation, Some(begun)) if begun.len() + head.content > self.most => Err(DecodeError::TooBig),
            (Opcode::Text | Opcode::Binary, None) if head.content > self.most => Err(DecodeError::TooBig),
            _ => Ok(()),
        }
    }

    fn take(&mut self, head: &Head, content: BytesMut) -> Result<Option<Inbound>, DecodeError> {
        Ok(match head.opcode {
            Opcode::Text => Some(Inbound::Text),
            Opcode::Binary if head.is_last => Some(Inbound::Binary(content.freeze())),
            Opcode::Binary => {
                self.begun = Some(content);
                None
            }
            Opcode::Continuation => {
                let begun = self.begun.get_or_insert_default();
                begun.extend_from_slice(&content);
                self.begun.take_if(|_| head.is_last).map(|message| Inbound::Binary(message.freeze()))
            }
            Opcode::Ping => Some(Inbound::Ping(content.freeze())),
            Opcode::Pong => Some(Inbound::Pong),
            Opcode::Close => Some(close(content.freeze())?),
        })
    }
}

/// The header, as soon as all of it is there.
fn head_of(bytes: &[u8]) -> Result<Option<Head>, DecodeError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & RESERVED != 0 {
        return Err(DecodeError::Protocol("a reserved bit is set"));
    }
    let opcode = Opcode::read(first & 0x0f).ok_or(DecodeError::Protocol("an unknown opcode"))?;
    let is_last = first & FIN != 0;
    if second & MASKED == 0 {
        return Err(DecodeError::Protocol("it is not masked"));
    }
    let short = usize::from(second & !MASKED);
    if opcode.is_control() && !is_last {
        return Err(DecodeError::Protocol("a control frame in pieces"));
    }
    if opcode.is_control() && short > CONTROL_MOST {
        return Err(DecodeError::Protocol("a control frame that is too long"));
    }
    let (length_len, content) = match short {
        126 => {
            let Some(length) = rest.first_chunk() else { return Ok(None) };
            (2, u64::from(u16::from_be_bytes(*length)))
        }
        127 => {
            let Some(length) = rest.first_chunk() else { return Ok(None) };
            (8, u64::from_be_bytes(*length))
        }
        _ => (0, 0),
    };
    let is_shortest = match length_len {
        2 => content > 125,
        8 => content > u64::from(u16::MAX),
        _ => true,
    };
    if !is_shortest {
        return Err(DecodeError::Protocol("a length that is not the shortest form"));
    }
    let content = if length_len == 0 { short } else { usize::try_from(content).unwrap_or(usize::MAX / 2) };
    Ok(Some(Head { opcode, is_last, len: 2 + length_len + MASK_LEN, content: content.min(usize::MAX / 2) }))
}

/// Checks what a close says (5.5.1, 7.4).
fn close(content: Bytes) -> Result<Inbound, DecodeError> {
    match *content {
        [] => {}
        [_] => return Err(DecodeError::Protocol("half a close code")),
        [high, low, ref reason @ ..] => {
            let code = u16::from_be_bytes([high, low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(DecodeError::Protocol("a close code that is none"));
            }
            if str::from_utf8(reason).is_err() {
                return Err(DecodeError::Protocol("a close reason that is no text"));
            }
        }
    }
    Ok(Inbound::Close(content))
}

#[cfg(test)]
mod tests;
