//! What a session runs over: a QUIC connection of its own, or a session inside one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use larder_proto::wire::relay::{CloseCode, RESET_STALE};
use quinn::VarInt;
use tokio::io::AsyncReadExt as _;

use crate::viewers::Protocol;

/// The connection is over; nothing more comes or goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Gone;

/// One viewer's connection; clones share it.
#[derive(Clone)]
pub(super) enum Transport {
    /// `larder/1` itself.
    Quic(quinn::Connection),
    /// The same in a session of WebTransport, the only one of its connection.
    Web(Arc<web_transport_quinn::Session>),
}

impl Transport {
    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Quic(_) => Protocol::Quic,
            Self::Web(_) => Protocol::WebTransport,
        }
    }

    /// Where the viewer is now: it may move.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Quic(connection) => connection.remote_address(),
            Self::Web(session) => session.remote_address(),
        }
    }

    pub(super) fn round_trip(&self) -> Duration {
        match self {
            Self::Quic(connection) => connection.rtt(),
            Self::Web(session) => session.rtt(),
        }
    }

    /// The least that was ever measured on the present path.
    pub(super) fn least_round_trip(&self) -> Duration {
        match self {
            Self::Quic(connection) => connection.min_rtt(),
            Self::Web(session) => session.min_rtt(),
        }
    }

    /// How often the viewer has acknowledged something: parts of frames, too.
    pub(super) fn acks(&self) -> u64 {
        match self {
            Self::Quic(connection) => connection.stats().frame_rx.acks,
            Self::Web(session) => quinn::Connection::stats(session).frame_rx.acks,
        }
    }

    /// The next bidirectional stream that the viewer opens. Cancel safe.
    pub(super) async fn accept_both_ways(&self) -> Result<(Sender, Receiver), Gone> {
        match self {
            Self::Quic(connection) => {
                let (sender, receiver) = connection.accept_bi().await.or(Err(Gone))?;
                Ok((Sender::Quic(sender), Receiver::Quic(receiver)))
            }
            Self::Web(session) => {
                let (sender, receiver) = session.accept_bi().await.or(Err(Gone))?;
                Ok((Sender::Web(sender), Receiver::Web(receiver)))
            }
        }
    }

    /// Waits for a stream that the viewer may not open. Cancel safe.
    pub(super) async fn uninvited(&self) -> Result<(), Gone> {
        match self {
            Self::Quic(connection) => tokio::select! {
                stream = connection.accept_uni() => stream.map(|_| ()).or(Err(Gone)),
                stream = connection.accept_bi() => stream.map(|_| ()).or(Err(Gone)),
            },
            Self::Web(session) => tokio::select! {
                stream = session.accept_uni() => stream.map(|_| ()).or(Err(Gone)),
                stream = session.accept_bi() => stream.map(|_| ()).or(Err(Gone)),
            },
        }
    }

    /// A unidirectional stream to the viewer. Waits while it has as many as it takes.
    pub(super) async fn open(&self) -> Result<Sender, Gone> {
        match self {
            Self::Quic(connection) => connection.open_uni().await.map(Sender::Quic).or(Err(Gone)),
            Self::Web(session) => session.open_uni().await.map(Sender::Web).or(Err(Gone)),
        }
    }

    /// Ends it, and says why. What was on its way is dropped.
    pub(super) fn close(&self, code: CloseCode) {
        match self {
            Self::Quic(connection) => close(connection, code),
            Self::Web(session) => session.close(code.code(), code.name().as_bytes()),
        }
    }

    /// Waits until the viewer was told of the end, where that goes on without the transport: a session's last clone takes
    /// streams of HTTP/3 with it without which a browser throws the connection away, and the reason unread (RFC 9114,
    /// section 6.2.1). It is over soon whatever the viewer does.
    pub(super) async fn closed(&self) {
        if let Self::Web(session) = self {
            session.closed().await;
        }
    }
}

/// Ends a connection, and says why.
pub(super) fn close(connection: &quinn::Connection, code: CloseCode) {
    connection.close(VarInt::from_u32(code.code()), code.name().as_bytes());
}

/// The hub's side of a stream.
pub(super) enum Sender {
    /// Of a connection.
    Quic(quinn::SendStream),
    /// Of a session.
    Web(web_transport_quinn::SendStream),
}

/// What came of a stream whose end was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// The viewer has it whole.
    Whole,
    /// The viewer does not want it.
    Stopped,
}

impl Sender {
    /// A higher one is sent first.
    pub(super) fn set_priority(&self, priority: i32) {
        match self {
            // It fails on a stream that is over, of which nothing is sent any more.
            Self::Quic(stream) => drop(stream.set_priority(priority)),
            Self::Web(stream) => drop(stream.set_priority(priority)),
        }
    }

    /// Sends some bytes, shared and not copied. Waits for room; given up, some may have been sent.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<Option<Taken>, Gone> {
        match self {
            Self::Quic(stream) => match stream.write_chunk(bytes).await {
                Ok(()) => Ok(None),
                Err(quinn::WriteError::Stopped(_)) => Ok(Some(Taken::Stopped)),
                Err(_) => Err(Gone),
            },
            Self::Web(stream) => match stream.write_chunk(bytes).await {
                Ok(()) => Ok(None),
                Err(
                    web_transport_quinn::WriteError::Stopped(_) | web_transport_quinn::WriteError::InvalidStopped(_),
                ) => Ok(Some(Taken::Stopped)),
                Err(_) => Err(Gone),
            },
        }
    }

    /// Ends the stream and waits until the viewer has it whole, or does not want it.
    pub(super) async fn finish(&mut self) -> Result<Taken, Gone> {
        match self {
            Self::Quic(stream) => {
                // It fails on a stream that the viewer stopped, which is told next.
                let _ = stream.finish();
                let stopped = stream.stopped().await.or(Err(Gone))?;
                Ok(if stopped.is_none() { Taken::Whole } else { Taken::Stopped })
            }
            Self::Web(stream) => {
                let _ = stream.finish();
                let stopped = stream.stopped().await.or(Err(Gone))?;
                Ok(if stopped.is_none() { Taken::Whole } else { Taken::Stopped })
            }
        }
    }

    /// Gives the stream up: what was not sent yet never is.
    pub(super) fn give_up(&mut self) {
        match self {
            // It fails on a stream that is over.
            Self::Quic(stream) => drop(stream.reset(VarInt::from_u32(RESET_STALE))),
            Self::Web(stream) => drop(stream.reset(RESET_STALE)),
        }
    }
}

/// The viewer's side of a stream.
pub(super) enum Receiver {
    /// Of a connection.
    Quic(quinn::RecvStream),
    /// Of a session.
    Web(web_transport_quinn::RecvStream),
}

impl Receiver {
    /// Appends what came; `false` at the stream's end. Cancel safe.
    pub(super) async fn read(&mut self, buffer: &mut BytesMut) -> Result<bool, Gone> {
        match self {
            Self::Quic(stream) => stream.read_buf(buffer).await.map(|read| read > 0).or(Err(Gone)),
            Self::Web(stream) => stream.read_buf(buffer).await.map(|read| read > 0).or(Err(Gone)),
        }
    }
}
