//! A number and a time inside each picture, so that every protocol's delay is measured with the same ruler.
//!
//! The picture's first segment is a comment (COM, ITU-T T.81 B.2.4.5): [`MAGIC`], the picture's number, and the
//! nanoseconds from [`Epoch`] to its capture. Camera and viewers are in one process, so one clock tells both ends.

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::time::Instant;

const MAGIC: [u8; 4] = *b"LBEN";
/// SOI, the marker, its length, magic, number, time.
pub(super) const STAMP_LEN: usize = 2 + 2 + 2 + MAGIC.len() + 8 + 8;
/// The comment's own length (T.81 counts its two bytes, but not the marker's).
const COMMENT_LEN: u8 = 2 + 4 + 8 + 8;

/// When this process began to count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

/// What a picture says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    /// Counts the pictures.
    pub(super) number: u64,
    /// Capture, in nanoseconds since the epoch.
    pub(super) captured_ns: u64,
}

impl Epoch {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since.
    pub(super) fn now_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Stamp {
    /// A picture with the stamp in it.
    pub(super) fn into_picture(self, jpeg: &[u8]) -> Bytes {
        let mut stamped = BytesMut::with_capacity(jpeg.len() + STAMP_LEN);
        stamped.put_slice(&[0xff, 0xd8, 0xff, 0xfe, 0, COMMENT_LEN]);
        stamped.put_slice(&MAGIC);
        stamped.put_u64(self.number);
        stamped.put_u64(self.captured_ns);
        stamped.put_slice(jpeg.strip_prefix(&[0xff, 0xd8]).unwrap_or(jpeg));
        stamped.freeze()
    }

    /// The stamp of a picture, from its first [`STAMP_LEN`] bytes.
    pub(super) fn read(picture: &[u8]) -> Option<Self> {
        let rest = picture.strip_prefix(&[0xff, 0xd8, 0xff, 0xfe, 0, COMMENT_LEN])?.strip_prefix(&MAGIC)?;
        let (number, rest) = rest.split_first_chunk()?;
        let captured_ns = rest.first_chunk()?;
        Some(Self { number: u64::from_be_bytes(*number), captured_ns: u64::from_be_bytes(*captured_ns) })
    }
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::jpeg;

    use super::*;
    use crate::simulate::jpeg::encode;

    #[test]
    fn a_stamped_picture_is_still_one_that_the_hub_takes() {
        let jpeg = encode(&vec![[90, 128, 128]; 16 * 16], (16, 16), Default::default());
        let stamp = Stamp { number: 7, captured_ns: 1 << 40 };
        let picture = stamp.into_picture(&jpeg);
        assert_eq!(Stamp::read(&picture[..STAMP_LEN]), Some(stamp));
        let checked = jpeg::check(&picture).expect("a picture");
        assert_eq!((checked.width, checked.len), (16, picture.len()));
        assert_eq!(Stamp::read(&jpeg), None);
    }
}
