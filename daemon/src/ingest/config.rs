//! What the camera link is told by the configuration.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use larder_proto::wire::camera::{FrameMac, PORT};
use serde::Deserialize;

use crate::interfaces;

/// Far beyond any home; each is a file descriptor.
const MOST_CONNECTIONS: usize = 65_536;

/// `[camera_link]`: where cameras dial.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether cameras on the local network are told where the hub is, by mDNS, and by which address.
    pub announce: Announce,
    /// How many connections are open at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// How many connections of one address, or of one /64 of IPv6, may be unproven at once; more are told that the hub is busy.
    pub max_unproven_per_address: usize,
    /// A session from which nothing came for so many seconds ends.
    pub idle_timeout_seconds: u32,
    /// How often a camera is sent a PING, in seconds. Its answer keeps a session without pictures alive.
    pub ping_interval_seconds: u32,
    /// How often a camera is asked to send telemetry, in seconds.
    pub telemetry_interval_seconds: u32,
    /// Which frames must carry a MAC: 0 none, 1 all, n every nth.
    pub frame_mac: u8,
}

/// Where cameras are told that the hub is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "Announced")]
pub enum Announce {
    /// At every address of this machine's networks, but not of container bridges and tunnels.
    #[default]
    Everywhere,
    /// Only at this address.
    At(IpAddr),
    /// Nowhere.
    Off,
}

/// As the configuration says it: `true`, `false`, or an address.
#[derive(Deserialize)]
#[serde(untagged, expecting = "true, false or an IP address")]
enum Announced {
    Switch(bool),
    Address(IpAddr),
}

impl From<Announced> for Announce {
    fn from(announced: Announced) -> Self {
        match announced {
            Announced::Switch(true) => Self::Everywhere,
            Announced::Switch(false) => Self::Off,
            Announced::Address(address) => Self::At(address),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: (Ipv6Addr::UNSPECIFIED, PORT).into(),
            announce: Announce::default(),
            max_connections: 256,
            max_unproven_per_address: 16,
            idle_timeout_seconds: 15,
            ping_interval_seconds: 5,
            telemetry_interval_seconds: 30,
            frame_mac: FrameMac::ALL.0,
        }
    }
}

impl Config {
    /// What is wrong, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut say = |key: &str, why: String| complaints.push(format!("camera_link.{key}: {why}"));
        for (key, most) in
            [("max_connections", self.max_connections), ("max_unproven_per_address", self.max_unproven_per_address)]
        {
            if !(1..=MOST_CONNECTIONS).contains(&most) {
                say(key, format!("{most} is not 1 to {MOST_CONNECTIONS}"));
            }
        }
        for (key, seconds) in [
            ("ping_interval_seconds", self.ping_interval_seconds),
            ("telemetry_interval_seconds", self.telemetry_interval_seconds),
        ] {
            if !(1..=3600).contains(&seconds) {
                say(key, format!("{seconds} is not 1 to 3600"));
            }
        }
        if self.idle_timeout_seconds <= self.ping_interval_seconds || self.idle_timeout_seconds > 86_400 {
            let most = "longer than ping_interval_seconds and at most 86400";
            say("idle_timeout_seconds", format!("{} is not {most}", self.idle_timeout_seconds));
        }
        complaints
    }

    /// The address that a board is told to dial, by a person or by mDNS, as things are now. `None` when this machine is on
    /// no network.
    pub fn dialled(&self) -> Option<IpAddr> {
        match (self.announce, self.address.ip()) {
            (Announce::At(address), _) => Some(address),
            (_, address) if !address.is_unspecified() => Some(address),
            _ => interfaces::addresses().first().copied(),
        }
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds.into())
    }

    pub(super) fn ping_interval(&self) -> Duration {
        Duration::from_secs(self.ping_interval_seconds.into())
    }

    pub(super) fn telemetry_interval(&self) -> Duration {
        Duration::from_secs(self.telemetry_interval_seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_told_everywhere_nowhere_or_one_address() {
        let announce = |value: &str| toml::from_str::<Config>(&format!("announce = {value}")).map(|read| read.announce);
        assert_eq!(announce("true").unwrap(), Announce::Everywhere);
        assert_eq!(announce("false").unwrap(), Announce::Off);
        let address = IpAddr::from([192, 168, 1, 20]);
        assert_eq!(announce("\"192.168.1.20\"").unwrap(), Announce::At(address));
        assert!(announce("\"eth0\"").unwrap_err().to_string().contains("true, false or an IP address"));
        let at = |announce, bound: &str| Config { announce, address: bound.parse().unwrap(), ..Config::default() };
        assert_eq!(at(Announce::At(address), "[::]:7440").dialled(), Some(address));
        assert_eq!(at(Announce::Everywhere, "10.0.0.7:7440").dialled(), Some([10, 0, 0, 7].into()));
    }

    #[test]
    fn the_defaults_are_right_and_every_complaint_names_its_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let wrong = Config {
            max_connections: usize::MAX,
            max_unproven_per_address: 0,
            idle_timeout_seconds: 5,
            telemetry_interval_seconds: 0,
            ..Config::default()
        };
        let complaints = wrong.check();
        let keys =
            ["max_connections", "max_unproven_per_address", "telemetry_interval_seconds", "idle_timeout_seconds"];
        assert_eq!(complaints.len(), keys.len());
        for (complaint, key) in complaints.iter().zip(keys) {
            assert!(complaint.starts_with(&format!("camera_link.{key}: ")), "{complaint}");
        }
    }
}
