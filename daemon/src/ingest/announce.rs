//! Tells cameras on the local network where the hub is: DNS-SD over multicast DNS (RFC 6762, 6763).

use std::net::{IpAddr, SocketAddr};

use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};
use tokio_util::sync::CancellationToken;

use super::Announce;
use crate::{interfaces, tasks::Tasks};

/// What boards look for.
const SERVICE: &str = "_larder._tcp.local.";

/// Announces the camera link at `address` until the tasks stop, and takes it back then. `host` is the machine's name.
/// One that is reached from this machine alone is not announced.
pub(super) fn start(wanted: Announce, address: SocketAddr, host: &str, tasks: &Tasks) {
    let at = match wanted {
        Announce::Off => return,
        Announce::At(at) => Some(at),
        Announce::Everywhere if address.ip().is_loopback() => return,
        Announce::Everywhere => Some(address.ip()).filter(|ip| !ip.is_unspecified()),
    };
    let stopping = tasks.stopping();
    match announce(at, address.port(), host, &[]) {
        Ok(announced) => {
            tasks.spawn(async move { announced.until(stopping).await });
        }
        Err(error) => tracing::warn!(%error, "the hub is not announced by mDNS: cameras need its address"),
    }
}

/// What is announced.
struct Announced {
    daemon: ServiceDaemon,
    name: String,
}

/// At one address, or at all that this machine has and gets.
fn announce(at: Option<IpAddr>, port: u16, host: &str, only: &[IfKind]) -> Result<Announced, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    // Asked of interfaces that come later, too.
    daemon.disable_interface(IfKind::Predicate(IfPredicate::new(|one| interfaces::is_virtual(&one.name))))?;
    // Not the machine's own name: another responder may speak for that.
    let host_name = format!("larder-{host}.local.");
    let ip = at.map(|at| at.to_string()).unwrap_or_default();
    let mut info = ServiceInfo::new(SERVICE, &format!("larder on {host}"), &host_name, ip.as_str(), port, None)?;
    if at.is_none() {
        info = info.enable_addr_auto();
    }
    if !only.is_empty() {
        info.set_interfaces(only.to_vec());
    }
    let name = info.get_fullname().to_owned();
    daemon.register(info)?;
    Ok(Announced { daemon, name })
}

impl Announced {
    async fn until(self, stopping: CancellationToken) {
        stopping.cancelled().await;
        // Cameras that look at this moment must not find a hub that is gone; more than a moment is not waited.
        if let Ok(taken_back) = self.daemon.unregister(&self.name) {
            let _ = taken_back.recv_async().await;
        }
        let _ = self.daemon.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mdns_sd::ServiceEvent;

    use super::*;

    #[tokio::test]
    async fn whoever_looks_finds_the_address_and_port_until_the_hub_stops() {
        let address: SocketAddr = ([127, 0, 0, 1], 7440).into();
        let host = format!("test-{}", uuid::Uuid::new_v4().simple());
        let announced = announce(Some(address.ip()), address.port(), &host, &[IfKind::LoopbackV4]).unwrap();
        let board = ServiceDaemon::new().unwrap();
        let events = board.browse(SERVICE).unwrap();
        let name = announced.name.clone();
        let ask = async |wanted: &dyn Fn(&ServiceEvent) -> bool| loop {
            let event = tokio::time::timeout(Duration::from_secs(20), events.recv_async()).await.unwrap().unwrap();
            if wanted(&event) {
                return event;
            }
        };
        let is_found = |event: &ServiceEvent| matches!(event, ServiceEvent::ServiceResolved(found) if found.get_fullname() == name);
        let ServiceEvent::ServiceResolved(found) = ask(&is_found).await else { panic!("another event") };
        assert_eq!(found.get_port(), 7440);
        assert!(found.get_addresses().iter().any(|found| found.to_ip_addr() == address.ip()));

        let stop = CancellationToken::new();
        stop.cancel();
        announced.until(stop).await;
        ask(&|event| matches!(event, ServiceEvent::ServiceRemoved(_, removed) if *removed == name)).await;
        board.shutdown().unwrap();
    }
}
