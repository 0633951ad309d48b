//! One line per call: its id, its method, who called, how it ended and how long it took.

use std::time::Duration;

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};
use tokio::time::Instant;
use tonic::Code;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::access::PeerAddress;

/// The header that carries a call's id, both ways.
const ID: HeaderName = HeaderName::from_static("x-request-id");
/// A client's own id is kept when it is this short.
const MOST: usize = 64;

/// Gives a call an id, and logs its end. The path holds no secret, and nothing else of the request is logged.
pub(super) async fn enforce(request: Request, next: Next) -> Response {
    let id = request.headers().get(&ID).and_then(own).unwrap_or_else(|| Uuid::new_v4().to_string());
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<PeerAddress>().map(|peer| peer.0.to_string());
    let span = tracing::debug_span!("rpc", request.id = id, rpc.path = path, peer);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took: Duration = started.elapsed();
    // In the headers only when the call failed; a success tells in its trailers.
    let code = response.headers().get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
    span.in_scope(|| tracing::debug!(rpc.code = ?code, took = ?took, "a call was answered"));
    metrics::counter!("larder_rpc_requests_total", "code" => format!("{code:?}")).increment(1);
    metrics::histogram!("larder_rpc_duration_seconds").record(took.as_secs_f64());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID, id);
    }
    response
}

/// A client's id, if it can stand in a log line.
fn own(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    (!text.is_empty() && text.len() <= MOST && plain).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_when_it_is_harmless() {
        let own = |text| own(&HeaderValue::from_static(text));
        assert_eq!(own("abc-1.2_3").as_deref(), Some("abc-1.2_3"));
        assert_eq!(own(""), None);
        assert_eq!(own("a b"), None);
        assert_eq!(own("12345678901234567890123456789012345678901234567890123456789012345"), None);
    }
}
