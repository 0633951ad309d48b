//! Every message, byte for byte as in `proto/vectors`, and what ends a stream.

use std::time::Duration;

use bytes::{BufMut as _, BytesMut};

use super::*;
use crate::wire::{fields::PayloadError, vectors::vector};

const UNIX_US: i64 = 1_700_000_000_123_456;

fn said_by_viewer(message: &ViewerMessage, bytes: &[u8]) {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    assert_eq!(&out[..], bytes);
    for cut in 0..bytes.len() {
        assert_eq!(ViewerMessage::decode(&mut BytesMut::from(&bytes[..cut])), Ok(None));
    }
    assert_eq!(ViewerMessage::decode(&mut out).as_ref(), Ok(&Some(message.clone())));
    assert!(out.is_empty());
}

fn said_by_hub(message: &HubMessage, bytes: &[u8]) {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    assert_eq!(&out[..], bytes);
    for cut in 0..bytes.len() {
        assert_eq!(HubMessage::decode(&mut BytesMut::from(&bytes[..cut])), Ok(None));
    }
    assert_eq!(HubMessage::decode(&mut out).as_ref(), Ok(&Some(message.clone())));
    assert!(out.is_empty());
}

fn hello() -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        secret: "secret".to_owned(),
        camera: "fridge".to_owned(),
        wish: Wish { rate: Rate::from_tenths(50), width: Some(640), height: None },
        client: "larderctl 0.1".to_owned(),
    }
}

#[test]
fn what_a_viewer_says_is_laid_out_as_in_the_vectors() {
    said_by_viewer(&ViewerMessage::Hello(hello()), &vector!("relay-hello"));
    said_by_viewer(&ViewerMessage::Wish(Wish::default()), &vector!("relay-wish"));
    let report = Report { shown: 1000, passed_over: 3, age: Some(Duration::from_millis(81)) };
    said_by_viewer(&ViewerMessage::Report(report), &vector!("relay-report"));
    said_by_viewer(&ViewerMessage::Ping([1, 2, 3, 4, 5, 6, 7, 8]), &vector!("relay-ping"));
}

#[test]
fn what_the_hub_says_is_laid_out_as_in_the_vectors() {
    let welcome = Welcome {
        version: 1,
        viewer: "018f6b0c-7d9a-7c3e-9b1f-2a3b4c5d6e7f".parse().unwrap(),
        camera: "0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291".parse().unwrap(),
        name: "fridge".to_owned(),
    };
    said_by_hub(&HubMessage::Welcome(welcome), &vector!("relay-welcome"));
    let status = Status {
        presence: Presence::Online,
        delivered: 500,
        skipped: 20,
        window: 4,
        limits: Wish { rate: Rate::from_tenths(75), width: Some(320), height: Some(240) },
        limited_by: LimitedBy::Line,
    };
    said_by_hub(&HubMessage::Status(status), &vector!("relay-status"));
    said_by_hub(&HubMessage::Pong { echo: [1, 2, 3, 4, 5, 6, 7, 8], now_us: UNIX_US }, &vector!("relay-pong"));
}

#[test]
fn a_frame_is_laid_out_as_in_the_vector() {
    let header = FrameHeader {
        is_scaled: true,
        skipped: 3,
        sequence: 258,
        captured_at_us: UNIX_US,
        sent_at_us: UNIX_US + 40_000,
        width: 320,
        height: 240,
        length: 4096,
    };
    let bytes = header.encode();
    assert_eq!(bytes[..], vector!("relay-frame"));
    assert_eq!(FrameHeader::decode(&bytes), Ok(header));
}

#[test]
fn a_frame_of_another_version_or_over_the_limit_is_refused() {
    let mut bytes: [u8; FRAME_HEADER_LEN] = vector!("relay-frame")[..].try_into().unwrap();
    bytes[36..].copy_from_slice(&(MOST_FRAME + 1).to_be_bytes());
    assert_eq!(FrameHeader::decode(&bytes), Err(FrameHeaderError::TooLarge(MOST_FRAME + 1)));
    bytes[0] = 2;
    assert_eq!(FrameHeader::decode(&bytes), Err(FrameHeaderError::Version(2)));
}

#[test]
fn a_message_over_the_limit_is_refused_from_its_length_alone() {
    let mut buffer = BytesMut::from(&[1, 0x04, 0x01][..]);
    assert_eq!(ViewerMessage::decode(&mut buffer), Err(ControlError::TooLarge(1025)));
}

#[test]
fn an_unknown_type_is_passed_over_only_when_its_top_bit_is_set() {
    let mut buffer = BytesMut::from(&[0x80, 0, 2, 9, 9][..]);
    buffer.put_slice(&vector!("relay-ping"));
    assert_eq!(ViewerMessage::decode(&mut buffer), Ok(Some(ViewerMessage::Ping([1, 2, 3, 4, 5, 6, 7, 8]))));
    assert_eq!(ViewerMessage::decode(&mut BytesMut::from(&[5, 0, 0][..])), Err(ControlError::UnknownType(5)));
    let of_the_hub = &vector!("relay-pong")[..];
    assert_eq!(ViewerMessage::decode(&mut BytesMut::from(of_the_hub)), Err(ControlError::UnknownType(34)));
}

#[test]
fn a_payload_may_grow_but_not_end_early() {
    let longer = BytesMut::from(&[4, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9][..]);
    assert_eq!(ViewerMessage::decode(&mut longer.clone()), Ok(Some(ViewerMessage::Ping([1, 2, 3, 4, 5, 6, 7, 8]))));
    let short = ViewerMessage::decode(&mut BytesMut::from(&[2, 0, 5, 0, 1, 0, 0, 0][..]));
    let source = PayloadError::Short { missing: 1 };
    assert_eq!(short, Err(ControlError::Payload { kind: 2, source }));
}

#[test]
fn a_secret_does_not_show_when_a_hello_is_printed() {
    assert!(!format!("{:?}", Hello { secret: "ldt_abc".to_owned(), ..hello() }).contains("ldt_abc"));
}

#[test]
fn a_rate_is_told_in_frames_a_second() {
    let rate = |tenths| Rate::from_tenths(tenths).unwrap();
    assert_eq!((rate(50).to_string(), rate(75).to_string()), ("5".to_owned(), "7.5".to_owned()));
    assert_eq!(rate(25).interval(), Duration::from_millis(400));
    assert_eq!(Rate::from_tenths(0), None);
}
