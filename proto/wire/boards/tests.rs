//! Streams byte for byte as boards send them.

use bytes::BytesMut;

use super::*;
use crate::wire::jpeg::check;

/// SOI, SOF0 of 640 x 480, SOS, a scan of `scan`, EOI.
pub(super) fn picture(scan: &[u8]) -> Vec<u8> {
    let mut data = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, b'J', 0xff];
    data.extend([0xff, 0xc0, 0, 11, 8, 0x01, 0xe0, 0x02, 0x80, 1, 1, 0x21, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    data.extend(scan);
    data.extend([0xff, 0xd9]);
    data
}

pub(super) fn decode(content_type: &str, pieces: &[&[u8]]) -> Result<Vec<Item>, Lost> {
    let mut multipart = Multipart::new(Boundary::of(content_type).expect("a boundary"));
    let (mut buffer, mut items) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(item) = multipart.decode(&mut buffer)? {
            let is_over = item == Item::End;
            items.push(item);
            if is_over {
                return Ok(items);
            }
        }
        assert!(buffer.len() <= MOST_PART, "{} bytes wait", buffer.len());
    }
    Ok(items)
}

fn part(jpeg: &[u8], t_us: Option<u64>) -> Item {
    Item::Part(Part { jpeg: jpeg.to_vec().into(), t_us })
}

const TYPE: &str = "multipart/x-mixed-replace;boundary=123456789000000000000987654321";

#[test]
fn camera_web_server_gives_lengths_and_times() {
    let (one, two) = (picture(b"one"), picture(b"\r\n--123456789000000000000987654321\r\n"));
    let mut stream = Vec::new();
    for (jpeg, time) in [(&one, "12.003400"), (&two, "12.103400")] {
        stream.extend(b"\r\n--123456789000000000000987654321\r\n");
        let header =
            format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {time}\r\n\r\n", jpeg.len());
        stream.extend(header.bytes());
        stream.extend(jpeg);
    }
    let expected = vec![part(&one, Some(12_003_400)), part(&two, Some(12_103_400))];
    assert_eq!(decode(TYPE, &[&stream]), Ok(expected.clone()));
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(TYPE, &bytes), Ok(expected));
}

#[test]
fn a_boundary_after_the_picture_ends_nothing_and_delays_nothing() {
    // ESPHome's order: the delimiter first, then header, picture, delimiter.
    let jpeg = picture(b"scan");
    let header = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
    let first = [b"--123456789000000000000987654321\r\n", header.as_bytes(), &jpeg].concat();
    let next = [b"\r\n--123456789000000000000987654321\r\n", header.as_bytes(), &jpeg].concat();
    assert_eq!(decode(TYPE, &[&first]), Ok(vec![part(&jpeg, None)]), "before anything follows it");
    assert_eq!(decode(TYPE, &[&first, &next]).map(|items| items.len()), Ok(2));
}

#[test]
fn without_a_length_a_picture_goes_from_soi_to_eoi() {
    let (one, two) = (picture(&[1, 0xff, 0, 2, 0xff, 0xd0, 3]), picture(b"second"));
    let stream = [
        b"--pictureboundary\nContent-Type: image/jpeg\n\n",
        &one[..],
        b"\0\0\n--pictureboundary\n\n",
        &two,
        b"\n--pictureboundary--\n",
    ]
    .concat();
    let expected = vec![part(&one, None), part(&two, None), Item::End];
    assert_eq!(decode("multipart/x-mixed-replace; boundary=\"--pictureboundary\"", &[&stream]), Ok(expected));
}

#[test]
fn a_cut_picture_costs_no_other_one() {
    let whole = picture(&[7; 500]);
    let delimiter = b"\r\n--pictureboundary\r\n\r\n";
    let type_ = "multipart/x-mixed-replace;boundary=pictureboundary";
    for cut in [3, 10, 30, 300] {
        let stream = [delimiter, &whole[..cut], delimiter, &whole, delimiter, &whole].concat();
        let items = decode(type_, &[&stream]).expect("parts");
        let whole_ones = items.iter().filter(|item| **item == part(&whole, None)).count();
        assert_eq!((whole_ones, items.len()), (2, 3), "cut at {cut}");
    }
    // A length that is too long takes the next one with it, and its own picture is whole.
    let header = format!("\r\n--pictureboundary\r\nContent-Length: {}\r\n\r\n", whole.len() + 40);
    let stream = [header.as_bytes(), &whole, delimiter, &whole, delimiter, &whole].concat();
    let items = decode(type_, &[&stream]).expect("parts");
    assert_eq!(items.len(), 2);
    for item in items {
        let Item::Part(part) = item else { panic!("{item:?}") };
        assert_eq!(check(&part.jpeg).map(|picture| picture.len), Ok(whole.len()));
    }
}

#[test]
fn what_is_too_large_is_passed_over_and_the_next_one_is_not() {
    let jpeg = picture(b"scan");
    let large = vec![0x55; MOST_PART + 1];
    let header = format!("--pictureboundary\r\nContent-Length: {}\r\n\r\n", large.len());
    let next = [b"\r\n--pictureboundary\r\n\r\n", &jpeg[..]].concat();
    let type_ = "multipart/x-mixed-replace;boundary=pictureboundary";
    let expected = Ok(vec![Item::Refused(PartError::TooLarge), part(&jpeg, None)]);
    assert_eq!(decode(type_, &[header.as_bytes(), &large[..400_000], &large[400_000..], &next]), expected);

    let endless = [b"--pictureboundary\r\n\r\n", &picture(&[])[..31], &large[..]].concat();
    let pieces: Vec<&[u8]> = endless.chunks(5000).chain([&next[..]]).collect();
    let Ok(items) = decode(type_, &pieces) else { panic!("lost") };
    assert_eq!(items, [Item::Refused(PartError::TooLarge), part(&jpeg, None)]);

    let header = [b"--pictureboundary\r\n", &b"X: y\r\n".repeat(1000)[..], b"\r\n", &next].concat();
    let pieces: Vec<&[u8]> = header.chunks(100).collect();
    assert_eq!(decode(type_, &pieces), Ok(vec![Item::Refused(PartError::Header), part(&jpeg, None)]));
}

#[test]
fn what_has_no_boundary_is_given_up() {
    let page = vec![b'x'; 8192];
    let pieces: Vec<&[u8]> = std::iter::repeat_n(&page[..], 200).collect();
    assert_eq!(decode(TYPE, &pieces), Err(Lost));
    let lines = b"<p>\r\n".repeat(300_000);
    assert_eq!(decode(TYPE, &[&lines]), Err(Lost));
}

#[test]
fn times_that_are_none_are_left_out() {
    let jpeg = picture(b"scan");
    for (text, t_us) in [
        ("7", Some(7_000_000)),
        ("7.5", Some(7_500_000)),
        ("7.0000001", None),
        ("-7.0", None),
        (".5", None),
        ("18446744073709551615.0", None),
    ] {
        let header = format!("--pictureboundary\r\nX-TIMESTAMP:{text}\r\ncontent-length:{}\r\n\r\n", jpeg.len());
        let items = decode("multipart/x-mixed-replace;boundary=pictureboundary", &[header.as_bytes(), &jpeg]);
        assert_eq!(items, Ok(vec![part(&jpeg, t_us)]), "{text}");
    }
}
