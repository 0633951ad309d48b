//! The control stream: how messages stand in it.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thiserror::Error;

use crate::wire::fields::PayloadError;

/// Most bytes of a message's payload.
pub const MOST_PAYLOAD: usize = 1024;
/// Type and length.
const HEAD_LEN: usize = 3;
/// A type with this bit that nobody knows is passed over.
const OPTIONAL: u8 = 0x80;

/// Why the control stream can't be read on.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ControlError {
    /// A payload over its limit, told from the length alone.
    #[error("a message of {0} bytes")]
    TooLarge(u16),
    /// A type that is not known, and its top bit is not set.
    #[error("a message of the unknown type {0}")]
    UnknownType(u8),
    /// A payload that is not as this version has it.
    #[error("a message of type {kind}: {source}")]
    Payload {
        /// The message's type.
        kind: u8,
        /// What is the matter.
        source: PayloadError,
    },
}

/// The next message that `parse` knows; those passed over are taken out of the buffer.
///
/// `parse` gets a type and its payload and returns `None` for a type that it does not know.
pub(super) fn decode<T>(
    buffer: &mut BytesMut,
    parse: impl Fn(u8, Bytes) -> Option<Result<T, PayloadError>>,
) -> Result<Option<T>, ControlError> {
    loop {
        let Some(&[kind, high, low]) = buffer.first_chunk::<HEAD_LEN>() else { return Ok(None) };
        let length = u16::from_be_bytes([high, low]);
        if usize::from(length) > MOST_PAYLOAD {
            return Err(ControlError::TooLarge(length));
        }
        let whole = HEAD_LEN + usize::from(length);
        if buffer.len() < whole {
            buffer.reserve(whole - buffer.len());
            return Ok(None);
        }
        let mut payload = buffer.split_to(whole);
        payload.advance(HEAD_LEN);
        match parse(kind, payload.freeze()) {
            Some(Ok(message)) => return Ok(Some(message)),
            Some(Err(source)) => return Err(ControlError::Payload { kind, source }),
            None if kind & OPTIONAL != 0 => {}
            None => return Err(ControlError::UnknownType(kind)),
        }
    }
}

/// Appends a message whose payload `put` writes.
pub(super) fn encode(out: &mut BytesMut, kind: u8, put: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&[kind, 0, 0]);
    put(out);
    let length = u16::try_from(out.len() - start - HEAD_LEN).expect("payloads have at most 1,024 bytes");
    out[start + 1..start + HEAD_LEN].copy_from_slice(&length.to_be_bytes());
}
