//! The boxes of an MP4.

use super::mp4::{Mp4Error, child, head, media_bytes, moof, track};

/// What holds of every box is checked by hand here: the limits are the recorder's promise.
const LARGEST_BOX: usize = 64 << 20;
const MOST_PICTURES: usize = 5000;

/// Boxes lie within their parents, and nothing is made of a number before it is checked.
pub(crate) fn mp4(data: &[u8]) {
    if let Ok(track) = track(data) {
        assert!(track.timescale > 0 && track.codec.len() == "avc1.42C01E".len(), "{track:?}");
    }
    if let Ok(moof) = moof(data) {
        assert!(moof.durations.len() <= MOST_PICTURES, "{} pictures", moof.durations.len());
    }
    if let Ok(bytes) = media_bytes(data) {
        assert!(bytes <= u64::from(u32::MAX) * u64::try_from(MOST_PICTURES).expect("fits"), "{bytes}");
    }
    match head(data) {
        Ok(Some((name, size))) => {
            assert!((8..=LARGEST_BOX).contains(&size), "{size}");
            assert_eq!(data[4..8], name);
            assert_eq!(head(&data[..7]), Ok(None));
            if let Some(alone) = data.get(..size) {
                assert_eq!(head(alone), head(data), "what follows a box changes nothing");
            }
        }
        Ok(None) => assert!(data.len() < 16, "the longest head has 16 bytes"),
        Err(error) => assert!(matches!(error, Mp4Error::BoxSize { .. }), "{error}"),
    }
    for name in ["moof", "mdat", "trak"] {
        let Ok(body) = child(data, name) else { continue };
        assert!(body.len() + 8 <= data.len());
        let whole = [data, &[0, 0, 0, 8], b"free"].concat();
        assert_eq!(child(&whole, name), Ok(body), "what follows a box changes nothing");
    }
}
