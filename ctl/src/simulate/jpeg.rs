//! JPEG in the exact shape that an OV2640 writes.
//!
//! The header is always 623 bytes: APP0 (JFIF 1.1, density 0x0), two quantization tables, the four Huffman tables of
//! ITU-T T.81 annex K.3, SOF0 at offset 590 with 4:2:2, SOS; nothing stands after EOI. The entropy data comes from
//! jpeg-encoder; its own header is thrown away.

use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType, QuantizationTableType, SamplingFactor};
use larder_proto::wire::camera::Size;

/// Bytes before the entropy data.
pub const HEADER_LEN: usize = 623;

/// The sensor's quality setting, 4 (best) to 63: luma DQT\[0\] is the same number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quality(u8);

impl Quality {
    /// `None` for what the sensor does not take.
    pub fn new(quality: u8) -> Option<Self> {
        (4..=63).contains(&quality).then_some(Self(quality))
    }

    /// The setting.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self(12)
    }
}

/// Encodes pixels of Y, Cb, Cr. `size` is width and height; missing pixels are black.
pub fn encode(pixels: &[[u8; 3]], size: (u16, u16), quality: Quality) -> Vec<u8> {
    let (luma, chroma) = (table(&LUMA, quality), table(&CHROMA, quality));
    let mut file = Vec::with_capacity(64 * 1024);
    let mut encoder = Encoder::new(&mut file, 50);
    encoder.set_sampling_factor(SamplingFactor::F_2_1);
    encoder.set_quantization_tables(custom(&luma), custom(&chroma));
    // A sensor has at least one pixel and the buffer grows, so neither of the two possible errors can happen; an
    // empty scan is what is left of them.
    let scan = match encoder.encode_image(Pixels { pixels, size }) {
        Ok(()) => entropy(&file),
        Err(error) => {
            tracing::error!(%error, "a picture could not be encoded");
            &[]
        }
    };
    let mut out = header(size, &luma, &chroma);
    out.extend_from_slice(scan);
    out.extend_from_slice(&[0xff, 0xd9]);
    out
}

/// The size that a JPEG's own header tells.
pub fn size(file: &[u8]) -> Option<Size> {
    let frame = segment(file, |marker| matches!(marker, 0xc0..=0xc2))?;
    let [_, high, low, wide, narrow, ..] = *frame else { return None };
    Some(Size { width: u16::from_be_bytes([wide, narrow]), height: u16::from_be_bytes([high, low]) })
}

/// The sensor's quality setting: the first step of the luma table.
pub fn quality(file: &[u8]) -> Option<u8> {
    segment(file, |marker| marker == 0xdb)?.get(1).copied()
}

/// The contents of the first wanted segment before the scan.
fn segment(file: &[u8], wanted: impl Fn(u8) -> bool) -> Option<&[u8]> {
    let mut rest = file.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let [0xff, marker, high, low, ..] = *rest else { return None };
        let end = 2 + usize::from(u16::from_be_bytes([high, low]));
        let contents = rest.get(4..end)?;
        match marker {
            marker if wanted(marker) => return Some(contents),
            0xda => return None,
            _ => rest = &rest[end..],
        }
    }
}

struct Pixels<'a> {
    pixels: &'a [[u8; 3]],
    size: (u16, u16),
}

impl ImageBuffer for Pixels<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.size.0
    }

    fn height(&self) -> u16 {
        self.size.1
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let width = usize::from(self.size.0);
        let row = self.pixels.get(usize::from(y) * width..).unwrap_or_default();
        let [luma, blue, red, _] = buffers;
        for pixel in row.iter().chain(std::iter::repeat(&[0, 128, 128])).take(width) {
            luma.push(pixel[0]);
            blue.push(pixel[1]);
            red.push(pixel[2]);
        }
    }
}

fn custom(table: &[u8; 64]) -> QuantizationTableType {
    QuantizationTableType::Custom(Box::new(table.map(u16::from)))
}

/// The sensor's scaling of annex K, measured on its files.
fn table(annex: &[u8; 64], quality: Quality) -> [u8; 64] {
    annex.map(|step| u8::try_from(((u16::from(step) * u16::from(quality.0) + 8) / 16).max(1)).unwrap_or(u8::MAX))
}

/// What stands between SOS and EOI.
fn entropy(file: &[u8]) -> &[u8] {
    let start = file.windows(2).position(|pair| pair == [0xff, 0xda]).map_or(file.len(), |at| at + 2 + 12);
    file.get(start..file.len().saturating_sub(2)).unwrap_or_default()
}

fn header((width, height): (u16, u16), luma: &[u8; 64], chroma: &[u8; 64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * 1024);
    out.extend_from_slice(&[0xff, 0xd8, 0xff, 0xe0, 0, 16]);
    out.extend_from_slice(b"JFIF\0\x01\x01\x01\0\0\0\0\0\0");
    for (id, table) in [(0, luma), (1, chroma)] {
        out.extend_from_slice(&[0xff, 0xdb, 0, 67, id]);
        out.extend(ZIGZAG.iter().map(|&place| table[usize::from(place)]));
    }
    for (class, lengths, values) in HUFFMAN {
        let length = u16::try_from(3 + lengths.len() + values.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&[0xff, 0xc4]);
        out.extend_from_slice(&length.to_be_bytes());
        out.push(class);
        out.extend_from_slice(lengths);
        out.extend_from_slice(values);
    }
    out.extend_from_slice(&[0xff, 0xc0, 0, 17, 8]);
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&width.to_be_bytes());
    out.extend_from_slice(&[3, 1, 0x21, 0, 2, 0x11, 1, 3, 0x11, 1]);
    out.extend_from_slice(&[0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
    out
}

/// ITU-T T.81 table K.1.
#[rustfmt::skip]
const LUMA: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// ITU-T T.81 table K.2.
#[rustfmt::skip]
const CHROMA: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// The order that coefficients are written in, ITU-T T.81 figure 5.
#[rustfmt::skip]
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10,
    17, 24, 32, 25, 18, 11, 4, 5,
    12, 19, 26, 33, 40, 48, 41, 34,
    27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36,
    29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46,
    53, 60, 61, 54, 47, 55, 62, 63,
];

/// ITU-T T.81 tables K.3 to K.6: class and id, the number of codes of each length, the values.
const HUFFMAN: [(u8, &[u8; 16], &[u8]); 4] = [
    (0x00, &LUMA_DC_LENGTHS, &LUMA_DC),
    (0x10, &LUMA_AC_LENGTHS, &LUMA_AC),
    (0x01, &CHROMA_DC_LENGTHS, &CHROMA_DC),
    (0x11, &CHROMA_AC_LENGTHS, &CHROMA_AC),
];

#[rustfmt::skip]
const LUMA_DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];

#[rustfmt::skip]
const LUMA_DC: [u8; 12] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
];

#[rustfmt::skip]
const LUMA_AC_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125];

#[rustfmt::skip]
const LUMA_AC: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[rustfmt::skip]
const CHROMA_DC_LENGTHS: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];

#[rustfmt::skip]
const CHROMA_DC: [u8; 12] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
];

#[rustfmt::skip]
const CHROMA_AC_LENGTHS: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119];

#[rustfmt::skip]
const CHROMA_AC: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(file: &[u8], at: usize) -> [u8; 2] {
        [file[at], file[at + 1]]
    }

    fn grey(width: u16, height: u16, quality: u8) -> Vec<u8> {
        let count = usize::from(width) * usize::from(height);
        let pixels: Vec<_> = (0..count).map(|place| [u8::try_from(place % 251).unwrap(), 128, 128]).collect();
        encode(&pixels, (width, height), Quality::new(quality).unwrap())
    }

    #[test]
    fn every_marker_stands_where_the_sensor_writes_it() {
        let file = grey(640, 480, 12);
        let markers =
            [(0, 0xd8), (2, 0xe0), (20, 0xdb), (89, 0xdb), (158, 0xc4), (191, 0xc4), (374, 0xc4), (407, 0xc4)];
        for (at, kind) in markers.into_iter().chain([(590, 0xc0), (609, 0xda), (file.len() - 2, 0xd9)]) {
            assert_eq!(marker(&file, at), [0xff, kind], "at {at}");
        }
        assert_eq!(file[590..609], [0xff, 0xc0, 0, 17, 8, 1, 0xe0, 2, 0x80, 3, 1, 0x21, 0, 2, 0x11, 1, 3, 0x11, 1]);
        assert_eq!(header((640, 480), &[1; 64], &[1; 64]).len(), HEADER_LEN);
        let scan = &file[HEADER_LEN..file.len() - 2];
        assert!(scan.windows(2).all(|pair| pair[0] != 0xff || pair[1] == 0), "no marker within the scan");
    }

    #[test]
    fn the_first_step_of_the_luma_table_is_the_quality() {
        for quality in 4..=63 {
            assert_eq!(grey(32, 16, quality)[25], quality);
        }
        assert_eq!(grey(16, 16, 12)[25..33], [12, 8, 9, 11, 9, 8, 12, 11], "zigzag order");
        assert_eq!(Quality::new(3), None);
        assert_eq!(Quality::new(64), None);
    }

    #[test]
    fn a_file_cut_short_tells_nothing() {
        let file = grey(64, 48, 12);
        for end in [0, 1, 3, 21, 600] {
            assert_eq!(size(&file[..end]), None, "{end} bytes");
        }
        assert_eq!(size(b"GIF89a"), None);
    }

    #[test]
    fn a_decoder_reads_the_picture_back() {
        for (width, height) in [(320, 240), (400, 296), (33, 17)] {
            let count = usize::from(width) * usize::from(height);
            let file = encode(&vec![[180, 128, 128]; count], (width, height), Quality::default());
            let mut decoder = zune_jpeg::JpegDecoder::new(zune_jpeg::zune_core::bytestream::ZCursor::new(&file));
            let rgb = decoder.decode().unwrap();
            assert_eq!(decoder.dimensions(), Some((usize::from(width), usize::from(height))));
            assert!(rgb.iter().all(|&value| value.abs_diff(180) < 4));
            assert_eq!((size(&file), quality(&file)), (Some(Size { width, height }), Some(12)));
        }
    }
}
