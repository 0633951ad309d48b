//! What a picture must pass before anyone sees it: the structure of a baseline or progressive JPEG (ITU-T T.81,
//! annex B), cut at the first EOI. Nothing is decoded.

use std::ops::RangeInclusive;

use thiserror::Error;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;
/// Reserved for extensions (JPG), like a SOF by its number.
const JPG: u8 = 0xc8;
/// Arithmetic coding conditioning, like a SOF by its number.
const DAC: u8 = 0xcc;
const SOF: RangeInclusive<u8> = 0xc0..=0xcf;
const RST: RangeInclusive<u8> = 0xd0..=0xd7;

/// A picture that passes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Picture {
    /// Pixels across, at least 1.
    pub width: u16,
    /// Pixels down, at least 1.
    pub height: u16,
    /// Bytes from SOI to the first EOI after the scan. What follows is padding, and may be an older picture's end: a
    /// DMA buffer is not cleared.
    pub len: usize,
}

/// Why a picture is refused. The names are a contract: they label metrics and `CameraStatus.frames_refused`.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Reason {
    /// It does not begin with SOI.
    #[error("no SOI at its beginning")]
    NotJpeg,
    /// A segment is no segment, or ends after the data.
    #[error("a marker segment is broken")]
    BrokenSegment,
    /// No frame header before the scan.
    #[error("no SOF before the scan")]
    NoSof,
    /// It ends before a scan begins.
    #[error("no SOS")]
    NoSos,
    /// It ends before the scan does.
    #[error("no EOI")]
    NoEoi,
    /// A marker inside the scan that can't be there.
    #[error("a foreign marker inside the scan")]
    BrokenScan,
    /// Zero pixels across or down.
    #[error("no pixels")]
    NoPixels,
    /// More pixels than any camera of ours has.
    #[error("more pixels than may be")]
    TooManyPixels,
}

impl Reason {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotJpeg => "not-jpeg",
            Self::BrokenSegment => "broken-segment",
            Self::NoSof => "no-sof",
            Self::NoSos => "no-sos",
            Self::NoEoi => "no-eoi",
            Self::BrokenScan => "broken-scan",
            Self::NoPixels => "no-pixels",
            Self::TooManyPixels => "too-many-pixels",
        }
    }
}

/// The OV5640's largest picture, 2592 x 1944, with room: a header that claims more would cost its decoder memory.
const MOST_PIXELS: u32 = 6_000_000;

/// Checks a picture.
///
/// # Errors
/// The first reason against it.
pub fn check(data: &[u8]) -> Result<Picture, Reason> {
    if data.first_chunk() != Some(&[0xff, SOI]) {
        return Err(Reason::NotJpeg);
    }
    let mut size = None;
    let mut at = 2;
    loop {
        let marker = marker_at(data, &mut at)?;
        let segment = segment_at(data, &mut at)?;
        if SOF.contains(&marker) && ![DHT, JPG, DAC].contains(&marker) {
            size = Some(size_of(segment)?);
        } else if marker == SOS {
            break;
        }
    }
    let (width, height) = size.ok_or(Reason::NoSof)?;
    let len = scan_end(data, at)?;
    Ok(Picture { width, height, len })
}

/// The marker at `at`, passing over fill bytes (T.81, B.1.1.2).
fn marker_at(data: &[u8], at: &mut usize) -> Result<u8, Reason> {
    if *data.get(*at).ok_or(Reason::NoSos)? != 0xff {
        return Err(Reason::BrokenSegment);
    }
    loop {
        *at += 1;
        match *data.get(*at).ok_or(Reason::NoSos)? {
            0xff => {}
            // Markers that stand alone have no place before the scan.
            0x00 | 0x01 | SOI | EOI => return Err(Reason::BrokenSegment),
            marker if RST.contains(&marker) => return Err(Reason::BrokenSegment),
            marker => {
                *at += 1;
                return Ok(marker);
            }
        }
    }
}

/// The segment's content after its length.
fn segment_at<'a>(data: &'a [u8], at: &mut usize) -> Result<&'a [u8], Reason> {
    let rest = data.get(*at..).ok_or(Reason::NoSos)?;
    let [high, low] = rest.first_chunk().ok_or(Reason::NoSos)?;
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if len < 2 {
        return Err(Reason::BrokenSegment);
    }
    let segment = rest.get(2..len).ok_or(Reason::BrokenSegment)?;
    *at += len;
    Ok(segment)
}

/// Width and height from a SOF: precision, height, width, components.
fn size_of(segment: &[u8]) -> Result<(u16, u16), Reason> {
    let [_, h1, h0, w1, w0, ..] = *segment else { return Err(Reason::BrokenSegment) };
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    match u32::from(width) * u32::from(height) {
        0 => Err(Reason::NoPixels),
        pixels if pixels > MOST_PIXELS => Err(Reason::TooManyPixels),
        _ => Ok((width, height)),
    }
}

/// Where the entropy-coded data that begins at `at` ends: after the first EOI. Passes over stuffed zeros, restart
/// markers and fill bytes, and over the tables and headers between the scans of a progressive picture.
fn scan_end(data: &[u8], mut at: usize) -> Result<usize, Reason> {
    loop {
        let skipped = data.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff));
        at += skipped.ok_or(Reason::NoEoi)?;
        match *data.get(at + 1).ok_or(Reason::NoEoi)? {
            0x00 => at += 2,
            0xff => at += 1,
            EOI => return Ok(at + 2),
            marker if RST.contains(&marker) => at += 2,
            // Tables, another scan, the number of lines, a comment or an application's segment.
            DHT | 0xda..=0xdd | 0xe0..=0xef | 0xfe => {
                at += 2;
                segment_at(data, &mut at).map_err(|reason| match reason {
                    Reason::NoSos => Reason::NoEoi,
                    _ => Reason::BrokenScan,
                })?;
            }
            _ => return Err(Reason::BrokenScan),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// SOI, APP0, SOF0 of 640 x 480, SOS, a scan with stuffing and a restart marker, EOI.
    fn picture() -> Vec<u8> {
        let mut data = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, b'J', b'F'];
        data.extend([0xff, 0xc4, 0, 3, 0, 0xff, 0xff, 0xc0, 0, 11, 8, 0x01, 0xe0, 0x02, 0x80, 1, 1, 0x21, 0]);
        data.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
        data.extend([1, 2, 0xff, 0x00, 3, 0xff, 0xd0, 4, 0xff, 0xff, 0xd9]);
        data
    }

    fn changed(at: usize, value: u8) -> Result<Picture, Reason> {
        let mut data = picture();
        data[at] = value;
        check(&data)
    }

    #[test]
    fn a_picture_is_cut_at_its_first_end() {
        let whole = picture();
        let passed = Picture { width: 640, height: 480, len: whole.len() };
        assert_eq!(check(&whole), Ok(passed));
        let padded = [&whole[..], &[0; 7], &[0xff, 0xd9]].concat();
        assert_eq!(check(&padded), Ok(passed), "an older picture's end in the padding does not count");
    }

    #[test]
    fn each_kind_of_damage_has_its_name() {
        let whole = picture();
        assert_eq!(check(&[]), Err(Reason::NotJpeg));
        assert_eq!(changed(1, 0xd9), Err(Reason::NotJpeg));
        assert_eq!(changed(2, 0), Err(Reason::BrokenSegment));
        assert_eq!(changed(5, 1), Err(Reason::BrokenSegment));
        assert_eq!(changed(4, 0xf0), Err(Reason::BrokenSegment));
        assert_eq!(changed(15, 0xc4), Err(Reason::NoSof));
        assert_eq!(check(&whole[..30]), Err(Reason::NoSos));
        assert_eq!(check(&whole[..whole.len() - 1]), Err(Reason::NoEoi));
        assert_eq!(check(&whole[..whole.len() - 2]), Err(Reason::NoEoi));
        assert_eq!(changed(whole.len() - 5, 0xc0), Err(Reason::BrokenScan));
    }

    #[test]
    fn a_size_that_no_camera_has_is_refused() {
        let sized = |height: u16, width: u16| {
            let mut data = picture();
            data[19..21].copy_from_slice(&height.to_be_bytes());
            data[21..23].copy_from_slice(&width.to_be_bytes());
            check(&data).map(|picture| (picture.width, picture.height))
        };
        assert_eq!(sized(1200, 1600), Ok((1600, 1200)));
        assert_eq!(sized(0, 640), Err(Reason::NoPixels));
        assert_eq!(sized(480, 0), Err(Reason::NoPixels));
        assert_eq!(sized(u16::MAX, u16::MAX), Err(Reason::TooManyPixels));
    }

    #[test]
    fn the_names_are_a_contract() {
        use Reason as R;
        let all =
            [R::NotJpeg, R::BrokenSegment, R::NoSof, R::NoSos, R::NoEoi, R::BrokenScan, R::NoPixels, R::TooManyPixels];
        assert_eq!(
            all.map(Reason::name).join(" "),
            "not-jpeg broken-segment no-sof no-sos no-eoi broken-scan no-pixels too-many-pixels"
        );
    }

    proptest! {
        #[test]
        fn what_passes_ends_with_its_own_end(
            damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
            tail in vec(any::<u8>(), 0..20),
        ) {
            let mut data = picture();
            data.extend(tail);
            for (at, value) in damage {
                let at = at.index(data.len());
                data[at] = value;
            }
            if let Ok(picture) = check(&data) {
                prop_assert_eq!(&data[picture.len - 2..picture.len], &[0xff, EOI][..]);
                prop_assert_eq!(check(&data[..picture.len]), Ok(picture));
            }
        }
    }
}
