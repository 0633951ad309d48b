//! The opening handshake of a WebSocket (RFC 6455, 4.2): pure.

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest;

use crate::outcome::{Kind, Refusal};

/// RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of a key before base64 (4.1).
const KEY_LEN: usize = 16;

/// The answer to a request for a WebSocket.
///
/// # Errors
/// When it is another request.
pub(super) fn answer(headers: &HeaderMap) -> Result<Response, Refusal> {
    if !has_token(headers, &header::CONNECTION, "upgrade") || !has_token(headers, &header::UPGRADE, "websocket") {
        return Err(refused("this address speaks WebSocket and nothing else"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(refused("sec-websocket-version: 13 is the only version"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_LEN));
    let accept = accept(key.ok_or_else(|| refused("sec-websocket-key is not 16 bytes in base64"))?);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).map_err(Refusal::internal)?);
    Ok(response)
}

fn refused(why: &str) -> Refusal {
    Refusal::new(Kind::InvalidArgument, why)
}

/// Whether a list of tokens has one, in whatever case.
fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// What proves that the key was read. SHA-1 is what the RFC says; nothing secret depends on it.
fn accept(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 6455, 1.2.
    const REQUEST: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn the_rfcs_own_request_gets_the_rfcs_own_answer() {
        let response = answer(&headers(&REQUEST)).expect("an answer");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_such_request_is_refused() {
        for (at, wrong) in [(0, "close"), (1, "h2c"), (2, "8"), (3, "dGhlIHNhbXBsZQ=="), (3, "?")] {
            let mut request = REQUEST;
            request[at].1 = wrong;
            assert!(answer(&headers(&request)).is_err(), "{wrong}");
            let without: Vec<_> = REQUEST.into_iter().filter(|(name, _)| *name != REQUEST[at].0).collect();
            assert!(answer(&headers(&without)).is_err(), "without {}", REQUEST[at].0);
        }
    }
}
