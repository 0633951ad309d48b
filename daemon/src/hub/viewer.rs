//! The newest frame, and how many were skipped.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::watch;

use super::Frame;

/// A frame as a viewer sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The newest frame.
    pub frame: Arc<Frame>,
    /// Frames that came and went since the one this viewer saw before.
    pub skipped: u64,
}

/// A reader of the newest frame. It can be as slow as it likes: it jumps to the newest.
pub struct Viewer {
    newest: watch::Receiver<Option<Arc<Frame>>>,
    last: Option<u64>,
    count: Arc<AtomicU32>,
}

impl Viewer {
    pub(super) fn new(mut newest: watch::Receiver<Option<Arc<Frame>>>, count: Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        newest.mark_changed();
        Self { newest, last: None, count }
    }

    /// The next frame not seen yet; at first the newest there is, however old. `None` when the topic has ended.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Seen> {
        loop {
            self.newest.changed().await.ok()?;
            let Some(frame) = self.newest.borrow_and_update().clone() else { continue };
            if let Some(seen) = self.see(&frame) {
                return Some(seen);
            }
        }
    }

    /// Takes a frame that another reader of the same topic was given. `None` if this one has seen it, or a newer one.
    pub fn see(&mut self, frame: &Arc<Frame>) -> Option<Seen> {
        let skipped = match self.last {
            None => 0,
            Some(last) => frame.sequence.checked_sub(last + 1)?,
        };
        self.last = Some(frame.sequence);
        Some(Seen { frame: Arc::clone(frame), skipped })
    }

    /// Another reader of the same topic, which is not counted as a viewer.
    pub fn onlooker(&self) -> Self {
        Self::new(self.newest.clone(), Arc::default())
    }

    /// Whether another reader reads the same topic.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.newest.same_channel(&other.newest)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
