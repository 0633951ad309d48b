//! What boards say that know nothing of Larder.

use bytes::{Bytes, BytesMut};
use larder_proto::wire::boards::{Boundary, Item, MOST_PART, Multipart, Pushed};

use crate::input::{Input, pieces};

/// Pictures over HTTP mean the same in any pieces, and little waits in memory. Bytes: the pieces' lengths, how long the
/// `Content-Type` is, that, and the stream.
pub(crate) fn multipart(data: &[u8]) {
    let mut input = Input::new(data);
    let lengths = input.array();
    let len = usize::from(input.byte());
    let Ok(boundary) = Boundary::of(&String::from_utf8_lossy(input.take(len))) else { return };
    let stream = input.rest();
    let whole = decode(&boundary, std::iter::once(stream));
    assert_eq!(decode(&boundary, pieces(stream, lengths)), whole, "in pieces of {lengths:?}");
}

fn decode<'a>(boundary: &Boundary, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Item> {
    let (mut multipart, mut buffer, mut items) = (Multipart::new(boundary.clone()), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match multipart.decode(&mut buffer) {
                Ok(Some(Item::End)) => {
                    items.push(Item::End);
                    return items;
                }
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(_lost) => return items,
            }
        }
        assert!(buffer.len() <= MOST_PART, "{} bytes wait", buffer.len());
    }
    items
}

/// A message over WebSocket is taken apart without a copy.
pub(crate) fn pushed(data: &[u8]) {
    let message = Bytes::copy_from_slice(data);
    match Pushed::read(&message) {
        Pushed::Picture(rest) | Pushed::Status(rest) => assert!(message.ends_with(&rest)),
        Pushed::Other => assert!(!message.starts_with(&[0xff, 0xd8])),
    }
}
