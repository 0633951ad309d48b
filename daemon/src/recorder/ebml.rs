//! Reads EBML (RFC 8794) for the tests of [`matroska`](super::matroska) and for its fuzz target. Nothing in the hub reads
//! Matroska.

/// The elements that lie one behind the other, each with its body; `None` when these are no whole elements. One of
/// unknown size reaches to the end.
pub(in crate::recorder) fn elements(mut bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (id, after) = split(bytes, 4)?;
        let (raw, after) = split(after, 8)?;
        let bits = 7 * raw.len();
        let mask = (1 << bits) - 1;
        let size = number(raw)? & mask;
        let length = if size == mask { after.len() } else { usize::try_from(size).ok()? };
        let (body, rest) = after.split_at_checked(length)?;
        found.push((u32::try_from(number(id)?).ok()?, body));
        bytes = rest;
    }
    Some(found)
}

/// The body of the first element `id` among those in `parent`.
pub(in crate::recorder) fn child(parent: &[u8], id: u32) -> Option<&[u8]> {
    elements(parent)?.into_iter().find(|(found, _)| *found == id).map(|(_, body)| body)
}

/// An unsigned number of at most eight bytes.
pub(in crate::recorder) fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A variable number, its length marked by its first bit that is set, and what follows it.
fn split(bytes: &[u8], longest: usize) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(bytes.first()?.leading_zeros()).ok()? + 1;
    if length > longest { None } else { bytes.split_at_checked(length) }
}
