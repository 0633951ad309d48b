//! Both sides of the handshake against an impostor without the key, who may have heard a true one.

use bytes::BytesMut;
use larder_proto::wire::camera::{
    CHALLENGE_LEN, CameraHandshake, FrameMac, HEADER_LEN, HubHandshake, KEY_LEN, Limits, Packet,
};

use super::{HUB_NONCE, Handshake, KEY, OTHER_KEY, UNIX_US, each_packet, hello, packet_of};
use crate::input::{Input, pieces};

/// What an impostor says: bytes of its own, or a true side's words, changed.
struct Said {
    bytes: Vec<u8>,
    lengths: [u8; 4],
    /// The key of the side that is to believe it: not the true one's when nothing of a true side is known.
    key: [u8; KEY_LEN],
    /// Whether these are a true side's words as they were.
    is_true: bool,
}

fn said(data: &[u8], words: &[&[u8]]) -> Said {
    let mut input = Input::new(data);
    let (has_heard, lengths) = (input.byte() & 1 == 1, input.array());
    if !has_heard {
        return Said { bytes: input.rest().to_vec(), lengths, key: OTHER_KEY, is_true: false };
    }
    let words = words.concat();
    let mut bytes = words.clone();
    input.edit(&mut bytes);
    Said { is_true: bytes.starts_with(&words), bytes, lengths, key: KEY }
}

/// What a proof covers.
fn covered(packet: &Packet) -> Vec<u8> {
    [&packet.header.to_bytes()[..], &packet.payload].concat()
}

/// The hub takes nobody for its camera who does not have the key.
pub(crate) fn hub_handshake(data: &[u8]) {
    let heard = Handshake::new(FrameMac::ALL);
    let said = said(data, &[&heard.hello, &heard.auth]);
    let (mut opened, mut challenged) = (None, None);
    let mut proven = false;
    each_packet(pieces(&said.bytes, said.lengths), &Limits::HANDSHAKE, |packet| {
        let Some(hub) = challenged.take() else {
            let Ok(hub) = HubHandshake::open(&packet) else { return false };
            let mut out = BytesMut::new();
            challenged = Some(hub.challenge(&said.key, HUB_NONCE, UNIX_US, &mut out));
            assert_eq!(out.len(), HEADER_LEN + CHALLENGE_LEN);
            opened = Some(packet);
            return true;
        };
        if hub.auth(&packet, FrameMac::ALL).is_ok() {
            let hello = opened.as_ref().expect("the AUTH follows a HELLO");
            assert_eq!(covered(hello), covered(&packet_of(&heard.hello)), "a proof covers the HELLO");
            // The header of the AUTH is the only one that nothing covers.
            assert_eq!(packet.payload, packet_of(&heard.auth).payload, "a proof that nobody made");
            proven = true;
        }
        false
    });
    assert!(proven || !said.is_true, "the true camera is let in");
}

/// The camera takes nobody for its hub who does not have the key, and says nothing more to it.
pub(crate) fn camera_handshake(data: &[u8]) {
    let heard = Handshake::new(FrameMac::ALL);
    let said = said(data, &[&heard.challenge, &heard.welcome]);
    let mut waiting = Some(CameraHandshake::start(&said.key, &hello(), 0, &mut BytesMut::new()));
    let mut challenged = None;
    let mut welcomed = false;
    each_packet(pieces(&said.bytes, said.lengths), &Limits::HANDSHAKE, |packet| {
        if let Some(camera) = waiting.take() {
            let mut out = BytesMut::new();
            let answered = camera.challenge(&packet, 1, &mut out);
            assert_eq!(answered.is_ok(), !out.is_empty(), "a false hub is told nothing");
            let Ok(proven) = answered else { return false };
            assert_eq!(covered(&packet), covered(&packet_of(&heard.challenge)), "a proof that nobody made");
            assert_eq!(proven.hub().unix_us, UNIX_US);
            challenged = Some(proven);
            return true;
        }
        let proven = challenged.take().expect("a WELCOME follows a CHALLENGE");
        if proven.welcome(&packet).is_ok() {
            assert_eq!(covered(&packet), covered(&packet_of(&heard.welcome)), "a MAC that nobody made");
            welcomed = true;
        }
        false
    });
    assert!(welcomed || !said.is_true, "the true hub is believed");
}
