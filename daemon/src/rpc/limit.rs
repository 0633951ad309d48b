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

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tower::{Service as _, ServiceExt};

    use super::*;

    #[tokio::test]
    async fn a_place_is_kept_until_the_body_ends_and_streams_have_their_own() {
        let config = Config { calls: 1, streams: 1, ..Config::default() };
        let streaming = Arc::new(HashSet::from(["/x.Y/Stream".to_owned()]));
        let endless = || async { Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>()) };
        let mut router = axum::Router::new()
            .route("/x.Y/{method}", axum::routing::post(endless))
            .layer(axum::middleware::from_fn_with_state(Limits::new(&config, streaming), enforce));
        let mut call = async |path: &str| {
            let request = Request::post(path).header("content-type", "application/grpc-web+proto");
            let service = ServiceExt::<Request>::ready(&mut router).await.unwrap();
            service.call(request.body(Body::empty()).unwrap()).await.unwrap()
        };
        let held = call("/x.Y/Call").await;
        let shed = call("/x.Y/Call").await;
        assert_eq!(shed.headers()["grpc-status"], "8");
        assert_eq!(shed.headers()["content-type"], "application/grpc-web+proto");
        let _stream = call("/x.Y/Stream").await;
        assert_eq!(call("/x.Y/Stream").await.headers()["grpc-status"], "8");
        drop(held);
        assert!(call("/x.Y/Call").await.headers().get("grpc-status").is_none());
    }
}
