//! How many calls and streams there may be at once. What is beyond is refused, not queued: a queue in front of a hub
//! that can't keep up only makes every answer late.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::Config;
use crate::access;

/// The places there are.
#[derive(Clone)]
pub(super) struct Limits {
    streaming: Arc<HashSet<String>>,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Limits {
    pub(super) fn new(config: &Config, streaming: Arc<HashSet<String>>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { streaming, calls: places(config.calls), streams: places(config.streams) }
    }
}

/// Takes a place until the answer's body has ended, or refuses.
pub(super) async fn enforce(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let (places, name) = if limits.streaming.contains(request.uri().path()) {
        (limits.streams, "streams")
    } else {
        (limits.calls, "calls")
    };
    let Ok(place) = places.try_acquire_owned() else {
        metrics::counter!("larder_rpc_shed_total", "kind" => name).increment(1);
        let status = Status::resource_exhausted(format!("too many {name} at once; try again in a moment"));
        return access::grpc_answer(status, request.headers());
    };
    next.run(request).await.map(|inner| Body::new(Held { inner, _place: place }))
}

/// A body that keeps its place.
struct Held {
    inner: Body,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
