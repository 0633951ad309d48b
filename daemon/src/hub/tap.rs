//! Every frame through a bounded queue, losses marked.

use std::sync::Arc;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::Frame;

/// About five seconds at 25 frames a second: longer than an encoder's hiccup, and under 4 MB of VGA frames.
const QUEUE: usize = 128;

/// A frame and the losses just before it.
#[derive(Clone, Debug)]
pub struct Tapped {
    /// The frame.
    pub frame: Arc<Frame>,
    /// Frames lost just before this one because the reader's queue was full.
    pub missed: u64,
}

/// A reader of every frame. Policy when it falls behind: new frames are dropped and counted.
pub struct Tap(pub(super) mpsc::Receiver<Tapped>);

impl Tap {
    /// The next frame. `None` when the topic has ended and the queue is empty. Cancel safe.
    pub async fn next(&mut self) -> Option<Tapped> {
        self.0.recv().await
    }
}

/// The topic's end of a tap.
pub(super) struct TapSender {
    sender: mpsc::Sender<Tapped>,
    missed: u64,
}

pub(super) fn tap() -> (TapSender, Tap) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (TapSender { sender, missed: 0 }, Tap(receiver))
}

impl TapSender {
    /// Frames that wait for the reader.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.sender.max_capacity() - self.sender.capacity()).unwrap_or(u32::MAX)
    }

    /// Offers a frame; `false` when the reader is gone.
    pub(super) fn offer(&mut self, frame: &Arc<Frame>) -> bool {
        match self.sender.try_send(Tapped { frame: Arc::clone(frame), missed: self.missed }) {
            Ok(()) => self.missed = 0,
            Err(TrySendError::Full(_)) => {
                self.missed += 1;
                metrics::counter!("larder_tap_frames_missed_total").increment(1);
            }
            Err(TrySendError::Closed(_)) => return false,
        }
        true
    }
}
