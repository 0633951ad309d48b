//! Where a camera's pictures come from.

use std::{fmt, net::IpAddr};

use base64::Engine as _;
use http::Uri;
use serde::{Deserialize, Serialize};

/// Bytes of a URL.
const LONGEST_URL: usize = 1000;
/// Addresses of one board: it may have one of each kind, and some spare ones.
pub(super) const MOST_ADDRESSES: usize = 8;

/// Where a camera's pictures come from.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// It dials the hub and proves itself.
    #[default]
    Link,
    /// The hub fetches them.
    Mjpeg(PullUrl),
    /// It pushes them over WebSocket, and is known by its secret path or by one of these addresses.
    WebSocket(Vec<IpAddr>),
}

impl Source {
    /// The kept name: a contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Mjpeg(_) => "mjpeg",
            Self::WebSocket(_) => "websocket",
        }
    }
}

/// Where pictures are fetched: `http://[user:password@]host[:port]/path`. Its user and password are never printed.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct PullUrl {
    login: Option<String>,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl PullUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without a word of what it holds.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST_URL {
            return Err("is longer than 1000 bytes");
        }
        if text.is_empty() {
            return Err("is not set: give the address of the board's stream, as http://192.168.1.30:81/stream");
        }
        let uri: Uri = text.parse().ok().ok_or("is no URL")?;
        if uri.scheme_str() != Some("http") {
            return Err("does not begin with http://");
        }
        let whole = uri.authority().ok_or("names no host")?.as_str();
        let (login, place) = whole.rsplit_once('@').map_or((None, whole), |(login, place)| (Some(login), place));
        let place: http::uri::Authority = place.parse().ok().ok_or("names no host")?;
        let host = place.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("names no host");
        }
        let port = match place.as_str().strip_prefix(place.host()).unwrap_or_default() {
            "" | ":" => 80,
            _ => place.port_u16().filter(|port| *port > 0).ok_or("names a port that is none")?,
        };
        Ok(Self {
            login: login.map(str::to_owned),
            host,
            port,
            authority: place.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Whether it holds a user and a password.
    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// The host's name or address, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `Host` says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What is asked for, with the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What `Authorization` says (RFC 7617): a secret.
    pub fn authorization(&self) -> Option<String> {
        let login = unescaped(self.login.as_ref()?);
        Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login)))
    }

    /// All of it, as it is kept: a secret.
    pub(super) fn secret(&self) -> String {
        let login = self.login.as_ref().map(|login| format!("{login}@")).unwrap_or_default();
        format!("http://{login}{}{}", self.authority, self.path)
    }
}

/// Without user and password.
impl fmt::Display for PullUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

/// Without the path too: some boards want a secret in the query.
impl fmt::Debug for PullUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// Bytes behind `%` and two digits (RFC 3986, section 2.1); what is no such thing stays.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let pair = rest.get(..2).filter(|pair| *first == b'%' && pair.iter().all(u8::is_ascii_hexdigit));
        let value = pair.and_then(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        out.push(value.unwrap_or(*first));
        bytes = rest.get(if value.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart_and_together_again() {
        let url = PullUrl::parse("http://admin:p%40ss:w%3@esp.local:81/stream?x=1").unwrap();
        assert_eq!(
            (url.host(), url.port(), url.authority(), url.path()),
            ("esp.local", 81, "esp.local:81", "/stream?x=1")
        );
        // admin:p@ss:w%3
        assert_eq!(url.authorization().unwrap(), "Basic YWRtaW46cEBzczp3JTM=");
        assert_eq!(url.to_string(), "http://esp.local:81/stream?x=1");
        assert_eq!(
            format!("{url:?} {:?}", Source::Mjpeg(url.clone())),
            "http://esp.local:81 Mjpeg(http://esp.local:81)"
        );
        assert_eq!(PullUrl::parse(&url.secret()), Ok(url));

        let plain = PullUrl::parse("http://[fe80::1]").unwrap();
        assert_eq!((plain.host(), plain.port(), plain.path(), plain.has_login()), ("fe80::1", 80, "/", false));
        assert_eq!(plain.authorization(), None);
    }

    #[test]
    fn what_is_no_stream_is_told_without_its_secrets() {
        for wrong in [
            "",
            "esp.local/stream",
            "https://esp.local/",
            "rtsp://esp.local",
            "http://",
            "http://u:secret@/",
            "http://a:99999/",
        ] {
            let error = PullUrl::parse(wrong).unwrap_err();
            assert!(!error.contains("secret"), "{wrong}: {error}");
        }
        assert!(PullUrl::parse(&format!("http://a/{}", "x".repeat(1000))).is_err());
    }
}
