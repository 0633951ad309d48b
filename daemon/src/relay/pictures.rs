//! What a session sends: the camera's pictures as they are, or made smaller.

use std::sync::Arc;

use larder_proto::wire::CameraId;

use super::scaled::{Reader, Scale, Scaled};
use crate::hub::{Frame, Topic, Viewer};

/// One picture to send.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) frame: Arc<Frame>,
    /// The hub made it smaller.
    pub(super) is_scaled: bool,
    /// The camera's picture's size.
    pub(super) whole: (u16, u16),
    /// Frames that came and went since the one before.
    pub(super) skipped: u64,
}

/// Where pictures come from.
pub(super) struct Pictures {
    camera: CameraId,
    /// Kept while small ones are shown, too: it counts the viewer.
    whole: Viewer,
    small: Option<(Scale, Reader)>,
    scaled: Scaled,
    /// The sequence of the last one given.
    last: Option<u64>,
}

impl Pictures {
    pub(super) fn new(topic: &Topic, scaled: Scaled) -> Self {
        Self { camera: topic.camera(), whole: topic.viewer(), small: None, scaled, last: None }
    }

    /// Gives pictures of this size from now on.
    pub(super) fn set(&mut self, scale: Scale) {
        if scale != self.small.as_ref().map_or(Scale::Whole, |(scale, _)| *scale) {
            self.small = (scale != Scale::Whole).then(|| (scale, self.scaled.watch(self.camera, scale)));
        }
    }

    /// The newest picture that was not given yet. `None` when the camera's topic has ended. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Picture> {
        loop {
            let (frame, is_scaled, whole) = match &mut self.small {
                None => {
                    let frame = self.whole.next().await?.frame;
                    let whole = (frame.width, frame.height);
                    (frame, false, whole)
                }
                Some((_, reader)) => {
                    reader.changed().await.ok()?;
                    let Some(small) = reader.borrow_and_update().clone() else { continue };
                    (small.frame, true, small.whole)
                }
            };
            // After a change of size the other source may be behind.
            let next = self.last.map_or(frame.sequence, |last| last + 1);
            if let Some(skipped) = frame.sequence.checked_sub(next) {
                self.last = Some(frame.sequence);
                return Some(Picture { frame, is_scaled, whole, skipped });
            }
        }
    }
}
