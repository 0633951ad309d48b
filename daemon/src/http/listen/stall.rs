//! A stream whose writes have a timeout.
//!
//! hyper waits for ever for a peer that has stopped reading. Here a write that has made no progress for
//! [`WRITE_TIMEOUT`] fails, which ends the connection, whatever protocol is on it.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// Longer than a phone needs to change from Wi-Fi to mobile; shorter than anyone wants to hold memory for the lost.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The stream and its place, which is given back when the stream is gone, upgraded or not.
pub(super) struct Stall<S, P> {
    stream: S,
    deadline: Pin<Box<Sleep>>,
    waiting: bool,
    _place: P,
}

impl<S, P> Stall<S, P> {
    pub(super) fn new(stream: S, place: P) -> Self {
        Self { stream, deadline: Box::pin(tokio::time::sleep(WRITE_TIMEOUT)), waiting: false, _place: place }
    }

    /// Starts the deadline at the first write that has to wait, and ends it with the first that goes through.
    fn watch<T>(&mut self, result: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = false;
            return result;
        }
        if !self.waiting {
            self.waiting = true;
            self.deadline.as_mut().reset(Instant::now() + WRITE_TIMEOUT);
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has stopped reading")))
    }
}

impl<S: AsyncRead + Unpin, P: Unpin> AsyncRead for Stall<S, P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Stall<S, P> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(result, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(result, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(result, context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::{OwnedSemaphorePermit, Semaphore},
    };

    use super::*;

    type Permitted = Stall<tokio::io::DuplexStream, OwnedSemaphorePermit>;

    async fn pair() -> (Permitted, tokio::io::DuplexStream, Arc<Semaphore>) {
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).acquire_owned().await.expect("a permit");
        let (ours, theirs) = tokio::io::duplex(8);
        (Stall::new(ours, permit), theirs, permits)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_is_given_up_and_its_permit_comes_back() {
        let (mut stall, _theirs, permits) = pair().await;
        let start = Instant::now();
        let error = stall.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), WRITE_TIMEOUT);
        drop(stall);
        assert_eq!(permits.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_that_goes_on_reading_is_kept() {
        let (mut stall, mut theirs, _permits) = pair().await;
        let write = stall.write_all(&[7; 64]);
        let read = async {
            let mut read = [0; 64];
            for chunk in read.chunks_mut(8) {
                tokio::time::sleep(WRITE_TIMEOUT * 9 / 10).await;
                theirs.read_exact(chunk).await.expect("bytes");
            }
            read
        };
        let (written, read) = tokio::join!(write, read);
        written.expect("no timeout");
        assert_eq!(read, [7; 64]);
    }
}
