//! From the bytes of one side to what they mean.

use bytes::{Bytes, BytesMut};
use larder_proto::wire::camera::{HubHandshake, Kind, Limits, Message, Packet, decode};
use serde::Serialize;

/// One side of a session.
#[derive(Default)]
pub(super) struct Decoder {
    buffer: BytesMut,
    /// After an error nothing is found any more: where a message begins is not known.
    is_lost: bool,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Said {
    /// Its kind, as WIRE.md names it.
    pub(super) kind: String,
    /// Its place in the session.
    pub(super) seq: u32,
    /// The sender's clock.
    pub(super) t_us: u64,
    /// Of its payload.
    pub(super) bytes: u32,
    /// Whether it carries a MAC.
    pub(super) has_mac: bool,
    /// In words.
    pub(super) meaning: String,
}

impl Decoder {
    /// Takes bytes; what they finish. The error is why nothing more will be understood.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (Vec<Said>, Option<String>) {
        let mut said = Vec::new();
        if self.is_lost {
            return (said, None);
        }
        self.buffer.extend_from_slice(bytes);
        loop {
            match decode(&mut self.buffer, &Limits::SESSION) {
                Ok(Some(packet)) => said.push(tell(&packet)),
                Ok(None) => return (said, None),
                Err(error) => {
                    self.is_lost = true;
                    self.buffer = BytesMut::new();
                    return (said, Some(error.to_string()));
                }
            }
        }
    }

    /// Bytes of a message that is not whole.
    pub(super) fn rest(&self) -> usize {
        self.buffer.len()
    }
}

fn tell(packet: &Packet) -> Said {
    let header = packet.header;
    let damaged = if packet.intact { "" } else { " (its checksum is wrong)" };
    Said {
        kind: format!("{:?}", header.kind),
        seq: header.seq,
        t_us: header.t_us,
        bytes: header.length,
        has_mac: packet.mac.is_some(),
        meaning: meaning(packet) + damaged,
    }
}

fn meaning(packet: &Packet) -> String {
    match packet.header.kind {
        Kind::Hello => match HubHandshake::open(packet) {
            Ok(handshake) => format!("{:?}", handshake.hello()),
            Err(error) => error.to_string(),
        },
        Kind::Challenge => "the hub proves itself".to_owned(),
        Kind::Auth => "the camera proves itself".to_owned(),
        _ => match Message::parse(packet) {
            Ok(Some(Message::Frame(frame))) => format!("{:?}, {}", frame.info, length(&frame.jpeg)),
            Ok(Some(Message::UpdateData(data))) => format!("from {}, {}", data.offset, length(&data.chunk)),
            Ok(Some(message)) => format!("{message:?}"),
            Ok(None) => "unknown, and may be passed over".to_owned(),
            Err(error) => error.to_string(),
        },
    }
}

fn length(bytes: &Bytes) -> String {
    format!("{} bytes", bytes.len())
}
