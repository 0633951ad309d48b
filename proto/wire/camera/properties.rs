//! Whatever is sent is read as it was sent, and nothing that is read does harm.

use std::time::Duration;

use bytes::BytesMut;
use proptest::{collection::vec, option, prelude::*};

use super::{
    tests::{hello, key, session},
    *,
};
use crate::wire::CameraId;

fn milli() -> impl Strategy<Value = Option<MilliCelsius>> {
    option::of((-100_000..200_000).prop_map(MilliCelsius))
}

prop_compose! {
    fn any_telemetry()(
        counts in any::<[u32; 11]>(), chip in milli(), rssi_dbm: i8, reset: u8,
        pace in option::of(any::<(u16, u8)>()),
        sensors in vec((any::<(u8, u32, u64, u32)>(), milli()), 0..=MOST_SENSORS),
    ) -> Telemetry {
        let [uptime, stall, rest @ ..] = counts;
        Telemetry {
            uptime: Duration::from_secs(uptime.into()),
            longest_send_stall: Duration::from_millis(stall.into()),
            heap_free_bytes: rest[0], heap_min_free_bytes: rest[1], heap_largest_block_bytes: rest[2],
            psram_free_bytes: rest[3], frames_captured: rest[4], frames_sent: rest[5], frames_dropped: rest[6],
            frames_corrupt: rest[7], reconnects: rest[8], chip, rssi_dbm, reset_reason: ResetReason(reset),
            sensors: sensors.into_iter().map(|((index, seq, t_us, error_count), value)| {
                Reading { index, seq, t_us, value, error_count }
            }).collect(),
            pace: pace.map(|(tenths_fps, quality)| Pace { tenths_fps, quality }),
        }
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        any::<(u16, u16)>().prop_map(|(width, height)| Command::Size(Size { width, height })),
        any::<u8>().prop_map(Command::Quality),
        any::<(u8, u8)>().prop_map(|(active_fps, idle_fps)| Command::Rate { active_fps, idle_fps }),
        (proptest::sample::select(RegisterSetting::ALL), any::<i16>())
            .prop_map(|(setting, value)| Command::Register { setting, value }),
        any::<u8>().prop_map(Command::Flash),
        Just(Command::Snapshot),
        any::<(i8, i8)>().prop_map(|(pan_degrees, tilt_degrees)| Command::PanTilt { pan_degrees, tilt_degrees }),
        Just(Command::Reboot),
        (23_u8.., any::<i16>()).prop_map(|(setting, value)| Command::OtherRegister { setting, value }),
        (9_u8..).prop_map(Command::Other),
    ]
}

fn any_update() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<u32>(), any::<[u8; DIGEST_LEN]>(), "[ -~]{0,32}", any::<bool>()).prop_map(
            |(length, sha256, version, forced)| {
                let image = Image { length, sha256, version, forced };
                Message::UpdateBegin(UpdateBegin::sign(image, &key(), hello().camera))
            }
        ),
        (any::<u32>(), vec(any::<u8>(), 1..=MOST_CHUNK))
            .prop_map(|(offset, chunk)| Message::UpdateData(UpdateData { offset, chunk: chunk.into() })),
        proptest::sample::select(&[UpdateEnd::Install, UpdateEnd::Abandon][..]).prop_map(Message::UpdateEnd),
        (proptest::sample::select(UpdateResult::ALL), any::<u32>(), "[^\\p{Cc}]{0,16}").prop_map(
            |(result, next_offset, remark)| Message::UpdateStatus(UpdateStatus { result, next_offset, remark })
        ),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_telemetry().prop_map(Message::Telemetry),
        (any::<u32>(), any_command()).prop_map(|(id, command)| Message::Control(Control { id, command })),
        (any::<u32>(), proptest::sample::select(&AckResult::ALL[..]), "[^\\p{Cc}]{0,16}")
            .prop_map(|(id, result, remark)| Message::Ack(Ack { id, result, remark })),
        any_update(),
        any::<[u8; 8]>().prop_map(Message::Ping),
        any::<[u8; 8]>().prop_map(Message::Pong),
        any::<u8>().prop_map(|code| Message::Bye(ByeReason::from_code(code))),
    ]
}

proptest! {
    #[test]
    fn every_message_is_read_as_it_was_sent(
        messages in vec((any_message(), any::<bool>(), any::<u64>()), 1..8),
        cut in any::<usize>(),
    ) {
        let (camera, mut hub) = session();
        let mut says = camera.outgoing;
        let mut stream = BytesMut::new();
        for (message, crc, t_us) in &messages {
            says.set_crc(*crc);
            says.message(message, *t_us, &mut stream);
        }
        let rest = stream.split_off(cut % (stream.len() + 1));
        let mut buffer = BytesMut::new();
        let mut read = Vec::new();
        for piece in [stream, rest] {
            buffer.extend_from_slice(&piece);
            while let Some(packet) = decode(&mut buffer, &Limits::SESSION).unwrap() {
                prop_assert!(packet.intact);
                read.push((hub.incoming.receive(&packet).unwrap(), packet.header.t_us));
            }
        }
        let sent: Vec<_> = messages.into_iter().map(|(message, _, t_us)| (Received::Message(message), t_us)).collect();
        prop_assert_eq!(read, sent);
    }

    #[test]
    fn every_hello_is_read_as_it_was_sent(
        camera in any::<u128>(), nonce: [u8; NONCE_LEN], numbers: [u32; 4], bytes: [u8; 2],
        firmware_version in "[ -~]{0,32}", version_max in 1_u8..,
    ) {
        let hello = Hello {
            version_min: 1, version_max, camera: CameraId(uuid::Uuid::from_u128(camera)), nonce, boot: numbers[0],
            reading_mark: ReadingMark { boot: numbers[1], seq: numbers[2] }, capabilities: Capabilities(numbers[3]),
            reset_reason: ResetReason(bytes[0]), camera_state: CameraState(bytes[1]), firmware_version,
        };
        let mut out = BytesMut::new();
        CameraHandshake::start(&key(), &hello, 0, &mut out);
        let packet = decode(&mut out, &Limits::HANDSHAKE).unwrap().unwrap();
        let opened = HubHandshake::open(&packet).unwrap();
        prop_assert_eq!(opened.hello(), &hello);
    }

    #[test]
    fn nothing_a_peer_sends_panics(kind: u8, payload in vec(any::<u8>(), 0..300), garbage in vec(any::<u8>(), 0..200)) {
        let length = u32::try_from(payload.len()).unwrap();
        let header = Header { kind: Kind::from_code(kind), flags: Flags::default(), seq: 0, t_us: 0, length };
        let packet = Packet { header, payload: payload.into(), mac: None, intact: true };
        let _ = Message::parse(&packet);
        let _ = HubHandshake::open(&packet);
        let _ = CameraHandshake::start(&key(), &hello(), 0, &mut BytesMut::new())
            .challenge(&packet, 0, &mut BytesMut::new());
        let _ = decode(&mut BytesMut::from(&garbage[..]), &Limits::SESSION);
        let mut headed = BytesMut::from(&MAGIC.to_be_bytes()[..]);
        headed.extend_from_slice(&garbage);
        let _ = decode(&mut headed, &Limits::SESSION);
    }
}
