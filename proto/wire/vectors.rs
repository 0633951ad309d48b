//! `proto/vectors/*.hex` for tests.

use bytes::Bytes;

/// The bytes of a vector, by its name.
macro_rules! vector {
    ($name:literal) => {
        $crate::wire::vectors::bytes_of(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/proto/vectors/",
            $name,
            ".hex"
        )))
    };
}

pub(super) use vector;

/// Hexadecimal bytes; `#` begins a comment.
pub(super) fn bytes_of(annotated: &str) -> Bytes {
    annotated
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}
