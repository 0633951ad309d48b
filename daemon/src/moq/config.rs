//! `[moq]`: which relay the hub publishes to.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// The longest prefix.
const MOST_PREFIX: usize = 100;

/// Which relay the hub publishes to. Without `url` it publishes to none.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `https://relay.example:4443`, with a path if the relay wants one. Holds no token.
    pub url: Option<String>,
    /// A file that holds the relay's token (JWT), in one line.
    pub token_file: Option<PathBuf>,
    /// The authority of the relay's certificate, PEM. Absent: the system's own.
    pub ca_file: Option<PathBuf>,
    /// What the broadcasts' paths begin with; the camera's name follows.
    pub prefix: String,
    /// The cameras that are published, by id or name. Empty: all.
    pub cameras: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: None, token_file: None, ca_file: None, prefix: "larder".to_owned(), cameras: Vec::new() }
    }
}

impl Config {
    /// What is wrong, naming the key.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        match self.place() {
            Err(why) => wrong.push(format!("moq.url {why}")),
            Ok(None) if self.token_file.is_some() || self.ca_file.is_some() || !self.cameras.is_empty() => {
                wrong.push("moq.token_file, moq.ca_file and moq.cameras go with moq.url".to_owned());
            }
            Ok(_) => {}
        }
        let is_part = |part: &str| !part.is_empty() && !part.contains('*') && !part.chars().any(char::is_control);
        if self.prefix.len() > MOST_PREFIX || !self.prefix.split('/').all(is_part) {
            wrong.push("moq.prefix is empty, or begins or ends with `/` or holds `//` or `*`".to_owned());
        }
        wrong
    }

    /// Where the relay is. The URL is not repeated: somebody may have put a token into it.
    pub(super) fn place(&self) -> Result<Option<Url>, &'static str> {
        let Some(url) = &self.url else { return Ok(None) };
        let url: Url = url.parse().ok().ok_or("is no URL")?;
        if url.scheme() != "https" {
            return Err("does not begin with https://");
        }
        if url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err("holds a name, password or query; the token stands in the file of moq.token_file");
        }
        Ok(Some(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config { url: Some(url.to_owned()), ..Config::default() }
    }

    #[test]
    fn a_relays_url_names_its_place_and_no_secret() {
        assert_eq!(Config::default().place(), Ok(None));
        assert_eq!(config("https://relay.example/house").check(), Vec::<String>::new());
        for wrong in ["relay", "http://relay", "https://me:hush@relay", "https://relay/?jwt=hush"] {
            let complaints = config(wrong).check();
            assert_eq!(complaints.len(), 1, "{wrong}");
            assert!(!complaints[0].contains("hush"));
        }
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        assert_eq!(Config { cameras: vec!["fridge".to_owned()], ..Config::default() }.check().len(), 1);
        for prefix in ["", "/a", "a/", "a//b", "a/*"] {
            assert_eq!(Config { prefix: prefix.to_owned(), ..config("https://relay") }.check().len(), 1, "{prefix}");
        }
    }
}
