//! A camera that is a program.

pub mod jpeg;
#[cfg(test)]
pub mod scene;
