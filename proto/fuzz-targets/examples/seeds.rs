//! Where the corpora began: the vectors of the camera link, pictures as the simulated camera encodes them, streams as
//! ffmpeg shapes them. What fuzzers found since is added by hand.
//!
//! `cargo run -p larder-fuzz-targets --example seeds` writes these anew and leaves the rest alone.

#![expect(clippy::unwrap_used, reason = "run by hand: what fails, ends it")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use larder_ctl::simulate::jpeg::{Quality, encode};
use larder_proto::wire::camera::HEADER_LEN;

#[path = "../../../daemon/src/recorder/made.rs"]
mod made;

/// Reads of 1, 24, 8 and 256 bytes.
const LENGTHS: [u8; 4] = [0, 23, 7, 255];

/// Every vector: its name and its bytes.
fn vectors() -> Vec<(String, Vec<u8>)> {
    let mut vectors: Vec<_> = fs::read_dir(folder().join("../vectors"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let bytes = text.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
            let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), bytes)
        })
        .collect();
    vectors.sort();
    vectors
}

fn vector(name: &str) -> Vec<u8> {
    vectors().into_iter().find(|(found, _)| found == name).unwrap().1
}

fn write(target: &str, name: &str, parts: &[&[u8]]) {
    let corpus = folder().join("corpus").join(target);
    fs::create_dir_all(&corpus).unwrap();
    fs::write(corpus.join(name), parts.concat()).unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn main() {
    camera_link();
    relay();
    handshakes();
    sessions();
    pictures();
    boards();
    streams();
    requests();
}

fn camera_link() {
    for (name, bytes) in vectors() {
        if name.starts_with("relay") {
            continue;
        }
        if name.starts_with("reading") {
            write("datagram", &name, &[&bytes]);
            continue;
        }
        let (header, rest) = bytes.split_at(HEADER_LEN);
        let length = usize::try_from(u32::from_be_bytes(*header.last_chunk().unwrap())).unwrap();
        write("message", &name, &[&header[4..5], &header[12..20], &rest[..length]]);
    }
    let said: Vec<u8> = ["frame-mac", "frame-crc", "telemetry", "ack"].map(vector).concat();
    write("packet", "a-session", &[&[0], &LENGTHS, &said]);
    write("packet", "a-session-cut", &[&[0], &LENGTHS, &said[..said.len() - 30]]);
    write("packet", "a-handshake", &[&[1], &LENGTHS, &["hello", "auth"].map(vector).concat()]);
    let mut large = vector("ping");
    large[20] = 0xff;
    write("packet", "too-large", &[&[0], &LENGTHS, &large]);
    let mut damaged = vector("frame-crc");
    damaged[30] ^= 1;
    write("packet", "damaged", &[&[0], &LENGTHS, &damaged]);
}

fn relay() {
    const VIEWER: [&str; 4] = ["relay-hello", "relay-wish", "relay-report", "relay-ping"];
    const HUB: [&str; 3] = ["relay-welcome", "relay-status", "relay-pong"];
    for (side, name, words) in [(0, "viewer", &VIEWER[..]), (1, "hub", &HUB)] {
        let said: Vec<u8> = words.iter().flat_map(|word| vector(word)).collect();
        write("relay_control", name, &[&[side], &LENGTHS, &said]);
        write("relay_control", &format!("{name}-cut"), &[&[side], &LENGTHS, &said[..said.len() - 5]]);
        write("relay_control", &format!("{name}-of-tomorrow"), &[&[side], &LENGTHS, &[0xC0, 0, 2, 1, 2], &said]);
    }
    write("relay_control", "too-large", &[&[0], &LENGTHS, &[1, 4, 1]]);
    let frame = vector("relay-frame");
    write("relay_frame", "frame", &[&frame]);
    write("relay_frame", "too-large", &[&frame[..36], &[0xff; 4]]);
}

fn handshakes() {
    for (target, words) in [
        ("hub_handshake", ["hello", "auth"]),
        ("camera_handshake", ["challenge", "welcome"]),
        ("hub_handshake", ["hello", "bye-early"]),
    ] {
        write(target, &words.join("-"), &[&[0], &LENGTHS, &words.map(vector).concat()]);
        write(target, "true", &[&[1], &LENGTHS]);
        // Set, leave out, put in, cut: at 5 and at 100.
        for (how, name) in [(0, "set"), (1, "left-out"), (2, "put-in"), (3, "cut")] {
            write(target, &format!("{name}-early"), &[&[1], &LENGTHS, &[how, 0, 5, 3]]);
            write(target, &format!("{name}-late"), &[&[1], &LENGTHS, &[how, 0, 100, 3]]);
        }
    }
}

fn sessions() {
    let says: Vec<u8> = (0..14).flat_map(|kind| [kind, 0, 0, 0, kind]).collect();
    for frame_mac in 0..4 {
        write("session", &format!("true-{frame_mac}"), &[&[frame_mac], &LENGTHS, &[14], &says]);
    }
    for (how, name) in [(0, "dropped"), (1, "repeated"), (2, "reordered")] {
        write("session", name, &[&[1], &LENGTHS, &[14], &says, &[1, how, 3, 6]]);
    }
    write("session", "changed", &[&[2], &LENGTHS, &[14], &says, &[0, 0, 0, 60, 9]]);
}

fn pictures() {
    let gray: Vec<[u8; 3]> = (0..=255).map(|luma| [luma, 128, 128]).collect();
    let picture = encode(&gray, (16, 16), Quality::new(60).unwrap());
    write("jpeg", "ov2640", &[&picture]);
    write("jpeg", "ov2640-padded", &[&picture, &[0; 9], &[0xff, 0xd9]]);
    write("jpeg", "ov2640-cut", &[&picture[..picture.len() - 3]]);
    // Tables of one byte, a frame header, two scans with a restart marker and a comment between them.
    let head = [0xff, 0xd8, 0xff, 0xff, 0xdb, 0, 3, 0, 0xff, 0xc2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff, 0, 7, 0xff, 0xd0, 7];
    let comment = [0xff, 0xfe, 0, 4, b'h', b'i'];
    write("jpeg", "progressive", &[&head, &scan, &comment, &scan, &[0xff, 0xff, 0xd9]]);
    write("matroska", "pictures", &[&[2, 0x80, 1, 0xe0], &[0; 8], &[3, 1, 2, 3], &[0, 0, 0, 0, 0, 0, 0, 100, 2, 4, 5]]);
    write("matroska", "elements", &[&[0xae, 0x83, 0xd7, 0x81, 1, 0x1f, 0x43, 0xb6, 0x75, 0xff, 0xe7, 0x81, 9]]);
}

/// As the boards of `docs/boards.md` send them.
fn boards() {
    const NAME: &str = "123456789000000000000987654321";
    let picture = encode(&[[128, 128, 128]; 64], (8, 8), Quality::new(60).unwrap());
    let multipart = |name: &str, kind: &str, stream: &[&[u8]]| {
        let kind = format!("multipart/x-mixed-replace;{kind}");
        write("multipart", name, &[&LENGTHS, &[u8::try_from(kind.len()).unwrap()], kind.as_bytes(), &stream.concat()]);
    };
    let between = format!("\r\n--{NAME}\r\n");
    let header =
        format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: 9.012345\r\n\r\n", picture.len());
    let (between, header) = (between.as_bytes(), header.as_bytes());
    let plain = format!("boundary={NAME}");
    multipart("counted", &plain, &[between, header, &picture, between, header, &picture]);
    multipart("open", &plain, &[between, b"\r\n", &picture, between, b"\r\n", &picture, b"\0\0", between]);
    multipart("cut", &plain, &[between, b"\r\n", &picture[..200], between, header, &picture]);
    multipart("too-large", &plain, &[between, b"Content-Length: 1048577\r\n\r\n", &picture, between]);
    multipart("quoted", "boundary=\"--frame\"", &[b"--frame\n\n", &picture, b"\n--frame--\n"]);
    write("pushed", "bare", &[&picture]);
    write("pushed", "numbered", &[b"IMG:1", &picture]);
    write("pushed", "status", &[b"JSN:{\"host_ident\":1,\"dallasTempC\":4.5}"]);
}

fn streams() {
    let (init, one) = (made::init(), made::fragment(0, 0, &[400, 1600], 40));
    let two = made::fragment(1, 2000, &[100], 9);
    write("fragments", "stream", &[&[0], &LENGTHS, &init, &one, &made::a_box(b"styp", b"msdh"), &two]);
    write("fragments", "cut", &[&[1], &LENGTHS, &one, &two[..two.len() - 1]]);
    write(
        "fragments",
        "written",
        &[&[2], &LENGTHS, &[1, 7, 7, 7, 7, 7, 7, 7, 7, 1, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 0, 20]],
    );
    let body = |part: &[u8], name: &[u8; 4]| {
        let at = part.windows(4).position(|window| window == name).unwrap();
        let size = usize::try_from(u32::from_be_bytes(*part[at - 4..].first_chunk().unwrap())).unwrap();
        part[at + 4..at - 4 + size].to_vec()
    };
    write("mp4", "moov-body", &[&body(&init, b"moov")]);
    write("mp4", "moof-body", &[&body(&one, b"moof")]);
    write("mp4", "moof", &[&one]);
    write("mp4", "long-size", &[&[0, 0, 0, 1], b"mdat", &[0, 0, 0, 0, 0, 0, 0, 18], b"ab"]);
    let fields = [&[9; 16][..], &(-18_125_i32).to_be_bytes(), &[0, 1], &[0, 0, 0, 7, 0, 0, 0, 120], &[0; 8]].concat();
    write("datagram", "sealed", &[&fields]);
    write("datagram", "changed", &[&fields, &[0, 0, 40, 3]]);
    write("index", "three", &[&[1, 0, 0xd0, 0x0f, 0xc0, 0xb8, 2, 0, 0xd0, 0x0f, 9, 1, 5, 6]]);
    write("index", "largest-number", &[&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]]);
}

fn requests() {
    let asked = |size: u64, first: u64, last: u64| [size, first, last].map(u64::to_be_bytes).concat();
    for (name, text) in [
        ("first", "bytes=0-99"),
        ("rest", "Bytes = 900 -"),
        ("last", "bytes=-100"),
        ("several", "bytes=0-1,5-6"),
        ("empty", "bytes=-0"),
        ("tags", "\"x\", W/\"a\""),
        ("any", "*"),
    ] {
        write("range", name, &[&asked(1000, 10, 20), text.as_bytes()]);
    }
    for (name, text) in [
        ("micros", "1769860800250000"),
        ("utc", "2026-01-31T12:00:00.25Z"),
        ("offset", "2026-01-31T14:00:00+02:00"),
        ("zone", "2026-07-01T00:00:00+02:00[Europe/Berlin]"),
        ("before", "-1"),
        ("lowest", "-377705023201000000"),
    ] {
        write("moment", name, &[text.as_bytes()]);
    }
    let times = [0_i64, 60_000_000, 3_600_000_000, 1_000_000].map(i64::to_be_bytes).concat();
    write("grant", "valid", &[&[7; 16], &times]);
    write("grant", "changed", &[&[7; 16], &times, &[0, 0, 97, b'B']]);
    write("grant", "live", &[&[7; 16], &0_i64.to_be_bytes(), &[0x7f; 24]]);
    let secret = format!("lrd_{}", "k".repeat(43));
    for (name, place, text) in [
        ("bearer", 0, format!("Bearer {secret}")),
        ("basic", 0, "Basic bGFyZGVyOnM=".to_owned()),
        ("secret", 0, secret),
        ("cookie", 1, "a=b; larder_session=s".to_owned()),
        ("grant", 2, "a=1&grant=g".to_owned()),
    ] {
        write("credentials", name, &[&[0, place], text.as_bytes()]);
    }
    write("credentials", "secure-cookie", &[&[1, 1], b"__Host-larder_session=s"]);
}
