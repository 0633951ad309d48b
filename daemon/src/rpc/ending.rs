//! How a stream ends that its service would let go on.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::deadline::StreamDeadline;
use crate::access::Caller;

/// Ends the answer's body with a status of its own when its deadline is over, its caller is revoked, or the hub stops.
pub(super) async fn enforce(State(stopping): State<CancellationToken>, request: Request, next: Next) -> Response {
    let deadline = request.extensions().get::<StreamDeadline>().map(|deadline| deadline.0);
    let revoked = request.extensions().get::<Caller>().map(|caller| caller.revoked.clone());
    let response = next.run(request).await;
    if response.body().is_end_stream() {
        return response;
    }
    let end = async move {
        tokio::select! {
            biased;
            () = maybe(revoked.as_ref().map(CancellationToken::cancelled)) => {
                Status::unauthenticated("access was revoked")
            }
            () = stopping.cancelled() => Status::unavailable("the hub stops"),
            () = maybe(deadline.map(tokio::time::sleep_until)) => Status::deadline_exceeded("the stream's time is over"),
        }
    };
    response.map(|inner| Body::new(Ending { inner: Some(inner), end: Box::pin(end) }))
}

async fn maybe(future: Option<impl Future<Output = ()>>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// A body that something else may end.
struct Ending {
    /// Gone once it was ended from outside.
    inner: Option<Body>,
    end: Pin<Box<dyn Future<Output = Status> + Send>>,
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        // What is there already goes out first, so that a short answer is never cut.
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let Poll::Ready(status) = this.end.as_mut().poll(context) else { return Poll::Pending };
        this.inner = None;
        let mut trailers = HeaderMap::new();
        Poll::Ready(status.add_header(&mut trailers).ok().map(|()| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
