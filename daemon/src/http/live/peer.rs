//! A viewer's WebSocket connection: pictures go out as they are, and what comes in is small.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{
    Buf as _, Bytes, BytesMut,
    buf::{Chain, Take},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::poll_read_buf;

use super::{
    rfc6455::{DecodeError, Decoder, HEAD_MOST, Inbound, Opcode, head},
    wire::HEADER_LEN,
};

/// What a viewer may send at once: acknowledgements of 8 bytes, pongs of 125 at most.
const MOST: usize = 1024;
/// Room for a read: a dozen acknowledgements.
const READ_ROOM: usize = 256;

/// Reads for a message that has come already. What keeps to the protocol needs one; endless pieces of a message must not
/// keep the hub from its other viewers.
const READS_MOST: usize = 4;

/// The most that stands before a picture.
const START_MOST: usize = HEAD_MOST + HEADER_LEN;

/// A frame, or what is left of it: its start, and the shared picture.
type Unsent = Chain<Take<io::Cursor<[u8; START_MOST]>>, Bytes>;

/// The connection.
pub(super) struct Peer {
    io: TokioIo<Upgraded>,
    input: BytesMut,
    decoder: Decoder,
    unsent: Unsent,
}

/// Why nothing more is heard.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection is gone.
    Gone,
    /// The viewer sent what it may not.
    Broken(DecodeError),
}

impl Peer {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        let unsent = io::Cursor::new([0; START_MOST]).take(0).chain(Bytes::new());
        Self { io: TokioIo::new(upgraded), input: BytesMut::new(), decoder: Decoder::new(MOST), unsent }
    }

    /// The next message. Cancel safe.
    pub(super) async fn hear(&mut self) -> Result<Inbound, Lost> {
        poll_fn(|context| self.poll_hear(context, usize::MAX)).await
    }

    /// A message that has come already. Unlike a [`Peer::hear`] that is given up, it leaves nobody to be woken when
    /// more comes.
    pub(super) fn heard(&mut self) -> Result<Option<Inbound>, Lost> {
        match self.poll_hear(&mut Context::from_waker(Waker::noop()), READS_MOST) {
            Poll::Ready(message) => message.map(Some),
            Poll::Pending => Ok(None),
        }
    }

    fn poll_hear(&mut self, context: &mut Context<'_>, reads_most: usize) -> Poll<Result<Inbound, Lost>> {
        for _ in 0..reads_most {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(message)) => return Poll::Ready(Ok(message)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(Lost::Broken(error))),
            }
            if self.input.capacity() == self.input.len() {
                self.input.reserve(READ_ROOM);
            }
            match ready!(poll_read_buf(Pin::new(&mut self.io), context, &mut self.input)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Lost::Gone)),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// Sends a picture as one binary message: what stands before it is copied, the picture is not. Cancel safe: what was
    /// not sent yet goes before whatever is sent next.
    pub(super) async fn send_picture(&mut self, prefix: &[u8; HEADER_LEN], jpeg: Bytes) -> io::Result<()> {
        self.flush().await?;
        self.unsent = frame(Opcode::Binary, prefix, jpeg);
        self.flush().await
    }

    /// Sends a ping, a pong or a close. What it carries is 125 bytes at most. Cancel safe, as a picture.
    pub(super) async fn send_control(&mut self, opcode: Opcode, content: Bytes) -> io::Result<()> {
        self.flush().await?;
        self.unsent = frame(opcode, &[], content);
        self.flush().await
    }

    /// Sends what was not sent yet. Cancel safe.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.io.write_all_buf(&mut self.unsent).await?;
        // TLS keeps what the socket did not take.
        self.io.flush().await
    }
}

/// A frame whose content is `prefix` and then `rest`.
fn frame(opcode: Opcode, prefix: &[u8], rest: Bytes) -> Unsent {
    let (head, len) = head(opcode, prefix.len() + rest.len());
    let mut start = [0; START_MOST];
    start[..len].copy_from_slice(&head[..len]);
    start[len..len + prefix.len()].copy_from_slice(prefix);
    io::Cursor::new(start).take(len + prefix.len()).chain(rest)
}
