//! What viewers are sent, taken apart as it comes and without a copy: pure.
//!
//! Of each picture only the stamp is kept; the rest is counted and forgotten.

use std::mem;

use super::super::{
    floor::LENGTH,
    stamp::{STAMP_LEN, Stamp},
};

/// Before the picture in the hub's WebSocket message (`http::live::wire`): version, flags, skipped, sequence, times.
const MESSAGE_HEAD: usize = 32;
/// Where the sequence stands in it.
const SEQUENCE: usize = 8;
/// Where its flags stand, and the one that asks for an acknowledgement.
const FLAGS: usize = 1;
const ACKNOWLEDGE: u8 = 1;
/// Longer heads are none of the hub's.
const MOST_HEAD: usize = 4096;

/// What came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Heard {
    /// The last byte of a picture; what is to be acknowledged, if anything.
    Picture(Stamp, Option<u64>),
    /// A WebSocket PING (without content, as the hub's are).
    Ping,
    /// A WebSocket close.
    Closed,
}

/// The hub sent what it should not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the server sent something that is no {0}")]
pub(in super::super) struct Broken(&'static str);

/// Takes one connection's bytes apart.
#[derive(Debug)]
pub(in super::super) enum Parser {
    /// Length and picture.
    Floor(Floor),
    /// RFC 6455.
    WebSocket(WebSocket),
    /// Multipart in HTTP/1.1 chunks.
    Mjpeg(Mjpeg),
}

#[derive(Debug, Default)]
pub(in super::super) struct Floor {
    head: Vec<u8>,
    body: Option<Body>,
}

#[derive(Debug, Default)]
pub(in super::super) struct WebSocket {
    head: Vec<u8>,
    message: Option<(u8, Body)>,
}

#[derive(Debug, Default)]
pub(in super::super) struct Mjpeg {
    chunk: Chunk,
    head: Vec<u8>,
    body: Option<Body>,
}

#[derive(Debug)]
enum Chunk {
    /// The line before a chunk.
    Size(Vec<u8>),
    Data(usize),
    /// The line end after a chunk.
    End(usize),
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Size(Vec::new())
    }
}

impl Parser {
    /// Takes what was read; what is complete goes to `heard`.
    pub(in super::super) fn feed(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Broken> {
        match self {
            Self::Floor(floor) => floor.feed(bytes, heard),
            Self::WebSocket(socket) => socket.feed(bytes, heard),
            Self::Mjpeg(mjpeg) => mjpeg.feed(bytes, heard),
        }
    }
}

/// Bytes of known number, of which the first few are kept.
#[derive(Debug)]
struct Body {
    remaining: usize,
    keep: usize,
    kept: Vec<u8>,
}

impl Body {
    fn new(length: usize, keep: usize) -> Self {
        Self { remaining: length, keep, kept: Vec::with_capacity(keep) }
    }

    /// Takes its part of the bytes; whether that was the last.
    fn take(&mut self, bytes: &mut &[u8]) -> bool {
        let (own, rest) = bytes.split_at(self.remaining.min(bytes.len()));
        self.kept.extend(own.iter().take(self.keep - self.kept.len()));
        self.remaining -= own.len();
        *bytes = rest;
        self.remaining == 0
    }

    fn stamp(&self, from: usize) -> Result<Stamp, Broken> {
        self.kept.get(from..).and_then(Stamp::read).ok_or(Broken("stamped picture"))
    }
}

/// Moves bytes to `head` until it has `length`; whether it has.
fn collect(head: &mut Vec<u8>, length: usize, bytes: &mut &[u8]) -> bool {
    let (own, rest) = bytes.split_at(length.saturating_sub(head.len()).min(bytes.len()));
    head.extend_from_slice(own);
    *bytes = rest;
    head.len() >= length
}

/// Moves bytes to `head` until it ends with `end`; whether it does.
fn collect_until(head: &mut Vec<u8>, end: &[u8], bytes: &mut &[u8]) -> bool {
    while let Some((byte, rest)) = bytes.split_first() {
        head.push(*byte);
        *bytes = rest;
        if head.ends_with(end) {
            return true;
        }
    }
    false
}

/// A big-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

impl Floor {
    fn feed(&mut self, mut bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let Some(body) = &mut self.body else {
                if collect(&mut self.head, LENGTH, &mut bytes) {
                    self.body = Some(Body::new(number(&mem::take(&mut self.head)), STAMP_LEN));
                }
                continue;
            };
            if body.take(&mut bytes) {
                heard.push(Heard::Picture(body.stamp(0)?, None));
                self.body = None;
            }
        }
        Ok(())
    }
}

impl WebSocket {
    fn feed(&mut self, mut bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match &mut self.message {
                None => self.begin(&mut bytes)?,
                Some((_, body)) => {
                    body.take(&mut bytes);
                }
            }
            if let Some((opcode, body)) = self.message.take_if(|(_, body)| body.remaining == 0) {
                heard.push(message(opcode, &body)?);
            }
        }
        Ok(())
    }

    /// The header of a frame (RFC 6455, 5.2): never masked, never in pieces.
    fn begin(&mut self, bytes: &mut &[u8]) -> Result<(), Broken> {
        if !collect(&mut self.head, 2, bytes) {
            return Ok(());
        }
        let [first, second] = [self.head[0], self.head[1]];
        if first & 0xf0 != 0x80 || second & 0x80 != 0 {
            return Err(Broken("whole, unmasked WebSocket frame"));
        }
        let length = match second {
            126 if !collect(&mut self.head, 4, bytes) => return Ok(()),
            127 if !collect(&mut self.head, 10, bytes) => return Ok(()),
            126 | 127 => number(&self.head[2..]),
            short => usize::from(short),
        };
        self.head.clear();
        self.message = Some((first & 0x0f, Body::new(length, MESSAGE_HEAD + STAMP_LEN)));
        Ok(())
    }
}

fn message(opcode: u8, body: &Body) -> Result<Heard, Broken> {
    match opcode {
        0x2 => {
            let stamp = body.stamp(MESSAGE_HEAD)?;
            let sequence = number(&body.kept[SEQUENCE..SEQUENCE + 8]);
            let asks = body.kept[FLAGS] & ACKNOWLEDGE != 0;
            Ok(Heard::Picture(stamp, asks.then(|| u64::try_from(sequence).unwrap_or(u64::MAX))))
        }
        0x8 => Ok(Heard::Closed),
        0x9 => Ok(Heard::Ping),
        _ => Err(Broken("binary message")),
    }
}

impl Mjpeg {
    fn feed(&mut self, mut bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match &mut self.chunk {
                Chunk::Size(line) => {
                    if collect_until(line, b"\r\n", &mut bytes) {
                        let digits = line.strip_suffix(b"\r\n").and_then(|digits| str::from_utf8(digits).ok());
                        let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
                        self.chunk = Chunk::Data(length.filter(|length| *length > 0).ok_or(Broken("chunk"))?);
                    } else if line.len() > MOST_HEAD {
                        return Err(Broken("chunk"));
                    }
                }
                Chunk::Data(remaining) => {
                    let (mut data, rest) = bytes.split_at((*remaining).min(bytes.len()));
                    *remaining -= data.len();
                    bytes = rest;
                    if *remaining == 0 {
                        self.chunk = Chunk::End(2);
                    }
                    self.part(&mut data, heard)?;
                }
                Chunk::End(remaining) => {
                    let skipped = (*remaining).min(bytes.len());
                    *remaining -= skipped;
                    bytes = &bytes[skipped..];
                    if *remaining == 0 {
                        self.chunk = Chunk::default();
                    }
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, data: &mut &[u8], heard: &mut Vec<Heard>) -> Result<(), Broken> {
        while !data.is_empty() {
            let Some(body) = &mut self.body else {
                if collect_until(&mut self.head, b"\r\n\r\n", data) {
                    self.body = Some(Body::new(length(&mem::take(&mut self.head))?, STAMP_LEN));
                } else if self.head.len() > MOST_HEAD {
                    return Err(Broken("part's head"));
                }
                continue;
            };
            if body.take(data) {
                heard.push(Heard::Picture(body.stamp(0)?, None));
                self.body = None;
            }
        }
        Ok(())
    }
}

/// The length that a part's head states.
fn length(head: &[u8]) -> Result<usize, Broken> {
    let text = str::from_utf8(head).unwrap_or_default();
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.and_then(|length| length.parse().ok()).ok_or(Broken("part with its length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u64) -> (Stamp, Vec<u8>) {
        let stamp = Stamp { number, captured_ns: number * 40_000_000 };
        let picture = stamp.into_picture(&[0xff, 0xd8, 1, 2, 3, 0xff, 0xd9].repeat(30));
        (stamp, picture.to_vec())
    }

    /// In one piece, byte by byte, and in pieces of every size between.
    fn in_all_pieces(make: fn() -> Parser, bytes: &[u8], expected: &[Heard]) {
        for size in 1..=bytes.len() {
            let (mut parser, mut heard) = (make(), Vec::new());
            bytes.chunks(size).for_each(|piece| parser.feed(piece, &mut heard).expect("no error"));
            assert_eq!(heard, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn the_floors_pictures_are_found_in_whatever_pieces_they_come() {
        let ((one, first), (two, second)) = (picture(1), picture(2));
        let length = |picture: &[u8]| u32::try_from(picture.len()).unwrap().to_be_bytes();
        let bytes = [&length(&first)[..], &first, &length(&second), &second].concat();
        in_all_pieces(
            || Parser::Floor(Floor::default()),
            &bytes,
            &[Heard::Picture(one, None), Heard::Picture(two, None)],
        );
    }

    #[test]
    fn web_socket_messages_are_found_with_what_is_to_be_acknowledged() {
        let (stamp, picture) = picture(9);
        let mut head = [0; MESSAGE_HEAD];
        head[SEQUENCE..SEQUENCE + 8].copy_from_slice(&77u64.to_be_bytes());
        let length = u16::try_from(MESSAGE_HEAD + picture.len()).unwrap().to_be_bytes();
        let long = [&[0x82, 127, 0, 0, 0, 0, 0, 0][..], &length, &head, &picture].concat();
        head[FLAGS] = ACKNOWLEDGE;
        let bytes = [&[0x89, 0, 0x82, 126][..], &length, &head, &picture, &long, &[0x88, 2, 3, 0xe9]].concat();
        let (asks, does_not) = (Heard::Picture(stamp, Some(77)), Heard::Picture(stamp, None));
        let expected = [Heard::Ping, asks, does_not, Heard::Closed];
        in_all_pieces(|| Parser::WebSocket(WebSocket::default()), &bytes, &expected);
        let mut parser = Parser::WebSocket(WebSocket::default());
        assert!(parser.feed(&[0x82, 0x80], &mut Vec::new()).is_err(), "masked");
    }

    #[test]
    fn multipart_pictures_are_found_however_they_are_chunked() {
        let (stamp, picture) = picture(3);
        let part = |picture: &[u8]| {
            let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
            [head.as_bytes(), picture, b"\r\n--larder\r\n"].concat()
        };
        let body = [&b"--larder\r\n"[..], &part(&picture), &part(&picture)].concat();
        for chunk in [7, 100, body.len()] {
            let chunked =
                body.chunks(chunk).map(|data| [format!("{:X}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat());
            let chunked: Vec<u8> = chunked.collect::<Vec<_>>().concat();
            in_all_pieces(|| Parser::Mjpeg(Mjpeg::default()), &chunked, &[Heard::Picture(stamp, None); 2]);
        }
    }
}
