//! The names and addresses a leaf must carry.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::identity;

/// DNS names in lower case, and addresses in their canonical form.
pub(super) type Names = BTreeSet<String>;

/// All that the hub is reached by now, and those from the configuration.
///
/// Interface addresses are IPv4 only: IPv6 hosts change theirs daily (RFC 8981), which would mean a new leaf daily
/// for an address nobody types. One that stays can be configured.
pub(super) fn wanted(configured: &[String]) -> Names {
    let host = identity::host_name();
    let addresses = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the interfaces could not be listed, the certificate lacks their addresses");
        Vec::new()
    });
    let addresses = addresses.iter().filter(|interface| !interface.is_link_local()).map(|interface| interface.ip());
    gather(&host, addresses, configured)
}

fn gather(host: &str, addresses: impl Iterator<Item = IpAddr>, configured: &[String]) -> Names {
    let mut names = Names::from(["localhost".to_owned()]);
    if is_dns_name(host) {
        names.insert(host.to_owned());
        if !host.contains('.') {
            // As mDNS announces it (RFC 6762).
            names.insert(format!("{host}.local"));
        }
    }
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    names.extend(addresses.filter(IpAddr::is_ipv4).chain(loopback).map(|address| address.to_string()));
    names.extend(configured.iter().map(|name| canonical(name)));
    names
}

/// The form in which two equal names are equal.
pub(super) fn canonical(name: &str) -> String {
    name.parse::<IpAddr>().map_or_else(|_| name.to_lowercase(), |address| address.to_string())
}

fn is_dns_name(name: &str) -> bool {
    rustls::pki_types::DnsName::try_from(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_reached_by_its_name_by_mdns_and_by_its_ipv4_addresses() {
        let addresses = ["192.168.1.7", "2001:db8::7"].map(|text| text.parse().expect("an address"));
        let configured = ["Fridge.Example.Org".to_owned(), "2001:DB8:0::9".to_owned()];
        let names = gather("fridgepi", addresses.into_iter(), &configured);
        let expected = [
            "127.0.0.1",
            "192.168.1.7",
            "2001:db8::9",
            "::1",
            "fridge.example.org",
            "fridgepi",
            "fridgepi.local",
            "localhost",
        ];
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_host_name_that_is_no_dns_name_is_left_out() {
        let names = gather("no name!", std::iter::empty(), &[]);
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["127.0.0.1", "::1", "localhost"]);
    }
}
