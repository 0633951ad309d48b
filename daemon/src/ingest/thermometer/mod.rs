//! Thermometers' datagrams in: signed ones of cameras, and text of listed addresses.
//!
//! Each port has one task that reads and decides by itself: the cheapest check comes first, what is refused is counted
//! by its reason, and more than [`BURST`] datagrams in [`WINDOW`] are left to the kernel's bounded queue, which drops
//! the rest. A camera repeats its readings in TELEMETRY, so a datagram lost in a flood costs nothing.
//!
//! | counter | counts | labels |
//! |---|---|---|
//! | `larder_reading_datagrams_total` | datagrams that came | |
//! | `larder_reading_datagrams_refused_total` | refused ones | `reason`: `length`, `magic`, `version`, `reserved`, `probe`, `unknown-camera`, `mac`, `status`, `value`, `replayed`; of text `unknown-address`, `too-often`, `form`, `value`, `repeated` |
//! | `larder_readings_total` | readings that were handed on | `way`: `datagram`, `telemetry`, `text`; `outcome`: `kept`, `unknown`, `out-of-order` |

mod config;
mod marks;
mod probes;
mod texts;

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use larder_proto::wire::{
    CameraId,
    reading::{DATAGRAM_LEN, Datagram, DatagramError, MAGIC, MOST_TEXT, ReadingKey, SealedDatagram},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::UdpSocket, time::Instant};

pub use config::Config;
pub(super) use probes::SessionClock;
pub use probes::{Mark, Probes};

use super::{Cameras, listener::StartError};
use crate::{
    clock::Clock,
    repeats::say,
    secrets,
    tasks::Tasks,
    temperatures::{Heard, Taken, Temperatures},
};

/// Datagrams that are looked at in a [`WINDOW`]: 25,600 a second, far more than a house full of thermometers
/// sends, and little work.
const BURST: u32 = 256;
const WINDOW: Duration = Duration::from_millis(10);
/// What the kernel keeps of a flood before it drops: some hundred datagrams.
const QUEUE_BYTES: usize = 128 * 1024;
/// A pause after a failed read.
const READ_PAUSE: Duration = Duration::from_millis(200);
/// Longer ones are cut by the read, and refused.
const ROOM: usize = if DATAGRAM_LEN > MOST_TEXT { DATAGRAM_LEN + 1 } else { MOST_TEXT + 1 };

/// Where readings go.
pub trait Thermometers: Send + Sync + 'static {
    /// Takes a reading. Never waits.
    fn offer(&self, heard: Heard) -> Taken;
    /// The addresses that text is taken from.
    fn text_addresses(&self) -> Arc<HashSet<IpAddr>>;
}

impl Thermometers for Temperatures {
    fn offer(&self, heard: Heard) -> Taken {
        Self::offer(self, heard)
    }

    fn text_addresses(&self) -> Arc<HashSet<IpAddr>> {
        Self::text_addresses(self)
    }
}

/// What the ports need of the rest of the hub.
pub struct Deps {
    /// Where readings go.
    pub temperatures: Temperatures,
    /// Whose datagrams are taken.
    pub cameras: Arc<dyn Cameras>,
    /// What time it is.
    pub clock: Clock,
    /// Stopping these ends the ports.
    pub tasks: Tasks,
    /// The state folder.
    pub state: PathBuf,
}

/// The running ports.
pub struct Thermometer {
    address: SocketAddr,
    text_address: Option<SocketAddr>,
    probes: Probes,
}

/// Takes the ports and reads from them until `deps.tasks` stop.
///
/// # Errors
/// When an address can't be bound.
pub async fn start(config: &Config, deps: Deps) -> Result<Thermometer, StartError> {
    let (socket, address) = bind(config.address, "thermometers.address")?;
    let text = config.text_address.map(|address| bind(address, "thermometers.text_address")).transpose()?;
    let Deps { temperatures, cameras, clock, tasks, state } = deps;
    let marks = marks::load(&state, &temperatures).await;
    let thermometers: Arc<dyn Thermometers> = Arc::new(temperatures.clone());
    let probes = Probes::new(Arc::clone(&thermometers), clock.clone(), marks);
    tasks.spawn(marks::keep(probes.clone(), state, temperatures, tasks.stopping()));
    tasks.spawn_until_stop(forget(Arc::clone(&cameras), probes.clone()));
    let port = |signed| Port {
        signed,
        cameras: Arc::clone(&cameras),
        probes: probes.clone(),
        keys: HashMap::new(),
        texts: texts::Texts::new(Arc::clone(&thermometers), clock.clone()),
    };
    tasks.spawn_until_stop(port(true).read(socket));
    let text_address = text.as_ref().map(|(_, address)| *address);
    if let Some((socket, _)) = text {
        tasks.spawn_until_stop(port(false).read(socket));
    }
    tracing::info!(thermometers.address = %address, "thermometers can send");
    Ok(Thermometer { address, text_address, probes })
}

impl Thermometer {
    /// Where signed datagrams and text are taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where text alone is taken.
    pub fn text_address(&self) -> Option<SocketAddr> {
        self.text_address
    }

    /// What the camera link tells of its cameras' probes.
    pub fn probes(&self) -> Probes {
        self.probes.clone()
    }
}

fn bind(address: SocketAddr, key: &'static str) -> Result<(UdpSocket, SocketAddr), StartError> {
    let open = |address: SocketAddr| -> io::Result<(UdpSocket, SocketAddr)> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_recv_buffer_size(QUEUE_BYTES)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    let opened = open(address).or_else(|error| {
        // A kernel without IPv6: every address of IPv4 is what was meant.
        let is_any = address.is_ipv6() && address.ip().is_unspecified();
        let is_taken = error.kind() == io::ErrorKind::AddrInUse;
        if is_any && !is_taken { open((std::net::Ipv4Addr::UNSPECIFIED, address.port()).into()) } else { Err(error) }
    });
    opened.map_err(|source| StartError::of(address, key, source))
}

/// Forgets the probes of cameras that are gone, until dropped.
async fn forget(cameras: Arc<dyn Cameras>, probes: Probes) {
    let mut changes = cameras.changes();
    while changes.changed().await.is_ok() {
        probes.retain(|camera| cameras.key(camera).is_some());
    }
}

/// One port.
struct Port {
    /// Whether signed datagrams are taken here, beside text.
    signed: bool,
    cameras: Arc<dyn Cameras>,
    probes: Probes,
    /// Made of the cameras' keys once, for as long as they stay.
    keys: HashMap<CameraId, ([u8; secrets::KEY_LEN], ReadingKey)>,
    texts: texts::Texts,
}

impl Port {
    async fn read(mut self, socket: UdpSocket) {
        let mut buffer = [0; ROOM];
        let (mut began, mut looked_at) = (Instant::now(), 0_u32);
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((len, from)) => self.take(buffer.get(..len).unwrap_or_default(), from),
                Err(error) => {
                    say!(warn, "", { %error }, "a thermometer's port cannot be read");
                    tokio::time::sleep(READ_PAUSE).await;
                }
            }
            looked_at += 1;
            if looked_at >= BURST {
                tokio::time::sleep_until(began + WINDOW).await;
            }
            if began.elapsed() >= WINDOW {
                (began, looked_at) = (Instant::now(), 0);
            }
        }
    }

    fn take(&mut self, bytes: &[u8], from: SocketAddr) {
        metrics::counter!("larder_reading_datagrams_total").increment(1);
        let is_signed = self.signed && bytes.starts_with(&MAGIC.to_be_bytes());
        let taken = if is_signed { self.take_signed(bytes) } else { self.texts.take(bytes, from.ip()) };
        if let Err(reason) = taken {
            metrics::counter!("larder_reading_datagrams_refused_total", "reason" => reason).increment(1);
            say!(debug, reason, { thermometer.address = %from, reason }, "a thermometer's datagram was refused");
        }
    }

    fn take_signed(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let sealed = SealedDatagram::parse(bytes).map_err(DatagramError::name)?;
        let camera = sealed.camera();
        let Some(key) = self.cameras.key(camera) else {
            self.keys.remove(&camera);
            return Err("unknown-camera");
        };
        let datagram = self.open(&sealed, key).map_err(|error| {
            if error == DatagramError::Mac {
                say!(warn, &camera.to_string(), { camera.id = %camera },
                    "a reading in this camera's name has a wrong signature: give the camera its present key");
            }
            error.name()
        })?;
        self.probes.datagram(&datagram)
    }

    fn open(&mut self, sealed: &SealedDatagram<'_>, key: [u8; secrets::KEY_LEN]) -> Result<Datagram, DatagramError> {
        let camera = sealed.camera();
        let made = || (key, ReadingKey::derive(&key, camera));
        let known = self.keys.entry(camera).or_insert_with(made);
        if known.0 != key {
            *known = made();
        }
        sealed.open(&known.1)
    }
}

#[cfg(test)]
pub(in crate::ingest) mod testing {
    use std::{
        collections::HashSet,
        net::IpAddr,
        sync::{Arc, Mutex},
    };

    use super::Thermometers;
    use crate::temperatures::{Heard, Taken};

    /// Keeps what is offered.
    #[derive(Default)]
    pub(in crate::ingest) struct Heap {
        heard: Mutex<Vec<Heard>>,
        listed: Arc<HashSet<IpAddr>>,
    }

    impl Heap {
        pub(super) fn listing(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
            Self { heard: Mutex::default(), listed: Arc::new(addresses.into_iter().collect()) }
        }

        pub(in crate::ingest) fn take(&self) -> Vec<Heard> {
            std::mem::take(&mut self.heard.lock().unwrap())
        }
    }

    impl Thermometers for Heap {
        fn offer(&self, heard: Heard) -> Taken {
            self.heard.lock().unwrap().push(heard);
            Taken::Kept
        }

        fn text_addresses(&self) -> Arc<HashSet<IpAddr>> {
            Arc::clone(&self.listed)
        }
    }
}
