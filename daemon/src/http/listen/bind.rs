//! Taking ports and the local socket, with errors that say what to do.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};

/// Longer than any burst that is expected: a page with 16 cameras opened by 50 viewers at once is 800 connects.
const BACKLOG: i32 = 1024;
/// What the kernel may hold unsent for one peer. Four VGA frames fit; without it the kernel grows the buffer to
/// several megabytes, which on a slow line is many seconds of old pictures that no skipping can take back.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Silence after which the kernel asks whether the peer is there, between two questions, and how many. A stream that
/// has nothing to tell never learns otherwise that its peer has vanished, and would keep its place for ever.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);
/// `sun_path` less its closing zero (unix(7)).
const MAX_SOCKET_PATH: usize = 107;
/// Owner and group; [`PeerCredentials`](crate::access::PeerCredentials) decide what they may.
const SOCKET_MODE: u32 = 0o660;

/// Why a place to listen can't be taken.
#[derive(Debug, Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error("port {port} is taken: set {setting} or stop the other program")]
    Taken {
        /// Which.
        port: u16,
        /// The key in the configuration.
        setting: &'static str,
    },
    /// Ports below 1024 need a right.
    #[error(
        "no right to listen on {address}: set {setting} to a port above 1023, or give the program CAP_NET_BIND_SERVICE"
    )]
    Forbidden {
        /// Where.
        address: SocketAddr,
        /// The key in the configuration.
        setting: &'static str,
    },
    /// The address is not ours, or the like.
    #[error("cannot listen on {address} ({setting})")]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// The key in the configuration.
        setting: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The path does not fit into a socket address.
    #[error("the path of the local socket is {len} bytes long, {MAX_SOCKET_PATH} fit: move the state folder: {path}")]
    LongPath {
        /// Which.
        path: PathBuf,
        /// Its length.
        len: usize,
    },
    /// Another hub answers there.
    #[error("another larderd runs on {0}: stop it, or give this one its own state folder")]
    Answered(PathBuf),
    /// The place is taken by something that is not a socket.
    #[error("{0} is in the way of the local socket and is not a socket")]
    InTheWay(PathBuf),
    /// Anything else about the local socket.
    #[error("cannot listen on {path}")]
    Unix {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A place that is taken but not served yet. Dropping it gives the place back.
pub struct Bound(pub(super) Listener);

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl Bound {
    /// Where it listens, with the true port; `None` for the local socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

/// Takes a TCP address. `[::]` takes IPv4 too, and falls back to it where the machine has no IPv6. Must be called
/// in a Tokio runtime.
///
/// # Errors
/// [`BindError::Taken`] when another program has the port; all name `setting`.
pub fn bind_tcp(address: SocketAddr, setting: &'static str) -> Result<Bound, BindError> {
    let result = match listen(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && lacks_ipv6(&error) => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        result => result,
    };
    match result {
        Ok(listener) => Ok(Bound(Listener::Tcp(listener))),
        Err(source) => Err(match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { port: address.port(), setting },
            io::ErrorKind::PermissionDenied => BindError::Forbidden { address, setting },
            _ => BindError::Tcp { address, setting, source },
        }),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit both.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    let (time, interval, retries) = KEEPALIVE;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    error.kind() == io::ErrorKind::AddrNotAvailable || code == Some(rustix::io::Errno::AFNOSUPPORT)
}

/// Takes the path of the local socket. One that is there is removed only if nobody answers on it. Must be called in
/// a Tokio runtime.
///
/// # Errors
/// [`BindError::Answered`] when another hub serves it.
pub fn bind_unix(path: &Path) -> Result<Bound, BindError> {
    let len = path.as_os_str().len();
    if len > MAX_SOCKET_PATH {
        return Err(BindError::LongPath { path: path.to_owned(), len });
    }
    let failed = |source| BindError::Unix { path: path.to_owned(), source };
    remove_stale(path)?;
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(BindError::Answered(path.to_owned())),
        result => result.map_err(failed)?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    let inode = std::fs::symlink_metadata(path).map_err(failed)?.ino();
    Ok(Bound(Listener::Unix(listener, SocketFile { path: path.to_owned(), inode })))
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Unix { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(BindError::InTheWay(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::Answered(path.to_owned())),
        // Only this says that no process holds the other end.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The socket's file, removed with the listener unless another took its place.
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(socket.path = %self.path.display(), %error, "the local socket's file stays behind");
        }
    }
}
