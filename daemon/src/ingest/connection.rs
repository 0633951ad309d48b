//! One camera's connection, from its first byte to its last log line.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::{BufMut as _, BytesMut};
use larder_proto::wire::{
    CameraId,
    camera::{
        ByeReason, CRC_LEN, Capabilities, DecodeError, FrameMac, HEADER_LEN, HandshakeError, Hello, HubHandshake,
        Limits, MAC_LEN, NONCE_LEN, Packet, Session, Welcome, decode, early_bye,
    },
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};

use super::{
    Shared, Wanted,
    ended::Ended,
    intake::Intake,
    reader::{Parts, Reader},
    registry::Outbox,
    writer::{Pings, Writer},
};
use crate::{addresses::Claim, hub::SessionInfo, secrets};

/// From the accepted connection to a proven camera.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// For the last message before the socket is closed.
pub(super) const BYE_TIMEOUT: Duration = Duration::from_secs(1);
/// Largest message before both sides are proven: nothing more is ever buffered of a stranger.
const LARGEST_UNPROVEN: usize = HEADER_LEN + 256 + MAC_LEN + CRC_LEN;
/// Messages that wait to be sent to a camera: commands, PONGs. Full: refused, the camera does not read.
const OUTBOX: usize = 32;

/// Why a stranger is sent away.
#[derive(Debug, Error)]
pub(super) enum Refused {
    /// It hung up.
    #[error("it hung up")]
    Gone(#[from] std::io::Error),
    /// It was too slow.
    #[error("it took too long")]
    TooSlow,
    /// It names a camera that is not there.
    #[error("no such camera")]
    UnknownCamera,
    /// It has proven itself, and has done so too often of late.
    #[error("it dials too often")]
    TooOften,
    /// What it said is wrong.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// No random bytes for a nonce.
    #[error(transparent)]
    Random(#[from] secrets::Error),
}

impl Refused {
    fn bye(&self) -> Option<ByeReason> {
        match self {
            Self::Gone(_) => None,
            Self::TooSlow => Some(ByeReason::HandshakeTooSlow),
            Self::UnknownCamera => Some(ByeReason::UnknownCamera),
            Self::TooOften => Some(ByeReason::Busy),
            Self::Handshake(error) => error.bye(),
            Self::Random(_) => Some(ByeReason::Internal),
        }
    }

    /// The reason's name in metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Gone(_) => "gone",
            Self::TooOften => "too-often",
            Self::Handshake(HandshakeError::Bye(reason)) => reason.name(),
            other => other.bye().map_or("gone", ByeReason::name),
        }
    }

    /// Whether a person should look at that camera: its key does not fit, the hub has forgotten it, or it does not
    /// keep a session.
    fn is_about_the_camera(&self) -> bool {
        matches!(
            self,
            Self::UnknownCamera
                | Self::TooOften
                | Self::Handshake(HandshakeError::Unproven | HandshakeError::Bye(ByeReason::Unproven))
        )
    }
}

/// A camera that has proven itself.
struct Proven {
    hello: Hello,
    session: Session,
    key: [u8; secrets::KEY_LEN],
    wanted: Wanted,
    changes: watch::Receiver<u64>,
}

/// A stranger's connection.
struct Stranger {
    stream: TcpStream,
    buffer: BytesMut,
    /// Who it says it is.
    claimed: Option<CameraId>,
    /// How many messages it was sent.
    sent: u32,
}

/// Serves a connection to its end.
pub(super) async fn run(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, claim: Claim) {
    let buffer = BytesMut::with_capacity(LARGEST_UNPROVEN);
    let mut stranger = Stranger { stream, buffer, claimed: None, sent: 0 };
    let stopping = shared.tasks.stopping();
    let proven = tokio::select! {
        biased;
        () = stopping.cancelled() => return,
        proven = timeout(HANDSHAKE_TIMEOUT, stranger.prove(&shared)) => proven.unwrap_or(Err(Refused::TooSlow)),
    };
    match proven {
        Ok(proven) => {
            drop(claim);
            serve(stranger, proven, peer, &shared).await;
        }
        Err(refused) => {
            let whom = stranger.claimed.filter(|_| refused.is_about_the_camera());
            shared.refused(peer, whom, refused.name());
            tracing::debug!(camera.address = %peer, cause = %refused, "a connection to the camera link was refused");
            stranger.send_away(&refused).await;
        }
    }
}

impl Stranger {
    /// The handshake. Nothing but this connection is touched before the camera is proven.
    async fn prove(&mut self, shared: &Shared) -> Result<Proven, Refused> {
        let hello = self.packet().await?;
        let handshake = HubHandshake::open(&hello)?;
        let hello = handshake.hello().clone();
        self.claimed = Some(hello.camera);
        // Before the key is read, so that no change of it can fall between.
        let changes = shared.cameras.changes();
        let known = shared.cameras.key(hello.camera).zip(shared.cameras.wanted(hello.camera));
        let (key, wanted) = known.ok_or(Refused::UnknownCamera)?;
        let nonce: [u8; NONCE_LEN] = secrets::random()?;
        let unix_us = shared.clock.now().as_microsecond().unsigned_abs();
        let mut out = BytesMut::new();
        let challenged = handshake.challenge(&key, nonce, unix_us, &mut out);
        self.stream.write_all(&out).await?;
        self.sent = 1;
        let auth = self.packet().await?;
        let session = challenged.auth(&auth, FrameMac(shared.config.frame_mac))?;
        if !shared.registry.admits(hello.camera) {
            return Err(Refused::TooOften);
        }
        Ok(Proven { hello, session, key, wanted, changes })
    }

    async fn packet(&mut self) -> Result<Packet, Refused> {
        loop {
            let decoded = decode(&mut self.buffer, &Limits::HANDSHAKE);
            if let Some(packet) = decoded.map_err(|error: DecodeError| HandshakeError::from(error))? {
                return Ok(packet);
            }
            let room = LARGEST_UNPROVEN - self.buffer.len();
            if self.stream.read_buf(&mut (&mut self.buffer).limit(room)).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn send_away(mut self, refused: &Refused) {
        let Some(reason) = refused.bye() else { return };
        let bye = early_bye(reason, self.sent, 0);
        let farewell = async {
            self.stream.write_all(&bye).await?;
            self.stream.shutdown().await?;
            drain(&mut self.stream).await
        };
        // It is being sent away: whether it hears so does not matter.
        let _ = timeout(BYE_TIMEOUT, farewell).await;
    }
}

/// Reads and forgets until the peer closes. A socket closed with unread bytes is reset, and a reset takes the BYE
/// before it out of the peer's hands.
pub(super) async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut forgotten = [0; 4096];
    while stream.read(&mut forgotten).await? != 0 {}
    Ok(())
}

/// A session, from WELCOME to BYE.
async fn serve(stranger: Stranger, proven: Proven, peer: SocketAddr, shared: &Arc<Shared>) {
    let Proven { hello, session, key, wanted, changes } = proven;
    let Session { incoming, outgoing } = session;
    let camera = hello.camera;
    let (queue, queued) = mpsc::channel(OUTBOX);
    let outbox = Outbox::new(queue, hello.capabilities.has(Capabilities::UPDATE));
    let topic = shared.hub.ensure(camera);
    let info = SessionInfo { address: peer.to_string(), firmware_version: hello.firmware_version.clone() };
    let (place, publisher, before) = shared.registry.take(camera, outbox.clone(), || topic.publisher(info));
    shared.took_over(camera, &peer.to_string(), before);
    shared.probes.hello(camera, hello.boot, hello.reading_mark);
    tracing::info!(
        camera.id = %camera, camera.address = %peer, camera.firmware = hello.firmware_version,
        camera.reset_reason = hello.reset_reason.name(), "a camera is connected"
    );
    metrics::gauge!("larder_camera_sessions").increment(1.0);
    let began = Instant::now();

    let (read_half, write_half) = stranger.stream.into_split();
    let pings = Pings::new(began);
    let writer = Writer { stream: write_half, outgoing, queued, pings: pings.clone() };
    let (finish, finished) = oneshot::channel();
    let mut writing = pin!(writer.run(welcome(shared, &wanted), shared.config.ping_interval(), finished));
    let intake = Intake::new(Arc::clone(shared), topic, publisher);
    let parts = Parts { camera, boot: hello.boot, incoming, outbox, pings, intake, place, key, wanted, changes };
    let mut reader = Reader::new(Arc::clone(shared), read_half, stranger.buffer, parts);
    let (ended, is_writing) = tokio::select! {
        biased;
        written = &mut writing => (Ended::Write(written.err()), false),
        ended = reader.run() => (ended, true),
    };
    let counts = reader.counts();
    // The camera is offline from here on; the farewell takes nobody's time.
    let mut rest = reader.end(&ended);
    let bye = ended.bye();
    if is_writing && finish.send(bye).is_ok() {
        let farewell = async {
            writing.await?;
            if bye.is_some() { drain(&mut rest).await } else { Ok(()) }
        };
        let _ = timeout(BYE_TIMEOUT, farewell).await;
    }
    metrics::gauge!("larder_camera_sessions").decrement(1.0);
    metrics::counter!("larder_camera_sessions_ended_total", "reason" => ended.name()).increment(1);
    tracing::info!(
        camera.id = %camera, camera.address = %peer, reason = ended.name(), cause = %ended,
        session.frames = counts.frames, session.bytes = counts.bytes, session.seconds = began.elapsed().as_secs(),
        "a camera's session ended"
    );
}

fn welcome(shared: &Shared, wanted: &Wanted) -> Welcome {
    Welcome {
        size: wanted.size,
        quality: wanted.quality,
        active_fps: wanted.active_fps,
        idle_fps: wanted.idle_fps,
        frame_mac: FrameMac(shared.config.frame_mac),
        ping_interval: shared.config.ping_interval(),
        telemetry_interval: shared.config.telemetry_interval(),
        largest_frame_bytes: Limits::SESSION.frame,
    }
}
