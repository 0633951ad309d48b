//! The floor: what it costs to hand the same bytes to the same number of TCP connections, with nothing else done.
//!
//! A source sends pictures, each with its length before it (4 bytes, big-endian). Each is read into one buffer that all
//! viewers share, and every viewer's task writes it whole with `write_all`; a viewer that is late gets the newest. No
//! protocol, no check, no clock, no permission, nothing counted.

use std::{io, net::Ipv4Addr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::Failure;

/// As the hub's.
const BACKLOG: u32 = 1024;
/// As the hub's: what the kernel may hold unsent for one viewer.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// Bytes of a length.
pub(super) const LENGTH: usize = 4;

/// Where it listens: its first line of output.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Ports {
    pub(super) source: u16,
    pub(super) viewers: u16,
}

/// Serves one source and any number of viewers, until the source hangs up.
pub(super) async fn run() -> Result<(), Failure> {
    let (source, viewers) = (listen().map_err(Failure::Output)?, listen().map_err(Failure::Output)?);
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).map_err(Failure::Output);
    let ports = Ports { source: port(&source)?, viewers: port(&viewers)? };
    let line = serde_json::to_string(&ports).map_err(|error| Failure::Output(error.into()))?;
    let mut output = tokio::io::stdout();
    output.write_all(format!("{line}\n").as_bytes()).await.map_err(Failure::Output)?;
    output.flush().await.map_err(Failure::Output)?;
    let newest = watch::Sender::new(Bytes::new());
    let mut serving = JoinSet::new();
    serving.spawn(accept(viewers, newest.subscribe()));
    // Hanging up is how the source ends it.
    let _ended = relay(source, newest).await;
    Ok(())
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)
}

/// Takes pictures from one source until it hangs up; the newest, with its length before it, is there for all.
pub(super) async fn relay(listener: TcpListener, newest: watch::Sender<Bytes>) -> io::Result<()> {
    let (mut source, _) = listener.accept().await?;
    loop {
        let length = source.read_u32().await?;
        let mut frame = vec![0; LENGTH + usize::try_from(length).unwrap_or(0)];
        frame[..LENGTH].copy_from_slice(&length.to_be_bytes());
        source.read_exact(&mut frame[LENGTH..]).await?;
        newest.send_replace(frame.into());
    }
}

async fn accept(listener: TcpListener, newest: watch::Receiver<Bytes>) {
    let mut viewers = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let mut newest = newest.clone();
        newest.mark_unchanged();
        viewers.spawn(serve(stream, newest));
    }
}

/// Until the viewer or the source is gone.
async fn serve(mut stream: TcpStream, mut newest: watch::Receiver<Bytes>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    while newest.changed().await.is_ok() {
        let frame = newest.borrow_and_update().clone();
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}
