//! TCP's bytes through a line.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::{Direction, Link};

/// What a segment carries on a line with packets of 1,500 bytes.
const SEGMENT: usize = 1448;
/// IPv4's and TCP's headers, with timestamps.
pub(super) const HEADERS: usize = 52;
/// Segments between reading and delivery: more than any line here holds at once.
const MOST_UNDERWAY: usize = 4096;
/// Small, so that the queue is the line's and not the kernel's.
const RECEIVE_BUFFER: u32 = 16 * 1024;
/// Between two looks whether the queue has room again.
const LOOK: Duration = Duration::from_millis(1);

/// A proxy for one server's TCP port, until it is dropped.
pub(crate) struct StreamProxy {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl StreamProxy {
    /// Takes connections for `server` at a port of the loopback.
    pub(crate) async fn start(link: &Link, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(link.clone(), listener, server));
        Ok(Self { address, _tasks: tasks })
    }

    /// What viewers dial.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(link: Link, listener: TcpListener, server: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((viewer, _)) = listener.accept().await {
        let link = link.clone();
        connections.spawn(async move {
            let Ok(server) = dial(server).await else { return };
            if viewer.set_nodelay(true).is_err() {
                return;
            }
            let ((viewer_in, viewer_out), (server_in, server_out)) = (viewer.into_split(), server.into_split());
            let to_hub = pump(&link, Direction::ToHub, viewer_in, server_out);
            let from_hub = pump(&link, Direction::FromHub, server_in, viewer_out);
            // Who hangs up on one side does on the other.
            tokio::select! {
                () = to_hub => {}
                () = from_hub => {}
            }
        });
    }
}

async fn dial(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One direction of one connection, until either end is gone.
async fn pump(link: &Link, direction: Direction, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (queue, mut due) = mpsc::channel::<(Duration, BytesMut)>(MOST_UNDERWAY);
    let read = async move {
        let mut latest = Duration::ZERO;
        loop {
            link.whole().await;
            if !link.line(direction).has_room(link.now(), SEGMENT + HEADERS) {
                sleep(LOOK).await;
                continue;
            }
            let mut bytes = BytesMut::with_capacity(SEGMENT);
            let Ok(1..) = (&mut from).take(SEGMENT as u64).read_buf(&mut bytes).await else { return };
            let arrives = link.line(direction).carry(link.now(), bytes.len() + HEADERS);
            // What comes later waits for what was lost.
            latest = latest.max(arrives);
            if queue.send((latest, bytes)).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(link.instant(at)).await;
            link.whole().await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
