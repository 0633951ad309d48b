//! The one QUIC endpoint: connections in, within limits, and each to what it asked for.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_proto::wire::relay::{ALPN, CloseCode, WEB_ALPN};
use quinn::{
    AsyncTimer, AsyncUdpSocket, Endpoint, EndpointConfig, Incoming, Runtime, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
    crypto::rustls::{HandshakeData, NoInitialCipherSuite, QuicServerConfig},
};
use socket2::{Domain, Protocol as SocketProtocol, Socket, Type};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    Config, Deps, Inner, Relay, Shared,
    control::Unheard,
    hello,
    scaled::Scaled,
    transport::{Transport, close},
    web,
};
use crate::{
    addresses::{Block, Claim, Claims},
    bucket::Bucket,
    repeats,
    tasks::Tasks,
};

/// What sets the relay's address.
const KEY: &str = "relay.address";
/// What the kernel is asked to keep of datagrams in either direction; it may give less.
const SOCKET_BYTES: usize = 1 << 20;
/// From the first datagram to the handshake's end. QUIC tries again after 1, 3 and 7 seconds.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection from which nothing came for so long is over.
const IDLE: Duration = Duration::from_secs(30);
/// Keeps NAT entries for UDP, which cheap routers drop after 30 s (RFC 4787 wants two minutes).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Bytes of streams that a viewer may send unread: a few control messages.
const STREAM_WINDOW: u32 = 16 * 1024;
/// The same of all its streams.
const RECEIVE_WINDOW: u32 = 64 * 1024;
/// Bytes of frames that QUIC takes before it waits: 16 of the usual size, on lines of any length. They are shared with
/// all other viewers of the camera, and not copied.
const SEND_WINDOW: u64 = 4 << 20;
/// Nothing is read of datagrams, but browsers end a connection of HTTP/3 that takes none (RFC 9297, section 2.1.1).
const DATAGRAM_BYTES: usize = 2 * 1024;
/// Unidirectional streams that a peer may open: HTTP/3 needs three at once (RFC 9114, section 6.2). `larder/1` has none.
const UNI_STREAMS: u32 = 3;
/// Handshakes at once of peers that did not prove their address, beyond which every one has to: a flood from made-up
/// addresses then costs a datagram each (RFC 9000, section 8.1.2).
const UNPROVEN: usize = 32;
/// Connections that wait for a handshake; more are dropped unheard.
const WAITING: usize = 512;
/// Bytes that are kept of each before it is looked at.
const WAITING_BYTES: u64 = 16 * 1024;
/// Viewers at once that are told the hub is busy; more are only refused.
const FAREWELLS: usize = 32;
/// Handshakes of one address in a burst, in seconds of its rate.
const BURST_SECONDS: u32 = 10;
/// Addresses whose handshakes are counted. When so many are in their waiting time, new ones wait too: it is an attack.
const MOST_ADDRESSES: usize = 4096;
/// How long connections that were closed may take to tell their viewers so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the relay does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another program, or another larderd, has the port.
    #[error("port {0} is taken: set {KEY} or stop the other program")]
    Taken(u16),
    /// The address can't be listened on.
    #[error("cannot listen on {0} ({KEY})")]
    Address(SocketAddr, #[source] io::Error),
    /// The TLS settings have no cipher that QUIC begins with.
    #[error("cannot set up QUIC")]
    Tls(#[from] NoInitialCipherSuite),
}

/// A port that was taken.
#[derive(Debug)]
pub struct Bound(UdpSocket);

/// Takes the relay's port.
///
/// # Errors
/// When it can't be had.
pub fn bind(address: SocketAddr) -> Result<Bound, StartError> {
    let opened = open(address).or_else(|error| {
        // A kernel without IPv6: every address of IPv4 is what was meant.
        let is_any = address.is_ipv6() && address.ip().is_unspecified();
        let is_taken = error.kind() == io::ErrorKind::AddrInUse;
        if is_any && !is_taken { open((Ipv4Addr::UNSPECIFIED, address.port()).into()) } else { Err(error) }
    });
    opened.map(Bound).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::Taken(address.port()),
        _ => StartError::Address(address, error),
    })
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(SocketProtocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_recv_buffer_size(SOCKET_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

impl Bound {
    /// Where it is.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr, StartError> {
        self.0.local_addr().map_err(|error| StartError::Address((Ipv4Addr::UNSPECIFIED, 0).into(), error))
    }

    /// Takes viewers in until `deps.tasks` stop.
    ///
    /// # Errors
    /// When QUIC can't be set up.
    pub fn serve(self, config: &Config, deps: Deps) -> Result<Relay, StartError> {
        let Deps { hub, find, access, viewers, passes, clock, tls, tasks } = deps;
        let address = self.address()?;
        let over = CancellationToken::new();
        let runtime = Arc::new(Owned { tasks: tasks.clone(), over: over.clone() });
        let server = server_config(tls)?;
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(server), self.0, runtime)
            .map_err(|error| StartError::Address(address, error))?;
        let is_lost = Arc::new(AtomicBool::new(false));
        let scaled = Scaled::new(hub.clone(), tasks.clone());
        let inner = Inner { hub, find, access, viewers, passes, clock, scaled, tasks: tasks.clone() };
        let shared = Shared(Arc::new(inner));
        let door = Door::new(config, shared);
        let accepting = door.accept(endpoint, Arc::clone(&is_lost));
        tasks.spawn(async move {
            accepting.await;
            over.cancel();
        });
        Ok(Relay { address, is_lost })
    }
}

fn server_config(tls: Arc<rustls::ServerConfig>) -> Result<ServerConfig, StartError> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES))
        .max_idle_timeout(IDLE.try_into().ok())
        .keep_alive_interval(Some(KEEP_ALIVE));
    let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    server
        .transport_config(Arc::new(transport))
        .migration(true)
        .max_incoming(WAITING)
        .incoming_buffer_size(WAITING_BYTES)
        .incoming_buffer_size_total(WAITING_BYTES * u64::try_from(WAITING).unwrap_or(u64::MAX));
    Ok(server)
}

/// quinn's own tasks belong to the hub's, as all others do.
#[derive(Clone)]
struct Owned {
    tasks: Tasks,
    /// Ends them, once the last words are said: a closed connection stays for three probe timeouts (RFC 9000, section
    /// 10.2), which are long after a line was cut.
    over: CancellationToken,
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Owned")
    }
}

impl Runtime for Owned {
    fn new_timer(&self, at: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let over = self.over.clone();
        drop(self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = over.cancelled() => {}
                () = future => {}
            }
        }));
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }
}

/// Lets connections in, and counts them.
struct Door {
    shared: Shared,
    places: Arc<Semaphore>,
    farewells: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
    claims: Claims,
    handshakes: Handshakes,
}

/// What a connection holds while it is open.
struct Place {
    _permit: OwnedSemaphorePermit,
    _claim: Claim,
}

/// What is made of a connection that knocks.
enum Answer {
    /// It has to prove its address first.
    Prove,
    /// It is not taken in, for this reason.
    Refuse(&'static str),
    /// It is taken in only to be told that the hub is busy.
    Busy(OwnedSemaphorePermit),
    /// It is taken in.
    Accept(Place, Option<OwnedSemaphorePermit>),
}

impl Door {
    fn new(config: &Config, shared: Shared) -> Self {
        Self {
            shared,
            places: Arc::new(Semaphore::new(config.max_connections)),
            farewells: Arc::new(Semaphore::new(FAREWELLS)),
            unproven: Arc::new(Semaphore::new(UNPROVEN)),
            claims: Claims::new(config.max_connections_per_address),
            handshakes: Handshakes::new(config.handshakes_per_second_per_address),
        }
    }

    async fn accept(mut self, endpoint: Endpoint, is_lost: Arc<AtomicBool>) {
        let stop = self.shared.tasks.stopping();
        loop {
            let incoming = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                incoming = endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else {
                is_lost.store(true, Ordering::Relaxed);
                tracing::error!("the relay's socket is lost: nobody can watch over QUIC until larderd is restarted");
                break;
            };
            self.answer(incoming);
        }
        // The sessions close their connections; those that have none yet are closed here.
        endpoint.set_server_config(None);
        endpoint.close(VarInt::from_u32(CloseCode::HubStopping.code()), CloseCode::HubStopping.name().as_bytes());
        if tokio::time::timeout(LAST_WORDS, endpoint.wait_idle()).await.is_err() {
            tracing::debug!("some far viewers did not take notice that the hub stops");
        }
    }

    fn answer(&mut self, incoming: Incoming) {
        let shared = self.shared.clone();
        match self.judge(incoming.remote_address().ip(), incoming.remote_address_validated(), incoming.may_retry()) {
            Answer::Prove => {
                metrics::counter!("larder_relay_retries_total").increment(1);
                // It fails only when the address is proven already.
                let _ = incoming.retry();
            }
            Answer::Refuse(reason) => {
                refused(incoming.remote_address(), reason);
                incoming.refuse();
            }
            Answer::Busy(permit) => {
                refused(incoming.remote_address(), CloseCode::Busy.name());
                drop(self.shared.tasks.spawn_until_stop(async move {
                    let _permit = permit;
                    if let Some((connection, _)) = handshake(incoming).await {
                        close(&connection, CloseCode::Busy);
                        // Until the viewer has heard so, or is given up.
                        connection.closed().await;
                    }
                }));
            }
            Answer::Accept(place, unproven) => drop(self.shared.tasks.spawn(async move {
                let _place = place;
                let shaken = handshake(incoming).await;
                drop(unproven);
                if let Some((connection, protocol)) = shaken {
                    run(connection, protocol, shared).await;
                }
            })),
        }
    }

    fn judge(&mut self, address: IpAddr, is_proven: bool, may_retry: bool) -> Answer {
        // Whoever makes its address up is not counted under it: that would keep the real one out.
        let unproven = if is_proven { None } else { Arc::clone(&self.unproven).try_acquire_owned().ok() };
        let must_prove = !is_proven && (unproven.is_none() || self.handshakes.is_over(address));
        if must_prove && may_retry {
            return Answer::Prove;
        }
        if !self.handshakes.begin(address) {
            return Answer::Refuse("handshakes");
        }
        let Some(claim) = self.claims.claim(address) else { return Answer::Refuse("address") };
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => Answer::Accept(Place { _permit: permit, _claim: claim }, unproven),
            Err(_) => match Arc::clone(&self.farewells).try_acquire_owned() {
                Ok(permit) => Answer::Busy(permit),
                Err(_) => Answer::Refuse("full"),
            },
        }
    }
}

/// How often each address begins a handshake.
struct Handshakes {
    most: u32,
    refill: Duration,
    of: HashMap<Block, Bucket>,
}

impl Handshakes {
    fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        let refill = Duration::from_secs(1) / per_second;
        Self { most: per_second.saturating_mul(BURST_SECONDS), refill, of: HashMap::new() }
    }

    /// Whether the address used half of what it may: from then on it has to prove that it is itself.
    fn is_over(&self, address: IpAddr) -> bool {
        self.of.get(&Block::of(address)).is_some_and(|bucket| bucket.left() < self.most / 2)
    }

    /// Counts one. `false` when it is one too many.
    fn begin(&mut self, address: IpAddr) -> bool {
        let block = Block::of(address);
        if self.of.len() >= MOST_ADDRESSES && !self.of.contains_key(&block) {
            self.of.retain(|_, bucket| !bucket.is_full());
            if self.of.len() >= MOST_ADDRESSES {
                return false;
            }
        }
        let fresh = || Bucket::new(self.most, self.refill);
        self.of.entry(block).or_insert_with(fresh).take().is_ok()
    }
}

/// What a connection asked for in its handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    /// `larder/1`.
    Larder,
    /// WebTransport, over HTTP/3.
    Web,
}

impl Asked {
    fn of(alpn: &[u8]) -> Option<Self> {
        match alpn {
            ALPN => Some(Self::Larder),
            WEB_ALPN => Some(Self::Web),
            _ => None,
        }
    }
}

/// Ends when the peer is proven to have the address and the keys. `None` when it came to nothing.
async fn handshake(incoming: Incoming) -> Option<(quinn::Connection, Asked)> {
    let address = incoming.remote_address();
    let shaking = async { incoming.accept()?.await };
    let connection = match tokio::time::timeout(HANDSHAKE, shaking).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::debug!(%error, peer.address = %address, "a handshake of QUIC failed");
            refused(address, "handshake");
            return None;
        }
        Err(_) => {
            refused(address, "handshake");
            return None;
        }
    };
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let asked = data.and_then(|data| data.protocol).and_then(|alpn| Asked::of(&alpn));
    if asked.is_none() {
        refused(address, "protocol");
        close(&connection, CloseCode::Version);
    }
    Some((connection, asked?))
}

async fn run(connection: quinn::Connection, asked: Asked, shared: Shared) {
    let address = connection.remote_address();
    match asked {
        Asked::Larder => watch(Transport::Quic(connection), None, address, &shared).await,
        Asked::Web => {
            let stop = shared.tasks.stopping();
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => Err("stopping"),
                accepted = tokio::time::timeout(hello::HELLO_DEADLINE, web::accept(connection)) => {
                    accepted.unwrap_or(Err(CloseCode::HelloTooSlow.name()))
                }
            };
            match accepted {
                Ok(web::Accepted { session, pass }) => {
                    watch(Transport::Web(Arc::new(session)), pass, address, &shared).await;
                }
                Err(reason) => refused(address, reason),
            }
        }
    }
}

/// Admits a viewer and runs its session. `pass` is what the session's address carried.
async fn watch(transport: Transport, pass: Option<String>, address: SocketAddr, shared: &Shared) {
    let stop = shared.tasks.stopping();
    let admitted = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Unheard::Broken(CloseCode::HubStopping)),
        admitted = hello::admit(transport.clone(), pass, shared) => admitted,
    };
    match admitted {
        Ok(session) => session.run().await,
        Err(Unheard::Gone) => refused(address, "gone"),
        Err(Unheard::Broken(code)) => {
            refused(address, code.name());
            transport.close(code);
        }
    }
    transport.closed().await;
}

/// Counts a viewer that was not let in, and says so, the first time.
fn refused(address: SocketAddr, reason: &'static str) {
    metrics::counter!("larder_relay_refused_total", "reason" => reason).increment(1);
    repeats::say!(debug, reason, { peer.address = %address, reason }, "a far viewer was not let in");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_the_port_and_the_setting() {
        let first = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = first.address().unwrap();
        let error = bind(address).unwrap_err();
        let expected = format!("port {} is taken: set relay.address or stop the other program", address.port());
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn handshakes_are_counted_by_address_and_forgotten_in_time() {
        let mut handshakes = Handshakes::new(2);
        let address = |n: u32| IpAddr::from(Ipv4Addr::from_bits(n));
        assert!(!handshakes.is_over(address(1)));
        assert!((0..20).all(|_| handshakes.begin(address(1))));
        assert!(!handshakes.begin(address(1)) && handshakes.is_over(address(1)));
        assert!(handshakes.begin(address(2)) && !handshakes.is_over(address(2)), "others are not kept out");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..10).filter(|_| handshakes.begin(address(1))).count(), 2);

        for n in 0..u32::try_from(MOST_ADDRESSES).unwrap() {
            handshakes.begin(address(1000 + n));
        }
        assert!(!handshakes.begin(address(7)), "so many at once are an attack");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(handshakes.begin(address(7)));
        assert!(handshakes.of.len() < 10, "those that are quiet are forgotten");
    }
}
