//! What a request brings to show who sends it. Pure: it reads, and decides nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Uri, header};

/// The session's cookie. Over TLS it has a name of its own: cookies know no ports, and a browser lets plain HTTP
/// neither read nor replace one that was set over TLS.
pub(super) fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-larder_session" } else { "larder_session" }
}

/// Longer credentials are none of ours: headers of this size are not worth decoding.
const MOST: usize = 1024;

/// What was brought; the first that is there counts, and the others are not looked at.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Brought {
    /// `authorization: Bearer`.
    Bearer(String),
    /// `authorization: Basic`: the password, whatever the name is.
    Basic(String),
    /// `authorization` that can't be read.
    Unreadable,
    /// `?grant=` in the query.
    Grant(String),
    /// The session's cookie.
    Cookie(String),
    /// Nothing.
    Nothing,
}

impl Brought {
    /// Whether a browser sends it by itself, for whatever page asks.
    pub(super) fn is_ambient(&self) -> bool {
        matches!(self, Self::Basic(_) | Self::Cookie(_))
    }
}

/// Reads a request's credentials.
pub(super) fn read(headers: &HeaderMap, uri: &Uri, cookie_name: &str) -> Brought {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return value.to_str().ok().and_then(authorization).unwrap_or(Brought::Unreadable);
    }
    if let Some(grant) = uri.query().and_then(grant) {
        return Brought::Grant(grant.to_owned());
    }
    match cookie(headers, cookie_name) {
        Some(secret) => Brought::Cookie(secret.to_owned()),
        None => Brought::Nothing,
    }
}

fn authorization(value: &str) -> Option<Brought> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if rest.len() > MOST {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Brought::Bearer(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(Brought::Basic(password.to_owned()))
}

fn grant(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("grant="))
}

fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    // HTTP/2 may split cookies over several headers.
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, secret) = pair.trim().split_once('=')?;
        (name == wanted).then_some(secret)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn brought(headers: &[(&'static str, &str)], uri: &str) -> Brought {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        read(&map, &uri.parse().unwrap(), cookie_name(false))
    }

    #[test]
    fn each_way_in_is_read() {
        let bearer = Brought::Bearer("s".to_owned());
        assert_eq!(brought(&[("authorization", "bearer  s ")], "/"), bearer);
        // larder:s
        assert_eq!(brought(&[("authorization", "Basic bGFyZGVyOnM=")], "/"), Brought::Basic("s".to_owned()));
        assert_eq!(brought(&[], "/hls/x?a=1&grant=g"), Brought::Grant("g".to_owned()));
        let cookies = [("cookie", "a=b"), ("cookie", "x=y; larder_session=s")];
        assert_eq!(brought(&cookies, "/"), Brought::Cookie("s".to_owned()));
        assert_eq!(brought(&[("cookie", "not_larder_session=s")], "/?agrant=g"), Brought::Nothing);
    }

    #[test]
    fn a_header_that_cant_be_read_hides_what_comes_after_it() {
        let long = format!("Bearer {}", "x".repeat(MOST + 1));
        for value in ["Digest x", "Bearer", "Basic ???", "Basic bGFyZGVy", &long] {
            let headers = [("authorization", value), ("cookie", "larder_session=s")];
            assert_eq!(brought(&headers, "/?grant=g"), Brought::Unreadable, "{value}");
        }
    }

    #[test]
    fn what_a_browser_sends_by_itself_is_ambient() {
        assert!(Brought::Cookie(String::new()).is_ambient() && Brought::Basic(String::new()).is_ambient());
        assert!(!Brought::Bearer(String::new()).is_ambient() && !Brought::Grant(String::new()).is_ambient());
    }
}
