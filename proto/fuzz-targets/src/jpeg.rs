//! JPEG validation.

use larder_proto::wire::jpeg::check;

/// The OV5640's largest picture, with room; `proto/WIRE.md`.
const MOST_PIXELS: u32 = 6_000_000;

/// What passes is a picture from SOI to EOI of a size that may be, and what follows it changes nothing.
pub(crate) fn jpeg(data: &[u8]) {
    let Ok(picture) = check(data) else { return };
    let pixels = u32::from(picture.width) * u32::from(picture.height);
    assert!((1..=MOST_PIXELS).contains(&pixels), "{picture:?}");
    let cut = data.get(..picture.len).expect("a picture is no longer than what it was cut from");
    assert!(cut.starts_with(&[0xff, 0xd8]) && cut.ends_with(&[0xff, 0xd9]));
    assert_eq!(check(cut), Ok(picture), "what was cut passes as it is");
    assert_eq!(check(&[data, &[0xff, 0xd9, 0]].concat()), Ok(picture), "the first end counts");
    for shorter in [picture.len - 1, picture.len - 2, picture.len / 2, 3] {
        assert!(check(&data[..shorter]).is_err(), "{shorter} of {} bytes pass", picture.len);
    }
}
