//! `[mqtt]`: which broker the hub talks to.

use std::path::PathBuf;

use http::Uri;
use serde::Deserialize;

/// Which broker the hub talks to. Without `url` it talks to none.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `mqtt://host:1883`, or with TLS `mqtts://host:8883`. Holds no name or password.
    pub url: Option<String>,
    /// The name to sign in with.
    pub user: Option<String>,
    /// A file that holds the password, in one line.
    pub password_file: Option<PathBuf>,
    /// The authority of the broker's certificate, PEM. Absent: the system's own.
    pub ca_file: Option<PathBuf>,
    /// What the broker knows the hub by; two hubs on one broker need two. 1 to 23 of a-z, A-Z, 0-9, `-` and `_`.
    pub client_id: String,
    /// What the hub's own topics begin with.
    pub topic: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password_file: None,
            ca_file: None,
            client_id: "larder".to_owned(),
            topic: "larder".to_owned(),
        }
    }
}

/// A broker's place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Config {
    /// What is wrong, naming the key.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        match self.place() {
            Err(why) => wrong.push(format!("mqtt.url {why}")),
            Ok(None) if self.user.is_some() || self.password_file.is_some() || self.ca_file.is_some() => {
                wrong.push("mqtt.user, mqtt.password_file and mqtt.ca_file go with mqtt.url".to_owned());
            }
            Ok(Some(place)) if !place.is_tls && self.ca_file.is_some() => {
                wrong.push("mqtt.ca_file goes with an mqtts:// URL".to_owned());
            }
            Ok(_) => {}
        }
        if self.password_file.is_some() && self.user.is_none() {
            wrong.push("mqtt.password_file goes with mqtt.user".to_owned());
        }
        // What every broker must take (MQTT 3.1.1, section 3.1.3.1), and `-` and `_`, which all do.
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=23).contains(&self.client_id.len()) || !self.client_id.bytes().all(is_id) {
            wrong.push("mqtt.client_id is not 1 to 23 of a-z, A-Z, 0-9, `-` and `_`".to_owned());
        }
        if !is_level(&self.topic) {
            wrong.push("mqtt.topic is empty, or begins or ends with `/` or holds `+`, `#` or `$`".to_owned());
        }
        wrong
    }

    /// Where the broker is. The URL is not repeated: somebody may have put a password into it.
    pub(super) fn place(&self) -> Result<Option<Place>, &'static str> {
        let Some(url) = &self.url else { return Ok(None) };
        let uri: Uri = url.parse().ok().ok_or("is no URL")?;
        let is_tls = match uri.scheme_str() {
            Some("mqtts") => true,
            Some("mqtt") => false,
            _ => return Err("does not begin with mqtt:// or mqtts://"),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a name or password; these are mqtt.user and mqtt.password_file");
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Some(Place { is_tls, host, port: authority.port_u16().unwrap_or(if is_tls { 8883 } else { 1883 }) }))
    }
}

/// Whether something can stand at the beginning of a topic.
pub fn is_level(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !text.starts_with('/')
        && !text.ends_with('/')
        && !text.contains(['+', '#', '$', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config { url: Some(url.to_owned()), ..Config::default() }
    }

    #[test]
    fn a_brokers_url_names_its_place_and_no_secret() {
        let place = config("mqtts://[fd00::1]").place().unwrap().unwrap();
        assert_eq!(place, Place { is_tls: true, host: "fd00::1".to_owned(), port: 8883 });
        assert_eq!(config("mqtt://broker").place().unwrap().unwrap().port, 1883);
        assert_eq!(Config::default().place(), Ok(None));
        for wrong in ["broker", "http://broker", "mqtt://me:hush@broker", "mqtt://"] {
            let complaints = config(wrong).check();
            assert_eq!(complaints.len(), 1, "{wrong}");
            assert!(!complaints[0].contains("hush"));
        }
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let lone = Config { user: Some("me".to_owned()), ..Config::default() };
        assert_eq!(lone.check().len(), 1);
        let file = Some(PathBuf::from("/x"));
        let plain = Config { ca_file: file.clone(), password_file: file, ..config("mqtt://broker") };
        assert_eq!(plain.check().len(), 2);
        let names = Config { client_id: "a b".to_owned(), topic: "/x/#".to_owned(), ..config("mqtt://broker") };
        assert_eq!(names.check().len(), 2);
    }
}
