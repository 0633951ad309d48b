//! The accept loop and one connection.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::{
    Bound, Serve,
    bind::{Listener, SocketFile},
    door::{Door, Place},
    stall::Stall,
    streams::{self, Executor, Over, Streams},
};
use crate::{
    access::{PeerAddress, PeerCredentials, Secure},
    outcome::chain,
    parts::Trouble,
    tasks::Tasks,
};

/// A handshake is three round trips at most and a few milliseconds of a Pi's CPU.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// The time to send a request's head; also how long an idle HTTP/1.1 connection is kept, and one that has asked for
/// nothing yet: until its first bytes tell the version of HTTP, hyper-util waits for ever.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// HTTP/2 asks this often whether the peer still lives, and gives it as long to answer.
const HTTP2_PING: Duration = Duration::from_secs(20);
/// What hyper may hold unsent for one HTTP/1.1 answer. About one frame: an MJPEG viewer that reads slowly then skips
/// frames at the hub and does not see old ones.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
/// The same for one HTTP/2 stream.
const HTTP2_BUFFER_BYTES: usize = 64 * 1024;
/// Streams of one HTTP/2 connection: a wall of 16 cameras, its watches and its requests.
const HTTP2_STREAMS: u32 = 128;
/// A request's headers, decompressed. A browser's cookies and a bearer token are far smaller.
const HTTP2_HEADER_BYTES: u32 = 16 * 1024;
/// What a peer may send ahead of one request's body, and of all of one connection.
const HTTP2_WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);
/// Streams that a peer may open and reset before the hub has got round to them (CVE-2023-44487), and those that the hub
/// resets for their mistakes.
const HTTP2_RESETS: (usize, usize) = (20, 128);
/// For the streams that are open when an idle connection is told to end.
const FAREWELL: Duration = Duration::from_secs(10);
/// The first wait after a failed accept; it doubles up to [`BACK_OFF_MOST`].
const BACK_OFF: Duration = Duration::from_millis(10);
/// The longest wait after a failed accept (out of file descriptors, mostly).
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream, PeerCredentials),
}

/// What a request may know of its connection.
#[derive(Clone, Copy, Default)]
struct Peer {
    address: Option<PeerAddress>,
    credentials: Option<PeerCredentials>,
    secure: bool,
}

/// Accepts until stopped; never ends for another reason.
pub(super) async fn accept(bound: Bound, serve: Serve) {
    let stop = serve.tasks.stopping();
    let acceptor = serve.tls.map(TlsAcceptor::from);
    let door = Arc::new(Door::new(serve.name, serve.limits));
    serve.tasks.spawn_until_stop(Arc::clone(&door).tell_counts());
    let mut back_off = BACK_OFF;
    loop {
        let next = async {
            let permit = door.permit().await.ok_or_else(|| io::Error::other("no places"))?;
            bound.0.accept().await.map(|accepted| (accepted, permit))
        };
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = next => next,
        };
        match next {
            Ok((accepted, permit)) => {
                back_off = BACK_OFF;
                serve.trouble.clear();
                let Some(place) = door.admit(permit, accepted.address()) else { continue };
                let connection = Connection {
                    router: serve.router.clone(),
                    acceptor: acceptor.clone(),
                    tasks: serve.tasks.clone(),
                    door: Arc::clone(&door),
                    stop: stop.clone(),
                };
                spawn(&serve.tasks, connection, accepted, place);
            }
            Err(error) => {
                serve.trouble.note(Trouble::new("accept_failed", format!("connections cannot be accepted: {error}")));
                door.accept_failed(&error);
                tokio::time::sleep(back_off).await;
                back_off = BACK_OFF_MOST.min(back_off * 2);
            }
        }
    }
}

fn spawn(tasks: &Tasks, connection: Connection, accepted: Accepted, place: Place) {
    tasks.spawn(async move {
        match accepted {
            Accepted::Tcp(stream, peer) => connection.tcp(stream, peer, place).await,
            Accepted::Unix(stream, peer) => connection.unix(stream, peer, place).await,
        }
    });
}

impl Accepted {
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            Self::Unix(..) => None,
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // On a dual-stack socket an IPv4 peer reads ::ffff:1.2.3.4.
                Ok(Accepted::Tcp(stream, SocketAddr::new(address.ip().to_canonical(), address.port())))
            }
            Self::Unix(listener, SocketFile { .. }) => {
                let (stream, _) = listener.accept().await?;
                let peer = stream.peer_cred()?;
                let peer = PeerCredentials { uid: peer.uid(), gid: peer.gid() };
                Ok(Accepted::Unix(stream, peer))
            }
        }
    }
}

/// One connection; its end is logged once.
struct Connection {
    router: Router,
    acceptor: Option<TlsAcceptor>,
    tasks: Tasks,
    door: Arc<Door>,
    stop: CancellationToken,
}

impl Connection {
    async fn tcp(self, stream: TcpStream, address: SocketAddr, place: Place) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer.address = %address, %error, "a connection was gone before it was served");
            return;
        }
        let peer = Peer { address: Some(PeerAddress(address)), ..Peer::default() };
        let Some(acceptor) = &self.acceptor else {
            return self.http(stream, peer, place).await;
        };
        let handshake = tokio::time::timeout(TLS_TIMEOUT, acceptor.accept(stream));
        let handshake = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            handshake = handshake => handshake,
        };
        match handshake {
            Ok(Ok(stream)) => self.http(stream, Peer { secure: true, ..peer }, place).await,
            Ok(Err(error)) => {
                self.door.refused("tls-failed");
                tracing::debug!(peer.address = %address, %error, "a TLS handshake failed");
            }
            Err(_) => {
                self.door.refused("tls-too-slow");
                tracing::debug!(peer.address = %address, "a TLS handshake took too long");
            }
        }
    }

    async fn unix(self, stream: UnixStream, credentials: PeerCredentials, place: Place) {
        self.http(stream, Peer { credentials: Some(credentials), ..Peer::default() }, place).await;
    }

    async fn http<S>(self, stream: S, peer: Peer, place: Place)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { router, tasks, door, stop, .. } = self;
        let streams = Streams::new(door.name);
        let server = server(Executor { tasks, streams: Arc::clone(&streams) });
        let asked = Arc::new(AtomicBool::new(false));
        let silent = silent(Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let answer = router.clone().call(peer.mark(request));
            async move { answer.await.map(streams::watch) }
        });
        let stream = TokioIo::new(Stall::new(stream, place));
        let mut connection = std::pin::pin!(server.serve_connection_with_upgrades(stream, service));
        let result = tokio::select! {
            biased;
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            result = connection.as_mut() => result,
            () = silent => {
                door.refused("silent");
                tracing::debug!(peer.address = %peer, "a connection asked for nothing");
                return;
            }
            over = streams.over() => match over {
                Over::Unread => return door.cut("unread", &peer),
                Over::Idle => {
                    connection.as_mut().graceful_shutdown();
                    match tokio::time::timeout(FAREWELL, connection).await {
                        Ok(result) => result,
                        Err(_elapsed) => return door.cut("unread", &peer),
                    }
                }
            }
        };
        match result {
            Ok(()) => tracing::trace!(peer.address = %peer, "a connection ended"),
            Err(error) => {
                if let Some(reason) = fault_of_the_peer(error.as_ref()) {
                    door.cut(reason, &peer);
                }
                tracing::debug!(peer.address = %peer, error = chain(error.as_ref()), "a connection broke");
            }
        }
    }
}

/// Comes back when nothing was asked for in time, and else never.
async fn silent(asked: Arc<AtomicBool>) {
    tokio::time::sleep(HEADER_TIMEOUT).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Why the hub ended a connection, if it did.
fn fault_of_the_peer(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|cause| {
        let is_stall = cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        let is_silence = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout);
        if is_stall { Some("stalled") } else { is_silence.then_some("unresponsive") }
    })
}

impl Peer {
    fn mark(self, request: Request<Incoming>) -> Request<Body> {
        let mut request = request.map(Body::new);
        let extensions = request.extensions_mut();
        if let Some(address) = self.address {
            extensions.insert(address);
        }
        if let Some(credentials) = self.credentials {
            extensions.insert(credentials);
        }
        if self.secure {
            extensions.insert(Secure);
        }
        request
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(PeerAddress(address)) => address.fmt(f),
            None => f.write_str("the local socket"),
        }
    }
}

fn server(executor: Executor) -> auto::Builder<Executor> {
    let mut server = auto::Builder::new(executor);
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HTTP1_BUFFER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .max_send_buf_size(HTTP2_BUFFER_BYTES)
        .max_header_list_size(HTTP2_HEADER_BYTES)
        .initial_stream_window_size(HTTP2_WINDOWS.0)
        .initial_connection_window_size(HTTP2_WINDOWS.1)
        .max_pending_accept_reset_streams(HTTP2_RESETS.0)
        .max_local_error_reset_streams(HTTP2_RESETS.1)
        .max_concurrent_streams(HTTP2_STREAMS);
    server
}
