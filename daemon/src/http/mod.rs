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
/// A quarter of all: no address takes the room of the others, and a house behind one address still fits.
const DEFAULT_MAX_CONNECTIONS_PER_ADDRESS: usize = 256;
/// Each is a file descriptor, and about 30 KiB.
const MOST_CONNECTIONS: usize = 65_536;

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
    /// How many of them one address, or one /64 of IPv6, may have; more are cut off. This machine's own are not counted.
    pub max_connections_per_address: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8080)),
            https_address: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8443)),
            max_connections: DEFAULT_MAX_CONNECTIONS,
            max_connections_per_address: DEFAULT_MAX_CONNECTIONS_PER_ADDRESS,
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
        for (key, most) in [
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
        ] {
            if !(1..=MOST_CONNECTIONS).contains(&most) {
                complaints.push(format!("http.{key}: {most} is not 1 to {MOST_CONNECTIONS}"));
            }
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
        let wrong = Config {
            https_address: Config::default().address,
            // More than a semaphore can count.
            max_connections: usize::MAX,
            max_connections_per_address: 0,
            ..Config::default()
        };
        let complaints = wrong.check();
        let keys = ["https_address", "max_connections", "max_connections_per_address"];
        assert_eq!(complaints.len(), keys.len());
        for (complaint, key) in complaints.iter().zip(keys) {
            assert!(complaint.starts_with(&format!("http.{key}: ")), "{complaint}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = toml::from_str::<Config>("port = 80").expect_err("no such key");
        assert!(error.to_string().contains("unknown field `port`"));
    }
}
