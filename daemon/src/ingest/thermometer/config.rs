//! What the thermometers' ports are told by the configuration.

use std::net::{Ipv6Addr, SocketAddr};

use larder_proto::wire::reading::PORT;
use serde::Deserialize;

/// `[thermometers]`: where datagrams with temperatures come in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// UDP address and port of signed datagrams and of text. Port 0 takes a free one.
    pub address: SocketAddr,
    /// A second UDP address for text alone, for boards that were made to send to port 9090. Absent: off.
    pub text_address: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self { address: (Ipv6Addr::UNSPECIFIED, PORT).into(), text_address: None }
    }
}

impl Config {
    /// What is wrong, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let same = self.text_address.is_some_and(|text| text.port() != 0 && text.port() == self.address.port());
        let wrong = same.then(|| "thermometers.text_address: the same port as thermometers.address".to_owned());
        wrong.into_iter().collect()
    }
}
