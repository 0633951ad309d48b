//! The tower layer before every gRPC method and every HTTP route.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::response::{IntoResponse as _, Response};
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tonic::{Code, Status};
use tower::Service;

use super::{
    gate::{Access, is_grpc},
    policy::Denial,
};

/// Asks a program that shows media (VLC, Home Assistant) for a token as the password.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="larder", charset="UTF-8""#);

/// A layer that lets through who may, and puts the [`Caller`](super::Caller) into the request's extensions.
///
/// It stands outside of the routes (`Router::layer`), so that it knows which pattern matched. Standing twice in a
/// request's way does no harm.
pub fn layer(access: Access) -> Layer {
    Layer(access)
}

/// Made by [`layer`].
#[derive(Clone)]
pub struct Layer(Access);

/// A service behind the gate.
#[derive(Clone)]
pub struct Guard<S> {
    access: Access,
    inner: S,
}

impl<S> tower::Layer<S> for Layer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard { access: self.0.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.access.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(denial) => {
                tracing::debug!(path = request.uri().path(), reason = denial.reason(), "a request was denied");
                metrics::counter!("larder_denied_total", "reason" => denial.reason()).increment(1);
                Either::Right(ready(Ok(refuse(denial, request.headers()))))
            }
        }
    }
}

fn refuse(denial: Denial, asked: &HeaderMap) -> Response {
    let (code, http) = match denial {
        Denial::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED),
        Denial::Needs(_) | Denial::Foreign => (Code::PermissionDenied, StatusCode::FORBIDDEN),
        Denial::Unknown => (Code::Unimplemented, StatusCode::NOT_FOUND),
        Denial::NotReady => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
    };
    let mut response = if is_grpc(asked) {
        grpc_answer(Status::new(code, denial.to_string()), asked)
    } else {
        let mut response = (http, format!("{denial}\n")).into_response();
        if denial == Denial::Unauthenticated && wants_challenge(asked) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A status in place of an answer: headers alone, which gRPC and gRPC-web both read, each in the content type it asked
/// with.
pub(crate) fn grpc_answer(status: Status, asked: &HeaderMap) -> Response {
    let mut response = status.into_http::<axum::body::Body>();
    if is_grpc(asked)
        && let Some(kind) = asked.get(header::CONTENT_TYPE)
    {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

/// Whether to ask for HTTP Basic: of a program always, of a browser only when a person opened the address, for a
/// page's own requests would pop up its dialogue. Browsers name themselves, and do not send `sec-fetch-mode` over
/// plain HTTP.
fn wants_challenge(asked: &HeaderMap) -> bool {
    let has = |name: header::HeaderName, part: &str| {
        asked.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(part))
    };
    has(header::ACCEPT, "text/html") || !has(header::USER_AGENT, "Mozilla/")
}

#[cfg(test)]
mod tests;
