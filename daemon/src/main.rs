//! `larderd`.

fn main() {}
