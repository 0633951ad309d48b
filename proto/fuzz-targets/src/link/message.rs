//! Payloads of every kind.

use bytes::{Bytes, BytesMut};
use larder_proto::wire::camera::{
    CameraHandshake, DecodeError, Flags, FrameMac, Header, HubHandshake, Kind, Limits, MOST_SENSORS, Message, Packet,
    Received,
};

use super::{Handshake, KEY, packet_of};
use crate::input::Input;

/// What is read is sent again as the same message, in both directions; what is not read is refused for its reason.
pub(crate) fn message(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, t_us) = (Kind::from_code(input.byte()), input.u64());
    let payload = Bytes::copy_from_slice(input.rest());
    let Ok(length) = u32::try_from(payload.len()) else { return };
    if length > Limits::SESSION.of(kind) {
        return;
    }
    let header = Header { kind, flags: Flags::default(), seq: 0, t_us, length };
    let packet = Packet { header, payload, mac: None, intact: true };
    match Message::parse(&packet) {
        Ok(Some(message)) => {
            assert_eq!(message.kind(), kind);
            has_its_limits(&message);
            comes_back(&message, t_us);
        }
        Ok(None) => assert!(kind.is_optional()),
        Err(DecodeError::UnknownKind(code)) => assert!(Kind::Other(code) == kind && !kind.is_optional()),
        Err(DecodeError::Unexpected(of)) => {
            assert!(of == kind && matches!(kind, Kind::Hello | Kind::Challenge | Kind::Auth));
        }
        Err(error) => assert!(matches!(error, DecodeError::Payload { kind: of, .. } if of == kind), "{error}"),
    }
    hello(&packet);
}

fn has_its_limits(message: &Message) {
    match message {
        Message::Telemetry(telemetry) => assert!(telemetry.sensors.len() <= MOST_SENSORS),
        Message::Ack(ack) => assert!(ack.remark.len() <= 64 && !ack.remark.chars().any(char::is_control)),
        _ => {}
    }
}

fn comes_back(message: &Message, t_us: u64) {
    let Handshake { camera, hub, .. } = Handshake::new(FrameMac::ALL);
    for (mut says, mut hears) in [(camera.outgoing, hub.incoming), (hub.outgoing, camera.incoming)] {
        let mut out = BytesMut::new();
        match message {
            Message::Frame(frame) => {
                let sent = says.frame(&frame.info, frame.t_us, frame.jpeg.clone());
                out.extend_from_slice(&[&sent.head[..], &sent.jpeg, &sent.trailer].concat());
                assert_eq!(out.len(), sent.message_len());
            }
            message => says.message(message, t_us, &mut out),
        }
        let sent = packet_of(&out);
        assert_eq!(sent.header.t_us, t_us);
        assert_eq!(hears.receive(&sent), Ok(Received::Message(message.clone())));
    }
}

fn hello(packet: &Packet) {
    let Ok(opened) = HubHandshake::open(packet) else { return };
    let hello = opened.hello();
    assert!(hello.firmware_version.len() <= 32 && !hello.firmware_version.chars().any(char::is_control));
    let mut out = BytesMut::new();
    CameraHandshake::start(&KEY, hello, packet.header.t_us, &mut out);
    let again = HubHandshake::open(&packet_of(&out)).expect("our own HELLO");
    assert_eq!(again.hello(), hello);
}
