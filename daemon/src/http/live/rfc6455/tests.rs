use proptest::prelude::*;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{Role, WebSocket},
};

use super::*;

const MOST: usize = 1024;

/// A viewer's frame.
fn masked(first: u8, content: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let (head, len) = head(Opcode::Binary, content.len());
    let mut frame = head[..len].to_vec();
    frame[0] = first;
    frame[1] |= MASKED;
    frame.extend_from_slice(&mask);
    frame.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn decode_all(bytes: &[u8], piece: usize) -> Result<Vec<Inbound>, DecodeError> {
    let (mut decoder, mut buffer, mut messages) = (Decoder::new(MOST), BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        while let Some(message) = decoder.decode(&mut buffer)? {
            messages.push(message);
        }
    }
    assert!(buffer.is_empty(), "{} bytes are left", buffer.len());
    Ok(messages)
}

fn refused(bytes: &[u8]) -> DecodeError {
    decode_all(bytes, bytes.len()).expect_err("refused")
}

#[test]
fn the_rfcs_own_examples_are_read() {
    // Section 5.7: "Hello" masked, in text; the same as a ping.
    let hello = [0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode_all(&[&[0x81, 0x85][..], &hello].concat(), 3), Ok(vec![Inbound::Text]));
    let ping = Inbound::Ping(Bytes::from_static(b"Hello"));
    assert_eq!(decode_all(&[&[0x89, 0x85][..], &hello].concat(), 1), Ok(vec![ping]));
    assert_eq!(head(Opcode::Binary, 256), ([0x82, 0x7e, 1, 0, 0, 0, 0, 0, 0, 0], 4));
    assert_eq!(head(Opcode::Binary, 65536), ([0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], 10));
    assert_eq!(head(Opcode::Ping, 125).0[..2], [0x89, 125]);
    assert_eq!(head(Opcode::Binary, 126).0[..4], [0x82, 126, 0, 126]);
    assert_eq!(head(Opcode::Binary, 65535).1, 4);
}

#[test]
fn a_message_may_come_in_pieces_with_a_ping_between_them() {
    let bytes = [masked(0x02, &[1, 2]), masked(0x89, b"?"), masked(0x00, &[3]), masked(0x80, &[])].concat();
    let expected = vec![Inbound::Ping(Bytes::from_static(b"?")), Inbound::Binary(Bytes::from_static(&[1, 2, 3]))];
    for piece in 1..=bytes.len() {
        assert_eq!(decode_all(&bytes, piece), Ok(expected.clone()));
    }
}

#[test]
fn what_is_against_the_rfc_is_refused_by_its_header() {
    let rules: &[(&[u8], &str)] = &[
        (&[0x82, 0x08], "it is not masked"),
        (&[0xc2, 0x88], "a reserved bit is set"),
        (&[0x83, 0x80], "an unknown opcode"),
        (&[0x8b, 0x80], "an unknown opcode"),
        (&[0x09, 0x80], "a control frame in pieces"),
        (&[0x89, 0xfe], "a control frame that is too long"),
        (&[0x80, 0x80], "it goes on with nothing"),
        (&[0x82, 0xfe, 0, 125], "a length that is not the shortest form"),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "a length that is not the shortest form"),
    ];
    for (bytes, why) in rules {
        assert_eq!(refused(bytes), DecodeError::Protocol(why), "{bytes:x?}");
    }
    let within = [masked(0x02, &[1]), masked(0x82, &[2])].concat();
    assert_eq!(refused(&within), DecodeError::Protocol("a message within a message"));
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_is_kept() {
    assert_eq!(refused(&[0x82, 0xfe, 0x04, 0x01]), DecodeError::TooBig);
    assert_eq!(refused(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), DecodeError::TooBig);
    let pieces = [masked(0x02, &[0; 1000]), masked(0x00, &[0; 24]), masked(0x00, &[0; 1])].concat();
    assert_eq!(refused(&pieces), DecodeError::TooBig);
    let whole = [masked(0x02, &[7; 1000]), masked(0x80, &[7; 24])].concat();
    assert_eq!(decode_all(&whole, 100), Ok(vec![Inbound::Binary(vec![7; MOST].into())]));
}

#[test]
fn a_close_is_checked() {
    let close = |content: &[u8]| decode_all(&masked(0x88, content), 100);
    for content in [&[][..], &[3, 0xe8], &[0x0f, 0xa1, b'b', b'y', b'e']] {
        assert_eq!(close(content), Ok(vec![Inbound::Close(content.to_vec().into())]));
    }
    for content in [&[3][..], &[3, 0xed], &[0, 1], &[3, 0xe8, 0xff]] {
        assert!(matches!(close(content), Err(DecodeError::Protocol(_))), "{content:x?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_messages_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
        let (mut decoder, mut buffer) = (Decoder::new(MOST), BytesMut::new());
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
            prop_assert!(buffer.capacity() <= 4 * MOST);
        }
    }

    /// An implementation of somebody else's writes and reads the same frames.
    #[test]
    fn tungstenite_and_this_agree(content in proptest::collection::vec(any::<u8>(), 0..=MOST)) {
        let mut written = Vec::new();
        let pipe = std::io::Cursor::new(&mut written);
        let mut client = WebSocket::from_raw_socket(pipe, Role::Client, None);
        client.send(Message::binary(content.clone())).expect("written");
        drop(client);
        prop_assert_eq!(decode_all(&written, 64), Ok(vec![Inbound::Binary(content.clone().into())]));

        let (head, len) = head(Opcode::Binary, content.len());
        let frame = [&head[..len], &content].concat();
        let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(frame), Role::Client, None);
        prop_assert_eq!(client.read().expect("a message"), Message::binary(content));
    }
}
