//! The few boxes of ISO/IEC 14496-12 that a fragmented MP4 of one video track needs read. Pure.

use thiserror::Error;

/// More than two seconds of the largest pictures; an init section is under 1 KB.
const LARGEST_BOX: u64 = 64 << 20;

/// Sixty pictures a second for more than a minute; a fragment is two seconds.
const MOST_PICTURES: usize = 5000;

/// Why bytes are not the fragmented MP4 that ffmpeg was asked for.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(super) enum Mp4Error {
    /// A box whose size cannot be.
    #[error("a box {name:?} of {size} bytes")]
    BoxSize {
        /// Four characters.
        name: String,
        /// As it claims.
        size: u64,
    },
    /// A box that must be there is not, or ends early.
    #[error("box {0:?} is missing or cut")]
    Missing(&'static str),
    /// A box that cannot be where it is.
    #[error("a box {0:?} where none may be")]
    Unexpected(String),
}

/// The name and whole size of the box that begins here; `None` while its head is not whole.
pub(super) fn head(bytes: &[u8]) -> Result<Option<([u8; 4], usize)>, Mp4Error> {
    let (Some(short), Some(name)) = (be_u32(bytes, 0), array::<4>(bytes, 4)) else { return Ok(None) };
    let size = if short == 1 {
        let Some(long) = be_u64(bytes, 8) else { return Ok(None) };
        long
    } else {
        u64::from(short)
    };
    let least = if short == 1 { 16 } else { 8 };
    match usize::try_from(size) {
        Ok(whole) if (least..=LARGEST_BOX).contains(&size) => Ok(Some((name, whole))),
        _ => Err(Mp4Error::BoxSize { name: printable(name), size }),
    }
}

/// The body of the first box `name` among the boxes in `bytes`.
pub(super) fn child<'a>(mut bytes: &'a [u8], name: &'static str) -> Result<&'a [u8], Mp4Error> {
    while let Some((found, size)) = head(bytes)? {
        let whole = bytes.get(..size).ok_or(Mp4Error::Missing(name))?;
        if found == name.as_bytes() {
            return Ok(whole.get(8..).unwrap_or_default());
        }
        bytes = &bytes[size..];
    }
    Err(Mp4Error::Missing(name))
}

/// What the init section says of the track.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Track {
    pub(super) timescale: u32,
    pub(super) size: (u16, u16),
    /// RFC 6381.
    pub(super) codec: String,
}

/// Reads a `moov`'s body.
pub(super) fn track(moov: &[u8]) -> Result<Track, Mp4Error> {
    let mdia = child(child(moov, "trak")?, "mdia")?;
    let mdhd = child(mdia, "mdhd")?;
    // After version and flags: two times of 4 or, in version 1, 8 bytes.
    let timescale_at = if mdhd.first() == Some(&1) { 20 } else { 12 };
    let timescale = be_u32(mdhd, timescale_at).filter(|timescale| *timescale > 0).ok_or(Mp4Error::Missing("mdhd"))?;
    let stsd = child(child(child(mdia, "minf")?, "stbl")?, "stsd")?;
    let avc1 = child(stsd.get(8..).unwrap_or_default(), "avc1")?;
    // VisualSampleEntry: width and height at 24 and 26, its boxes from 78.
    let (Some(width), Some(height)) = (be_u16(avc1, 24), be_u16(avc1, 26)) else {
        return Err(Mp4Error::Missing("avc1"));
    };
    let avcc = child(avc1.get(78..).unwrap_or_default(), "avcC")?;
    let [profile, constraints, level] = array::<3>(avcc, 1).ok_or(Mp4Error::Missing("avcC"))?;
    Ok(Track { timescale, size: (width, height), codec: format!("avc1.{profile:02X}{constraints:02X}{level:02X}") })
}

/// What a `moof` says, in the track's timescale.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Moof {
    /// From 1, rising by one within a run.
    pub(super) sequence: u32,
    pub(super) start: u64,
    /// One a picture.
    pub(super) durations: Vec<u32>,
}

/// Reads a `moof`'s body.
pub(super) fn moof(moof: &[u8]) -> Result<Moof, Mp4Error> {
    let sequence = be_u32(child(moof, "mfhd")?, 4).ok_or(Mp4Error::Missing("mfhd"))?;
    let traf = child(moof, "traf")?;
    let tfdt = child(traf, "tfdt")?;
    let start = if tfdt.first() == Some(&1) { be_u64(tfdt, 4) } else { be_u32(tfdt, 4).map(u64::from) };
    let start = start.ok_or(Mp4Error::Missing("tfdt"))?;
    let default = Defaults::read(child(traf, "tfhd")?)?;
    let trun = child(traf, "trun")?;
    let durations = samples(trun, DURATION, default.duration)?;
    Ok(Moof { sequence, start, durations })
}

/// How many bytes of `mdat` a `moof`'s body speaks of.
pub(super) fn media_bytes(moof: &[u8]) -> Result<u64, Mp4Error> {
    let traf = child(moof, "traf")?;
    let default = Defaults::read(child(traf, "tfhd")?)?;
    Ok(samples(child(traf, "trun")?, SIZE, default.size)?.into_iter().map(u64::from).sum())
}

/// What holds for every picture that says nothing else.
struct Defaults {
    duration: u32,
    size: u32,
}

impl Defaults {
    fn read(tfhd: &[u8]) -> Result<Self, Mp4Error> {
        const BASE_DATA_OFFSET: u32 = 0x1;
        const DESCRIPTION_INDEX: u32 = 0x2;
        const DURATION: u32 = 0x8;
        const SIZE: u32 = 0x10;
        let cut = Mp4Error::Missing("tfhd");
        let flags = be_u32(tfhd, 0).ok_or(cut.clone())?;
        let mut at = 8;
        let mut take = |flag: u32, length: usize| {
            let there = flags & flag != 0;
            at += if there { length } else { 0 };
            there.then(|| at - length)
        };
        take(BASE_DATA_OFFSET, 8);
        take(DESCRIPTION_INDEX, 4);
        let (duration, size) = (take(DURATION, 4), take(SIZE, 4));
        let value = |at: Option<usize>| at.map_or(Ok(0), |at| be_u32(tfhd, at).ok_or(cut.clone()));
        Ok(Self { duration: value(duration)?, size: value(size)? })
    }
}

/// Of a `trun`'s pictures: their durations, sizes, flags and composition offsets, 4 bytes each when there.
const DURATION: u32 = 0x100;
const SIZE: u32 = 0x200;
const EACH: [u32; 4] = [DURATION, SIZE, 0x400, 0x800];

/// One of the four of each picture.
fn samples(trun: &[u8], which: u32, default: u32) -> Result<Vec<u32>, Mp4Error> {
    const DATA_OFFSET: u32 = 0x1;
    const FIRST_FLAGS: u32 = 0x4;
    let cut = Mp4Error::Missing("trun");
    let (Some(flags), Some(count)) = (be_u32(trun, 0), be_u32(trun, 4)) else { return Err(cut) };
    let optional = [DATA_OFFSET, FIRST_FLAGS].into_iter().filter(|flag| flags & flag != 0).count();
    let length = |flags_of: u32| 4 * EACH.into_iter().filter(|flag| flags & flags_of & flag != 0).count();
    let each = length(u32::MAX);
    let table = trun.get(8 + 4 * optional..).ok_or(cut.clone())?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // Checked before anything is made of `count`. A fragment of one picture has everything in its defaults and a table
    // without a byte.
    if count > MOST_PICTURES || count.checked_mul(each).is_none_or(|length| length > table.len()) {
        return Err(cut);
    }
    if flags & which == 0 {
        return Ok(vec![default; count]);
    }
    let at = length(which - 1);
    table.chunks_exact(each).take(count).map(|sample| be_u32(sample, at).ok_or(cut.clone())).collect()
}

pub(super) fn printable(name: [u8; 4]) -> String {
    name.escape_ascii().to_string()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn be_u64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fragment_of_one_picture_takes_its_duration_from_the_defaults() {
        // As ffmpeg writes it: data offset and first flags, no entry.
        let trun = [0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0x98, 2, 0, 0, 0];
        assert_eq!(samples(&trun, DURATION, 100), Ok(vec![100]));
        assert_eq!(samples(&trun, SIZE, 7), Ok(vec![7]));
        let endless = [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(samples(&endless, DURATION, 100), Err(Mp4Error::Missing("trun")));
    }

    #[test]
    fn a_box_larger_than_any_fragment_is_refused_from_its_head() {
        let bytes = [0x7f, 0xff, 0xff, 0xff, b'm', b'd', b'a', b't'];
        assert_eq!(head(&bytes), Err(Mp4Error::BoxSize { name: "mdat".into(), size: 0x7fff_ffff }));
        assert_eq!(head(&bytes[..7]), Ok(None));
        assert!(head(&[0, 0, 0, 7, b'f', b'r', b'e', b'e']).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_boxes_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (track(&bytes), moof(&bytes), media_bytes(&bytes), samples(&bytes, SIZE, 1), Defaults::read(&bytes).is_ok());
        }
    }
}
