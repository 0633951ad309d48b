//! UDP datagrams through a line.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use tokio::{net::UdpSocket, sync::Notify, task::JoinSet, time::sleep_until};

use super::{Direction, Link, line::Fate};

/// IPv4's and UDP's headers.
pub(super) const HEADERS: usize = 28;
/// Longer ones do not exist.
const LONGEST: usize = 65_536;
/// What the kernel may hold until it is read, when it allows so much: a burst of several pictures.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A proxy for one server's UDP port, until it is dropped.
pub struct DatagramProxy {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl DatagramProxy {
    /// Takes datagrams for `server` at a port of the loopback.
    ///
    /// # Errors
    ///
    /// The system has no port left.
    pub async fn start(link: &Link, server: SocketAddr) -> io::Result<Self> {
        let front = Arc::new(bind()?);
        let address = front.local_addr()?;
        let (to_hub, from_hub) = (Transit::new(link), Transit::new(link));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&to_hub).deliver());
        tasks.spawn(Arc::clone(&from_hub).deliver());
        let gate = Gate { link: link.clone(), server, front, to_hub, from_hub };
        tasks.spawn(gate.run());
        Ok(Self { address, _tasks: tasks })
    }

    /// What viewers dial.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    // As much as it is allowed; what overflows counts as the line's loss, which is measured.
    let _refused = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Datagrams between the two sockets of a proxy: those that are due leave in the order of their times.
struct Transit {
    link: Link,
    waiting: Mutex<BinaryHeap<Reverse<Packet>>>,
    changed: Notify,
}

struct Packet {
    due: Duration,
    /// Keeps the order of those that are due at the same time.
    number: u64,
    bytes: Bytes,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
}

impl PartialEq for Packet {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}

impl Eq for Packet {}

impl PartialOrd for Packet {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Packet {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl Transit {
    fn new(link: &Link) -> Arc<Self> {
        Arc::new(Self { link: link.clone(), waiting: Mutex::default(), changed: Notify::new() })
    }

    fn push(&self, packet: Packet) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Reverse(packet));
        self.changed.notify_one();
    }

    /// The next one that is due, or when one will be.
    fn next(&self) -> Result<Packet, Option<Duration>> {
        let now = self.link.now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.peek() {
            Some(Reverse(packet)) if packet.due > now => Err(Some(packet.due)),
            _ => waiting.pop().map(|Reverse(packet)| packet).ok_or(None),
        }
    }

    async fn deliver(self: Arc<Self>) {
        loop {
            match self.next() {
                Ok(packet) if self.link.is_cut() => drop(packet),
                // A receiver that is gone or full is a loss like others.
                Ok(packet) => drop(packet.socket.send_to(&packet.bytes, packet.to).await),
                Err(None) => self.changed.notified().await,
                Err(Some(due)) => {
                    tokio::select! {
                        () = sleep_until(self.link.instant(due)) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }
}

/// Reads what viewers send, and gives each a socket of its own towards the server.
struct Gate {
    link: Link,
    server: SocketAddr,
    front: Arc<UdpSocket>,
    to_hub: Arc<Transit>,
    from_hub: Arc<Transit>,
}

impl Gate {
    async fn run(self) {
        let mut viewers: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let mut answering = JoinSet::new();
        let (mut buffer, mut number) = (vec![0; LONGEST], 0);
        loop {
            let Ok((length, viewer)) = self.front.recv_from(&mut buffer).await else { continue };
            let socket = match viewers.get(&viewer) {
                Some(socket) => Arc::clone(socket),
                None => {
                    let Ok(socket) = bind().map(Arc::new) else { continue };
                    viewers.insert(viewer, Arc::clone(&socket));
                    let (front, transit) = (Arc::clone(&self.front), Arc::clone(&self.from_hub));
                    answering.spawn(answers(self.link.clone(), Arc::clone(&socket), front, (transit, viewer)));
                    socket
                }
            };
            number += 1;
            if let Some(due) = fate(&self.link, Direction::ToHub, length) {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                self.to_hub.push(Packet { due, number, bytes, socket, to: self.server });
            }
        }
    }
}

/// Brings what the server says to one viewer back.
async fn answers(link: Link, socket: Arc<UdpSocket>, front: Arc<UdpSocket>, to: (Arc<Transit>, SocketAddr)) {
    let (transit, viewer) = to;
    let (mut buffer, mut number) = (vec![0; LONGEST], 0);
    loop {
        let Ok((length, _)) = socket.recv_from(&mut buffer).await else { continue };
        number += 1;
        if let Some(due) = fate(&link, Direction::FromHub, length) {
            let bytes = Bytes::copy_from_slice(&buffer[..length]);
            transit.push(Packet { due, number, bytes, socket: Arc::clone(&front), to: viewer });
        }
    }
}

/// When a datagram arrives, if it does.
fn fate(link: &Link, direction: Direction, length: usize) -> Option<Duration> {
    if link.is_cut() {
        return None;
    }
    let fate = link.line(direction).offer(link.now(), length + HEADERS);
    match fate {
        Fate::Arrives(due) => return Some(due),
        Fate::Lost => link.0.counts.lost.fetch_add(1, Relaxed),
        Fate::Dropped => link.0.counts.dropped.fetch_add(1, Relaxed),
    };
    None
}
