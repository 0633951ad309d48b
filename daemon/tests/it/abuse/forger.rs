//! A camera's side that says what no camera says. It makes keys and MACs by itself, as WIRE.md has them.

use std::time::Duration;

use bytes::BytesMut;
use larder_ctl::simulate::Dial;
use larder_proto::wire::{
    CameraId,
    camera::{
        ByeReason, CHALLENGE_LEN, CameraHandshake, CameraState, Capabilities, HEADER_LEN, Hello, Kind, Limits, MAC_LEN,
        MAGIC, NONCE_LEN, ReadingMark, ResetReason, VERSION, decode,
    },
};
use ring::hmac;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::House;

/// A header without flags.
pub(super) fn header(kind: u8, seq: u32, length: u32) -> Vec<u8> {
    flagged_header(kind, 0, seq, length)
}

fn flagged_header(kind: u8, flags: u8, seq: u32, length: u32) -> Vec<u8> {
    let numbers = [seq.to_be_bytes().to_vec(), vec![0; 8], length.to_be_bytes().to_vec()].concat();
    [&MAGIC.to_be_bytes()[..], &[kind, flags, 0, 0], &numbers].concat()
}

/// The bytes of a HELLO.
pub(super) fn hello(camera: CameraId) -> Vec<u8> {
    let mut out = BytesMut::new();
    CameraHandshake::start(&[0; 32], &says(camera), 0, &mut out);
    out.to_vec()
}

fn says(camera: CameraId) -> Hello {
    Hello {
        version_min: VERSION,
        version_max: VERSION,
        camera,
        nonce: [3; NONCE_LEN],
        boot: 1,
        reading_mark: ReadingMark::default(),
        capabilities: Capabilities::default(),
        reset_reason: ResetReason::default(),
        camera_state: CameraState::default(),
        firmware_version: "forged".to_owned(),
    }
}

/// The reason in the BYE that comes; panics when the connection ends without one.
pub(super) async fn bye(stream: &mut TcpStream) -> ByeReason {
    let mut buffer = BytesMut::new();
    loop {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_buf(&mut buffer)).await;
        assert_ne!(read.expect("it ends").expect("it is not reset"), 0, "closed without a word");
        while let Some(packet) = decode(&mut buffer, &Limits::SESSION).unwrap() {
            if packet.header.kind == Kind::Bye {
                return ByeReason::from_code(packet.payload[0]);
            }
        }
    }
}

/// A proven session whose every byte is known.
pub(super) struct Forger {
    pub(super) stream: TcpStream,
    key: hmac::Key,
    seq: u32,
    /// HELLO, AUTH, and what was sent since.
    pub(super) sent: Vec<u8>,
    /// CHALLENGE.
    pub(super) challenge: Vec<u8>,
}

impl Forger {
    pub(super) async fn prove(house: &House, dial: &Dial) -> Self {
        let mut stream = house.stranger().await;
        let mut out = BytesMut::new();
        let handshake = CameraHandshake::start(&dial.key, &says(dial.camera), 0, &mut out);
        let hello = out.split().to_vec();
        stream.write_all(&hello).await.unwrap();
        let mut challenge = vec![0; HEADER_LEN + CHALLENGE_LEN];
        stream.read_exact(&mut challenge).await.unwrap();
        let packet = decode(&mut BytesMut::from(&challenge[..]), &Limits::HANDSHAKE).unwrap().unwrap();
        handshake.challenge(&packet, 0, &mut out).unwrap();
        let auth = out.to_vec();
        stream.write_all(&auth).await.unwrap();
        let transcript = [b"KC", &hello[..], &challenge, &auth[HEADER_LEN..]].concat();
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &dial.key), &transcript);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        let mut forger = Self { stream, key, seq: 2, sent: [hello, auth].concat(), challenge };
        assert_eq!(forger.heard().await[4], 4, "a WELCOME");
        forger
    }

    /// The next message of the hub, as it came.
    pub(super) async fn heard(&mut self) -> Vec<u8> {
        let mut message = vec![0; HEADER_LEN];
        self.stream.read_exact(&mut message).await.unwrap();
        let length = u32::from_be_bytes(message[20..24].try_into().unwrap());
        let mut rest = vec![0; usize::try_from(length).unwrap() + MAC_LEN];
        self.stream.read_exact(&mut rest).await.unwrap();
        [message, rest].concat()
    }

    /// The next message as it should be, whatever its kind.
    pub(super) fn message(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        let header = flagged_header(kind, 1, self.seq, u32::try_from(payload.len()).unwrap());
        self.seq += 1;
        let message = [&header, payload].concat();
        let mac = hmac::sign(&self.key, &message);
        [&message, &mac.as_ref()[..MAC_LEN]].concat()
    }

    /// The next message as a FRAME.
    pub(super) fn frame(&mut self, jpeg: &[u8]) -> Vec<u8> {
        self.message(16, &[&[0; 12], jpeg].concat())
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
        self.stream.write_all(bytes).await.unwrap();
    }
}
