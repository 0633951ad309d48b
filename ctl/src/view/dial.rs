//! Opens connections of `larder/1`: to a hub elsewhere with the token and the pinned authority of its profile, to the
//! hub on this machine with a pass that its local socket gives.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder_proto::{
    pb::{CreatePassRequest, GetStatusRequest},
    wire::relay::{ALPN, MOST_FRAME, MOST_WINDOW, PORT},
};
use quinn::{
    ClientConfig, Connection, Endpoint, IdleTimeout, TransportConfig, VarInt, crypto::rustls::QuicClientConfig,
};
use rustls::RootCertStore;
use tokio::{
    net::lookup_host,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::ended::Ended;
use crate::{
    Failure,
    client::{Hub, quick},
    daemon::here,
    dial::DialError,
    target::{Remote, Secret, Target, Trust, read_authorities},
};

/// A hub that says nothing at all for so long is gone; as the hub's own.
const IDLE: Duration = Duration::from_secs(30);
/// Keeps the mappings of routers on the way: theirs last half a minute at least, mostly.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// For one attempt: name, handshake and greeting. Far away they take a second or two.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Before a hub's next address is tried beside the one before (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// A hub with more addresses has one among these.
const MOST_ADDRESSES: usize = 6;
/// Twice the frames that may be under way, since resets of old ones may be, too.
const MOST_STREAMS: u32 = 2 * MOST_WINDOW as u32;

/// Knows where the hub is, how it is trusted, and who asks.
pub(crate) struct Dialer {
    place: Place,
    /// What the hub's certificate is for.
    name: String,
    config: ClientConfig,
    access: Access,
    /// For IPv4 and IPv6; made when they are needed.
    endpoints: Mutex<[Option<Endpoint>; 2]>,
}

/// Where the relay is.
struct Place {
    host: String,
    port: u16,
}

/// What lets the viewer in.
enum Access {
    Token(Secret),
    /// A new pass for each connection.
    Passes(Box<Hub>),
}

impl Dialer {
    /// For a hub; `relay` names another place than its usual one.
    ///
    /// # Errors
    ///
    /// The hub on this machine does not answer, or there is no token for one elsewhere.
    pub(crate) async fn new(target: Target, relay: Option<(String, u16)>) -> Result<Self, Failure> {
        match target {
            Target::Remote(remote) => Self::remote(remote, relay),
            Target::Socket(path) => Self::local(path, relay).await,
        }
    }

    fn remote(remote: Remote, relay: Option<(String, u16)>) -> Result<Self, Failure> {
        let Some(token) = remote.token else {
            return Err(tonic::Status::unauthenticated("no token for this hub").into());
        };
        let (host, port) = relay.unwrap_or((remote.host.clone(), PORT));
        Self::make(Place { host, port }, remote.host, &remote.trust, Access::Token(token))
    }

    async fn local(socket: PathBuf, relay: Option<(String, u16)>) -> Result<Self, Failure> {
        let authority = socket.with_file_name("certs").join("ca.crt");
        if !authority.exists() {
            return Err(Failure::Usage(
                "this hub shows a certificate of its own, for names that only it knows: name it as others do, with \
                 --hub https://NAME:7442 and --token"
                    .to_owned(),
            ));
        }
        let hub = Hub::connect(Target::Socket(socket)).await?;
        let (host, port) = match relay {
            Some(place) => place,
            None => local_place(&hub).await?,
        };
        let trust = Trust::Pinned(read_authorities(&authority)?);
        Self::make(Place { host, port }, "localhost".to_owned(), &trust, Access::Passes(Box::new(hub)))
    }

    fn make(place: Place, name: String, trust: &Trust, access: Access) -> Result<Self, Failure> {
        Ok(Self { place, name, config: config(trust)?, access, endpoints: Mutex::default() })
    }

    /// Host and port, for people.
    pub(crate) fn address(&self) -> String {
        let Place { host, port } = &self.place;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// What HELLO carries.
    pub(super) async fn secret(&self, camera: &str) -> Result<String, Ended> {
        match &self.access {
            Access::Token(token) => Ok(token.expose().to_owned()),
            Access::Passes(hub) => {
                let request = CreatePassRequest { camera: camera.to_owned() };
                match hub.viewers().create_pass(quick(request)).await {
                    Ok(pass) => Ok(pass.into_inner().pass),
                    Err(status) => Err(match Failure::from(status) {
                        Failure::Lost(_) => Ended::Lost("the hub on this machine does not answer".to_owned()),
                        Failure::Refused(status) if status.code() == tonic::Code::Unavailable => {
                            Ended::Lost(status.message().to_owned())
                        }
                        refused => Ended::Refused(refused),
                    }),
                }
            }
        }
    }

    /// Connects to whichever of the hub's addresses answers first. Cancel safe.
    pub(super) async fn connect(&self, camera: &str) -> Result<Connection, Ended> {
        let address = self.address();
        let found = timeout(PATIENCE, lookup_host((self.place.host.as_str(), self.place.port))).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.take(MOST_ADDRESSES).collect(),
            Ok(Err(error)) => return Err(Ended::Lost(format!("cannot find {}: {error}", self.place.host))),
            Err(_elapsed) => return Err(Ended::Lost(format!("cannot find {}: no answer", self.place.host))),
        };
        let mut attempts = JoinSet::new();
        for (position, to) in (0..).zip(addresses) {
            let Ok(connecting) =
                self.endpoint(to).map(|endpoint| endpoint.connect_with(self.config.clone(), to, &self.name))
            else {
                continue;
            };
            let connecting =
                connecting.map_err(|error| Ended::Refused(Failure::Usage(format!("{address}: {error}"))))?;
            attempts.spawn(async move {
                sleep(NEXT_ADDRESS * position).await;
                connecting.await
            });
        }
        let mut ended = Ended::Lost(format!("{} has no address that can be dialled from here", self.place.host));
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => ended = Ended::of(&error, &address, camera),
                Err(_panicked) => {}
            }
        }
        Err(ended)
    }

    /// The sockets in use move to another address and port of this machine: what roaming does to a viewer.
    pub(crate) fn rebind(&self, from: SocketAddr) -> io::Result<()> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        match &endpoints[usize::from(from.is_ipv6())] {
            Some(endpoint) => endpoint.rebind(std::net::UdpSocket::bind(from)?),
            None => Ok(()),
        }
    }

    /// Says goodbye on all connections and waits until the hub has heard it, for a moment.
    pub(crate) async fn close(&self) {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for endpoint in endpoints.into_iter().flatten() {
            endpoint.close(VarInt::from_u32(0), b"done");
            // Who does not hear it finds out by itself.
            let _late = timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
        }
    }

    fn endpoint(&self, to: SocketAddr) -> io::Result<Endpoint> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut endpoints[usize::from(to.is_ipv6())];
        if let Some(endpoint) = slot {
            return Ok(endpoint.clone());
        }
        let any = if to.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
        Ok(slot.insert(Endpoint::client(any)?).clone())
    }
}

/// Where the hub on this machine has its relay.
async fn local_place(hub: &Hub) -> Result<(String, u16), Failure> {
    let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
    let relay = status.listeners.iter().find(|listener| listener.name == "relay");
    let address = relay.and_then(|listener| here(&listener.address).parse::<SocketAddr>().ok());
    let none = || Failure::Other("this hub has no relay: see [relay] in its configuration".to_owned());
    address.map(|address| (address.ip().to_string(), address.port())).ok_or_else(none)
}

fn config(trust: &Trust) -> Result<ClientConfig, DialError> {
    let mut roots = RootCertStore::empty();
    for certificate in trust.certificates()? {
        roots.add(certificate).map_err(|error| DialError::Trust(error.to_string()))?;
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| DialError::Trust(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let quic = QuicClientConfig::try_from(tls).map_err(|error| DialError::Trust(error.to_string()))?;
    let mut config = ClientConfig::new(Arc::new(quic));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(MOST_STREAMS))
        // A frame may come whole at once, and as many as may be under way.
        .stream_receive_window(VarInt::from_u32(2 * MOST_FRAME))
        .receive_window(VarInt::from_u32(u32::from(MOST_WINDOW) * MOST_FRAME))
        .datagram_receive_buffer_size(None);
    transport
}
