//! `[database]`: where PostgreSQL is.

use std::path::PathBuf;

use serde::Deserialize;
use tokio_postgres::config::{Host, SslMode};

/// Where PostgreSQL is. Without `url` the hub runs a cluster of its own in its state folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A server's URL, for example `postgresql://larder:secret@db.example/larder`. Beyond this machine it is reached
    /// over TLS, unless the URL says `sslmode=disable`.
    pub url: Option<String>,
    /// The certificate authority of that server, PEM. Absent: the system's own.
    pub ca_file: Option<PathBuf>,
    /// Connections in the pool, 2 to 100.
    pub max_connections: usize,
    /// The folder that holds `initdb`, `postgres` and `pg_dump`. Absent: the newest below `/usr/lib/postgresql`.
    pub bin_dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: None, ca_file: None, max_connections: 12, bin_dir: None }
    }
}

impl Config {
    /// What is wrong, naming the key.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !(2..=100).contains(&self.max_connections) {
            wrong.push(format!("database.max_connections is {}, not within 2 to 100", self.max_connections));
        }
        if let Some(url) = &self.url
            && let Err(error) = url.parse::<tokio_postgres::Config>()
        {
            // The URL may hold a password, so it is not repeated.
            wrong.push(format!("database.url is no PostgreSQL URL: {error}"));
        }
        if self.url.is_none() && self.ca_file.is_some() {
            wrong.push("database.ca_file goes with database.url".to_owned());
        }
        wrong
    }
}

/// TLS is required beyond this machine unless it was switched off in so many words.
pub(super) fn require_tls_beyond_this_machine(config: &mut tokio_postgres::Config) {
    let beyond = config.get_hosts().iter().any(|host| match host {
        Host::Unix(_) => false,
        Host::Tcp(name) => {
            name != "localhost" && !name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    });
    if beyond && config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(SslMode::Require);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        let mut config = url.parse().unwrap();
        require_tls_beyond_this_machine(&mut config);
        config.get_ssl_mode()
    }

    #[test]
    fn a_server_elsewhere_is_reached_over_tls() {
        assert_eq!(mode("postgresql://db.example/larder"), SslMode::Require);
        assert_eq!(mode("postgresql://db.example/larder?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgresql://127.0.0.1/larder"), SslMode::Prefer);
        assert_eq!(mode("postgresql://localhost/larder"), SslMode::Prefer);
    }

    #[test]
    fn complaints_name_the_key_and_keep_the_password() {
        let config =
            Config { url: Some("postgresql://larder:hunter2@:x/".into()), max_connections: 0, ..Config::default() };
        let wrong = config.check();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].starts_with("database.max_connections"));
        assert!(wrong[1].starts_with("database.url") && !wrong[1].contains("hunter2"));
    }
}
