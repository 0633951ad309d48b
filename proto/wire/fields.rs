//! Reading and writing the fields of a payload.

use bytes::{Buf, BufMut, BytesMut, TryGetError};
use thiserror::Error;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PayloadError {
    /// It ends too early.
    #[error("the payload ends {missing} bytes too early")]
    Short {
        /// Bytes the next field lacks.
        missing: usize,
    },
    /// Bytes follow the last field of a message that can't grow.
    #[error("{0} bytes follow the payload's last field")]
    Long(usize),
    /// A field holds what it can't.
    #[error("{field} is {value}")]
    Value {
        /// As `proto/WIRE.md` names it.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A text is not what it must be.
    #[error("{0} is not text")]
    Text(&'static str),
}

impl From<TryGetError> for PayloadError {
    fn from(error: TryGetError) -> Self {
        Self::Short { missing: error.requested.saturating_sub(error.available) }
    }
}

/// A fixed number of bytes.
pub(super) fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], PayloadError> {
    let mut array = [0; N];
    bytes.try_copy_to_slice(&mut array)?;
    Ok(array)
}

/// A length byte, then UTF-8 without control characters.
pub(super) fn text(bytes: &mut &[u8], field: &'static str, most: usize) -> Result<String, PayloadError> {
    let len = bytes.try_get_u8()?;
    if usize::from(len) > most {
        return Err(PayloadError::Value { field, value: len.into() });
    }
    let mut raw = vec![0; usize::from(len)];
    bytes.try_copy_to_slice(&mut raw)?;
    let text = String::from_utf8(raw).ok().ok_or(PayloadError::Text(field))?;
    // Texts reach terminals and logs: nothing in them may move a cursor or start a line.
    if text.chars().any(char::is_control) { Err(PayloadError::Text(field)) } else { Ok(text) }
}

/// Appends a length byte and the text, cut at a character when it is longer than `most`, control characters left out.
pub(super) fn put_text(out: &mut BytesMut, text: &str, most: usize) {
    let mut kept = String::with_capacity(most);
    for character in text.chars().filter(|character| !character.is_control()) {
        if kept.len() + character.len_utf8() > most {
            break;
        }
        kept.push(character);
    }
    out.put_u8(u8::try_from(kept.len()).expect("texts are at most 255 bytes"));
    out.put_slice(kept.as_bytes());
}

/// Nothing may follow.
pub(super) fn end(bytes: &[u8]) -> Result<(), PayloadError> {
    if bytes.is_empty() { Ok(()) } else { Err(PayloadError::Long(bytes.len())) }
}
