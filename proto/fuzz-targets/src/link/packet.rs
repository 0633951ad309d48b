//! From bytes to whole messages.

use bytes::BytesMut;
use larder_proto::wire::camera::{CRC_LEN, DecodeError, HEADER_LEN, Header, Limits, MAC_LEN, Packet, decode};

use crate::input::{Input, pieces};

struct Found {
    packets: Vec<Packet>,
    /// Bytes that are no whole message yet; `Err` when they never will be one.
    left: Result<usize, DecodeError>,
}

/// Bytes are the same packets however they arrive, each is what the bytes say, and none is over its limit.
pub(crate) fn packet(data: &[u8]) {
    let mut input = Input::new(data);
    let limits = if input.byte() & 1 == 0 { Limits::SESSION } else { Limits::HANDSHAKE };
    let lengths = input.array();
    let stream = input.rest();

    let whole = read(std::iter::once(stream), &limits);
    let mut rest = stream;
    for packet in &whole.packets {
        rest = is_at_the_front(packet, rest);
        assert!(packet.header.length <= limits.of(packet.header.kind));
    }
    if let Ok(left) = whole.left {
        assert_eq!(left, rest.len(), "every byte is in a packet or left");
    }
    let in_pieces = read(pieces(stream, lengths), &limits);
    assert_eq!((in_pieces.packets, in_pieces.left), (whole.packets, whole.left));
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Found {
    let most = HEADER_LEN + usize::try_from(limits.frame.max(limits.other)).expect("fits") + MAC_LEN + CRC_LEN;
    let mut buffer = BytesMut::new();
    let (mut packets, mut given) = (Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        given += piece.len();
        loop {
            match decode(&mut buffer, limits) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return Found { packets, left: Err(error) },
            }
        }
        // A buffer grows by doubling.
        assert!(buffer.capacity() <= 2 * (most + given) + 64, "{} bytes reserved", buffer.capacity());
    }
    Found { packets, left: Ok(buffer.len()) }
}

/// Compares a packet with the bytes it came from and gives what follows them.
fn is_at_the_front<'a>(packet: &Packet, bytes: &'a [u8]) -> &'a [u8] {
    let header = packet.header.to_bytes();
    assert_eq!(Header::parse(&header), Ok(packet.header));
    let proof = packet.mac.map(|mac| mac.to_vec()).unwrap_or_default();
    let said = [&header[..], &packet.payload, &proof].concat();
    let rest = bytes.strip_prefix(&said[..]).expect("a packet says what its bytes say");
    let crc = if packet.header.flags.crc { CRC_LEN } else { 0 };
    assert!(packet.header.flags.crc || packet.intact, "nothing tells of damage");
    assert_eq!(packet.header.message_len(), said.len() + crc);
    &rest[crc..]
}
