//! Tells cameras on the local network where the hub is: DNS-SD over multicast DNS (RFC 6762, 6763).

use std::net::SocketAddr;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// What boards look for.
const SERVICE: &str = "_larder._tcp.local.";

/// Announces the camera link at `address` until the tasks stop, and takes it back then. `host` is the machine's name.
/// One that is reached from this machine alone is not announced.
pub(super) fn start(address: SocketAddr, host: &str, tasks: &Tasks) {
    if address.ip().is_loopback() {
        return;
    }
    let stopping = tasks.stopping();
    match announce(address, host, &[]) {
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

fn announce(address: SocketAddr, host: &str, interfaces: &[IfKind]) -> Result<Announced, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    // Not the machine's own name: another responder may speak for that.
    let host_name = format!("larder-{host}.local.");
    let any = address.ip().is_unspecified();
    let ip = if any { String::new() } else { address.ip().to_string() };
    let mut info =
        ServiceInfo::new(SERVICE, &format!("larder on {host}"), &host_name, ip.as_str(), address.port(), None)?;
    if any {
        info = info.enable_addr_auto();
    }
    if !interfaces.is_empty() {
        info.set_interfaces(interfaces.to_vec());
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
        let announced = announce(address, &host, &[IfKind::LoopbackV4]).unwrap();
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
