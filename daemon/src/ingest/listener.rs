//! Takes connections in, within limits.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder_proto::wire::camera::{ByeReason, early_bye};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{Shared, connection};

/// A burst of cameras after a power cut waits here, not in their back-off.
const BACKLOG: i32 = 1024;
/// A pause after a failed accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Silence after which the kernel asks whether the peer is there, between two questions, and how many.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// Why the camera link can't be listened on.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another program, or another larderd, has the port.
    #[error("port {0} is taken: set camera_link.address or stop the other program")]
    Taken(u16),
    /// The address can't be listened on.
    #[error("cannot listen on {address} (camera_link.address)")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    open(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::Taken(address.port()),
        _ => StartError::Address { address, source },
    })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)) {
        // A kernel without IPv6: every address of IPv4 is what was meant.
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            return open((std::net::Ipv4Addr::UNSPECIFIED, address.port()).into());
        }
        socket => socket?,
    };
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Sessions of a stopped daemon linger in TIME_WAIT and must not keep the next one out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until dropped. Cancel safe: connections go on.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(shared.config.max_connections));
    let unproven = Unproven::default();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                let message = "a camera's connection could not be accepted";
                if let Some(unsaid) = shared.refusals.note(message, "") {
                    tracing::warn!(%error, unsaid, "{message}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        metrics::counter!("larder_camera_connections_total").increment(1);
        let Some(claim) = unproven.claim(peer.ip(), shared.config.max_unproven_per_address) else {
            shared.refused(peer, None, ByeReason::Busy.name());
            turn_away(stream);
            continue;
        };
        tune(&stream);
        let shared_by_session = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            let _permit = permit;
            connection::run(stream, peer, shared_by_session, claim).await;
        });
    }
}

/// Says BYE as far as that does not wait, and closes.
fn turn_away(mut stream: TcpStream) {
    let bye = early_bye(ByeReason::Busy, 0, 0);
    // A new socket's send buffer is empty: the bytes fit, or the peer is gone.
    let _ = futures_util::FutureExt::now_or_never(stream.write_all(&bye));
}

/// Options of a camera's socket. None is needed for it to work.
fn tune(stream: &TcpStream) {
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    let socket = SockRef::from(stream);
    let tuned = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a camera's socket keeps its defaults");
    }
}

/// Counts the connections of each address that are not proven yet.
#[derive(Clone, Default)]
struct Unproven(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of an address's unproven connections, until dropped.
pub(super) struct Claim {
    unproven: Unproven,
    address: IpAddr,
}

impl Unproven {
    fn claim(&self, address: IpAddr, most: usize) -> Option<Claim> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Claim { unproven: self.clone(), address })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut counts = self.unproven.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_unproven_connections_and_no_more() {
        let unproven = Unproven::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let claims: Vec<_> = (0..3).filter_map(|_| unproven.claim(one, 2)).collect();
        assert_eq!(claims.len(), 2);
        assert!(unproven.claim(other, 2).is_some(), "others are not kept out");
        drop(claims);
        assert!(unproven.claim(one, 2).is_some());
        assert!(unproven.0.lock().unwrap().is_empty(), "nothing is kept of an address that is gone");
    }

    #[tokio::test]
    async fn a_taken_port_names_the_port_and_the_setting() {
        let first = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err();
        let expected = format!("port {} is taken: set camera_link.address or stop the other program", address.port());
        assert_eq!(error.to_string(), expected);
    }
}
