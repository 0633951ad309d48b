//! What the ways in of other boards are told by the configuration.

use std::net::SocketAddr;

use serde::Deserialize;

/// What sets the address for WebSocket.
pub(super) const KEY: &str = "boards.websocket_address";

/// `[boards]`: boards that know nothing of Larder.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// TCP address to which boards push pictures over WebSocket; those of the original system go to port 8888. Absent:
    /// off.
    pub websocket_address: Option<SocketAddr>,
}
