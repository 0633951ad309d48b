//! What a session sends.

use std::sync::Arc;

use crate::hub::{self, Frame};

/// One picture to send.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) frame: Arc<Frame>,
    /// The hub made it smaller.
    pub(super) is_scaled: bool,
    /// Frames that came and went since the one before.
    pub(super) skipped: u64,
}

/// Where pictures come from.
pub(super) enum Pictures {
    /// As the camera made them.
    Whole(hub::Viewer),
}

impl Pictures {
    /// The newest picture that was not given yet. `None` when the camera's topic has ended. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Picture> {
        match self {
            Self::Whole(viewer) => {
                let seen = viewer.next().await?;
                Some(Picture { frame: seen.frame, is_scaled: false, skipped: seen.skipped })
            }
        }
    }
}
