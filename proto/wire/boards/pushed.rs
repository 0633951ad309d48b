//! What boards push over WebSocket.
//!
//! | message | means |
//! |---|---|
//! | a JPEG | a picture |
//! | `IMG:`, a digit, a JPEG | a picture; the digit is the board's own number |
//! | `JSN:{...}` | the board's status as JSON |

use bytes::Bytes;

use super::MOST_PART;

/// Bytes of a message: a picture and what stands before it.
pub const MOST_MESSAGE: usize = MOST_PART + 8;

/// What a message is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pushed {
    /// A picture; nothing of it is checked.
    Picture(Bytes),
    /// JSON.
    Status(Bytes),
    /// Something else: boards greet, and answer what nobody asked.
    Other,
}

impl Pushed {
    /// Reads a message, of text or of bytes.
    pub fn read(message: &Bytes) -> Self {
        let from = |at: usize| message.slice(at.min(message.len())..);
        match &message[..] {
            [0xff, 0xd8, ..] => Self::Picture(message.clone()),
            [b'I', b'M', b'G', b':', b'0'..=b'9', ..] => Self::Picture(from(5)),
            [b'I', b'M', b'G', b':', ..] => Self::Picture(from(4)),
            [b'J', b'S', b'N', b':', ..] => Self::Status(from(4)),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told_by_its_first_bytes() {
        let read = |bytes: &'static [u8]| Pushed::read(&Bytes::from_static(bytes));
        let picture = || Pushed::Picture(Bytes::from_static(b"\xff\xd8rest"));
        assert_eq!(read(b"\xff\xd8rest"), picture());
        assert_eq!(read(b"IMG:1\xff\xd8rest"), picture());
        assert_eq!(read(b"IMG:\xff\xd8rest"), picture());
        assert_eq!(read(b"JSN:{}"), Pushed::Status(Bytes::from_static(b"{}")));
        for other in [&b""[..], b"IMG", b"ESP32-CAM client", b"90"] {
            assert_eq!(read(other), Pushed::Other);
        }
        assert_eq!(read(b"IMG:7"), Pushed::Picture(Bytes::new()), "cut: refused as no JPEG, and counted");
    }
}
