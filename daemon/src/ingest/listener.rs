//! Takes connections in, within limits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use larder_proto::wire::camera::{ByeReason, early_bye};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{
    Shared, boards,
    connection::{self, drain},
};
use crate::{addresses::Claims, parts::Trouble};

/// What sets the camera link's address.
pub(super) const KEY: &str = "camera_link.address";
/// A burst of cameras after a power cut waits here, not in their back-off.
const BACKLOG: i32 = 1024;
/// A pause after a failed accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Strangers at once that are told why they are turned away; more are only cut off.
const FAREWELLS: usize = 64;
/// The longest that such a stranger is listened to.
const FAREWELL: Duration = Duration::from_secs(1);
/// Silence after which the kernel asks whether the peer is there, between two questions, and how many.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// Why a port of the cameras can't be had.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another program, or another larderd, has the port.
    #[error("port {port} is taken: set {key} or stop the other program")]
    Taken {
        /// Which.
        port: u16,
        /// What sets it.
        key: &'static str,
    },
    /// The address can't be listened on.
    #[error("cannot listen on {address} ({key})")]
    Address {
        /// Which.
        address: SocketAddr,
        /// What sets it.
        key: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

pub(super) fn bind(address: SocketAddr, key: &'static str) -> Result<TcpListener, StartError> {
    open(address).map_err(|source| StartError::of(address, key, source))
}

impl StartError {
    pub(super) fn of(address: SocketAddr, key: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { port: address.port(), key },
            _ => Self::Address { address, key, source },
        }
    }
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

/// Who is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Serving {
    /// Cameras that speak the camera link.
    Link,
    /// Boards of another make, which push over WebSocket.
    Boards,
}

/// Accepts until dropped. Cancel safe: connections go on.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, serving: Serving) {
    let permits = Arc::new(Semaphore::new(shared.config.max_connections));
    let farewells = Arc::new(Semaphore::new(FAREWELLS));
    let unproven = Claims::new(shared.config.max_unproven_per_address);
    loop {
        if permits.available_permits() == 0 {
            shared.full();
        }
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                metrics::counter!("larder_camera_accept_failures_total").increment(1);
                shared.trouble.note(Trouble::new("accept_failed", format!("cameras cannot connect: {error}")));
                let message = "a camera's connection could not be accepted";
                if let Some(unsaid) = shared.troubles.note(message, "") {
                    tracing::warn!(%error, unsaid, "{message}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        shared.trouble.clear();
        metrics::counter!("larder_camera_connections_total").increment(1);
        let Some(claim) = unproven.claim(peer.ip()) else {
            shared.refused(peer, None, ByeReason::Busy.name());
            // Without a place, it is cut off here.
            if serving == Serving::Link
                && let Ok(place) = Arc::clone(&farewells).try_acquire_owned()
            {
                shared.tasks.spawn_until_stop(async move {
                    let _place = place;
                    turn_away(stream).await;
                });
            }
            continue;
        };
        tune(&stream);
        let shared_by_session = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            let _permit = permit;
            match serving {
                Serving::Link => connection::run(stream, peer, shared_by_session, claim).await,
                Serving::Boards => boards::websocket(stream, peer, shared_by_session, claim).await,
            }
        });
    }
}

/// Says BYE and closes, without a thought for what the stranger says.
async fn turn_away(mut stream: TcpStream) {
    let farewell = async {
        stream.write_all(&early_bye(ByeReason::Busy, 0, 0)).await?;
        stream.shutdown().await?;
        drain(&mut stream).await
    };
    // Whether it hears so does not matter.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_port_and_the_setting() {
        let first = bind(([127, 0, 0, 1], 0).into(), KEY).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address, KEY).unwrap_err();
        let expected = format!("port {} is taken: set camera_link.address or stop the other program", address.port());
        assert_eq!(error.to_string(), expected);
    }
}
