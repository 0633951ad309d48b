//! `larderctl`.

fn main() {}
