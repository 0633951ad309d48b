//! HTTP/2 streams that are not read.
//!
//! A peer may read its socket, answer every ping, and still give a stream no window: hyper then waits for ever, with
//! what the stream holds. Here such a stream is reset after [`UNREAD`], a connection with many of them is ended, and so
//! is one on which nothing goes on any more. Data goes to hyper in small pieces, each of which waits for some window, so
//! that a stream holds little.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::tasks::Tasks;

/// As long as a connection may take nothing in: [`WRITE_TIMEOUT`](super::stall::WRITE_TIMEOUT).
pub(super) const UNREAD: Duration = super::stall::WRITE_TIMEOUT;
/// So many unread streams are no accident.
pub(super) const MOST_UNREAD: u32 = 8;
/// A connection on which nothing has gone on for so long ends; a client dials again by itself.
pub(super) const IDLE: Duration = Duration::from_secs(300);
/// How often a connection is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The most that is handed to hyper at once: one DATA frame of the usual size (RFC 9113 section 4.2).
const PIECE: usize = 16 * 1024;

tokio::task_local! {
    /// The stream whose task is running.
    static STREAM: Arc<Progress>;
}

/// How far a stream has come.
#[derive(Default)]
struct Progress {
    /// Whether the peer, and not the hub, keeps it waiting.
    waits_for_peer: AtomicBool,
    steps: AtomicU64,
}

/// The streams of one connection.
pub(super) struct Streams {
    listener: &'static str,
    unread: AtomicU32,
    open: Mutex<Open>,
}

struct Open {
    ever: bool,
    count: usize,
    changed: Instant,
}

/// Why a connection should end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// Too many streams stand unread.
    Unread,
    /// Nothing goes on.
    Idle,
}

impl Streams {
    pub(super) fn new(listener: &'static str) -> Arc<Self> {
        let open = Open { ever: false, count: 0, changed: Instant::now() };
        Arc::new(Self { listener, unread: AtomicU32::new(0), open: Mutex::new(open) })
    }

    /// Comes back when the connection should end; never for HTTP/1, where a connection is a stream. Cancel safe.
    pub(super) async fn over(&self) -> Over {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.unread.load(Ordering::Relaxed) >= MOST_UNREAD {
                return Over::Unread;
            }
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.ever && open.count == 0 && open.changed.elapsed() >= IDLE {
                return Over::Idle;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut usize)) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut open.count);
        open.ever = true;
        open.changed = Instant::now();
    }

    fn cut(&self) {
        self.unread.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("larder_http_streams_cut_total", "listener" => self.listener).increment(1);
    }
}

/// hyper's tasks, one a stream of HTTP/2: owned like all others, and watched.
#[derive(Clone)]
pub(super) struct Executor {
    pub(super) tasks: Tasks,
    pub(super) streams: Arc<Streams>,
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.streams.change(|count| *count += 1);
        self.tasks.spawn(Watched {
            future: Box::pin(future),
            progress: Arc::default(),
            seen: None,
            deadline: Box::pin(tokio::time::sleep(UNREAD)),
            streams: Arc::clone(&self.streams),
        });
    }
}

/// A stream's task. Dropping what it runs resets the stream.
struct Watched<F> {
    future: Pin<Box<F>>,
    progress: Arc<Progress>,
    /// The step at which the deadline began.
    seen: Option<u64>,
    deadline: Pin<Box<Sleep>>,
    streams: Arc<Streams>,
}

impl<F: Future> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let running = STREAM.sync_scope(Arc::clone(&this.progress), || this.future.as_mut().poll(context));
        if running.is_ready() {
            return Poll::Ready(());
        }
        if !this.progress.waits_for_peer.load(Ordering::Relaxed) {
            this.seen = None;
            return Poll::Pending;
        }
        let step = this.progress.steps.load(Ordering::Relaxed);
        if this.seen != Some(step) {
            this.seen = Some(step);
            this.deadline.as_mut().reset(Instant::now() + UNREAD);
        }
        ready!(this.deadline.as_mut().poll(context));
        this.streams.cut();
        Poll::Ready(())
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        self.streams.change(|count| *count -= 1);
    }
}

/// Lets the task that runs see how its answer is read. Of HTTP/1 there is no such task.
pub(super) fn watch(response: Response<Body>) -> Response<Body> {
    let Ok(progress) = STREAM.try_with(Arc::clone) else { return response };
    response.map(|inner| {
        progress.step(!inner.is_end_stream());
        Body::new(Read { inner, rest: Bytes::new(), progress })
    })
}

impl Progress {
    fn step(&self, waits_for_peer: bool) {
        self.waits_for_peer.store(waits_for_peer, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

/// A body that tells when it is asked for more: hyper asks only when the stream has a window.
struct Read {
    inner: Body,
    rest: Bytes,
    progress: Arc<Progress>,
}

impl HttpBody for Read {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => {
                        self.progress.step(true);
                        return Poll::Ready(Some(Ok(other)));
                    }
                },
                other => {
                    self.progress.step(false);
                    return other;
                }
            }
        }
        self.progress.step(true);
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(inner.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn data_comes_in_pieces_and_none_is_lost() {
        let data: Bytes = (0..100_000_u32).map(|index| index.to_le_bytes()[0]).collect::<Vec<_>>().into();
        let progress = Arc::default();
        let mut read = Read { inner: Body::from(data.clone()), rest: Bytes::new(), progress };
        assert_eq!(read.size_hint().exact(), Some(100_000));
        let mut whole = Vec::new();
        while let Some(frame) = read.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE);
            whole.extend(piece);
            let left = u64::try_from(data.len() - whole.len()).unwrap();
            assert_eq!((read.size_hint().exact(), read.is_end_stream()), (Some(left), left == 0));
        }
        assert_eq!(whole, data);
    }
}
