//! Which frames are on their way, and which of them ask for an acknowledgement.
//!
//! Each acknowledgement costs a packet, a wake-up and a read. On a line where the one before has come when the next frame
//! is sent, every third frame asks; on any other each one does, so that a slow line gets its next frame as soon as it can
//! take it.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::WINDOW;

/// How long a full window may stay full.
pub(super) const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Frames that may follow each other without asking.
const UNASKED: usize = 2;
/// A frame so long after the last that asked does, too: few frames come, and whether they arrive is to be known.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The frames sent and not acknowledged, the oldest first.
#[derive(Default)]
pub(super) struct Window {
    frames: Vec<Sent>,
    asked_at: Option<Instant>,
    full_since: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Sent {
    sequence: u64,
    bytes: usize,
    asks: bool,
}

impl Window {
    /// Whether another frame may be sent.
    pub(super) fn is_open(&self) -> bool {
        self.frames.len() < WINDOW
    }

    /// Whether an acknowledgement that may have come decides how the next frame is sent.
    pub(super) fn awaits_answer(&self) -> bool {
        self.frames.iter().any(|frame| frame.asks)
    }

    /// Notes a frame that is sent; whether it asks for an acknowledgement.
    pub(super) fn sent(&mut self, sequence: u64, bytes: usize) -> bool {
        let now = Instant::now();
        let rests = self.asked_at.is_some_and(|at| now.duration_since(at) < ASK_AGAIN);
        let asks = !rests || self.awaits_answer() || self.frames.len() >= UNASKED;
        self.frames.push(Sent { sequence, bytes, asks });
        if asks {
            self.asked_at = Some(now);
        }
        if !self.is_open() {
            self.full_since = Some(now);
        }
        asks
    }

    /// Takes the acknowledgement of a frame and all before it. One of a frame that is not on its way changes nothing. The
    /// sizes of the frames that arrived.
    pub(super) fn acknowledged(&mut self, sequence: u64) -> impl Iterator<Item = usize> + '_ {
        let known = self.frames.iter().position(|frame| frame.sequence == sequence);
        if known.is_some() {
            self.full_since = None;
        }
        self.frames.drain(..known.map_or(0, |last| last + 1)).map(|frame| frame.bytes)
    }

    /// When the viewer is given up, as things stand; `None` while the window is open.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.full_since.map(|since| since + ACK_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(window: &mut Window, sequence: u64) -> usize {
        window.acknowledged(sequence).count()
    }

    #[tokio::test(start_paused = true)]
    async fn four_frames_fill_it_and_an_acknowledgement_opens_it() {
        let mut window = Window::default();
        for sequence in [1, 2, 5, 9] {
            assert!(window.is_open());
            assert_eq!(window.deadline(), None);
            assert!(window.sent(sequence, 100), "nothing has come back yet");
        }
        assert!(!window.is_open());
        assert_eq!(window.deadline(), Some(Instant::now() + ACK_TIMEOUT));
        assert_eq!(acknowledged(&mut window, 3), 0);
        assert!(!window.is_open(), "no such frame was sent");
        assert_eq!(window.acknowledged(1).collect::<Vec<_>>(), [100]);
        assert!(window.is_open());
        assert_eq!(window.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledgement_stands_for_all_before_it_and_once() {
        let mut window = Window::default();
        assert!((1..=4).all(|sequence| window.sent(sequence, 100)));
        assert_eq!((acknowledged(&mut window, 3), acknowledged(&mut window, 3)), (3, 0));
        assert_eq!((acknowledged(&mut window, 2), acknowledged(&mut window, 4)), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_quick_line_every_third_frame_asks_and_at_least_one_a_second() {
        let mut window = Window::default();
        let mut asked = Vec::new();
        for sequence in 1..=9 {
            tokio::time::advance(Duration::from_millis(40)).await;
            if window.sent(sequence, 100) {
                asked.push(sequence);
                assert!(acknowledged(&mut window, sequence) > 0);
            }
        }
        assert_eq!(asked, [1, 4, 7]);
        tokio::time::advance(ASK_AGAIN).await;
        assert!(window.sent(10, 100), "few frames come");
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_slow_line_each_frame_asks() {
        let mut window = Window::default();
        assert!(window.sent(1, 100) && window.sent(2, 100) && window.sent(3, 100));
        assert_eq!(acknowledged(&mut window, 1), 1);
        assert!(window.awaits_answer() && window.sent(4, 100));
    }
}
