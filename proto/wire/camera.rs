//! The camera link, version 1.

/// What a camera says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {}
