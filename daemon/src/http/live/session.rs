//! One viewer's WebSocket session.

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
    window::{ACK_TIMEOUT, Window},
    wire::{self, CloseCode},
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
    seat: Seat,
}

/// What a session shows to whom.
pub(super) struct Place {
    pub(super) camera: CameraId,
    pub(super) viewer: Viewer,
    pub(super) seat: Seat,
    /// Of the caller.
    pub(super) revoked: CancellationToken,
}

/// Why a session ends.
enum End {
    /// We close, with a code.
    Close(CloseCode),
    /// The viewer closed, or its connection broke.
    Gone,
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
    pub(super) fn new(peer: Peer, place: Place, live: Live) -> Self {
        let now = Instant::now();
        let Place { camera, viewer, seat, revoked } = place;
        Self {
            peer,
            camera,
            viewer,
            ending: live.ending(&revoked, &seat),
            live,
            window: Window::default(),
            heard_at: now,
            pinged_at: now,
            quiet: true,
            seat,
        }
    }

    /// Runs until either side ends it; logs the end once.
    pub(super) async fn run(mut self) {
        let mut ticks = ticks();
        let end = loop {
            if let Err(end) = self.step(&mut ticks).await {
                break end;
            }
        };
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

    async fn step(&mut self, ticks: &mut Interval) -> Result<(), End> {
        let is_open = self.window.is_open();
        tokio::select! {
            biased;
            message = self.peer.hear(), if self.quiet || !is_open => self.take(message?).await,
            _ = ticks.tick() => self.tick().await,
            seen = self.viewer.next(), if is_open => match seen {
                Some(seen) => self.show(&seen).await,
                None => Err(self.topic_ended()),
            },
            // Last, as it is the dearest to look at: a viewer for whom a newer frame is always there is told on a tick.
            Some(code) = self.ending.next() => Err(End::Close(code)),
        }
    }

    /// Looks at the clocks.
    async fn tick(&mut self) -> Result<(), End> {
        if let Some(Some(code)) = self.ending.next().now_or_never() {
            return Err(End::Close(code));
        }
        self.hear_all().await?;
        self.quiet = true;
        let too_slow = self.window.deadline().is_some_and(|deadline| deadline <= Instant::now());
        if too_slow || self.heard_at.elapsed() > SILENCE {
            return Err(End::Close(CloseCode::TooSlow));
        }
        if self.pinged_at.elapsed() >= PING {
            self.pinged_at = Instant::now();
            self.send_control(Opcode::Ping, Bytes::new()).await?;
        }
        Ok(())
    }

    /// Takes what the viewer has said up to now.
    async fn hear_all(&mut self) -> Result<(), End> {
        while let Some(message) = self.peer.heard()? {
            self.take(message).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: Inbound) -> Result<(), End> {
        self.heard_at = Instant::now();
        match message {
            Inbound::Binary(bytes) => match wire::decode_ack(&bytes) {
                Some(sequence) => self.window.acknowledged(sequence).for_each(|bytes| self.seat.delivered(bytes)),
                None => return Err(End::Close(CloseCode::Unsupported)),
            },
            Inbound::Text => return Err(End::Close(CloseCode::Unsupported)),
            Inbound::Ping(content) => self.send_control(Opcode::Pong, content).await?,
            Inbound::Pong => {}
            Inbound::Close(content) => {
                self.send_control(Opcode::Close, content).await?;
                return Err(End::Gone);
            }
        }
        Ok(())
    }

    async fn show(&mut self, seen: &Seen) -> Result<(), End> {
        if self.window.awaits_answer() {
            self.hear_all().await?;
        }
        self.quiet = false;
        let bytes = seen.frame.jpeg.len();
        self.seat.skipped(seen.skipped);
        self.seat.sent(bytes);
        let asks = self.window.sent(seen.frame.sequence, bytes);
        let head = wire::head(seen, self.live.clock.now(), asks);
        let sending = self.peer.send_picture(&head, seen.frame.jpeg.clone());
        send(sending, &mut self.ending).await
    }

    async fn send_control(&mut self, opcode: Opcode, content: Bytes) -> Result<(), End> {
        send(self.peer.send_control(opcode, content), &mut self.ending).await
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
/// takes it all at once, and then nothing else is looked at.
async fn send(sending: impl Future<Output = std::io::Result<()>>, ending: &mut Ending) -> Result<(), End> {
    let mut sending = pin!(sending);
    if let Some(sent) = sending.as_mut().now_or_never() {
        return sent.or(Err(End::Gone));
    }
    tokio::select! {
        biased;
        sent = tokio::time::timeout(ACK_TIMEOUT, sending) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Close(CloseCode::TooSlow)),
        },
        Some(code) = ending.next() => Err(End::Close(code)),
    }
}

fn ticks() -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
