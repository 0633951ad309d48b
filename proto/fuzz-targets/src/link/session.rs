//! A session whose messages somebody on the way drops, repeats, reorders and changes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use larder_proto::wire::camera::{
    Ack, AckResult, ByeReason, Command, Control, FrameFlags, FrameInfo, FrameMac, Limits, Message, Outgoing, Packet,
    Received, Size, Telemetry,
};

use super::{Handshake, each_packet, packet_of};
use crate::input::{Input, pieces};

const MOST_MESSAGES: u8 = 24;

/// Whatever carries a MAC, or must, is heard as it was said and in its order, or not at all.
pub(crate) fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let (frame_mac, lengths) = (FrameMac(input.byte() % 4), input.array());
    let Handshake { camera, hub, .. } = Handshake::new(frame_mac);
    let (mut says, mut hears) = (camera.outgoing, hub.incoming);
    let count = input.byte() % MOST_MESSAGES;
    let sent: Vec<Vec<u8>> = (0..count).map(|_| say(&mut says, &mut input)).collect();
    let first_seq = sent.first().map_or(0, |bytes| packet_of(bytes).header.seq);

    let mut order: Vec<usize> = (0..sent.len()).collect();
    reorder(&mut order, &mut input);
    let words: Vec<u8> = sent.concat();
    let mut stream: Vec<u8> = order.iter().flat_map(|index| &sent[*index]).copied().collect();
    input.edit(&mut stream);

    let mut heard = 0_u32;
    each_packet(pieces(&stream, lengths), &Limits::SESSION, |packet| {
        let Ok(received) = hears.receive(&packet) else { return false };
        assert_eq!(packet.header.seq, first_seq + heard, "nothing is left out or heard twice");
        let original = usize::try_from(heard).ok().and_then(|index| sent.get(index)).map(|bytes| packet_of(bytes));
        heard += 1;
        is_as_sent(&packet, &received, original.as_ref(), frame_mac);
        true
    });
    if stream == words {
        assert_eq!(heard, u32::from(count), "what nobody touched is heard");
    }
}

/// Without a MAC there may be frames alone, and only where the hub has not asked for one.
fn is_as_sent(packet: &Packet, received: &Received, original: Option<&Packet>, frame_mac: FrameMac) {
    let is_frame = matches!(received, Received::Message(Message::Frame(_)) | Received::DamagedFrame);
    if frame_mac != FrameMac::ALL && is_frame && (packet.mac.is_none() || *received == Received::DamagedFrame) {
        return;
    }
    let original = original.expect("as many messages as were sent");
    assert_eq!((packet.header, &packet.payload), (original.header, &original.payload));
}

/// Appends one message of any kind.
fn say(says: &mut Outgoing, input: &mut Input<'_>) -> Vec<u8> {
    let (kind, number) = (input.byte(), input.u32());
    says.set_crc(kind & 0x80 != 0);
    let mut out = BytesMut::new();
    let message = match kind % 7 {
        0 => {
            let info = FrameInfo {
                number,
                size: Size { width: 640, height: 480 },
                quality: 12,
                flags: FrameFlags::default(),
                queued: Duration::from_millis(3),
            };
            let jpeg = Bytes::copy_from_slice(input.take(usize::from(kind)));
            let frame = says.frame(&info, number.into(), jpeg);
            return [frame.head, frame.jpeg, frame.trailer].concat();
        }
        1 => Message::Telemetry(Telemetry { frames_sent: number, ..Telemetry::default() }),
        2 => Message::Ack(Ack { id: number, result: AckResult::Done, remark: "as told".to_owned() }),
        3 => Message::Control(Control { id: number, command: Command::Snapshot }),
        4 => Message::Ping(u64::from(number).to_be_bytes()),
        5 => Message::Pong(u64::from(number).to_be_bytes()),
        _ => Message::Bye(ByeReason::from_code(number.to_be_bytes()[3])),
    };
    says.message(&message, number.into(), &mut out);
    out.to_vec()
}

fn reorder(order: &mut Vec<usize>, input: &mut Input<'_>) {
    for _ in 0..input.byte() % 4 {
        if order.is_empty() {
            return;
        }
        let (how, one) = (input.byte(), usize::from(input.byte()) % order.len());
        let other = usize::from(input.byte()) % order.len();
        match how % 3 {
            0 => drop(order.remove(one)),
            1 => order.insert(other, order[one]),
            _ => order.swap(one, other),
        }
    }
}
