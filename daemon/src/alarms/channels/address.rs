//! Where messages may go: URLs and mail servers, checked once: pure.

use std::fmt;

use http::Uri;
use serde::{Deserialize, Serialize};

const LONGEST: usize = 1000;

/// An `https` URL, or an `http` one, which leads to private addresses alone. Holds no name or password.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::alarms) struct WebUrl {
    text: String,
    pub(super) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// What `Host` says.
    pub(super) authority: String,
    /// With the query.
    pub(super) path: String,
}

impl TryFrom<String> for WebUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("is longer than 1000 bytes");
        }
        let uri: Uri = text.parse().ok().ok_or("is no URL")?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("does not begin with https:// or http://"),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a name or password; secrets are given apart");
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("names no host");
        }
        Ok(Self {
            is_tls,
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            host,
            text,
        })
    }
}

impl WebUrl {
    /// An ntfy URL in two: its server's own URL, and the topic. `None` when it names no topic.
    pub(super) fn topic(&self) -> Option<(Self, &str)> {
        let path = self.path.split('?').next()?.trim_end_matches('/');
        let (folder, topic) = path.rsplit_once('/')?;
        let server = Self { path: format!("{folder}/"), ..self.clone() };
        (!topic.is_empty()).then_some((server, topic))
    }
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> Self {
        url.text
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::alarms) enum MailTls {
    /// From the first byte.
    Wrapped,
    /// After STARTTLS, and never without.
    Required,
    /// Not at all: on this machine only.
    None,
}

/// A mail server: `smtps://user@host`, `smtp://user@host:587` or `smtp+plain://localhost:25`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::alarms) struct MailServer {
    text: String,
    pub(super) tls: MailTls,
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: u16,
}

impl TryFrom<String> for MailServer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("is longer than 1000 bytes");
        }
        let (scheme, rest) = text.split_once("://").ok_or("is no URL")?;
        let (tls, port) = match scheme {
            "smtps" => (MailTls::Wrapped, 465),
            "smtp" => (MailTls::Required, 587),
            "smtp+plain" => (MailTls::None, 25),
            _ => return Err("does not begin with smtps://, smtp:// or smtp+plain://"),
        };
        // At the last `@`: many names are e-mail addresses themselves.
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        if user.is_some_and(|user| user.contains(':')) {
            return Err("holds a password; it is given apart");
        }
        let place: http::uri::Authority =
            place.trim_end_matches('/').parse().ok().ok_or("names no host, or more than a host and a port")?;
        let host = place.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("names no host");
        }
        if tls == MailTls::None && !["localhost", "127.0.0.1", "::1"].contains(&host.as_str()) {
            return Err("goes without TLS, which is for this machine only");
        }
        let user = user.map(str::to_owned).filter(|user| !user.is_empty());
        Ok(Self { tls, user, host, port: place.port_u16().unwrap_or(port), text })
    }
}

impl From<MailServer> for String {
    fn from(server: MailServer) -> Self {
        server.text
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether something is a topic that a message can be sent to.
pub(super) fn is_topic(topic: &str) -> bool {
    (1..=200).contains(&topic.len()) && !topic.starts_with('$') && !topic.contains(['+', '#', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(text: &str) -> Result<WebUrl, &'static str> {
        WebUrl::try_from(text.to_owned())
    }

    fn mail(text: &str) -> Result<MailServer, &'static str> {
        MailServer::try_from(text.to_owned())
    }

    #[test]
    fn web_urls_are_taken_apart_and_hold_no_secret() {
        let url = web("https://hooks.example/in?x=1").unwrap();
        assert_eq!(
            (url.is_tls, url.host.as_str(), url.port, url.path.as_str()),
            (true, "hooks.example", 443, "/in?x=1")
        );
        let url = web("http://[::1]:8080").unwrap();
        assert_eq!((url.is_tls, url.host.as_str(), url.port, url.path.as_str()), (false, "::1", 8080, "/"));
        for wrong in ["", "ftp://x", "/in", "https://", "https://me:secret@host/", "https://x y/", "file:///etc/passwd"]
        {
            assert!(web(wrong).is_err(), "{wrong:?} was taken");
        }
        assert!(web(&format!("https://x/{}", "a".repeat(1000))).is_err());
    }

    #[test]
    fn an_ntfy_url_ends_in_its_topic() {
        let url = web("https://ntfy.example/base/my-fridge").unwrap();
        let (server, topic) = url.topic().unwrap();
        assert_eq!((server.path.as_str(), topic), ("/base/", "my-fridge"));
        assert_eq!(web("https://ntfy.sh/fridge/").unwrap().topic().unwrap().1, "fridge");
        assert!(web("https://ntfy.sh").unwrap().topic().is_none());
    }

    #[test]
    fn mail_servers_are_taken_apart_and_plain_ones_are_here() {
        let server = mail("smtps://me@example.org@mail.example.org").unwrap();
        assert_eq!((server.tls, server.user.as_deref()), (MailTls::Wrapped, Some("me@example.org")));
        assert_eq!((server.host.as_str(), server.port), ("mail.example.org", 465));
        let server = mail("smtp://mail:2525").unwrap();
        assert_eq!((server.tls, server.user, server.port), (MailTls::Required, None, 2525));
        assert_eq!(mail("smtp+plain://[::1]:1025").unwrap().port, 1025);
        for wrong in ["mail", "smtp://", "smtp://a:b@host", "smtp+plain://mail.example", "imap://host", "smtp://a/b/c"]
        {
            assert!(mail(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn topics_have_no_wildcards() {
        assert!(is_topic("larder/alarms"));
        for wrong in ["", "a/#", "+/a", "$SYS/x"] {
            assert!(!is_topic(wrong), "{wrong:?}");
        }
    }
}
