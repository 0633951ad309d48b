use proptest::{collection::vec, prelude::*};

use super::*;
use crate::wire::vectors::vector;

fn camera() -> CameraId {
    "0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291".parse().unwrap()
}

fn key() -> ReadingKey {
    ReadingKey::derive(&std::array::from_fn(|index| u8::try_from(index).unwrap()), camera())
}

fn measured() -> Datagram {
    let status = Status::Measured(MilliCelsius(-18_125));
    Datagram { camera: camera(), probe: 0, status, boot: 7, seq: 120, t_us: 1_990_000 }
}

fn open(bytes: &[u8]) -> Result<Datagram, DatagramError> {
    SealedDatagram::parse(bytes)?.open(&key())
}

/// The bytes with one changed, signed anew.
fn resigned(at: usize, value: u8) -> [u8; DATAGRAM_LEN] {
    let mut bytes = measured().seal(&key());
    bytes[at] = value;
    let mac = key().mac(&bytes[..SIGNED_LEN]);
    bytes[SIGNED_LEN..].copy_from_slice(&mac);
    bytes
}

#[test]
fn datagrams_are_as_in_the_vectors() {
    let silent = Datagram { probe: 1, status: Status::Silent, seq: 119, t_us: 1_991_000, ..measured() };
    for (datagram, bytes) in [(measured(), vector!("reading")), (silent, vector!("reading-silent"))] {
        assert_eq!(datagram.seal(&key())[..], bytes[..]);
        assert_eq!(SealedDatagram::parse(&bytes).unwrap().camera(), camera());
        assert_eq!(open(&bytes), Ok(datagram));
    }
}

#[test]
fn every_changed_bit_and_every_other_length_is_refused() {
    let bytes = measured().seal(&key());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed).is_err(), "bit {bit}");
    }
    for length in 0..DATAGRAM_LEN {
        assert_eq!(open(&bytes[..length]), Err(DatagramError::Length(length)));
    }
    assert_eq!(open(&[&bytes[..], &[0]].concat()), Err(DatagramError::Length(61)));
}

#[test]
fn a_refusal_says_why() {
    let refused = |at, value| open(&resigned(at, value)).unwrap_err();
    assert_eq!(refused(0, b'X'), DatagramError::Magic(0x5852_5431));
    assert_eq!(refused(4, 2), DatagramError::Version(2));
    assert_eq!(refused(5, 4), DatagramError::Status(4));
    assert_eq!(refused(5, 1), DatagramError::Value(-18_125), "a failed probe has no value");
    assert_eq!(refused(6, 8), DatagramError::Probe(8));
    assert_eq!(refused(7, 1), DatagramError::Reserved(1));
    assert_eq!(refused(40, 0x80), DatagramError::Value(i32::from_be_bytes([0x80, 0xff, 0xb9, 0x33])));
    let other = ReadingKey::derive(&[1; KEY_LEN], camera());
    let bytes = measured().seal(&other);
    assert_eq!(open(&bytes), Err(DatagramError::Mac));
}

#[test]
fn the_range_is_the_probes_and_its_ends_are_in_it() {
    for (value, fits) in [(-55_000, true), (125_000, true), (-55_001, false), (125_001, false), (i32::MIN, false)] {
        let status = Status::Measured(MilliCelsius(value));
        let opened = open(&Datagram { status, ..measured() }.seal(&key()));
        assert_eq!(opened.is_ok(), fits, "{value}: {opened:?}");
    }
}

#[test]
fn the_names_of_refusals_are_a_contract() {
    let mark = ReadingMark::default();
    let all = [
        DatagramError::Length(0),
        DatagramError::Magic(0),
        DatagramError::Version(0),
        DatagramError::Reserved(1),
        DatagramError::Probe(9),
        DatagramError::Mac,
        DatagramError::Status(9),
        DatagramError::Value(0),
        DatagramError::Replayed { found: mark, mark },
    ];
    let names = all.map(DatagramError::name).join(" ");
    assert_eq!(names, "length magic version reserved probe mac status value replayed");
}

#[test]
fn only_what_comes_after_the_mark_is_new() {
    let newer = |boot, seq| measured().check_newer(ReadingMark { boot, seq }).is_ok();
    assert!(newer(7, 119) && newer(6, u32::MAX) && newer(0, 0));
    assert!(!newer(7, 120) && !newer(7, 121) && !newer(8, 0));
    let refused = measured().check_newer(ReadingMark { boot: 8, seq: 0 }).unwrap_err();
    assert_eq!(refused.to_string(), "reading 7.120 after 8.0");
}

proptest! {
    #[test]
    fn every_datagram_is_read_as_it_was_sent(
        camera in any::<u128>(), probe in 0_u8..8, value in LOWEST.0..=HIGHEST.0, failed in 0_usize..4,
        boot: u32, seq: u32, t_us: u64,
    ) {
        let camera = CameraId(Uuid::from_u128(camera));
        let measured = Status::Measured(MilliCelsius(value));
        let status = [measured, Status::Silent, Status::PowerOn, Status::Garbled][failed];
        let key = ReadingKey::derive(&[7; KEY_LEN], camera);
        let datagram = Datagram { camera, probe, status, boot, seq, t_us };
        prop_assert_eq!(SealedDatagram::parse(&datagram.seal(&key)).unwrap().open(&key), Ok(datagram));
    }

    #[test]
    fn nothing_anybody_sends_panics(garbage in vec(any::<u8>(), 0..70), exact: [u8; 32], rest: [u8; 24]) {
        let _ = open(&garbage);
        let _ = open(&[&MAGIC.to_be_bytes()[..], &exact, &rest].concat());
    }
}
