//! What far viewers and the hub say to each other.

use bytes::BytesMut;
use larder_proto::wire::relay::{
    ControlError, FRAME_HEADER_LEN, FrameHeader, HubMessage, MOST_FRAME, MOST_PAYLOAD, ViewerMessage,
};

use crate::input::{Input, pieces};

/// The control stream means the same in any pieces, what was read of it is written back to the same, and little waits
/// in memory. Bytes: whose side, the pieces' lengths, and the stream.
pub(crate) fn control(data: &[u8]) {
    let mut input = Input::new(data);
    let (side, lengths) = (input.byte(), input.array());
    let stream = input.rest();
    if side % 2 == 0 {
        tried(stream, lengths, ViewerMessage::decode, ViewerMessage::encode);
    } else {
        tried(stream, lengths, HubMessage::decode, HubMessage::encode);
    }
}

type Decode<T> = fn(&mut BytesMut) -> Result<Option<T>, ControlError>;

fn tried<T>(stream: &[u8], lengths: [u8; 4], decode: Decode<T>, encode: fn(&T, &mut BytesMut))
where
    T: std::fmt::Debug + PartialEq,
{
    let (whole, end) = read(std::iter::once(stream), decode);
    assert_eq!(read(pieces(stream, lengths), decode), (whole, end), "in pieces of {lengths:?}");
    let (messages, _) = read(std::iter::once(stream), decode);
    let mut written = BytesMut::new();
    messages.iter().for_each(|message| encode(message, &mut written));
    assert_eq!(read(std::iter::once(&written[..]), decode), (messages, None), "written back");
}

fn read<'a, T>(pieces: impl Iterator<Item = &'a [u8]>, decode: Decode<T>) -> (Vec<T>, Option<ControlError>) {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(buffer.len() < 3 + MOST_PAYLOAD, "{} bytes wait", buffer.len());
    }
    (messages, None)
}

/// A frame's header is written back to the same, but for what is reserved, and never promises more than may come.
pub(crate) fn frame_header(data: &[u8]) {
    let bytes: [u8; FRAME_HEADER_LEN] = Input::new(data).array();
    let Ok(header) = FrameHeader::decode(&bytes) else { return };
    assert!(header.length <= MOST_FRAME);
    let written = header.encode();
    assert_eq!(FrameHeader::decode(&written), Ok(header));
    assert_eq!(written[4..], bytes[4..]);
}
