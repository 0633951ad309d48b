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
use crate::access::{
    self,
    policy::{self, Permission},
};

/// Calls at once of methods that anybody may call (signing in, health). They have places of their own, so that
/// strangers can't take those of the people who are signed in.
const STRANGERS: usize = 32;

/// The places there are.
#[derive(Clone)]
pub(super) struct Limits {
    streaming: Arc<HashSet<String>>,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Limits {
    pub(super) fn new(config: &Config, streaming: Arc<HashSet<String>>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { streaming, calls: places(config.calls), streams: places(config.streams), strangers: places(STRANGERS) }
    }
}

/// Takes a place until the answer's body has ended, or refuses. A stranger's place ends with the work, for its answer is
/// small, and a peer that never reads it would keep the place.
pub(super) async fn enforce(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let is_strangers = policy::of_method(request.uri().path()) == Some(Permission::Public);
    let (places, name) = if is_strangers {
        (limits.strangers, "strangers")
    } else if limits.streaming.contains(request.uri().path()) {
        (limits.streams, "streams")
    } else {
        (limits.calls, "calls")
    };
    let Ok(place) = places.try_acquire_owned() else {
        metrics::counter!("larder_rpc_shed_total", "kind" => name).increment(1);
        let status = Status::resource_exhausted(format!("too many {name} at once; try again in a moment"));
        return access::grpc_answer(status, request.headers());
    };
    let response = next.run(request).await;
    if is_strangers { response } else { response.map(|inner| Body::new(Held { inner, _place: place })) }
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

    #[tokio::test(start_paused = true)]
    async fn strangers_take_no_place_of_the_known_and_keep_none_by_not_reading() {
        let config = Config { calls: 1, streams: 1, ..Config::default() };
        let answer = async |request: Request| {
            if request.uri().path().ends_with("/SignIn") {
                std::future::pending::<()>().await;
            }
            Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>())
        };
        let router = axum::Router::new()
            .route("/{service}/{method}", axum::routing::post(answer))
            .layer(axum::middleware::from_fn_with_state(Limits::new(&config, Arc::default()), enforce));
        let call = |method: &str| {
            let path = format!("/larder.v1.{method}");
            router.clone().oneshot(Request::post(path).body(Body::empty()).unwrap())
        };
        let mut unread = Vec::new();
        for _ in 0..2 * STRANGERS {
            unread.push(call("AccessService/GetAccessState").await.unwrap());
        }
        assert!(unread.iter().all(|response| response.headers().get("grpc-status").is_none()));

        let mut waiting = Vec::new();
        for _ in 0..STRANGERS {
            let mut call = Box::pin(call("AccessService/SignIn"));
            tokio::time::timeout(std::time::Duration::from_millis(1), call.as_mut()).await.unwrap_err();
            waiting.push(call);
        }
        assert_eq!(call("AccessService/SignIn").await.unwrap().headers()["grpc-status"], "8");
        assert!(call("CameraService/GetCamera").await.unwrap().headers().get("grpc-status").is_none());
    }
}
