//! Credentials in headers and addresses.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::{
    credentials_of_request::{Brought, cookie_name, read},
    secret,
};
use crate::input::Input;

/// The longest credentials that are worth reading.
const MOST: usize = 1024;

/// Nothing is taken that was not brought, and a password comes out as it was put in.
pub(crate) fn credentials(data: &[u8]) {
    let mut input = Input::new(data);
    let (is_secure, place) = (input.byte() & 1 == 1, input.byte() % 3);
    let rest = input.rest();
    let name = cookie_name(is_secure);

    let (headers, uri) = match place {
        0 => (headers(header::AUTHORIZATION, rest), Uri::default()),
        1 => (headers(header::COOKIE, rest), Uri::default()),
        _ => (HeaderMap::new(), Uri::try_from([b"/?", rest].concat()).unwrap_or_default()),
    };
    match read(&headers, &uri, name) {
        Brought::Bearer(text) => assert!(place == 0 && text.len() <= MOST && contains(rest, &text)),
        Brought::Basic(text) => assert!(place == 0 && text.len() <= MOST),
        Brought::Cookie(text) => assert!(place == 1 && contains(rest, &format!("{name}={text}"))),
        Brought::Grant(text) => assert!(place == 2 && contains(rest, &format!("grant={text}"))),
        Brought::Unreadable => assert_eq!(place, 0),
        Brought::Nothing => assert!(!headers.contains_key(header::AUTHORIZATION)),
    }

    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Some((_, hash)) = secret::read(text) {
        assert!(text.len() == 47 && text.starts_with("lr"));
        assert_eq!(hash.0, *blake3::hash(rest).as_bytes());
    }
    let basic = format!("Basic {}", STANDARD.encode(format!("larder:{text}")));
    if basic.len() <= MOST {
        let brought = read(&self::headers(header::AUTHORIZATION, basic.as_bytes()), &Uri::default(), name);
        assert_eq!(brought, Brought::Basic(text.to_owned()));
    }
}

fn headers(name: HeaderName, value: &[u8]) -> HeaderMap {
    HeaderValue::from_bytes(value).map(|value| HeaderMap::from_iter([(name, value)])).unwrap_or_default()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
