//! HTTP: live pictures, recordings, the web UI, health, and the listeners that gRPC shares.

mod assets;
pub mod health;
pub mod hls;
pub mod listen;
pub mod live;
pub mod metrics;
mod router;

use std::net::{Ipv6Addr, SocketAddr};

use serde::Deserialize;

pub use router::{Parts, router, routes};

/// Enough for 50 viewers with a few connections each, and a burst; each costs about 30 KiB when idle.
const DEFAULT_MAX_CONNECTIONS: usize = 1024;

/// `[http]`: where browsers and players connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of plain HTTP. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Address and port of HTTPS. Port 0 takes a free one.
    pub https_address: SocketAddr,
    /// How many connections are open at once on each of the two; more wait in the kernel's queue.
    pub max_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8080)),
            https_address: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8443)),
            max_connections: DEFAULT_MAX_CONNECTIONS,
        }
    }
}

impl Config {
    /// What is wrong, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.address == self.https_address && self.address.port() != 0 {
            complaints.push(format!("http.https_address: {} is http.address too", self.https_address));
        }
        if self.max_connections == 0 {
            complaints.push("http.max_connections: 0 lets nobody in".to_owned());
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let same = Config { https_address: Config::default().address, max_connections: 0, ..Config::default() };
        let complaints = same.check();
        assert_eq!(complaints.len(), 2);
        assert!(complaints[0].starts_with("http.https_address: "));
        assert!(complaints[1].starts_with("http.max_connections: "));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = toml::from_str::<Config>("port = 80").expect_err("no such key");
        assert!(error.to_string().contains("unknown field `port`"));
    }
}
