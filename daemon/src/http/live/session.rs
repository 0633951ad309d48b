//! One viewer's WebSocket session.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use larder_proto::wire::CameraId;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Live,
    count::Count,
    window::{ACK_TIMEOUT, Window},
    wire::{self, CloseCode},
};
use crate::hub::{Seen, Viewer};

/// Keeps NAT entries alive (RFC 4787 allows two minutes, cheap routers have less) and finds dead peers.
const PING: Duration = Duration::from_secs(15);
/// Three pings unanswered: the peer is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a peer has to take our close and send its own.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A session, from upgrade to close.
pub(super) struct Session {
    pub(super) socket: WebSocket,
    pub(super) camera: CameraId,
    pub(super) viewer: Viewer,
    pub(super) live: Live,
    pub(super) revoked: CancellationToken,
    pub(super) window: Window,
    pub(super) count: Count,
}

/// Why a session ends.
enum End {
    /// We close, with a code.
    Close(CloseCode),
    /// The viewer closed, or its connection broke.
    Gone,
}

impl Session {
    /// Runs until either side ends it; logs the end once.
    pub(super) async fn run(mut self) {
        let (sent, end) = self.serve().await;
        let (code, reason) = match end {
            End::Close(close) => {
                self.close(close).await;
                (close.code(), close.reason())
            }
            End::Gone => (0, "the viewer left"),
        };
        self.count.ended(reason);
        tracing::debug!(camera.id = %self.camera, close.code = code, reason, frames = sent, "a live view ended");
    }

    async fn serve(&mut self) -> (u64, End) {
        let stop = self.live.tasks.stopping();
        let revoked = self.revoked.clone();
        let mut pings = pings();
        let mut heard = Instant::now();
        let mut sent = 0;
        loop {
            let deadline = self.window.deadline();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => Event::End(End::Close(CloseCode::GoingAway)),
                () = revoked.cancelled() => Event::End(End::Close(CloseCode::Revoked)),
                message = self.socket.recv() => Event::Heard(message.and_then(Result::ok)),
                () = until(deadline) => Event::End(End::Close(CloseCode::TooSlow)),
                _ = pings.tick() => Event::Ping,
                seen = self.viewer.next(), if self.window.is_open() => seen.map_or_else(|| Event::Ended, Event::Frame),
            };
            let step = match event {
                Event::End(end) => Err(end),
                Event::Heard(message) => {
                    heard = Instant::now();
                    self.hear(message)
                }
                Event::Ping if heard.elapsed() > SILENCE => Err(End::Close(CloseCode::TooSlow)),
                Event::Ping => self.send(Message::Ping(bytes::Bytes::new())).await,
                Event::Frame(seen) => {
                    sent += 1;
                    self.show(&seen).await
                }
                Event::Ended => Err(self.topic_ended()),
            };
            if let Err(end) = step {
                return (sent, end);
            }
        }
    }

    fn hear(&mut self, message: Option<Message>) -> Result<(), End> {
        match message {
            Some(Message::Binary(bytes)) => match wire::decode_ack(&bytes) {
                Some(sequence) => self.window.acknowledged(sequence),
                None => return Err(End::Close(CloseCode::Unsupported)),
            },
            Some(Message::Text(_)) => return Err(End::Close(CloseCode::Unsupported)),
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            Some(Message::Close(_)) | None => return Err(End::Gone),
        }
        Ok(())
    }

    async fn show(&mut self, seen: &Seen) -> Result<(), End> {
        self.count.frame(seen.skipped);
        self.window.sent(seen.frame.sequence);
        let message = wire::encode(seen, self.live.clock.now());
        self.send(Message::Binary(message)).await
    }

    /// Sends, for as long as an acknowledgement may take; the end of the session does not wait for it.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let stop = self.live.tasks.stopping();
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(End::Close(CloseCode::GoingAway)),
            () = self.revoked.cancelled() => Err(End::Close(CloseCode::Revoked)),
            sent = tokio::time::timeout(ACK_TIMEOUT, self.socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Gone),
                Err(_) => Err(End::Close(CloseCode::TooSlow)),
            },
        }
    }

    /// The hub ends topics when it stops and when a camera is removed.
    fn topic_ended(&self) -> End {
        let removed = !self.live.is_known(self.camera);
        End::Close(if removed { CloseCode::CameraRemoved } else { CloseCode::GoingAway })
    }

    /// Says why, and gives the viewer a moment to answer: dropped at once, the kernel might reset the connection and
    /// the code would be lost.
    async fn close(&mut self, close: CloseCode) {
        let frame = CloseFrame { code: close.code(), reason: close.reason().into() };
        let goodbye = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        // A viewer that does not answer is dropped.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

enum Event {
    End(End),
    Heard(Option<Message>),
    Ping,
    Frame(Seen),
    Ended,
}

fn pings() -> Interval {
    let mut pings = tokio::time::interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
