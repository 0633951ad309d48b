//! `[grpc]`.

use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use serde::Deserialize;

/// How gRPC is served.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where gRPC with TLS listens; `[::]` takes IPv4 too, port 0 takes a free one.
    pub address: SocketAddr,
    /// Calls at once, over all connections; more are refused with `RESOURCE_EXHAUSTED`.
    pub calls: usize,
    /// Streams at once, over all connections.
    pub streams: usize,
    /// How long a call may take whose client states no deadline, in seconds.
    pub deadline_seconds: u64,
    /// The longest deadline of a call that a client may state, in seconds. Streams have none.
    pub longest_deadline_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: (Ipv6Addr::UNSPECIFIED, 7442).into(),
            calls: 128,
            streams: 256,
            deadline_seconds: 15,
            longest_deadline_seconds: 300,
        }
    }
}

impl Config {
    /// What is wrong with it, by key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (key, value) in [("calls", self.calls), ("streams", self.streams)] {
            if !(1..=65_536).contains(&value) {
                complaints.push(format!("grpc.{key} is {value}: must be 1 to 65536"));
            }
        }
        if !(1..=3600).contains(&self.deadline_seconds) {
            complaints.push(format!("grpc.deadline_seconds is {}: must be 1 to 3600", self.deadline_seconds));
        }
        if !(self.deadline_seconds..=86_400).contains(&self.longest_deadline_seconds) {
            let value = self.longest_deadline_seconds;
            complaints.push(format!("grpc.longest_deadline_seconds is {value}: must be deadline_seconds to 86400"));
        }
        complaints
    }

    pub(super) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds)
    }

    pub(super) fn longest_deadline(&self) -> Duration {
        Duration::from_secs(self.longest_deadline_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_nothing_wrong_and_each_mistake_names_its_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let wrong =
            Config { calls: 0, streams: 0, deadline_seconds: 0, longest_deadline_seconds: 99_999, ..Config::default() };
        let keys: Vec<_> =
            wrong.check().iter().map(|text| text.split(' ').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(keys, ["grpc.calls", "grpc.streams", "grpc.deadline_seconds", "grpc.longest_deadline_seconds"]);
    }
}
