//! A picture as it came.

use std::time::Duration;

use bytes::Bytes;
use larder_proto::wire::relay::FrameHeader;
use tokio::time::Instant;

/// One frame, whole.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// What the hub says of it.
    pub(crate) header: FrameHeader,
    /// The JPEG.
    pub(crate) jpeg: Bytes,
    /// When its last byte had come.
    pub(crate) arrived: Instant,
    /// From its capture to its arrival, when the hub's clock is known.
    pub(crate) age: Option<Duration>,
}

/// Lets pictures through in their order: one that a newer one has overtaken is of no use.
#[derive(Debug, Default)]
pub(crate) struct Order {
    newest: Option<u64>,
    passed_over: u64,
}

impl Order {
    /// Whether it is newer than all before.
    pub(crate) fn takes(&mut self, sequence: u64) -> bool {
        let is_newer = self.newest.is_none_or(|newest| sequence > newest);
        if is_newer {
            self.newest = Some(sequence);
        } else {
            self.passed_over += 1;
        }
        is_newer
    }

    /// How many were overtaken.
    pub(crate) fn passed_over(&self) -> u64 {
        self.passed_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overtaken_picture_is_passed_over_and_counted() {
        let mut order = Order::default();
        let taken: Vec<bool> = [5, 7, 6, 7, 8].into_iter().map(|sequence| order.takes(sequence)).collect();
        assert_eq!(taken, [true, true, false, false, true]);
        assert_eq!(order.passed_over(), 2);
    }
}
