//! The camera's end of a camera link over TCP.
//!
//! [`Link`] sends exactly what it is told, with the capture times it is told: tests use it as it is, and the session of
//! a simulated camera is built on it.

use std::{fmt, future::poll_fn, io, io::IoSlice, pin::Pin, task::ready, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use larder_proto::wire::{
    CameraId,
    camera::{
        Ack, AckResult, ByeReason, CameraHandshake, CameraState, Capabilities, Control, FrameFlags, FrameInfo,
        HandshakeError, Hello, HubProof, KEY_LEN, Limits, Message, NONCE_LEN, Packet, ReadingMark, Received,
        ResetReason, Session, SessionError, Size, Telemetry, VERSION, Welcome, decode, early_bye,
    },
};
use ring::rand::SecureRandom as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// For the TCP connection and the whole handshake, as the hub has it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A hub that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who dials, and what it says of itself.
#[derive(Clone)]
pub struct Dial {
    /// Which camera.
    pub camera: CameraId,
    /// Its key.
    pub key: [u8; KEY_LEN],
    /// Counts its starts.
    pub boot: u32,
    /// The newest datagram that its thermometer has sent.
    pub reading_mark: ReadingMark,
    /// Why it started last.
    pub reset_reason: ResetReason,
}

impl Dial {
    /// A camera at its first start.
    pub fn new(camera: CameraId, key: [u8; KEY_LEN]) -> Self {
        Self { camera, key, boot: 1, reading_mark: ReadingMark::default(), reset_reason: ResetReason::POWER_ON }
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial").field("camera", &self.camera).field("boot", &self.boot).finish_non_exhaustive()
    }
}

/// Why a link ends.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No TCP connection.
    #[error("cannot reach {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The hub closed the connection without a word.
    #[error("the hub closed the connection")]
    Closed,
    /// The hub said goodbye.
    #[error("the hub ended the session: {0}")]
    Bye(ByeReason),
    /// No session came about.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The hub broke the protocol.
    #[error("the hub broke the protocol: {0}")]
    Session(#[from] SessionError),
    /// The hub is too slow.
    #[error("no answer within {} s: {what}", .after.as_secs())]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// There is no randomness.
    #[error("no random numbers from the system")]
    Random,
}

impl LinkError {
    /// Whether the hub does not want this camera with this key: dialling again soon is pointless.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Bye(reason) | Self::Handshake(HandshakeError::Bye(reason)) => reason.is_refusal(),
            Self::Handshake(HandshakeError::Unproven | HandshakeError::Version { .. }) => true,
            _ => false,
        }
    }
}

/// A session with a hub.
pub struct Link {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    session: Session,
    input: BytesMut,
    output: BytesMut,
    hub: HubProof,
    welcome: Welcome,
    frames: u32,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("welcome", &self.welcome).field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl Link {
    /// Dials a hub, checks that it has the key, and proves to have it too. `t_us`: the camera's clock.
    ///
    /// # Errors
    ///
    /// No connection, no hub with this key, or no answer within 5 s.
    pub async fn connect(address: &str, dial: &Dial, t_us: u64) -> Result<Self, LinkError> {
        let what = "the handshake";
        let connecting = Self::handshake(address, dial, t_us);
        timeout(HANDSHAKE_TIMEOUT, connecting)
            .await
            .unwrap_or(Err(LinkError::Timeout { what, after: HANDSHAKE_TIMEOUT }))
    }

    async fn handshake(address: &str, dial: &Dial, t_us: u64) -> Result<Self, LinkError> {
        let failed = |source| LinkError::Connect { address: address.to_owned(), source };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
        let (mut input, mut output) = (BytesMut::with_capacity(4096), BytesMut::new());
        let handshake = CameraHandshake::start(&dial.key, &hello(dial)?, t_us, &mut output);
        write(&mut writer, &mut output).await?;
        let challenge = packet(&mut reader, &mut input, &Limits::HANDSHAKE).await?;
        let proven = match handshake.challenge(&challenge, t_us, &mut output) {
            Ok(proven) => proven,
            Err(error) => {
                // So that the hub knows whom its key does not fit. What came of it matters no more.
                let reason = error.bye().unwrap_or(ByeReason::Unproven);
                let _ = write(&mut writer, &mut BytesMut::from(&early_bye(reason, 1, t_us)[..])).await;
                return Err(error.into());
            }
        };
        write(&mut writer, &mut output).await?;
        let hub = proven.hub();
        let (session, welcome) = proven.welcome(&packet(&mut reader, &mut input, &Limits::SESSION).await?)?;
        Ok(Self { reader, writer, session, input, output, hub, welcome, frames: 0 })
    }

    /// What the hub wants.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// What the hub said when it proved itself.
    pub fn hub(&self) -> HubProof {
        self.hub
    }

    /// Sends a picture as captured at `t_us` on the camera's clock. It is numbered after the last one; its size and
    /// quality are said to be what its own header says, 0 when it has none.
    ///
    /// # Errors
    ///
    /// The connection broke, or the hub takes nothing for 10 s. A frame may then be sent in part: drop the link.
    pub async fn send_frame(&mut self, jpeg: Bytes, t_us: u64) -> Result<(), LinkError> {
        let size = super::jpeg::size(&jpeg).unwrap_or(Size { width: 0, height: 0 });
        let quality = super::jpeg::quality(&jpeg).unwrap_or(0);
        let info =
            FrameInfo { number: self.frames, size, quality, flags: FrameFlags::default(), queued: Duration::ZERO };
        self.send_picture(&info, jpeg, t_us).await
    }

    /// Sends a picture with all that is said of it.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn send_picture(&mut self, info: &FrameInfo, jpeg: Bytes, t_us: u64) -> Result<(), LinkError> {
        let frame = self.session.outgoing.frame(info, t_us, jpeg);
        let parts = frame.head.chain(frame.jpeg).chain(frame.trailer);
        self.frames = info.number.wrapping_add(1);
        in_time(write_vectored(&mut self.writer, parts)).await
    }

    /// Sends the first `count` bytes of a frame and no more: the next thing to do is to drop the link.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn send_frame_in_part(&mut self, info: &FrameInfo, jpeg: Bytes, count: usize) -> Result<(), LinkError> {
        let frame = self.session.outgoing.frame(info, 0, jpeg);
        let parts = frame.head.chain(frame.jpeg).take(count);
        in_time(write_vectored(&mut self.writer, parts)).await
    }

    /// Sends how the camera is doing.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn send_telemetry(&mut self, telemetry: Telemetry, t_us: u64) -> Result<(), LinkError> {
        self.send(&Message::Telemetry(telemetry), t_us).await
    }

    /// Sends any message but a picture.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn send(&mut self, message: &Message, t_us: u64) -> Result<(), LinkError> {
        self.session.outgoing.message(message, t_us, &mut self.output);
        in_time(write(&mut self.writer, &mut self.output)).await
    }

    /// Sends bytes as they are, whatever the protocol says.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn send_raw(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        in_time(write_vectored(&mut self.writer, &mut bytes)).await
    }

    /// The next message of the hub; messages of an unknown optional kind are passed over. Cancel safe.
    ///
    /// # Errors
    ///
    /// The hub said goodbye, broke the protocol, or is gone.
    pub async fn receive(&mut self) -> Result<Message, LinkError> {
        loop {
            let packet = packet(&mut self.reader, &mut self.input, &Limits::SESSION).await?;
            match self.session.incoming.receive(&packet)? {
                Received::Message(Message::Bye(reason)) => return Err(LinkError::Bye(reason)),
                Received::Message(message) => return Ok(message),
                Received::PassedOver(_) | Received::DamagedFrame => {}
            }
        }
    }

    /// The next command. PINGs are answered meanwhile. When cancelled, the answer to a PING may be lost.
    ///
    /// # Errors
    ///
    /// As [`Link::receive`] and [`Link::send_frame`].
    pub async fn next_control(&mut self) -> Result<Control, LinkError> {
        loop {
            match self.receive().await? {
                Message::Control(control) => return Ok(control),
                Message::Ping(bytes) => self.send(&Message::Pong(bytes), 0).await?,
                _ => {}
            }
        }
    }

    /// Answers a command.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn acknowledge(&mut self, id: u32, result: AckResult, remark: &str, t_us: u64) -> Result<(), LinkError> {
        self.send(&Message::Ack(Ack { id, result, remark: remark.to_owned() }), t_us).await
    }

    /// Says goodbye and closes.
    ///
    /// # Errors
    ///
    /// As [`Link::send_frame`].
    pub async fn goodbye(mut self, reason: ByeReason, t_us: u64) -> Result<(), LinkError> {
        self.send(&Message::Bye(reason), t_us).await?;
        Ok(self.writer.shutdown().await?)
    }
}

fn hello(dial: &Dial) -> Result<Hello, LinkError> {
    let mut nonce = [0; NONCE_LEN];
    ring::rand::SystemRandom::new().fill(&mut nonce).map_err(|_unspecified| LinkError::Random)?;
    Ok(Hello {
        version_min: VERSION,
        version_max: VERSION,
        camera: dial.camera,
        nonce,
        boot: dial.boot,
        reading_mark: dial.reading_mark,
        capabilities: Capabilities(Capabilities::FLASH.0 | Capabilities::THERMOMETER.0),
        reset_reason: dial.reset_reason,
        camera_state: CameraState::default(),
        firmware_version: concat!("simulated-", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// Reads until a whole packet is there. Cancel safe: what was read stays in `input`.
async fn packet(reader: &mut OwnedReadHalf, input: &mut BytesMut, limits: &Limits) -> Result<Packet, LinkError> {
    loop {
        if let Some(packet) = decode(input, limits).map_err(SessionError::from)? {
            return Ok(packet);
        }
        if reader.read_buf(input).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
}

async fn in_time(writing: impl Future<Output = Result<(), LinkError>>) -> Result<(), LinkError> {
    let slow = LinkError::Timeout { what: "the hub takes nothing", after: WRITE_TIMEOUT };
    timeout(WRITE_TIMEOUT, writing).await.unwrap_or(Err(slow))
}

async fn write(writer: &mut OwnedWriteHalf, output: &mut BytesMut) -> Result<(), LinkError> {
    let result = writer.write_all(output).await;
    output.clear();
    Ok(result?)
}

/// Writes parts without joining them: header and picture leave in one system call.
async fn write_vectored(writer: &mut OwnedWriteHalf, mut parts: impl bytes::Buf) -> Result<(), LinkError> {
    while parts.has_remaining() {
        let written = poll_fn(|context| {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = parts.chunks_vectored(&mut slices);
            let written = ready!(Pin::new(&mut *writer).poll_write_vectored(context, &slices[..count]));
            std::task::Poll::Ready(written)
        })
        .await?;
        if written == 0 {
            return Err(LinkError::Closed);
        }
        parts.advance(written);
    }
    Ok(())
}
