//! One picture, shared by everyone who reads it.

use bytes::Bytes;
use jiff::Timestamp;

/// One whole, validated JPEG picture.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The topic's own count, rising by one; set by [`Publisher::publish`](super::Publisher::publish).
    pub sequence: u64,
    /// When the camera captured it, on the hub's clock, to the microsecond. Rises strictly within an epoch.
    pub captured_at: Timestamp,
    /// When the hub had it whole.
    pub received_at: Timestamp,
    /// The clock's epoch of both times.
    pub clock_epoch: u64,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// From SOI to EOI, nothing after.
    pub jpeg: Bytes,
}
