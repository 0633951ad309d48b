//! A playlist as a response: compressed once, with its ETag.

use std::io::{Read as _, Write as _};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::ranges;

/// RFC 8216, 10.
const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";
/// Of the BLAKE3 of the text, in hexadecimal.
const ETAG_DIGITS: usize = 32;

/// A playlist's text, kept compressed.
#[derive(Clone, Debug)]
pub(super) struct Text {
    packed: Bytes,
    hash: String,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let mut hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        hash.truncate(ETAG_DIGITS);
        Self { packed: pack(text).into(), hash }
    }

    /// Bytes it keeps.
    pub(super) fn size_bytes(&self) -> usize {
        self.packed.len() + self.hash.len()
    }

    /// The answer to a request: 304 when the client has it, compressed when the client takes that.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let (plain, packed) = (format!("\"{}\"", self.hash), format!("\"{}-gz\"", self.hash));
        let gzip = accepts_gzip(headers);
        let etag = if gzip { &packed } else { &plain };
        let mut response = if ranges::has_already(headers, &[&plain, &packed]) {
            StatusCode::NOT_MODIFIED.into_response()
        } else if gzip {
            ([(header::CONTENT_ENCODING, "gzip")], self.packed.clone()).into_response()
        } else {
            unpack(&self.packed).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::from_str(etag) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

fn pack(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    // Writing to memory does not fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    // It was packed here.
    let _ = GzDecoder::new(packed).read_to_end(&mut text);
    text
}

/// Whether `Accept-Encoding` takes gzip (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let mut any = false;
    for choice in values.flat_map(|value| value.split(',')) {
        let mut parts = choice.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return !refused,
            "*" => any = !refused,
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[tokio::test]
    async fn the_text_is_the_same_packed_and_plain() {
        let text = Text::new("#EXTM3U\n");
        let plain = text.answer(&HeaderMap::new());
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(to_bytes(plain.into_body(), 1000).await.unwrap(), "#EXTM3U\n");
        let packed = text.answer(&headers(&[(header::ACCEPT_ENCODING, "br, gzip;q=0.8")]));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(unpack(&to_bytes(packed.into_body(), 1000).await.unwrap()), b"#EXTM3U\n");
    }

    #[test]
    fn a_client_that_has_it_gets_304_in_either_form() {
        let text = Text::new("#EXTM3U\n");
        let etag = text.answer(&HeaderMap::new()).headers()[header::ETAG].clone();
        let again = text
            .answer(&headers(&[(header::IF_NONE_MATCH, etag.to_str().unwrap()), (header::ACCEPT_ENCODING, "gzip")]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_ne!(Text::new("other").answer(&HeaderMap::new()).headers()[header::ETAG], etag);
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let accepts = |value: &str| accepts_gzip(&headers(&[(header::ACCEPT_ENCODING, value)]));
        assert!(accepts("gzip") && accepts("deflate, gzip;q=1.0, *;q=0.5") && accepts("*"));
        assert!(!accepts("identity") && !accepts("gzip;q=0") && !accepts("*;q=0") && !accepts("gzip;q=0, *"));
    }
}
