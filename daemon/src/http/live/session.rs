//! One viewer's WebSocket session, in a task of its own.

mod turn;

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use larder_proto::wire::CameraId;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Ending, Live,
    peer::{Lost, Peer},
    rfc6455::{DecodeError, Inbound, Opcode},
    round::Rounds,
    window::{ACK_TIMEOUT, Window},
    wire::{self, CloseCode, HEADER_LEN},
};
use crate::{
    hub::{Seen, Viewer},
    viewers::Seat,
};

/// Keeps NAT entries alive (RFC 4787 allows two minutes, cheap routers have less) and finds dead peers.
const PING: Duration = Duration::from_secs(15);
/// Three pings unanswered: the peer is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How often a session looks at its clocks. All its limits are much longer.
const TICK: Duration = Duration::from_secs(1);
/// How long a peer has to take our close and send its own.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A session, from upgrade to close.
///
/// While frames flow, what the viewer says is read when the next frame is sent, and not as it comes: to wake and read for
/// each acknowledgement would double the wake-ups and the system calls of the hub's busiest task. When the window is full,
/// or no frame came for a tick, the viewer is heard at once.
///
/// A session that keeps up for a tick joins the [round](super::round) of its camera, and leaves it when it has to wait.
pub(super) struct Session {
    peer: Peer,
    camera: CameraId,
    viewer: Viewer,
    live: Live,
    ending: Ending,
    window: Window,
    heard_at: Instant,
    pinged_at: Instant,
    /// No frame was sent since the last tick.
    quiet: bool,
    /// It had to wait for its viewer since the last tick.
    waited: bool,
    rounds: Option<Rounds>,
    seat: Seat,
}

/// What a session shows to whom.
pub(super) struct Place {
    pub(super) camera: CameraId,
    pub(super) viewer: Viewer,
    pub(super) seat: Seat,
    /// Where it may go on; `None` if it keeps its own task.
    pub(super) rounds: Option<Rounds>,
    /// Of the caller.
    pub(super) revoked: CancellationToken,
}

/// Why a session leaves its round.
pub(super) enum Leave {
    /// It has to wait: for its viewer, or for the next frame.
    Waits,
    /// What the viewer said is to be answered.
    Owes(Reply),
    /// It ends.
    Ends(End),
}

/// The answer to what a viewer said.
pub(super) enum Reply {
    Pong(Bytes),
    /// The last one.
    Close(Bytes),
}

/// Why a session ends.
pub(super) enum End {
    /// We close, with a code.
    Close(CloseCode),
    /// The viewer closed, or its connection broke.
    Gone,
}

impl From<End> for Leave {
    fn from(end: End) -> Self {
        Self::Ends(end)
    }
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Gone => Self::Gone,
            Lost::Broken(DecodeError::TooBig) => Self::Close(CloseCode::TooBig),
            Lost::Broken(DecodeError::Protocol(rule)) => {
                tracing::debug!(rule, "a viewer broke the WebSocket protocol");
                Self::Close(CloseCode::ProtocolError)
            }
        }
    }
}

impl Session {
    /// In a box, as it goes from task to task.
    pub(super) fn new(peer: Peer, place: Place, live: Live) -> Box<Self> {
        let now = Instant::now();
        let Place { camera, viewer, seat, rounds, revoked } = place;
        Box::new(Self {
            peer,
            camera,
            viewer,
            ending: live.ending(&revoked, &seat),
            live,
            window: Window::default(),
            heard_at: now,
            pinged_at: now,
            quiet: true,
            waited: false,
            rounds,
            seat,
        })
    }

    /// Runs in a task of its own, until either side ends it or it goes on in a round.
    pub(super) async fn serve(mut self: Box<Self>, begin: Leave) {
        match self.alone(begin).await {
            Ok(rounds) => rounds.join(self),
            Err(end) => self.end(end).await,
        }
    }

    /// Runs until it ends, or can go on in a round.
    async fn alone(&mut self, begin: Leave) -> Result<Rounds, End> {
        match begin {
            Leave::Waits => self.send_rest().await?,
            Leave::Owes(reply) => self.reply(reply).await?,
            Leave::Ends(end) => return Err(end),
        }
        let mut ticks = ticks();
        loop {
            if self.step(&mut ticks).await?
                && let Some(rounds) = &self.rounds
            {
                return Ok(rounds.clone());
            }
        }
    }

    /// Logs the end, which comes once.
    async fn end(mut self: Box<Self>, end: End) {
        let (code, reason) = match end {
            End::Close(close) => {
                self.close(close).await;
                (close.code(), close.reason())
            }
            End::Gone => (0, "the viewer left"),
        };
        self.seat.ended(reason);
        let (frames, skipped) = self.seat.counts();
        tracing::debug!(camera.id = %self.camera, close.code = code, reason, frames, skipped, "a live view ended");
    }

    /// Whether it has kept up for a tick: frames came, and it waited for nothing else.
    async fn step(&mut self, ticks: &mut Interval) -> Result<bool, End> {
        let is_open = self.window.is_open();
        self.waited |= !is_open;
        tokio::select! {
            biased;
            message = self.peer.hear(), if self.quiet || !is_open => self.take(message?).await?,
            _ = ticks.tick() => return self.tick().await,
            seen = self.viewer.next(), if is_open => match seen {
                Some(seen) => self.show(&seen).await?,
                None => return Err(self.topic_ended()),
            },
            // Last, as it is the dearest to look at: a viewer for whom a newer frame is always there is told on a tick.
            Some(code) = self.ending.next() => return Err(End::Close(code)),
        }
        Ok(false)
    }

    /// Looks at the clocks. Whether it has kept up since the last time.
    async fn tick(&mut self) -> Result<bool, End> {
        if let Some(Some(code)) = self.ending.next().now_or_never() {
            return Err(End::Close(code));
        }
        self.hear_all().await?;
        let waited = std::mem::take(&mut self.waited) || !self.window.is_open();
        let quiet = std::mem::replace(&mut self.quiet, true);
        if self.must_ping()? {
            self.send_control(Opcode::Ping, Bytes::new()).await?;
        }
        Ok(!waited && !quiet)
    }

    /// Whether a ping is due; it counts as sent then.
    fn must_ping(&mut self) -> Result<bool, End> {
        let too_slow = self.window.deadline().is_some_and(|deadline| deadline <= Instant::now());
        if too_slow || self.heard_at.elapsed() > SILENCE {
            return Err(End::Close(CloseCode::TooSlow));
        }
        let is_due = self.pinged_at.elapsed() >= PING;
        if is_due {
            self.pinged_at = Instant::now();
        }
        Ok(is_due)
    }

    /// Takes what the viewer has said up to now.
    async fn hear_all(&mut self) -> Result<(), End> {
        while let Some(message) = self.peer.heard()? {
            self.take(message).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: Inbound) -> Result<(), End> {
        match self.note(message)? {
            Some(reply) => self.reply(reply).await,
            None => Ok(()),
        }
    }

    /// Notes what the viewer said; what is to be answered to it.
    fn note(&mut self, message: Inbound) -> Result<Option<Reply>, End> {
        self.heard_at = Instant::now();
        match message {
            Inbound::Binary(bytes) => match wire::decode_ack(&bytes) {
                Some(sequence) => self.window.acknowledged(sequence).for_each(|bytes| self.seat.delivered(bytes)),
                None => return Err(End::Close(CloseCode::Unsupported)),
            },
            Inbound::Text => return Err(End::Close(CloseCode::Unsupported)),
            Inbound::Ping(content) => return Ok(Some(Reply::Pong(content))),
            Inbound::Pong => {}
            Inbound::Close(content) => return Ok(Some(Reply::Close(content))),
        }
        Ok(None)
    }

    async fn reply(&mut self, reply: Reply) -> Result<(), End> {
        match reply {
            Reply::Pong(content) => self.send_control(Opcode::Pong, content).await,
            Reply::Close(content) => {
                self.send_control(Opcode::Close, content).await?;
                Err(End::Gone)
            }
        }
    }

    async fn show(&mut self, seen: &Seen) -> Result<(), End> {
        if self.window.awaits_answer() {
            self.hear_all().await?;
        }
        let head = self.sent(seen);
        let sending = self.peer.send_picture(&head, seen.frame.jpeg.clone());
        self.waited |= send(sending, &mut self.ending).await?;
        Ok(())
    }

    /// Counts a frame that is about to be sent; what stands before it.
    fn sent(&mut self, seen: &Seen) -> [u8; HEADER_LEN] {
        self.quiet = false;
        let bytes = seen.frame.jpeg.len();
        self.seat.skipped(seen.skipped);
        self.seat.sent(bytes);
        let asks = self.window.sent(seen.frame.sequence, bytes);
        wire::head(seen, self.live.clock.now(), asks)
    }

    async fn send_control(&mut self, opcode: Opcode, content: Bytes) -> Result<(), End> {
        self.waited |= send(self.peer.send_control(opcode, content), &mut self.ending).await?;
        Ok(())
    }

    /// Sends what a round left unsent.
    async fn send_rest(&mut self) -> Result<(), End> {
        self.waited |= send(self.peer.flush(), &mut self.ending).await?;
        Ok(())
    }

    /// The hub ends topics when it stops and when a camera is removed.
    fn topic_ended(&self) -> End {
        let removed = !self.live.is_known(self.camera);
        End::Close(if removed { CloseCode::CameraRemoved } else { CloseCode::GoingAway })
    }

    /// Says why, and gives the viewer a moment to answer: dropped at once, the kernel might reset the connection and
    /// the code would be lost.
    async fn close(&mut self, close: CloseCode) {
        let content = [&close.code().to_be_bytes(), close.reason().as_bytes()].concat();
        let goodbye = async {
            if self.peer.send_control(Opcode::Close, content.into()).await.is_err() {
                return;
            }
            while let Ok(message) = self.peer.hear().await {
                if matches!(message, Inbound::Close(_)) {
                    return;
                }
            }
        };
        // A viewer that does not answer is dropped.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

/// Sends, for as long as an acknowledgement may take; the end of the session does not wait for it. Most often the socket
/// takes it all at once, and then nothing else is looked at. Whether it had to wait.
async fn send(sending: impl Future<Output = std::io::Result<()>>, ending: &mut Ending) -> Result<bool, End> {
    let mut sending = pin!(sending);
    if let Some(sent) = sending.as_mut().now_or_never() {
        return sent.map_or(Err(End::Gone), |()| Ok(false));
    }
    tokio::select! {
        biased;
        sent = tokio::time::timeout(ACK_TIMEOUT, sending) => match sent {
            Ok(Ok(())) => Ok(true),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Close(CloseCode::TooSlow)),
        },
        Some(code) = ending.next() => Err(End::Close(code)),
    }
}

pub(super) fn ticks() -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
