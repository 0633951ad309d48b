//! One session, byte for byte as in `proto/vectors`, and what ends it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::wire::vectors::vector;

fn packet(bytes: &[u8]) -> Packet {
    let mut buffer = BytesMut::from(bytes);
    let packet = decode(&mut buffer, &Limits::SESSION).expect("decodes").expect("is whole");
    assert!(buffer.is_empty(), "nothing follows the message");
    packet
}

pub(super) fn key() -> [u8; KEY_LEN] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

pub(super) fn hello() -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        camera: "0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291".parse().unwrap(),
        nonce: std::array::from_fn(|index| 0xa0 + u8::try_from(index).unwrap()),
        boot: 7,
        reading_mark: ReadingMark { boot: 6, seq: 1234 },
        capabilities: Capabilities(Capabilities::FLASH.0 | Capabilities::THERMOMETER.0),
        reset_reason: ResetReason::BROWNOUT,
        camera_state: CameraState::READY,
        firmware_version: "1.0.3".to_owned(),
    }
}

fn welcome() -> Welcome {
    Welcome {
        size: Size { width: 640, height: 480 },
        quality: 12,
        active_fps: 10,
        idle_fps: 2,
        frame_mac: FrameMac(2),
        ping_interval: Duration::from_secs(5),
        telemetry_interval: Duration::from_secs(30),
        largest_frame_bytes: 524_288,
    }
}

const UNIX_US: u64 = 1_700_000_000_123_456;

/// Both sides through the handshake, each message compared with its vector.
pub(super) fn session() -> (Session, Session) {
    let mut out = BytesMut::new();
    let camera = CameraHandshake::start(&key(), &hello(), 1_500_000, &mut out);
    assert_eq!(out.split(), vector!("hello"));

    let hub = HubHandshake::open(&packet(&vector!("hello"))).unwrap();
    assert_eq!(hub.hello(), &hello());
    let nonce = std::array::from_fn(|index| 0xb0 + u8::try_from(index).unwrap());
    let hub = hub.challenge(&key(), nonce, UNIX_US, &mut out);
    assert_eq!(out.split(), vector!("challenge"));

    let camera = camera.challenge(&packet(&vector!("challenge")), 1_520_000, &mut out).unwrap();
    assert_eq!(camera.hub(), HubProof { version: 1, unix_us: UNIX_US });
    assert_eq!(out.split(), vector!("auth"));

    let mut hub = hub.auth(&packet(&vector!("auth")), FrameMac(2)).unwrap();
    hub.outgoing.message(&Message::Welcome(welcome()), 900_000, &mut out);
    assert_eq!(out.split(), vector!("welcome"));
    let (camera, wanted) = camera.welcome(&packet(&vector!("welcome"))).unwrap();
    assert_eq!(wanted, welcome());
    (camera, hub)
}

fn telemetry() -> Telemetry {
    Telemetry {
        uptime: Duration::from_secs(3600),
        heap_free_bytes: 81_920,
        heap_min_free_bytes: 65_536,
        heap_largest_block_bytes: 40_960,
        psram_free_bytes: 2_097_152,
        chip: Some(MilliCelsius(53_333)),
        rssi_dbm: -61,
        reset_reason: ResetReason::BROWNOUT,
        frames_captured: 36_000,
        frames_sent: 35_990,
        frames_dropped: 10,
        frames_corrupt: 3,
        longest_send_stall: Duration::from_millis(1250),
        reconnects: 2,
        sensors: vec![
            Reading { index: 0, seq: 120, t_us: 1_990_000, value: Some(MilliCelsius(-18_125)), error_count: 1 },
            Reading { index: 1, seq: 119, t_us: 1_991_000, value: None, error_count: 77 },
        ],
        pace: None,
    }
}

fn frame_info(number: u32, flags: u8, queued_ms: u64) -> FrameInfo {
    FrameInfo {
        number,
        size: Size { width: 640, height: 480 },
        quality: 12,
        flags: FrameFlags(flags),
        queued: Duration::from_millis(queued_ms),
    }
}

fn whole(packet: &FramePacket) -> Vec<u8> {
    [&packet.head[..], &packet.jpeg, &packet.trailer].concat()
}

#[test]
fn what_a_camera_says_is_as_in_the_vectors_and_the_hub_reads_it() {
    let (camera, hub) = session();
    let (mut says, mut hears) = (camera.outgoing, hub.incoming);
    let jpeg = Bytes::from_static(&[0xff, 0xd8, 0xff, 0xd9]);
    let mut out = BytesMut::new();
    let mut check = |sent: &[u8], vector: Bytes, expected: Received| {
        assert_eq!(sent, &vector[..]);
        assert_eq!(hears.receive(&packet(&vector)), Ok(expected));
    };

    let info = frame_info(0, 3, 4);
    let sent = whole(&says.frame(&info, 2_000_000, jpeg.clone()));
    let frame = ReceivedFrame { t_us: 2_000_000, info, jpeg: jpeg.clone() };
    check(&sent, vector!("frame-mac"), Received::Message(Message::Frame(frame)));

    let info = frame_info(2, 0, 65_535);
    says.set_crc(true);
    let sent = whole(&says.frame(&info, 2_100_000, jpeg.clone()));
    let frame = ReceivedFrame { t_us: 2_100_000, info, jpeg };
    check(&sent, vector!("frame-crc"), Received::Message(Message::Frame(frame)));

    says.set_crc(false);
    let message = Message::Telemetry(telemetry());
    says.message(&message, 2_150_000, &mut out);
    check(&out.split(), vector!("telemetry"), Received::Message(message));

    says.set_crc(true);
    let message = Message::Ack(Ack { id: 103, result: AckResult::OutOfRange, remark: "vflip: 0, 1".to_owned() });
    says.message(&message, 2_200_000, &mut out);
    check(&out.split(), vector!("ack"), Received::Message(message));

    says.set_crc(false);
    let message = Message::Pong(1_000_000_u64.to_be_bytes());
    says.message(&message, 2_201_000, &mut out);
    check(&out.split(), vector!("pong"), Received::Message(message));

    check(&vector!("optional"), vector!("optional"), Received::PassedOver(0x80));
}

#[test]
fn telemetry_may_tell_the_pace_and_may_be_longer_than_is_known() {
    let (camera, mut hub) = session();
    let mut says = camera.outgoing;
    let message = Message::Telemetry(Telemetry { pace: Some(Pace { tenths_fps: 75, quality: 18 }), ..telemetry() });
    let mut out = BytesMut::new();
    says.message(&message, 2_160_000, &mut out);
    assert_eq!(out, vector!("telemetry-pace"));
    assert_eq!(hub.incoming.receive(&packet(&out)), Ok(Received::Message(message.clone())));

    let mut payload = BytesMut::new();
    message.put(&mut payload);
    payload.extend_from_slice(b"more");
    let length = u32::try_from(payload.len()).unwrap();
    let header = Header { kind: Kind::Telemetry, flags: Flags::default(), seq: 0, t_us: 0, length };
    let longer = Packet { header, payload: payload.freeze(), mac: None, intact: true };
    assert_eq!(Message::parse(&longer), Ok(Some(message)));
}

#[test]
fn what_the_hub_says_is_as_in_the_vectors_and_the_camera_reads_it() {
    let (camera, hub) = session();
    let (mut says, mut hears) = (hub.outgoing, camera.incoming);
    let commands = [
        (Command::Size(Size { width: 1600, height: 1200 }), vector!("control-size")),
        (Command::Quality(10), vector!("control-quality")),
        (Command::Rate { active_fps: 15, idle_fps: 1 }, vector!("control-rate")),
        (Command::Register { setting: RegisterSetting::VFlip, value: -2 }, vector!("control-register")),
        (Command::Flash(255), vector!("control-flash")),
        (Command::Snapshot, vector!("control-snapshot")),
        (Command::PanTilt { pan_degrees: -45, tilt_degrees: 30 }, vector!("control-pan-tilt")),
        (Command::Reboot, vector!("control-reboot")),
    ];
    let mut check = |message: Message, t_us: u64, vector: Bytes| {
        let mut out = BytesMut::new();
        says.message(&message, t_us, &mut out);
        assert_eq!(out, vector);
        assert_eq!(hears.receive(&packet(&vector)), Ok(Received::Message(message)));
    };
    for (index, (command, vector)) in (0..).zip(commands) {
        check(Message::Control(Control { id: 100 + index, command }), 1_000_000 + u64::from(index), vector);
    }
    check(Message::Ping(1_000_000_u64.to_be_bytes()), 1_000_100, vector!("ping"));
    check(Message::Bye(ByeReason::Replaced), 1_100_000, vector!("bye"));
    assert_eq!(early_bye(ByeReason::UnknownCamera, 0, 900_000), vector!("bye-early"));
}

#[test]
fn an_update_is_as_in_the_vectors_and_both_sides_read_it() {
    let image: Bytes = (0..5000_u32).map(|index| (7 * index + 3).to_le_bytes()[0]).collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, &image);
    let image_said =
        Image { length: 5000, sha256: digest.as_ref().try_into().unwrap(), version: "1.1.0".to_owned(), forced: false };
    let begin = UpdateBegin::sign(image_said, &key(), hello().camera);
    let status = |result, next_offset, remark: &str| {
        Message::UpdateStatus(UpdateStatus { result, next_offset, remark: remark.to_owned() })
    };
    let (camera, hub) = session();
    let check = |says: &mut Outgoing, hears: &mut Incoming, message: Message, t_us: u64, vector: Bytes| {
        let mut out = BytesMut::new();
        says.message(&message, t_us, &mut out);
        assert_eq!(out, vector);
        assert_eq!(hears.receive(&packet(&vector)), Ok(Received::Message(message)));
    };
    let (mut says, mut hears) = (hub.outgoing, camera.incoming);
    let data = UpdateData { offset: 0, chunk: image.slice(..40) };
    check(&mut says, &mut hears, Message::UpdateBegin(begin), 1_200_000, vector!("update-begin"));
    check(&mut says, &mut hears, Message::UpdateData(data), 1_200_001, vector!("update-data"));
    check(&mut says, &mut hears, Message::UpdateEnd(UpdateEnd::Install), 1_200_002, vector!("update-end"));
    let (mut says, mut hears) = (camera.outgoing, hub.incoming);
    let receiving = status(UpdateResult::Receiving, 40, "");
    check(&mut says, &mut hears, receiving, 2_300_000, vector!("update-status"));
    let older = status(UpdateResult::Older, 0, "1.2.0 is newer");
    check(&mut says, &mut hears, older, 2_300_001, vector!("update-status-refused"));
}

#[test]
fn a_wrong_key_is_found_by_whoever_has_the_right_one() {
    let mut out = BytesMut::new();
    let start = |out: &mut BytesMut| CameraHandshake::start(&key(), &hello(), 0, out);
    let camera = start(&mut out);
    let hub = HubHandshake::open(&packet(&out.split())).unwrap();
    hub.challenge(&[9; KEY_LEN], [0; NONCE_LEN], 0, &mut out);
    let refused = camera.challenge(&packet(&out.split()), 0, &mut out).map(|_| ()).unwrap_err();
    assert_eq!((refused, out.len()), (HandshakeError::Unproven, 0), "nothing more is said to a false hub");

    let camera = start(&mut out);
    let hub = HubHandshake::open(&packet(&out.split())).unwrap();
    let hub = hub.challenge(&key(), [0; NONCE_LEN], 0, &mut out);
    camera.challenge(&packet(&out.split()), 0, &mut out).map(|_| ()).unwrap();
    let last = out.len() - 1;
    out[last] ^= 1;
    let refused = hub.auth(&packet(&out), FrameMac::OFF).map(|_| ()).unwrap_err();
    assert_eq!(refused.bye(), Some(ByeReason::Unproven));
}

#[test]
fn an_auth_of_an_earlier_session_is_worth_nothing() {
    let hub = HubHandshake::open(&packet(&vector!("hello"))).unwrap();
    let hub = hub.challenge(&key(), [1; NONCE_LEN], UNIX_US, &mut BytesMut::new());
    assert_eq!(hub.auth(&packet(&vector!("auth")), FrameMac::OFF).map(|_| ()), Err(HandshakeError::Unproven));
}

#[test]
fn a_handshake_out_of_order_or_without_a_common_version_is_refused() {
    let refused = HubHandshake::open(&packet(&vector!("auth"))).map(|_| ()).unwrap_err();
    assert_eq!(refused.bye(), Some(ByeReason::Unexpected));
    let mut out = BytesMut::new();
    CameraHandshake::start(&key(), &Hello { version_min: 2, version_max: 3, ..hello() }, 0, &mut out);
    let refused = HubHandshake::open(&packet(&out)).map(|_| ()).unwrap_err();
    assert_eq!(refused, HandshakeError::Version { min: 2, max: 3 });

    let camera = CameraHandshake::start(&key(), &hello(), 0, &mut out);
    let refused = camera.challenge(&packet(&vector!("bye-early")), 0, &mut out).map(|_| ()).unwrap_err();
    assert_eq!((refused, refused.bye()), (HandshakeError::Bye(ByeReason::UnknownCamera), None));
}

#[test]
fn every_changed_bit_of_a_sealed_message_ends_the_session() {
    let vector = vector!("frame-mac");
    for bit in 0..vector.len() * 8 {
        let mut bytes = BytesMut::from(&vector[..]);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (_, mut hub) = session();
        let heard = decode(&mut bytes, &Limits::SESSION)
            .map_err(SessionError::from)
            .and_then(|packet| packet.map(|packet| hub.incoming.receive(&packet)).transpose());
        assert!(matches!(heard, Err(_) | Ok(None)), "bit {bit}: {heard:?}");
    }
}

#[test]
fn messages_played_again_or_left_out_or_turned_back_end_the_session() {
    let (camera, mut hub) = session();
    assert!(hub.incoming.receive(&packet(&vector!("frame-mac"))).is_ok());
    let again = hub.incoming.receive(&packet(&vector!("frame-mac"))).unwrap_err();
    assert_eq!(again, SessionError::Sequence { found: 2, expected: 3 });
    let (_, mut hub) = session();
    let gap = hub.incoming.receive(&packet(&vector!("frame-crc"))).unwrap_err();
    assert_eq!(gap.bye(), ByeReason::OutOfSequence);

    let mut camera = camera.outgoing;
    let mut own = BytesMut::new();
    camera.message(&Message::Ping([0; 8]), 0, &mut own);
    let (reflected, _) = session();
    let mut incoming = reflected.incoming;
    assert_eq!(incoming.receive(&packet(&own)), Err(SessionError::Mac(Kind::Ping)), "the keys differ by direction");
}

#[test]
fn a_mac_is_asked_for_where_the_policy_says_so() {
    assert!((0..9).all(|index| !FrameMac::OFF.requires(index) && FrameMac::ALL.requires(index)));
    assert_eq!((0..9).filter(|index| FrameMac(4).requires(*index)).collect::<Vec<_>>(), [0, 4, 8]);
    let without = |kind| {
        let header = Header { kind, flags: Flags::default(), seq: 2, t_us: 0, length: 8 };
        Packet { header, payload: Bytes::from_static(&[0; 8]), mac: None, intact: true }
    };
    for kind in [Kind::Frame, Kind::Ping, Kind::Other(200)] {
        let (_, mut hub) = session();
        assert_eq!(hub.incoming.receive(&without(kind)), Err(SessionError::Mac(kind)));
    }
}

#[test]
fn a_frame_damaged_on_the_way_is_lost_alone() {
    let (_, mut hub) = session();
    assert!(hub.incoming.receive(&packet(&vector!("frame-mac"))).is_ok());
    let mut damaged = vector!("frame-crc").to_vec();
    damaged[37] ^= 0x10;
    assert_eq!(hub.incoming.receive(&packet(&damaged)), Ok(Received::DamagedFrame));
    assert!(hub.incoming.receive(&packet(&vector!("telemetry"))).is_ok());
    let mut damaged = vector!("ack").to_vec();
    damaged[30] ^= 0x10;
    assert_eq!(hub.incoming.receive(&packet(&damaged)), Err(SessionError::Crc(Kind::Ack)));
}

#[test]
fn texts_that_could_move_a_cursor_are_refused_and_never_sent() {
    let mut out = BytesMut::new();
    fields::put_text(&mut out, "a\x1b[2Jb\n\u{1f9ca}\u{1f9ca}", 9);
    assert_eq!(fields::text(&mut &out[..], "remark", 9), Ok("a[2Jb\u{1f9ca}".to_owned()));
    assert_eq!(fields::text(&mut &b"\x01\x1b"[..], "remark", 9), Err(PayloadError::Text("remark")));
    assert!(fields::text(&mut &b"\x0a0123456789"[..], "remark", 9).is_err());
}
