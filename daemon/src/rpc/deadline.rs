//! How long a call may take.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderMap;
use tokio::time::Instant;
use tonic::Status;

use super::Config;
use crate::access::{
    self,
    policy::{self, Permission},
};

/// What the deadline layer knows.
#[derive(Clone)]
pub(super) struct Deadlines {
    streaming: Arc<HashSet<String>>,
    default: Duration,
    longest: Duration,
}

/// In a request's extensions: when its stream ends, as the client asked.
#[derive(Clone, Copy)]
pub(super) struct StreamDeadline(pub(super) Instant);

impl Deadlines {
    pub(super) fn new(config: &Config, streaming: Arc<HashSet<String>>) -> Self {
        Self { streaming, default: config.deadline(), longest: config.longest_deadline() }
    }
}

/// Answers `DEADLINE_EXCEEDED` in the call's place when it takes too long. A stream must begin within the default
/// time, and then goes on for as long as its client asked, or without end. What anybody may call has no more than the
/// default time: a stranger does not choose how long it is waited for.
pub(super) async fn enforce(State(deadlines): State<Deadlines>, mut request: Request, next: Next) -> Response {
    let asked = stated(request.headers());
    let path = request.uri().path();
    let is_public = policy::of_method(path) == Some(Permission::Public);
    let most = if is_public { deadlines.default } else { deadlines.longest };
    let limit = if deadlines.streaming.contains(path) {
        if let Some(end) = asked.and_then(|asked| Instant::now().checked_add(asked)) {
            request.extensions_mut().insert(StreamDeadline(end));
        }
        asked.unwrap_or(deadlines.default).min(deadlines.default)
    } else {
        asked.unwrap_or(deadlines.default).min(most)
    };
    let headers = request.headers().clone();
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_elapsed| {
        access::grpc_answer(Status::deadline_exceeded(format!("it took longer than {limit:?}")), &headers)
    })
}

/// `grpc-timeout`: at most eight digits and a unit. One that can't be read is none.
fn stated(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::HeaderValue;
    use tower::ServiceExt as _;

    use super::*;

    fn read(text: &'static str) -> Option<Duration> {
        stated(&HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), HeaderValue::from_static(text))]))
    }

    #[test]
    fn every_unit_is_read() {
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("0n"), Some(Duration::ZERO));
    }

    #[test]
    fn what_cant_be_read_is_no_deadline() {
        for text in ["", "S", "1", "1s", "100000000S", "-1S", "1.5S", "+1S"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    async fn answer(config: &Config, path: &'static str, timeout: &'static str) -> (Response, Duration) {
        let streaming = Arc::new(HashSet::from(["/x.Y/Stream".to_owned()]));
        let slow = |request: Request| async move {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(request);
        };
        let router = axum::Router::new()
            .route("/{service}/{method}", axum::routing::post(slow))
            .layer(axum::middleware::from_fn_with_state(Deadlines::new(config, streaming), enforce));
        let request = Request::post(path).header("content-type", "application/grpc");
        let request = if timeout.is_empty() { request } else { request.header("grpc-timeout", timeout) };
        let started = Instant::now();
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        (response, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_deadline_and_the_hubs_longest_is_the_longest() {
        let config = Config { longest_deadline_seconds: 60, ..Config::default() };
        for (path, timeout, seconds) in [
            ("/x.Y/Call", "", 15),
            ("/x.Y/Call", "2S", 2),
            ("/x.Y/Call", "30S", 30),
            ("/x.Y/Call", "9999S", 60),
            ("/x.Y/Stream", "9999S", 15),
            ("/larder.v1.AccessService/SignIn", "2S", 2),
            ("/larder.v1.AccessService/SignIn", "9999S", 15),
        ] {
            let (response, took) = answer(&config, path, timeout).await;
            assert_eq!(response.headers()["grpc-status"], "4", "{path} {timeout}");
            assert_eq!(response.headers()["content-type"], "application/grpc");
            assert_eq!(took.as_secs(), seconds, "{path} {timeout}");
        }
        let patient = Config { longest_deadline_seconds: 200, ..Config::default() };
        let (response, _) = answer(&patient, "/x.Y/Call", "150S").await;
        assert!(response.headers().get("grpc-status").is_none());
    }
}
