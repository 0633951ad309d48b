//! What the camera link is told by the configuration.

use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use larder_proto::wire::camera::{FrameMac, PORT};
use serde::Deserialize;

/// Far beyond any home; each is a file descriptor.
const MOST_CONNECTIONS: usize = 65_536;

/// `[camera_link]`: where cameras dial.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether cameras on the local network are told where the hub is, by mDNS.
    pub announce: bool,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            address: (Ipv6Addr::UNSPECIFIED, PORT).into(),
            announce: true,
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
