//! A segment's fragments in a few bytes each, as its row and its run's `index` file keep them.
//!
//! A version byte, then per fragment three LEB128 numbers: milliseconds of silence since the end of the one before,
//! duration in milliseconds, size in bytes. Version 2 adds what is known of its bytes: a byte of flags (1: a checksum
//! follows; 2: damaged) and four bytes of CRC-32C (RFC 9260, appendix A), little-endian. Fragments lie in the file one
//! behind the other, so offsets follow; what is damaged keeps its place, its number and its bytes.

use std::time::Duration;

use thiserror::Error;

const WITHOUT_CHECKSUMS: u8 = 1;
const WITH_CHECKSUMS: u8 = 2;
const HAS_CHECKSUM: u8 = 1;
const DAMAGED: u8 = 2;
/// A minute's segment holds about 30; this refuses nonsense before anything grows.
const MOST: usize = 10_000;

/// One fragment: a byte range of its segment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fragment {
    /// Since the start of its segment, in whole milliseconds.
    pub start: Duration,
    /// In whole milliseconds.
    pub duration: Duration,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// CRC-32C of its bytes; absent when it was written without one and cannot be verified.
    pub crc32c: Option<u32>,
    /// Whether its bytes are not what was recorded. It is not played.
    pub is_damaged: bool,
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
    /// Adds a fragment behind the last; where it lies in the file follows from those before.
    pub fn push(&mut self, fragment: Fragment) {
        self.0.push(Fragment { offset: self.size_bytes(), ..fragment });
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

    /// How many are damaged.
    pub fn damaged(&self) -> usize {
        self.0.iter().filter(|fragment| fragment.is_damaged).count()
    }

    /// Bytes of all fragments, which is the file's length.
    pub fn size_bytes(&self) -> u64 {
        self.0.last().map_or(0, |last| last.offset + last.size)
    }

    /// End of the last fragment since the segment's start.
    pub fn end(&self) -> Option<Duration> {
        self.0.last().map(|last| last.start + last.duration)
    }

    /// Says of the fragments what `change` finds.
    pub fn each(&mut self, change: impl FnMut(&mut Fragment)) {
        self.0.iter_mut().for_each(change);
    }

    /// The same fragments in a file of `length` bytes: what does not fit any more is one damaged fragment of what is left
    /// of its bytes, and so is what came behind the last.
    #[must_use]
    pub fn in_file_of(&self, length: u64) -> Self {
        let whole = self.0.iter().take_while(|fragment| fragment.offset + fragment.size <= length);
        let mut index = Self(whole.copied().collect());
        let rest = length.saturating_sub(index.size_bytes());
        if rest > 0 {
            let start = index.end().unwrap_or_default();
            let duration = self.end().unwrap_or_default().saturating_sub(start);
            index.push(Fragment { start, duration, size: rest, is_damaged: true, ..Fragment::default() });
        }
        index
    }

    /// The kept form; version 1 when nothing is known of any fragment's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let known = self.0.iter().any(|fragment| fragment.crc32c.is_some() || fragment.is_damaged);
        let mut bytes = vec![if known { WITH_CHECKSUMS } else { WITHOUT_CHECKSUMS }];
        let mut end = Duration::ZERO;
        for fragment in &self.0 {
            put(&mut bytes, millis(fragment.start.saturating_sub(end)));
            put(&mut bytes, millis(fragment.duration));
            put(&mut bytes, fragment.size);
            if known {
                let checksum = fragment.crc32c.map_or(0, |_| HAS_CHECKSUM);
                bytes.push(checksum | if fragment.is_damaged { DAMAGED } else { 0 });
                bytes.extend(fragment.crc32c.iter().flat_map(|crc| crc.to_le_bytes()));
            }
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
        if !(WITHOUT_CHECKSUMS..=WITH_CHECKSUMS).contains(&version) {
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
            let size = u64::from(take_u32(&mut rest)?);
            let (crc32c, is_damaged) = if version == WITH_CHECKSUMS { take_flags(&mut rest)? } else { (None, false) };
            index.push(Fragment { start, duration, size, crc32c, is_damaged, offset: 0 });
            end = start + duration;
        }
        Ok(index)
    }
}

fn take_flags(bytes: &mut &[u8]) -> Result<(Option<u32>, bool), IndexError> {
    let (&flags, rest) = bytes.split_first().ok_or(IndexError::Number)?;
    *bytes = rest;
    if flags & !(HAS_CHECKSUM | DAMAGED) != 0 {
        return Err(IndexError::Number);
    }
    let mut crc32c = None;
    if flags & HAS_CHECKSUM != 0 {
        let (crc, rest) = bytes.split_first_chunk().ok_or(IndexError::Number)?;
        *bytes = rest;
        crc32c = Some(u32::from_le_bytes(*crc));
    }
    Ok((crc32c, flags & DAMAGED != 0))
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

    fn seconds(start: u64, size: u64) -> Fragment {
        let (start, duration) = (Duration::from_secs(start), Duration::from_secs(2));
        Fragment { start, duration, size, crc32c: Some(7), ..Fragment::default() }
    }

    proptest! {
        #[test]
        fn an_index_comes_back_as_it_was_kept(
            parts in proptest::collection::vec((0u32..10_000, 0u32..8_000, 0u32..2_000_000, any::<Option<u32>>(), any::<bool>()), 0..60),
        ) {
            let mut index = FragmentIndex::default();
            let mut end = Duration::ZERO;
            for (silence, duration, size, crc32c, is_damaged) in parts {
                let start = end + Duration::from_millis(silence.into());
                let duration = Duration::from_millis(duration.into());
                index.push(Fragment { start, duration, offset: 0, size: size.into(), crc32c, is_damaged });
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
    fn an_index_of_a_former_release_is_read_and_has_no_checksums() {
        let kept = [1, 0, 0xD0, 0x0F, 0xC0, 0xB8, 0x02];
        let index = FragmentIndex::decode(&kept).unwrap();
        assert_eq!(index.fragments(), [Fragment { crc32c: None, ..seconds(0, 40_000) }]);
        assert_eq!(index.encode(), kept);
    }

    #[test]
    fn a_cut_index_is_refused() {
        let mut index = FragmentIndex::default();
        index.push(seconds(0, 40_000));
        let bytes = index.encode();
        assert_eq!(FragmentIndex::decode(&bytes[..bytes.len() - 1]), Err(IndexError::Number));
        assert_eq!(FragmentIndex::decode(&[3]), Err(IndexError::Version(3)));
    }

    #[test]
    fn a_file_of_another_length_keeps_what_is_whole_in_it() {
        let mut index = FragmentIndex::default();
        for (start, size) in [(0, 100), (2, 50), (4, 70)] {
            index.push(seconds(start, size));
        }
        assert_eq!(index.in_file_of(220), index);
        for (length, whole) in [(0, 0), (99, 0), (100, 1), (160, 2), (219, 2), (400, 3)] {
            let fitted = index.in_file_of(length);
            assert_eq!(fitted.size_bytes(), length);
            assert_eq!(fitted.len() - fitted.damaged(), whole, "{length}");
            assert_eq!(fitted.fragments()[..whole], index.fragments()[..whole]);
        }
    }
}
