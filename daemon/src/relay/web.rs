//! WebTransport: `larder/1` inside a session of HTTP/3, which is what browsers speak.
//!
//! A page fetches a pass over gRPC and opens `https://<host>:7443/live?pass=…`; from there on it is the same session as
//! any other viewer's. <https://www.ietf.org/archive/id/draft-ietf-webtrans-http3-14.html>

use http::{HeaderMap, StatusCode, Uri, header};
use larder_proto::wire::relay::WEB_PATH;
use quinn::VarInt;
use web_transport_quinn::{Request, Session};

/// The request of the session, and the control stream in it.
const STREAMS_BOTH_WAYS: u32 = 2;

/// A session that was accepted, and the pass that its address carried.
pub(super) struct Accepted {
    pub(super) session: Session,
    pub(super) pass: Option<String>,
}

/// Why there is no session, for the counter.
pub(super) type Refused = &'static str;

/// Waits for the one session of a connection, and accepts it. The caller limits the time.
///
/// # Errors
/// When the request is none, or not for this.
pub(super) async fn accept(connection: quinn::Connection) -> Result<Accepted, Refused> {
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(STREAMS_BOTH_WAYS));
    let request = Request::accept(connection).await.or(Err("request"))?;
    let refusal = if request.url.path() != WEB_PATH {
        Some((StatusCode::NOT_FOUND, "path"))
    } else if is_foreign(&request.headers, request.url.host_str().unwrap_or_default()) {
        Some((StatusCode::FORBIDDEN, "origin"))
    } else {
        None
    };
    if let Some((status, reason)) = refusal {
        // Whoever is gone does not need the answer.
        let _ = request.reject(status).await;
        return Err(reason);
    }
    let pass = request.url.query_pairs().find(|(key, _)| key == "pass").map(|(_, pass)| pass.into_owned());
    let session = request.ok().await.or(Err("request"))?;
    Ok(Accepted { session, pass })
}

/// Whether a page of another host asks. The page's port is another one than the relay's, and behind a reverse proxy so
/// is its scheme; the host is the same. Programs that are no browsers send no origin.
fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    // `null`, of sandboxed pages and files, has no host and is foreign.
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    !origin.as_ref().and_then(Uri::host).is_some_and(|of| of.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn foreign(origin: &'static str, host: &str) -> bool {
        is_foreign(&HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]), host)
    }

    #[test]
    fn a_page_of_the_same_host_may_open_a_session_whatever_its_port() {
        assert!(!foreign("http://localhost:8080", "localhost"));
        assert!(!foreign("https://Larder.Example", "larder.example"));
        assert!(!foreign("https://[::1]:8443", "[::1]"));
        assert!(!is_foreign(&HeaderMap::new(), "larder"), "a program is no page");
    }

    #[test]
    fn a_page_of_another_host_may_not() {
        for origin in ["https://evil.example", "https://larder.example.evil", "null", "", "https://"] {
            assert!(foreign(origin, "larder.example"), "{origin:?}");
        }
    }
}
