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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Extension, routing::post};
    use futures_util::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;
    use tower::ServiceExt as _;

    use super::*;
    use crate::access::{Role, Via};

    async fn body(stopping: CancellationToken, caller: Option<Caller>, deadline: Option<StreamDeadline>) -> Body {
        let endless =
            || async { Body::from_stream(stream::iter([Ok::<_, axum::Error>("one")]).chain(stream::pending())) };
        let mut router = axum::Router::new()
            .route("/", post(endless))
            .layer(axum::middleware::from_fn_with_state(stopping, enforce));
        if let Some(caller) = caller {
            router = router.layer(Extension(caller));
        }
        if let Some(deadline) = deadline {
            router = router.layer(Extension(deadline));
        }
        let mut body = router.oneshot(Request::post("/").body(Body::empty()).unwrap()).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        body
    }

    async fn ended_with(mut body: Body) -> String {
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
        trailers["grpc-status"].to_str().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_its_caller_is_revoked() {
        let revoked = CancellationToken::new();
        let caller = Caller { name: "x".into(), role: Role::Viewer, via: Via::Token, revoked: revoked.clone() };
        let body = body(CancellationToken::new(), Some(caller), None).await;
        revoked.cancel();
        assert_eq!(ended_with(body).await, "16");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_the_hub_stops() {
        let stopping = CancellationToken::new();
        let body = body(stopping.clone(), None, None).await;
        stopping.cancel();
        assert_eq!(ended_with(body).await, "14");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_at_its_deadline() {
        let started = Instant::now();
        let deadline = StreamDeadline(started + Duration::from_secs(40));
        let body = body(CancellationToken::new(), None, Some(deadline)).await;
        assert_eq!(ended_with(body).await, "4");
        assert_eq!(started.elapsed().as_secs(), 40);
    }
}
