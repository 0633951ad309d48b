//! What one camera says to the hub. Never waits for anything but the camera.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use larder_proto::wire::{
    CameraId,
    camera::{ByeReason, Command, DecodeError, HEADER_LEN, Incoming, Limits, Message, Packet, Received, decode},
};
use socket2::SockRef;
use tokio::{io::AsyncReadExt as _, net::tcp::OwnedReadHalf, sync::watch, time::Instant};

use super::{
    Shared, Wanted,
    ended::Ended,
    intake::Intake,
    registry::{ControlError, Outbox, Place},
    thermometer::SessionClock,
    writer::Pings,
};
use crate::{bucket::Bucket, secrets};

/// Room for a read between two messages: a camera's whole TCP window (5.7 KB) and some.
const READ_ROOM: usize = 16 * 1024;
/// The name under which a frame with a wrong CRC is counted.
const DAMAGED: &str = "damaged";
/// Messages of any kind that may come at once, and how long one more takes: 150 a second. Beyond it the hub reads no
/// faster, and TCP makes the camera wait: what one camera costs has a bound.
pub(super) const MESSAGES: (u32, Duration) = (300, Duration::from_micros(6_667));
/// A camera that talks but has answered no PING for so many idle timeouts hears nothing: no command reaches it.
const DEAF_AFTER: u32 = 2;

/// What a proven session has.
pub(super) struct Parts {
    pub(super) camera: CameraId,
    /// Which of its starts this is.
    pub(super) boot: u32,
    pub(super) incoming: Incoming,
    pub(super) outbox: Outbox,
    pub(super) pings: Pings,
    pub(super) intake: Intake,
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
    bytes: u64,
    messages: Bucket,
    /// When the newest PING was answered, or the session began.
    answered: Instant,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, stream: OwnedReadHalf, buffer: BytesMut, parts: Parts) -> Self {
        let (most, refill) = MESSAGES;
        let messages = Bucket::new(most, refill);
        Self { shared, stream, buffer, parts, bytes: 0, messages, answered: Instant::now() }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { frames: self.parts.intake.count(), bytes: self.bytes }
    }

    /// Gives the camera's place and topic up, and the socket back.
    pub(super) fn end(self, ended: &Ended) -> OwnedReadHalf {
        self.parts.intake.end(ended);
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
            self.bytes += u64::try_from(read).unwrap_or(0);
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
            self.parts.intake.learn(packet.header.t_us);
        }
        match received {
            Received::Message(Message::Frame(frame)) => self.parts.intake.take(&frame.jpeg, Some(frame.t_us))?,
            Received::DamagedFrame => self.parts.intake.refused(DAMAGED),
            Received::PassedOver(code) => {
                metrics::counter!("larder_camera_messages_passed_over_total").increment(1);
                tracing::debug!(camera.id = %self.parts.camera, message.kind = code, "a message was passed over");
            }
            Received::Message(Message::Telemetry(telemetry)) => {
                if let Some((offset_us, epoch)) = self.parts.intake.clock() {
                    let clock = SessionClock { boot: self.parts.boot, epoch, offset_us };
                    self.shared.probes.telemetry(self.parts.camera, clock, &telemetry.sensors);
                }
                self.parts.intake.publisher().telemetry(telemetry);
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
                    self.parts.intake.publisher().round_trip(round_trip);
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
