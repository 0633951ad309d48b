//! A camera that is a program.

mod backoff;
pub mod jpeg;
mod link;
mod scene;

pub use link::{Dial, Link, LinkError};
pub use scene::Scene;
