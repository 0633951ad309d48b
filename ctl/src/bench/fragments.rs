//! Counts the pictures in a segment of fragmented MP4 (ISO/IEC 14496-12): pure.

/// Bytes of a box's length and name.
const HEAD: usize = 8;

/// The samples that all `trun` boxes tell of; `None` when the bytes are no boxes.
pub(super) fn samples(bytes: &[u8]) -> Option<u64> {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        let (name, content) = rest.get(..length)?.get(HEAD - 4..)?.split_first_chunk::<4>()?;
        count += match name {
            b"moof" | b"traf" => samples(content)?,
            // Version and flags, then the number of samples (8.8.8).
            b"trun" => u64::from(u32::from_be_bytes(*content.get(4..)?.first_chunk()?)),
            _ => 0,
        };
        rest = &rest[length..];
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEAD + content.len()).unwrap().to_be_bytes();
        [&length[..], name, content].concat()
    }

    #[test]
    fn the_samples_of_all_fragments_are_counted() {
        let trun = |count| boxed(b"trun", &[0, 0, 0, 0, 0, 0, 0, count]);
        let moof = |count| boxed(b"moof", &boxed(b"traf", &[boxed(b"tfhd", &[0; 8]), trun(count)].concat()));
        let segment = [moof(30), boxed(b"mdat", &[7; 100]), moof(12), boxed(b"mdat", &[])].concat();
        assert_eq!(samples(&segment), Some(42));
        assert_eq!(samples(&segment[..segment.len() - 1]), None);
        assert_eq!(samples(&[0, 0, 0, 0]), None);
    }
}
