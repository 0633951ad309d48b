//! What the relay is told by the configuration.

use std::net::{Ipv6Addr, SocketAddr};

use larder_proto::wire::relay::PORT;
use serde::Deserialize;

/// Far beyond what one machine sends pictures to.
const MOST_CONNECTIONS: usize = 65_536;

/// `[relay]`: where far viewers dial, over QUIC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and UDP port. Port 0 takes a free one.
    pub address: SocketAddr,
    /// How many connections are open at once; more are told that the hub is busy.
    pub max_connections: usize,
    /// How many of them one address, or one /64 of IPv6, may have.
    pub max_connections_per_address: usize,
    /// How many handshakes a second one address, or one /64 of IPv6, may begin; ten times as many in a burst.
    pub handshakes_per_second_per_address: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: (Ipv6Addr::UNSPECIFIED, PORT).into(),
            max_connections: 256,
            max_connections_per_address: 64,
            handshakes_per_second_per_address: 5,
        }
    }
}

impl Config {
    /// What is wrong, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut say = |key: &str, why: String| complaints.push(format!("relay.{key}: {why}"));
        for (key, most) in [
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
        ] {
            if !(1..=MOST_CONNECTIONS).contains(&most) {
                say(key, format!("{most} is not 1 to {MOST_CONNECTIONS}"));
            }
        }
        let handshakes = self.handshakes_per_second_per_address;
        if !(1..=100_000).contains(&handshakes) {
            say("handshakes_per_second_per_address", format!("{handshakes} is not 1 to 100000"));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right_and_every_complaint_names_its_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let wrong = Config {
            max_connections: 0,
            max_connections_per_address: usize::MAX,
            handshakes_per_second_per_address: 0,
            ..Config::default()
        };
        let complaints = wrong.check();
        let keys = ["max_connections", "max_connections_per_address", "handshakes_per_second_per_address"];
        assert_eq!(complaints.len(), keys.len());
        for (complaint, key) in complaints.iter().zip(keys) {
            assert!(complaint.starts_with(&format!("relay.{key}: ")), "{complaint}");
        }
    }
}
