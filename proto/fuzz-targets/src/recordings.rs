//! What a recording's row keeps.

#[path = "../../../daemon/src/recordings/index.rs"]
#[allow(dead_code, unreachable_pub, reason = "of the hub's module, only what reads and writes an index")]
mod index_of_row;

use std::time::Duration;

use index_of_row::FragmentIndex;

/// Kept bytes are fragments that lie one behind the other and never overlap in time, and are kept again as the same.
pub(crate) fn index(data: &[u8]) {
    let Ok(index) = FragmentIndex::decode(data) else { return };
    let (mut offset, mut end) = (0, Duration::ZERO);
    for fragment in index.fragments() {
        assert!(fragment.offset == offset && fragment.start >= end, "{fragment:?}");
        (offset, end) = (fragment.offset + fragment.size, fragment.start + fragment.duration);
    }
    assert_eq!((index.size_bytes(), index.end().unwrap_or_default()), (offset, end));
    let kept = index.encode();
    assert!(kept.len() <= data.len(), "the kept form is the shortest");
    assert_eq!(FragmentIndex::decode(&kept), Ok(index));
}
