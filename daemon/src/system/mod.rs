//! The hub itself: which version runs, how it is doing, and what happens.

mod service;

pub use service::{Parts, Service};

/// The daemon's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
