//! The splitter.

use std::time::Duration;

use super::{
    fragments::{Part, Splitter},
    made,
    mp4::Mp4Error,
};
use crate::input::{Input, pieces};

#[derive(Debug, PartialEq)]
struct Split {
    parts: Vec<Part>,
    error: Option<Mp4Error>,
}

/// A stream is the same fragments however it arrives, nothing is kept longer than it is needed, and what was written
/// is read.
pub(crate) fn fragments(data: &[u8]) {
    let mut input = Input::new(data);
    let (how, lengths) = (input.byte(), input.array());
    let (stream, written) = match how % 3 {
        0 => (input.rest().to_vec(), None),
        1 => ([&made::init(), input.rest()].concat(), None),
        _ => {
            let (stream, written) = write(&mut input);
            (stream, Some(written))
        }
    };
    let whole = split(std::iter::once(&stream[..]));
    assert_eq!(split(pieces(&stream, lengths)), whole);
    let of_parts: usize = whole.parts.iter().map(|part| bytes_of(part).len()).sum();
    assert!(of_parts <= stream.len());
    if let Some(written) = written {
        assert_eq!(whole.error, None);
        assert_eq!(whole.parts.iter().map(|part| bytes_of(part).to_vec()).collect::<Vec<_>>(), written);
    }
}

fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Split {
    let mut splitter = Splitter::default();
    let mut parts = Vec::new();
    for piece in pieces {
        splitter.push(piece);
        loop {
            match splitter.next_part() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => break,
                Err(error) => return Split { parts, error: Some(error) },
            }
        }
    }
    Split { parts, error: None }
}

fn bytes_of(part: &Part) -> &[u8] {
    match part {
        Part::Init(init) => &init.bytes,
        Part::Piece(piece) => {
            assert!(piece.to_last_picture <= piece.duration && piece.pictures > 0);
            assert!(piece.duration < Duration::from_secs(u64::MAX / 1000));
            &piece.bytes
        }
    }
}

/// A stream with boxes of no interest between its parts, and these parts.
fn write(input: &mut Input<'_>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut parts = vec![made::init()];
    let mut stream = made::init();
    let mut number = 0;
    while !input.is_empty() && number < 16 {
        if input.byte() & 1 == 1 {
            stream.extend(made::a_box(b"styp", input.take(8)));
        }
        let durations: Vec<u32> = (0..=input.byte() % 8).map(|_| input.u32()).collect();
        let fragment = made::fragment(number, input.u32(), &durations, usize::from(input.byte()));
        stream.extend(&fragment);
        parts.push(fragment);
        number += 1;
    }
    (stream, parts)
}
