//! This machine's network interfaces, as seen from a board in the house: which address it can dial.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

/// What the kernel tells of interfaces (sysfs(5), Documentation/ABI/testing/sysfs-class-net).
const SYSFS: &str = "/sys/class/net";
/// IPv4 routes (proc_net(5)).
const ROUTES: &str = "/proc/net/route";

/// One address of one interface.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Known {
    address: Ipv4Addr,
    /// A bridge of containers, or a tunnel.
    is_virtual: bool,
    /// The way to everywhere else leads through it: in a house, that is the network where everything is.
    is_default: bool,
}

/// The IPv4 addresses that boards may dial, the likeliest first: those of the network that leads on, then other networks
/// of the house; none of a container bridge, a tunnel or the loopback.
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the network interfaces can't be listed");
        Vec::new()
    });
    let routes = fs::read_to_string(ROUTES).unwrap_or_default();
    let default = default_interface(&routes);
    let known = interfaces.iter().filter(|interface| !interface.is_loopback() && !interface.is_link_local());
    let known = known.filter_map(|interface| match interface.ip() {
        IpAddr::V4(address) => Some(Known {
            address,
            is_virtual: is_virtual(&interface.name),
            is_default: default == Some(interface.name.as_str()),
        }),
        IpAddr::V6(_) => None,
    });
    ranked(known.collect())
}

/// Whether an interface leads to no network of the house: a bridge without a device of its own (containers, virtual
/// machines), or a tunnel.
pub fn is_virtual(interface: &str) -> bool {
    is_virtual_below(Path::new(SYSFS), interface)
}

fn is_virtual_below(sysfs: &Path, interface: &str) -> bool {
    let folder = sysfs.join(interface);
    let is_tunnel = folder.join("tun_flags").exists()
        || fs::read_to_string(folder.join("uevent")).is_ok_and(|uevent| uevent.contains("DEVTYPE=wireguard"));
    let has_device = |port: &Path| port.join("device").exists();
    let is_bridge = folder.join("bridge").exists();
    let ports = fs::read_dir(folder.join("brif")).into_iter().flatten().flatten();
    let leads_out = ports.map(|port| sysfs.join(port.file_name())).any(|port| has_device(&port));
    is_tunnel || (is_bridge && !leads_out)
}

fn ranked(mut known: Vec<Known>) -> Vec<IpAddr> {
    known.retain(|one| !one.is_virtual);
    // Stable: what is alike stays in the kernel's order.
    known.sort_by_key(|one| (!one.is_default, !one.address.is_private()));
    known.into_iter().map(|one| one.address.into()).collect()
}

/// The interface of the default route with the lowest metric.
fn default_interface(routes: &str) -> Option<&str> {
    let default = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, "00000000", _, _, _, _, metric, ..] = fields.as_slice() else { return None };
        Some((metric.parse::<u32>().ok()?, *interface))
    });
    default.min().map(|(_, interface)| interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(address: [u8; 4], is_virtual: bool, is_default: bool) -> Known {
        Known { address: address.into(), is_virtual, is_default }
    }

    #[test]
    fn boards_dial_the_house_and_never_a_bridge_or_a_tunnel() {
        let all = vec![
            known([172, 17, 0, 1], true, false),
            known([10, 8, 0, 2], true, true),
            known([203, 0, 113, 9], false, false),
            known([192, 168, 4, 1], false, false),
            known([192, 168, 1, 20], false, true),
        ];
        let expected = [[192, 168, 1, 20], [192, 168, 4, 1], [203, 0, 113, 9]].map(IpAddr::from);
        assert_eq!(ranked(all), expected);
        assert_eq!(ranked(vec![known([172, 17, 0, 1], true, true)]), Vec::<IpAddr>::new());
    }

    #[test]
    fn the_default_route_is_the_one_with_the_lowest_metric() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                      wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
                      eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                      docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(default_interface(routes), Some("eth0"));
        assert_eq!(default_interface(""), None);
        assert_eq!(default_interface("head\nshort line\n"), None);
    }

    /// Laid out as Linux 6.1 shows Docker's bridge, a bridge of a real port, OpenVPN, WireGuard and a plain port.
    #[test]
    fn a_bridge_with_a_real_port_is_a_network_of_the_house() {
        let sysfs = tempfile::tempdir().unwrap();
        let make = |path: &str| fs::create_dir_all(sysfs.path().join(path)).unwrap();
        let write = |path: &str, text: &str| fs::write(sysfs.path().join(path), text).unwrap();
        for folder in ["docker0/bridge", "docker0/brif/veth1", "veth1", "br0/bridge", "br0/brif/eth0", "eth0/device"] {
            make(folder);
        }
        make("tun0");
        write("tun0/tun_flags", "0x1001\n");
        make("wg0");
        write("wg0/uevent", "DEVTYPE=wireguard\nINTERFACE=wg0\n");
        let is_virtual = |name: &str| is_virtual_below(sysfs.path(), name);
        assert!(is_virtual("docker0") && is_virtual("tun0") && is_virtual("wg0"));
        assert!(!is_virtual("br0") && !is_virtual("eth0") && !is_virtual("gone"));
    }
}
