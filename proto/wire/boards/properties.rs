//! What holds for any bytes, in any pieces.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    ending::{Ending, Found},
    tests::{decode, picture},
    *,
};
use crate::wire::jpeg::check;

const TYPE: &str = "multipart/x-mixed-replace;boundary=pictureboundary";

/// Cuts bytes where they are told to.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let mut from = 0;
    ends.map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #[test]
    fn pieces_mean_the_same_as_the_whole(
        parts in vec((vec(any::<u8>(), 0..200), any::<bool>(), any::<bool>()), 0..6),
        damage in vec((any::<Index>(), any::<u8>()), 0..5),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut stream = Vec::new();
        for (scan, is_counted, is_whole) in parts {
            let jpeg = if is_whole { picture(&scan) } else { scan };
            stream.extend(b"\r\n--pictureboundary\r\nX-Timestamp: 3.25\r\n");
            if is_counted {
                stream.extend(format!("Content-Length: {}\r\n", jpeg.len()).bytes());
            }
            stream.extend(b"\r\n");
            stream.extend(jpeg);
        }
        for (at, value) in damage {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = value;
            }
        }
        prop_assert_eq!(decode(TYPE, &pieces(&stream, &cuts)), decode(TYPE, &[&stream]));
    }

    #[test]
    fn every_undamaged_picture_comes_out(scans in vec(vec(0_u8..0xff, 0..200), 1..6), counted in any::<u8>()) {
        let mut stream = Vec::new();
        for (index, scan) in scans.iter().enumerate() {
            let jpeg = picture(scan);
            stream.extend(b"\r\n--pictureboundary\r\n");
            if counted & (1 << index) != 0 {
                stream.extend(format!("Content-Length: {}\r\n", jpeg.len()).bytes());
            }
            stream.extend(b"\r\n");
            stream.extend(jpeg);
        }
        let found = decode(TYPE, &[&stream]).expect("parts");
        let expected: Vec<Item> =
            scans.iter().map(|scan| Item::Part(Part { jpeg: picture(scan).into(), t_us: None })).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_picture_that_passes_ends_where_it_is_cut(
        scan in vec(prop_oneof![any::<u8>(), Just(0xff)], 0..60),
        damage in vec((any::<Index>(), any::<u8>()), 0..3),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let mut data = picture(&scan);
        for (at, value) in damage {
            let at = at.index(data.len());
            data[at] = value;
        }
        if let Ok(picture) = check(&data) {
            let (mut ending, mut len, mut found) = (Ending::default(), 0, Found::Not);
            for piece in pieces(&data, &cuts) {
                len += piece.len();
                if found == Found::Not && len >= 2 {
                    found = ending.look(&data[..len]);
                }
            }
            prop_assert_eq!(found, Found::At(picture.len));
        }
    }
}
