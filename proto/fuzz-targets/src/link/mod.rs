//! The camera link, both roles.

mod handshake;
mod message;
mod packet;
mod session;

pub(crate) use handshake::{camera_handshake, hub_handshake};
pub(crate) use message::message;
pub(crate) use packet::packet;
pub(crate) use session::session;

use bytes::BytesMut;
use larder_proto::wire::{
    CameraId,
    camera::{
        CameraHandshake, CameraState, Capabilities, FrameMac, Hello, HubHandshake, KEY_LEN, Limits, Message, NONCE_LEN,
        Packet, ReadingMark, ResetReason, Session, Size, Welcome, decode,
    },
};
use uuid::Uuid;

/// What two true sides share.
const KEY: [u8; KEY_LEN] = [0x5a; KEY_LEN];
/// Nothing is proven with it, neither here nor in `proto/vectors`: nothing that a fuzzer sees is of use.
const OTHER_KEY: [u8; KEY_LEN] = [0xa5; KEY_LEN];
const HUB_NONCE: [u8; NONCE_LEN] = [0xb7; NONCE_LEN];
const UNIX_US: u64 = 1_700_000_000_000_000;

fn hello() -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        camera: CameraId(Uuid::from_u128(0x0f6f_a3c0_9d2b_4c1e_8a55_d1a7_e0c4_b291)),
        nonce: [0xc3; NONCE_LEN],
        boot: 7,
        reading_mark: ReadingMark { boot: 6, seq: 1234 },
        capabilities: Capabilities::FLASH,
        reset_reason: ResetReason::POWER_ON,
        camera_state: CameraState::READY,
        firmware_version: "1.0.3".to_owned(),
    }
}

fn welcome(frame_mac: FrameMac) -> Welcome {
    Welcome {
        size: Size { width: 640, height: 480 },
        quality: 12,
        active_fps: 10,
        idle_fps: 2,
        frame_mac,
        ping_interval: std::time::Duration::from_secs(5),
        telemetry_interval: std::time::Duration::from_secs(30),
        largest_frame_bytes: 524_288,
    }
}

/// A true handshake, message by message.
struct Handshake {
    hello: BytesMut,
    challenge: BytesMut,
    auth: BytesMut,
    welcome: BytesMut,
    camera: Session,
    hub: Session,
}

impl Handshake {
    fn new(frame_mac: FrameMac) -> Self {
        let mut out = BytesMut::new();
        let camera = CameraHandshake::start(&KEY, &hello(), 0, &mut out);
        let hello = out.split();
        let hub = HubHandshake::open(&packet_of(&hello)).expect("a HELLO");
        let hub = hub.challenge(&KEY, HUB_NONCE, UNIX_US, &mut out);
        let challenge = out.split();
        let camera = camera.challenge(&packet_of(&challenge), 1, &mut out).expect("a CHALLENGE");
        let auth = out.split();
        let mut hub = hub.auth(&packet_of(&auth), frame_mac).expect("an AUTH");
        hub.outgoing.message(&Message::Welcome(welcome(frame_mac)), 2, &mut out);
        let welcome = out.split();
        let (camera, _) = camera.welcome(&packet_of(&welcome)).expect("a WELCOME");
        Self { hello, challenge, auth, welcome, camera, hub }
    }
}

/// The packet of bytes that are one whole message.
fn packet_of(bytes: &[u8]) -> Packet {
    let mut buffer = BytesMut::from(bytes);
    let packet = decode(&mut buffer, &Limits::SESSION).expect("it is made by our own side").expect("it is whole");
    assert!(buffer.is_empty(), "nothing follows it");
    packet
}

/// Takes the packets out of a stream until `take` has enough or the stream breaks.
fn each_packet<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits, mut take: impl FnMut(Packet) -> bool) {
    let mut buffer = BytesMut::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decode(&mut buffer, limits) {
                Ok(Some(packet)) => {
                    if !take(packet) {
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
