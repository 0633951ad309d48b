//! A JPEG made smaller. Pure.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::scaled::ScaleError;

/// Of the JPEG that comes out. It is for thin lines: text on a carton can be read, and blocks are not seen at that size.
const QUALITY: u8 = 75;

/// Makes a picture of `whole` pixels one of `size`, which must not be larger.
///
/// Colours stay as the JPEG has them (luma and two differences): nothing is turned into RGB and back.
///
/// # Errors
/// When it is damaged, or not as large as said.
pub(super) fn scale(jpeg: &[u8], whole: (u16, u16), size: (u16, u16)) -> Result<Vec<u8>, ScaleError> {
    let (pixels, colours) = decode(jpeg, whole)?;
    let (kind, colours) = match colours {
        ColorSpace::Luma => (PixelType::U8, ColorType::Luma),
        _ => (PixelType::U8x3, ColorType::Ycbcr),
    };
    let wrong_size = || ScaleError::Size(whole.0, whole.1);
    let source = ImageRef::new(whole.0.into(), whole.1.into(), &pixels, kind).or(Err(wrong_size()))?;
    let mut small = Image::new(size.0.into(), size.1.into(), kind);
    // Every pixel of the smaller picture is the mean of those that it stands for.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
    Resizer::new().resize(&source, &mut small, Some(&options))?;
    let mut out = Vec::with_capacity(small.buffer().len() / 4);
    let mut encoder = Encoder::new(&mut out, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(small.buffer(), size.0, size.1, colours)?;
    Ok(out)
}

fn decode(jpeg: &[u8], whole: (u16, u16)) -> Result<(Vec<u8>, ColorSpace), ScaleError> {
    let broken = |error: zune_jpeg::errors::DecodeErrors| ScaleError::Decode(error.to_string());
    // Not strict, a decoder fills what is damaged with grey and says nothing.
    let options = DecoderOptions::default().set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().map_err(broken)?;
    let size = decoder.info().map(|info| (info.width, info.height));
    if size != Some(whole) {
        return Err(ScaleError::Size(whole.0, whole.1));
    }
    let colours = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        _ => ColorSpace::YCbCr,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let pixels = decoder.decode().map_err(broken)?;
    Ok((pixels, colours))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half dark and red, right half bright and blue.
    fn picture(width: u16, height: u16) -> Vec<u8> {
        let pixels: Vec<u8> = (0..height)
            .flat_map(|_| (0..width).flat_map(move |x| if x < width / 2 { [160, 20, 20] } else { [180, 200, 255] }))
            .collect();
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 90).encode(&pixels, width, height, ColorType::Rgb).unwrap();
        jpeg
    }

    fn rgb(jpeg: &[u8]) -> (Vec<u8>, (u16, u16)) {
        let mut decoder = JpegDecoder::new(ZCursor::new(jpeg));
        let pixels = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        (pixels, (info.width, info.height))
    }

    #[test]
    fn a_smaller_picture_shows_the_same() {
        let whole = picture(640, 480);
        let small = scale(&whole, (640, 480), (160, 120)).unwrap();
        assert!(small.len() * 4 < whole.len() && small.starts_with(&[0xff, 0xd8]) && small.ends_with(&[0xff, 0xd9]));
        let (pixels, size) = rgb(&small);
        assert_eq!(size, (160, 120));
        let at = |x: usize, y: usize| &pixels[(y * 160 + x) * 3..][..3];
        let near = |seen: &[u8], wanted: [u8; 3]| seen.iter().zip(wanted).all(|(one, two)| one.abs_diff(two) < 12);
        assert!(near(at(20, 60), [160, 20, 20]), "{:?}", at(20, 60));
        assert!(near(at(140, 60), [180, 200, 255]), "{:?}", at(140, 60));
    }

    #[test]
    fn a_grey_picture_stays_grey() {
        let mut whole = Vec::new();
        Encoder::new(&mut whole, 90).encode(&[90; 64 * 48], 64, 48, ColorType::Luma).unwrap();
        let small = scale(&whole, (64, 48), (32, 24)).unwrap();
        let (pixels, size) = rgb(&small);
        assert_eq!(size, (32, 24));
        assert!(pixels.iter().all(|value| value.abs_diff(90) < 4));
    }

    #[test]
    fn sides_that_do_not_divide_are_no_matter() {
        let small = scale(&picture(101, 77), (101, 77), (13, 10)).unwrap();
        assert_eq!(rgb(&small).1, (13, 10));
    }

    #[test]
    fn a_damaged_picture_is_refused() {
        let whole = picture(640, 480);
        assert!(matches!(scale(&whole[..whole.len() / 2], (640, 480), (320, 240)), Err(ScaleError::Decode(_))));
        assert!(matches!(scale(b"no picture", (640, 480), (320, 240)), Err(ScaleError::Decode(_))));
        assert!(matches!(scale(&whole, (800, 600), (400, 300)), Err(ScaleError::Size(800, 600))));
    }
}
