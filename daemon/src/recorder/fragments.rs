//! Splits ffmpeg's fragmented MP4 into its init section and its fragments. Pure.
//!
//! `ftyp` and `moov` are the init section; each `moof` with the `mdat` behind it is a fragment. What else a muxer may
//! write (`styp`, `sidx`, `mfra`) is left out.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::mp4::{self, Mp4Error};

/// What every fragment of a run needs to be decoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Init {
    /// `ftyp` and `moov`.
    pub(super) bytes: Bytes,
    /// Pixels.
    pub(super) size: (u16, u16),
    /// RFC 6381, for example `avc1.42C01E`.
    pub(super) codec: String,
}

/// One key frame and what follows it until the next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    /// `moof` and `mdat`.
    pub(super) bytes: Bytes,
    /// Counts the run's fragments from 0.
    pub(super) number: u32,
    /// Since the run's start, in whole milliseconds.
    pub(super) start: Duration,
    /// Until the next fragment starts. Of a run's last fragment it is the encoder's guess.
    pub(super) duration: Duration,
    /// Until its own last picture.
    pub(super) to_last_picture: Duration,
    /// How many pictures.
    pub(super) pictures: usize,
}

/// A part of the stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Comes once, first.
    Init(Init),
    /// Comes again and again.
    Piece(Piece),
}

/// Takes bytes as they come and gives whole parts.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    buffer: BytesMut,
    /// Bytes at the front of `buffer` that are whole boxes of the part being gathered.
    gathered: usize,
    /// Of the part being gathered, where its `moov` or `moof` body lies.
    described: Option<(Kind, std::ops::Range<usize>)>,
    timescale: Option<u32>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Init,
    Piece,
}

impl Splitter {
    /// A splitter for the fragments of a run whose init section was read before.
    pub(super) fn after_init(timescale: u32) -> Self {
        Self { timescale: Some(timescale), ..Self::default() }
    }

    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Units in a second, known after the init section.
    pub(super) fn timescale(&self) -> Option<u32> {
        self.timescale
    }

    /// The next whole part; `None` while more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are no fragmented MP4 of one H.264 track. The splitter is of no use after.
    pub(super) fn next_part(&mut self) -> Result<Option<Part>, Mp4Error> {
        loop {
            let rest = &self.buffer[self.gathered..];
            let Some((name, size)) = mp4::head(rest)? else { return Ok(None) };
            if rest.len() < size {
                return Ok(None);
            }
            let body = self.gathered + 8..self.gathered + size;
            self.gathered = body.end;
            match (&name, self.timescale, &self.described) {
                // The first box of all; one after the other would be kept without end.
                (b"ftyp", None, None) if body.start == 8 => {}
                (b"moov", None, None) => {
                    self.described = Some((Kind::Init, body));
                    return self.finish().map(Some);
                }
                (b"moof", Some(_), None) => self.described = Some((Kind::Piece, body)),
                (b"mdat", Some(_), Some((Kind::Piece, _))) => return self.finish().map(Some),
                (b"styp" | b"sidx" | b"mfra" | b"free" | b"skip" | b"prft" | b"emsg", _, None) => self.leave_out(),
                _ => return Err(Mp4Error::Unexpected(mp4::printable(name))),
            }
        }
    }

    fn leave_out(&mut self) {
        drop(self.buffer.split_to(std::mem::take(&mut self.gathered)));
    }

    fn finish(&mut self) -> Result<Part, Mp4Error> {
        let bytes = self.buffer.split_to(std::mem::take(&mut self.gathered)).freeze();
        let (kind, body) = self.described.take().ok_or(Mp4Error::Missing("moof"))?;
        Ok(match kind {
            Kind::Init => {
                let track = mp4::track(&bytes[body])?;
                self.timescale = Some(track.timescale);
                Part::Init(Init { bytes: bytes.clone(), size: track.size, codec: track.codec })
            }
            Kind::Piece => Part::Piece(self.piece(&mp4::moof(&bytes[body])?, bytes.clone())?),
        })
    }

    fn piece(&self, moof: &mp4::Moof, bytes: Bytes) -> Result<Piece, Mp4Error> {
        let timescale = self.timescale.ok_or(Mp4Error::Missing("moov"))?;
        let (last, before) = moof.durations.split_last().ok_or(Mp4Error::Missing("trun"))?;
        let to_last: u64 = before.iter().copied().map(u64::from).sum();
        // Both ends are rounded, not the length, so that the parts of a run meet without a hole.
        let start = millis(moof.start, timescale);
        let end = millis(moof.start.saturating_add(to_last + u64::from(*last)), timescale);
        let last_picture = millis(moof.start.saturating_add(to_last), timescale);
        Ok(Piece {
            bytes,
            number: moof.sequence.checked_sub(1).ok_or(Mp4Error::Missing("mfhd"))?,
            start,
            duration: end.saturating_sub(start),
            to_last_picture: last_picture.saturating_sub(start),
            pictures: moof.durations.len(),
        })
    }
}

fn millis(units: u64, timescale: u32) -> Duration {
    let ms = (u128::from(units) * 1000 + u128::from(timescale / 2)) / u128::from(timescale);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::made::{a_box, fragment, init};

    fn split(bytes: &[u8], chunk: usize) -> Result<Vec<Part>, Mp4Error> {
        let mut splitter = Splitter::default();
        let mut parts = Vec::new();
        for chunk in bytes.chunks(chunk.max(1)) {
            splitter.push(chunk);
            while let Some(part) = splitter.next_part()? {
                parts.push(part);
            }
        }
        Ok(parts)
    }

    #[test]
    fn a_stream_in_pieces_of_any_length_gives_the_same_parts() {
        let (first, second) = (fragment(0, 0, &[400, 1600], 90), fragment(1, 2000, &[100, 100, 90], 33));
        let bytes = [init(), a_box(b"styp", b"msdh"), first.clone(), second.clone()].concat();
        let whole = split(&bytes, bytes.len()).unwrap();
        let [Part::Init(head), Part::Piece(one), Part::Piece(two)] = &whole[..] else { panic!("{whole:?}") };
        assert_eq!((head.codec.as_str(), head.size), ("avc1.42C01E", (640, 480)));
        assert_eq!(head.bytes, init());
        assert_eq!((one.number, one.start, one.duration), (0, Duration::ZERO, Duration::from_secs(2)));
        assert_eq!(one.to_last_picture, Duration::from_millis(400));
        assert_eq!((two.number, two.pictures, two.duration), (1, 3, Duration::from_millis(290)));
        assert_eq!((&one.bytes[..], &two.bytes[..]), (&first[..], &second[..]));
        for chunk in 1..60 {
            assert_eq!(split(&bytes, chunk).unwrap(), whole);
        }
    }

    #[test]
    fn a_fragment_before_the_init_section_is_refused() {
        assert_eq!(split(&fragment(0, 0, &[1], 1), 100), Err(Mp4Error::Unexpected("moof".into())));
    }

    #[test]
    fn a_second_beginning_is_refused_and_not_kept_for_later() {
        let twice = a_box(b"ftyp", b"iso5").repeat(2);
        assert_eq!(split(&twice, 100), Err(Mp4Error::Unexpected("ftyp".into())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_split_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), chunk in 1usize..50) {
            let _ = split(&[init(), bytes].concat(), chunk);
        }
    }
}
