//! Which frames are on their way.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::WINDOW;

/// How long a full window may stay full.
pub(super) const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// The frames sent and not acknowledged.
#[derive(Default)]
pub(super) struct Window {
    /// Sequence and size.
    frames: Vec<(u64, usize)>,
    full_since: Option<Instant>,
}

impl Window {
    /// Whether another frame may be sent.
    pub(super) fn is_open(&self) -> bool {
        self.frames.len() < WINDOW
    }

    /// Whether the next frame fills it.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.frames.len() + 1 >= WINDOW
    }

    /// Notes a frame that was sent.
    pub(super) fn sent(&mut self, sequence: u64, bytes: usize) {
        self.frames.push((sequence, bytes));
        if !self.is_open() {
            self.full_since = Some(Instant::now());
        }
    }

    /// Takes an acknowledgement, in any order: a viewer passes frames over while it still decodes an earlier one. One
    /// of a frame that is not on its way changes nothing. The frame's size, if it was.
    pub(super) fn acknowledged(&mut self, sequence: u64) -> Option<usize> {
        let position = self.frames.iter().position(|(sent, _)| *sent == sequence)?;
        self.full_since = None;
        Some(self.frames.swap_remove(position).1)
    }

    /// When the viewer is given up, as things stand; `None` while the window is open.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.full_since.map(|since| since + ACK_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn four_frames_fill_it_and_an_acknowledgement_opens_it() {
        let mut window = Window::default();
        for sequence in [1, 2, 5, 9] {
            assert!(window.is_open());
            assert_eq!(window.is_nearly_full(), sequence == 9);
            assert_eq!(window.deadline(), None);
            window.sent(sequence, 100);
        }
        assert!(!window.is_open());
        assert_eq!(window.deadline(), Some(Instant::now() + ACK_TIMEOUT));
        assert_eq!(window.acknowledged(3), None);
        assert!(!window.is_open(), "no such frame was sent");
        assert_eq!(window.acknowledged(1), Some(100));
        assert!(window.is_open());
        assert_eq!(window.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn each_frame_is_acknowledged_by_itself_and_once() {
        let mut window = Window::default();
        (1..=4).for_each(|sequence| window.sent(sequence, 100));
        assert_eq!((window.acknowledged(3), window.acknowledged(3)), (Some(100), None));
        window.sent(5, 100);
        assert!(!window.is_open());
        assert_eq!((1..=5).filter_map(|sequence| window.acknowledged(sequence)).count(), 4);
        (6..=8).for_each(|sequence| window.sent(sequence, 100));
        assert!(window.is_open());
    }
}
