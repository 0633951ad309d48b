//! What the hub says to one camera.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use larder_proto::wire::camera::{ByeReason, Message, Outgoing, Welcome};
use tokio::{
    io::AsyncWriteExt as _,
    net::tcp::OwnedWriteHalf,
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, timeout},
};

/// A camera that takes nothing in for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The newest PING of a session; clones share it.
#[derive(Clone)]
pub(super) struct Pings {
    began: Instant,
    newest: Arc<AtomicU64>,
}

impl Pings {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, newest: Arc::default() }
    }

    /// The time of the session in microseconds, the hub's clock of the link.
    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn send(&self) -> [u8; 8] {
        // Never 0, which stands for "none sent".
        let echo = self.now_us().max(1);
        self.newest.store(echo, Ordering::Relaxed);
        echo.to_be_bytes()
    }

    /// The round trip, when this is the answer to the newest PING, and the first one.
    pub(super) fn answered(&self, echo: [u8; 8]) -> Option<Duration> {
        let echo = u64::from_be_bytes(echo);
        let newest = self.newest.compare_exchange(echo, 0, Ordering::Relaxed, Ordering::Relaxed);
        (newest.is_ok() && echo != 0).then(|| Duration::from_micros(self.now_us().saturating_sub(echo)))
    }
}

/// The sending half of a session.
pub(super) struct Writer {
    pub(super) stream: OwnedWriteHalf,
    pub(super) outgoing: Outgoing,
    pub(super) queued: mpsc::Receiver<Message>,
    pub(super) pings: Pings,
}

impl Writer {
    /// WELCOME, then what is queued and a PING now and then, until `finish` gives the last word.
    ///
    /// # Errors
    /// When the camera is gone or does not take anything in.
    pub(super) async fn run(
        mut self,
        welcome: Welcome,
        ping_interval: Duration,
        mut finish: oneshot::Receiver<Option<ByeReason>>,
    ) -> io::Result<()> {
        self.write(&Message::Welcome(welcome)).await?;
        let mut pings = tokio::time::interval(ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let message = tokio::select! {
                biased;
                last = &mut finish => return self.finish(last.ok().flatten()).await,
                Some(message) = self.queued.recv() => message,
                _ = pings.tick() => Message::Ping(self.pings.send()),
            };
            self.write(&message).await?;
        }
    }

    async fn write(&mut self, message: &Message) -> io::Result<()> {
        let mut out = BytesMut::new();
        self.outgoing.message(message, self.pings.now_us(), &mut out);
        timeout(WRITE_TIMEOUT, self.stream.write_all(&out)).await.map_err(io::Error::from)?
    }

    async fn finish(mut self, bye: Option<ByeReason>) -> io::Result<()> {
        if let Some(reason) = bye {
            self.write(&Message::Bye(reason)).await?;
        }
        self.stream.shutdown().await
    }
}
