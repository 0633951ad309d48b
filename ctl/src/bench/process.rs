//! A process beside this one.

/// A running process, by its id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);
