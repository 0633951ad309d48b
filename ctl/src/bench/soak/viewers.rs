//! Viewers that come, look, stall and go.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::simulate::Dice;

/// A visit.
const LOOK_MS: (u32, u32) = (200, 15_000);
/// How long one that stalls does not read.
const STALL_MS: u32 = 6_000;
/// Between two visits.
const PAUSE_MS: u32 = 2_000;
/// A frame is smaller; anything larger is not one.
const MOST: u64 = 8 << 20;

/// What viewers did.
#[derive(Debug, Default)]
pub(super) struct Counts {
    visits: AtomicU64,
    stalls: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
}

/// The same, to be told.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Told {
    pub(super) visits: u64,
    pub(super) stalls: u64,
    pub(super) refused: u64,
    pub(super) bytes: u64,
}

impl Counts {
    pub(super) fn told(&self) -> Told {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Self { visits, stalls, refused, bytes } = self;
        Told { visits: read(visits), stalls: read(stalls), refused: read(refused), bytes: read(bytes) }
    }
}

/// One viewer.
pub(super) struct Viewer {
    pub(super) address: SocketAddr,
    pub(super) cameras: Vec<String>,
    pub(super) token: Arc<str>,
    pub(super) dice: Dice,
    pub(super) counts: Arc<Counts>,
}

impl Viewer {
    /// Visits again and again; ends only by being dropped.
    pub(super) async fn run(mut self) {
        loop {
            let socket = self.dice.throw().is_multiple_of(2);
            let camera = usize::try_from(self.dice.throw()).unwrap_or_default() % self.cameras.len().max(1);
            let (least, most) = LOOK_MS;
            let look = Duration::from_millis((least + self.dice.throw() % (most - least)).into());
            let stalls = self.dice.throw().is_multiple_of(4);
            match self.connect(camera, socket).await {
                Ok(stream) => {
                    self.counts.visits.fetch_add(1, Ordering::Relaxed);
                    // However it ends: the hub may close, and a visit has its time.
                    let _ended = timeout(look, self.look(stream, socket)).await;
                }
                Err(_refused) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
            if stalls && let Ok(stream) = self.connect(camera, socket).await {
                self.counts.stalls.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(STALL_MS.into())).await;
                drop(stream);
            }
            sleep(Duration::from_millis((self.dice.throw() % PAUSE_MS).into())).await;
        }
    }

    async fn connect(&self, camera: usize, socket: bool) -> io::Result<BufReader<TcpStream>> {
        let mut stream = TcpStream::connect(self.address).await?;
        let (path, more) = if socket {
            let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                           sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            ("live", upgrade)
        } else {
            ("stream.mjpeg", "")
        };
        let camera = self.cameras.get(camera).map_or("", String::as_str);
        let (address, token) = (self.address, &self.token);
        let head = format!("GET /cameras/{camera}/{path} HTTP/1.1\r\nhost: {address}\r\n");
        stream.write_all(format!("{head}authorization: Bearer {token}\r\n{more}\r\n").as_bytes()).await?;
        let mut stream = BufReader::new(stream);
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        let wanted: &[u8] = if socket { b"HTTP/1.1 101 " } else { b"HTTP/1.1 200 " };
        if answer.starts_with(wanted) { Ok(stream) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }

    async fn look(&self, mut stream: BufReader<TcpStream>, socket: bool) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = if socket {
                frame(&mut stream, &mut buffer).await?
            } else {
                u64::try_from(stream.read(&mut buffer).await?).unwrap_or_default()
            };
            if length == 0 {
                return Ok(());
            }
            self.counts.bytes.fetch_add(length, Ordering::Relaxed);
        }
    }
}

/// Reads one of the hub's WebSocket messages (RFC 6455, 5.2) and acknowledges a picture by its sequence, which stands
/// at the ninth byte; how long it was, and 0 at the end.
async fn frame(stream: &mut BufReader<TcpStream>, buffer: &mut [u8]) -> io::Result<u64> {
    let opcode = stream.read_u8().await? & 0x0f;
    let length = match stream.read_u8().await? & 0x7f {
        126 => stream.read_u16().await?.into(),
        127 => stream.read_u64().await?,
        short => short.into(),
    };
    if length > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut sequence = [0; 8];
    let mut left = length;
    if opcode == 2 && length >= 16 {
        stream.read_exact(&mut sequence).await?;
        stream.read_exact(&mut sequence).await?;
        left -= 16;
    }
    while left > 0 {
        let part = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.read_exact(&mut buffer[..part]).await?;
        left -= u64::try_from(part).unwrap_or_default();
    }
    match opcode {
        // With a mask of zeroes, as any other would do (RFC 6455, 5.3).
        2 => stream.write_all(&[&[0x82, 0x88, 0, 0, 0, 0], &sequence[..]].concat()).await?,
        8 => return Ok(0),
        9 => stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?,
        _ => {}
    }
    Ok(length.max(1))
}
