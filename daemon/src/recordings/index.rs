//! A segment's fragments in a few bytes each, as its row keeps them.
//!
//! Version byte 1, then per fragment three LEB128 numbers: milliseconds of silence since the end of the one before,
//! duration in milliseconds, size in bytes. Fragments lie in the file one behind the other, so offsets follow.

use std::time::Duration;

use thiserror::Error;

const VERSION: u8 = 1;
/// A minute's segment holds about 30; this refuses nonsense before anything grows.
const MOST: usize = 10_000;

/// One fragment: a byte range of its segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment {
    /// Since the start of its segment, in whole milliseconds.
    pub start: Duration,
    /// In whole milliseconds.
    pub duration: Duration,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// A segment's fragments, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FragmentIndex(Vec<Fragment>);

/// Why kept bytes are no index.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum IndexError {
    /// Another version.
    #[error("unknown version {0} of a fragment index")]
    Version(u8),
    /// It ends within a number, or a number is too large.
    #[error("broken number in a fragment index")]
    Number,
    /// More fragments than a segment can have.
    #[error("a fragment index of more than {MOST} fragments")]
    TooMany,
}

impl FragmentIndex {
    /// Adds a fragment behind the last. `start` counts from the segment's start.
    pub fn push(&mut self, start: Duration, duration: Duration, size: u64) {
        self.0.push(Fragment { start, duration, offset: self.size_bytes(), size });
    }

    /// All fragments.
    pub fn fragments(&self) -> &[Fragment] {
        &self.0
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all fragments, which is the file's length.
    pub fn size_bytes(&self) -> u64 {
        self.0.last().map_or(0, |last| last.offset + last.size)
    }

    /// End of the last fragment since the segment's start.
    pub fn end(&self) -> Option<Duration> {
        self.0.last().map(|last| last.start + last.duration)
    }

    /// The kept form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut end = Duration::ZERO;
        for fragment in &self.0 {
            put(&mut bytes, millis(fragment.start.saturating_sub(end)));
            put(&mut bytes, millis(fragment.duration));
            put(&mut bytes, fragment.size);
            end = fragment.start + fragment.duration;
        }
        bytes
    }

    /// Reads the kept form.
    ///
    /// # Errors
    /// When the bytes are not a whole index of a known version.
    pub fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        let (&version, mut rest) = bytes.split_first().ok_or(IndexError::Version(0))?;
        if version != VERSION {
            return Err(IndexError::Version(version));
        }
        let mut index = Self::default();
        let mut end = Duration::ZERO;
        while !rest.is_empty() {
            if index.len() == MOST {
                return Err(IndexError::TooMany);
            }
            let start = end + Duration::from_millis(u64::from(take_u32(&mut rest)?));
            let duration = Duration::from_millis(u64::from(take_u32(&mut rest)?));
            index.push(start, duration, u64::from(take_u32(&mut rest)?));
            end = start + duration;
        }
        Ok(index)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, IndexError> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(IndexError::Number)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok().ok_or(IndexError::Number);
        }
    }
    Err(IndexError::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_index_comes_back_as_it_was_kept(
            parts in proptest::collection::vec((0u32..10_000, 0u32..8_000, 0u32..2_000_000), 0..60),
        ) {
            let mut index = FragmentIndex::default();
            let mut end = Duration::ZERO;
            for (silence, duration, size) in parts {
                let start = end + Duration::from_millis(silence.into());
                let duration = Duration::from_millis(duration.into());
                index.push(start, duration, size.into());
                end = start + duration;
            }
            prop_assert_eq!(FragmentIndex::decode(&index.encode()), Ok(index));
        }

        #[test]
        fn any_bytes_are_an_index_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = FragmentIndex::decode(&bytes);
        }
    }

    #[test]
    fn a_cut_index_is_refused() {
        let mut index = FragmentIndex::default();
        index.push(Duration::ZERO, Duration::from_secs(2), 40_000);
        let bytes = index.encode();
        assert_eq!(FragmentIndex::decode(&bytes[..bytes.len() - 1]), Err(IndexError::Number));
        assert_eq!(FragmentIndex::decode(&[2]), Err(IndexError::Version(2)));
    }
}
