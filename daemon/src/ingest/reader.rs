//! What one camera says to the hub. Never waits for anything but the camera.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use larder_proto::wire::{
    CameraId,
    camera::{
        ByeReason, Command, DecodeError, HEADER_LEN, Incoming, Limits, Message, Packet, Received, ReceivedFrame,
        SessionError, decode,
    },
    jpeg,
};
use socket2::SockRef;
use thiserror::Error;
use tokio::{io::AsyncReadExt as _, net::tcp::OwnedReadHalf, sync::watch, time::Instant};

use super::{
    Shared, Wanted,
    clock_map::ClockMap,
    registry::{ControlError, Outbox, Place},
    thermometer::SessionClock,
    writer::Pings,
};
use crate::{
    bucket::Bucket,
    clock::from_us,
    hub::{Frame, Publisher, Topic},
    secrets,
};

/// Room for a read between two messages: a camera's whole TCP window (5.7 KB) and some.
const READ_ROOM: usize = 16 * 1024;
/// The name under which a frame with a wrong CRC is counted.
const DAMAGED: &str = "damaged";
/// The name under which a frame is counted that is one too many.
const TOO_FAST: &str = "too-fast";
/// Pictures that may come at once, and how long one more takes: 60 a second, twice what is ever asked for, and two
/// seconds of them at once after a line was blocked.
const FRAMES: (u32, Duration) = (120, Duration::from_micros(16_667));
/// The same for messages of any kind, 150 a second. Beyond it the hub reads no faster, and TCP makes the camera wait:
/// what one camera costs has a bound.
const MESSAGES: (u32, Duration) = (300, Duration::from_micros(6_667));
/// A camera that talks but has answered no PING for so many idle timeouts hears nothing: no command reaches it.
const DEAF_AFTER: u32 = 2;

/// Why a session ended.
#[derive(Debug, Error)]
pub(super) enum Ended {
    /// The hub stops.
    #[error("the hub stops")]
    Stopping,
    /// Told so: replaced, its key changed, its camera removed, or disconnected by a person.
    #[error("the hub ended it: {0}")]
    Told(ByeReason),
    /// Nothing came for too long.
    #[error("nothing came for too long")]
    Idle,
    /// The camera closed the connection without a word.
    #[error("the camera closed the connection")]
    Closed,
    /// The same, in the middle of a message.
    #[error("the camera closed the connection in the middle of a message")]
    Cut,
    /// The camera said BYE.
    #[error("the camera said bye: {0}")]
    Bye(ByeReason),
    /// Reading failed.
    #[error("reading failed: {0}")]
    Read(io::Error),
    /// Writing failed or timed out.
    #[error("writing failed{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Write(Option<io::Error>),
    /// It asks more than it takes in, or answers no PING.
    #[error("it does not take in what is sent to it")]
    Deaf,
    /// It broke the protocol.
    #[error(transparent)]
    Protocol(#[from] SessionError),
}

impl Ended {
    /// The last word to the camera, if it can hear one.
    pub(super) fn bye(&self) -> Option<ByeReason> {
        match self {
            Self::Stopping => Some(ByeReason::HubStopping),
            Self::Told(reason) => Some(*reason),
            // Of the deaf one, no answer has come for too long.
            Self::Idle | Self::Deaf => Some(ByeReason::Idle),
            Self::Protocol(error) => Some(error.bye()),
            Self::Closed | Self::Cut | Self::Bye(_) | Self::Read(_) | Self::Write(_) => None,
        }
    }

    /// The reason's name in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Cut => "cut",
            Self::Bye(_) => "bye",
            Self::Read(_) => "read-failed",
            Self::Write(_) => "write-failed",
            Self::Deaf => "deaf",
            told => told.bye().map_or("other", ByeReason::name),
        }
    }
}

impl From<DecodeError> for Ended {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error.into())
    }
}

/// What a proven session has.
pub(super) struct Parts {
    pub(super) camera: CameraId,
    /// Which of its starts this is.
    pub(super) boot: u32,
    pub(super) incoming: Incoming,
    pub(super) outbox: Outbox,
    pub(super) pings: Pings,
    pub(super) publisher: Publisher,
    pub(super) topic: Arc<Topic>,
    pub(super) place: Place,
    pub(super) key: [u8; secrets::KEY_LEN],
    pub(super) wanted: Wanted,
    pub(super) changes: watch::Receiver<u64>,
}

/// What came in a session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Pictures, refused ones included.
    pub(super) frames: u64,
    /// Bytes.
    pub(super) bytes: u64,
}

/// The receiving half of a session.
pub(super) struct Reader {
    shared: Arc<Shared>,
    stream: OwnedReadHalf,
    buffer: BytesMut,
    parts: Parts,
    clock_map: ClockMap,
    clock_epoch: u64,
    counts: Counts,
    frames: Bucket,
    messages: Bucket,
    /// When the newest PING was answered, or the session began.
    answered: Instant,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, stream: OwnedReadHalf, buffer: BytesMut, parts: Parts) -> Self {
        let clock_epoch = shared.clock.epoch();
        let bucket = |(most, refill)| Bucket::new(most, refill);
        Self {
            shared,
            stream,
            buffer,
            parts,
            clock_map: ClockMap::default(),
            clock_epoch,
            counts: Counts::default(),
            frames: bucket(FRAMES),
            messages: bucket(MESSAGES),
            answered: Instant::now(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Gives the camera's place and topic up, and the socket back.
    pub(super) fn into_stream(self) -> OwnedReadHalf {
        self.stream
    }

    /// Reads until the session ends.
    pub(super) async fn run(&mut self) -> Ended {
        let Err(ended) = self.read().await;
        ended
    }

    async fn read(&mut self) -> Result<std::convert::Infallible, Ended> {
        let stopping = self.shared.tasks.stopping();
        let idle_timeout = self.shared.config.idle_timeout();
        let mut heard = Instant::now();
        loop {
            while let Some(packet) = decode(&mut self.buffer, &Limits::SESSION)? {
                self.take(&packet)?;
                if let Err(turn) = self.messages.take() {
                    self.wait_until(turn).await?;
                }
            }
            if self.answered.elapsed() > idle_timeout * DEAF_AFTER {
                return Err(Ended::Deaf);
            }
            // Within a message there is room for exactly the rest of it; more would move what is there already.
            if self.buffer.len() < HEADER_LEN && self.buffer.capacity() - self.buffer.len() < READ_ROOM / 4 {
                self.buffer.reserve(READ_ROOM);
            }
            let read = tokio::select! {
                biased;
                () = stopping.cancelled() => return Err(Ended::Stopping),
                told = self.parts.place.told() => return Err(Ended::Told(told)),
                Ok(()) = self.parts.changes.changed() => {
                    self.follow_settings()?;
                    continue;
                }
                read = self.stream.read_buf(&mut self.buffer) => read.map_err(Ended::Read)?,
                () = tokio::time::sleep_until(heard + idle_timeout) => return Err(Ended::Idle),
            };
            if read == 0 {
                return Err(if self.buffer.is_empty() { Ended::Closed } else { Ended::Cut });
            }
            heard = Instant::now();
            self.counts.bytes += u64::try_from(read).unwrap_or(0);
            // The camera's window is 5.7 KB: it waits for each acknowledgement, so none may be delayed. The kernel
            // leaves this mode by itself, so it is asked for again and again.
            let _ = SockRef::from(self.stream.as_ref()).set_tcp_quickack(true);
        }
    }

    /// Reads nothing until then. Only the end of the session comes in between.
    async fn wait_until(&mut self, turn: Instant) -> Result<(), Ended> {
        metrics::counter!("larder_camera_reading_paused_total").increment(1);
        let stopping = self.shared.tasks.stopping();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Err(Ended::Stopping),
            told = self.parts.place.told() => Err(Ended::Told(told)),
            () = tokio::time::sleep_until(turn) => Ok(()),
        }
    }

    fn take(&mut self, packet: &Packet) -> Result<(), Ended> {
        let received = self.parts.incoming.receive(packet)?;
        if let Received::Message(message) = &received
            && !matches!(message, Message::Frame(_))
        {
            self.follow_clock();
            self.clock_map.learn(packet.header.t_us, self.shared.clock.now().as_microsecond());
        }
        match received {
            Received::Message(Message::Frame(frame)) => self.frame(frame)?,
            Received::DamagedFrame => {
                self.counts.frames += 1;
                self.parts.publisher.refused(DAMAGED);
            }
            Received::PassedOver(code) => {
                metrics::counter!("larder_camera_messages_passed_over_total").increment(1);
                tracing::debug!(camera.id = %self.parts.camera, message.kind = code, "a message was passed over");
            }
            Received::Message(Message::Telemetry(telemetry)) => {
                if let Some(offset_us) = self.clock_map.offset() {
                    let clock = SessionClock { boot: self.parts.boot, epoch: self.clock_epoch, offset_us };
                    self.shared.probes.telemetry(self.parts.camera, clock, &telemetry.sensors);
                }
                self.parts.publisher.telemetry(telemetry);
            }
            Received::Message(Message::Ack(ack)) => {
                let id = ack.id;
                if !self.parts.outbox.acknowledge(ack) {
                    tracing::debug!(camera.id = %self.parts.camera, command.id = id, "nobody waits for this ack");
                }
            }
            Received::Message(Message::UpdateStatus(status)) => {
                let result = status.result.name();
                if !self.parts.outbox.updated(status) {
                    tracing::debug!(camera.id = %self.parts.camera, update.result = result, "nobody waits for this status");
                }
            }
            Received::Message(Message::Ping(echo)) => {
                if !self.parts.outbox.send(Message::Pong(echo)) {
                    return Err(Ended::Deaf);
                }
            }
            Received::Message(Message::Pong(echo)) => {
                if let Some(round_trip) = self.parts.pings.answered(echo) {
                    self.answered = Instant::now();
                    self.parts.publisher.round_trip(round_trip);
                }
            }
            Received::Message(Message::Bye(reason)) => return Err(Ended::Bye(reason)),
            Received::Message(
                message @ (Message::Welcome(_)
                | Message::Control(_)
                | Message::UpdateBegin(_)
                | Message::UpdateData(_)
                | Message::UpdateEnd(_)),
            ) => {
                return Err(DecodeError::Unexpected(message.kind()).into());
            }
        }
        Ok(())
    }

    /// Times on both sides of a step of the hub's clock do not compare.
    fn follow_clock(&mut self) {
        let epoch = self.shared.clock.epoch();
        if epoch != self.clock_epoch {
            self.clock_epoch = epoch;
            self.clock_map.reset();
        }
    }

    fn frame(&mut self, frame: ReceivedFrame) -> Result<(), Ended> {
        let index = self.counts.frames;
        self.counts.frames += 1;
        if self.frames.take().is_err() {
            self.parts.publisher.refused(TOO_FAST);
            self.shared.too_fast(self.parts.camera);
            return Ok(());
        }
        let picture = match jpeg::check(&frame.jpeg) {
            Ok(picture) => picture,
            Err(reason) => {
                tracing::debug!(camera.id = %self.parts.camera, frame.number = frame.info.number, %reason, "refused");
                self.parts.publisher.refused(reason.name());
                return Ok(());
            }
        };
        self.follow_clock();
        let received_at = self.shared.clock.now();
        let captured_at = from_us(self.clock_map.map(frame.t_us, received_at.as_microsecond()));
        let jpeg = frame.jpeg.slice(..picture.len);
        self.shared.sampler.offer(index, &self.parts.topic, &jpeg);
        let published = self.parts.publisher.publish(Frame {
            sequence: 0,
            captured_at,
            received_at,
            clock_epoch: self.clock_epoch,
            width: picture.width,
            height: picture.height,
            jpeg,
        });
        if published { Ok(()) } else { Err(Ended::Told(self.why_not_published())) }
    }

    /// The topic ended with its camera, or belongs to a newer session.
    fn why_not_published(&self) -> ByeReason {
        let is_there = self.shared.cameras.key(self.parts.camera).is_some();
        if is_there { ByeReason::Replaced } else { ByeReason::CameraRemoved }
    }

    /// After any camera has changed: whether it was this one, and what of it.
    fn follow_settings(&mut self) -> Result<(), Ended> {
        let camera = self.parts.camera;
        let known = self.shared.cameras.key(camera).zip(self.shared.cameras.wanted(camera));
        let (key, wanted) = known.ok_or(Ended::Told(ByeReason::CameraRemoved))?;
        if key != self.parts.key {
            return Err(Ended::Told(ByeReason::KeyChanged));
        }
        let before = std::mem::replace(&mut self.parts.wanted, wanted);
        for command in wanted.changes_from(&before) {
            self.ask(command);
        }
        Ok(())
    }

    /// Sends a command nobody waits for, and notes when it is not done.
    fn ask(&self, command: Command) {
        let camera = self.parts.camera;
        let note = move |error: ControlError| {
            tracing::warn!(camera.id = %camera, ?command, %error, "a camera does not follow its settings");
        };
        match self.parts.outbox.command(command) {
            Ok(pending) => {
                self.shared.tasks.spawn_until_stop(async move {
                    if let Err(error) = pending.done().await {
                        note(error);
                    }
                });
            }
            Err(error) => note(error),
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // Whoever waits for an ACK waits in vain.
        self.outbox.close();
    }
}
