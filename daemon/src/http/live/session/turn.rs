//! What a session does in a [round](super::super::round): nothing that waits.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use larder_proto::wire::CameraId;

use super::{End, Leave, Session};
use crate::{
    http::live::{Live, rfc6455::Opcode},
    hub::{Frame, Viewer},
};

/// Messages that are taken in one turn. A viewer that keeps to the protocol has four acknowledgements on the way and a
/// pong; one that says more is heard in its own time.
const HEARD_MOST: usize = 16;

impl Session {
    pub(in super::super) fn camera(&self) -> CameraId {
        self.camera
    }

    pub(in super::super) fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    pub(in super::super) fn live(&self) -> &Live {
        &self.live
    }

    /// Joins a round, which is woken by `waker` when the session must end.
    pub(in super::super) fn joins(&mut self, waker: &Waker) -> Result<(), Leave> {
        // The round's next tick may come before the next frame.
        self.quiet = false;
        self.look_for_end(waker)
    }

    /// Leaves if it must end.
    pub(in super::super) fn look_for_end(&mut self, waker: &Waker) -> Result<(), Leave> {
        match self.ending.poll_next_unpin(&mut Context::from_waker(waker)) {
            Poll::Ready(Some(code)) => Err(End::Close(code).into()),
            Poll::Ready(None) | Poll::Pending => Ok(()),
        }
    }

    /// Shows a frame, unless it was seen.
    pub(in super::super) fn turn(&mut self, frame: &Arc<Frame>) -> Result<(), Leave> {
        if self.window.awaits_answer() {
            self.overhear()?;
        }
        if !self.window.is_open() {
            return Err(Leave::Waits);
        }
        let Some(seen) = self.viewer.see(frame) else { return Ok(()) };
        let head = self.sent(&seen);
        at_once(self.peer.send_picture(&head, seen.frame.jpeg.clone()))
    }

    /// Looks at the clocks.
    pub(in super::super) fn tick_in_round(&mut self) -> Result<(), Leave> {
        self.overhear()?;
        if self.quiet || !self.window.is_open() {
            return Err(Leave::Waits);
        }
        self.quiet = true;
        if self.must_ping()? {
            return at_once(self.peer.send_control(Opcode::Ping, Bytes::new()));
        }
        Ok(())
    }

    /// Takes what the viewer has said up to now.
    fn overhear(&mut self) -> Result<(), Leave> {
        for _ in 0..HEARD_MOST {
            let Some(message) = self.peer.heard().map_err(End::from)? else { return Ok(()) };
            if let Some(reply) = self.note(message)? {
                return Err(Leave::Owes(reply));
            }
        }
        Err(Leave::Waits)
    }
}

/// Sends as much as the socket takes now; the peer keeps the rest.
fn at_once(sending: impl Future<Output = std::io::Result<()>>) -> Result<(), Leave> {
    match sending.now_or_never() {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) => Err(End::Gone.into()),
        None => Err(Leave::Waits),
    }
}
