//! What is counted of a live viewer.

use metrics::Counter;

/// A viewer that is connected, until dropped.
pub(super) struct Count {
    protocol: &'static str,
    sent: Counter,
    skipped: Counter,
}

impl Count {
    /// One more viewer of that protocol.
    pub(super) fn new(protocol: &'static str) -> Self {
        metrics::gauge!("larder_live_viewers", "protocol" => protocol).increment(1.0);
        Self {
            protocol,
            // Looked up once and not for every frame.
            sent: metrics::counter!("larder_live_frames_sent_total", "protocol" => protocol),
            skipped: metrics::counter!("larder_live_frames_skipped_total", "protocol" => protocol),
        }
    }

    /// A frame is sent, and so many were skipped before it.
    pub(super) fn frame(&self, skipped: u64) {
        self.sent.increment(1);
        // All viewers share the counters: most often there is nothing to write.
        if skipped > 0 {
            self.skipped.increment(skipped);
        }
    }

    /// The view ends, for this reason.
    pub(super) fn ended(&self, reason: &'static str) {
        metrics::counter!("larder_live_ended_total", "protocol" => self.protocol, "reason" => reason).increment(1);
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        metrics::gauge!("larder_live_viewers", "protocol" => self.protocol).decrement(1.0);
    }
}
