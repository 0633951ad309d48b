//! One viewer: connects, reads everything as fast as it comes, acknowledges, and notes how late each picture was.

use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use super::{
    super::{samples::Samples, stamp::Epoch, stamp::Stamp},
    Protocol,
    wire::{Floor, Heard, Mjpeg, Parser, WebSocket},
};

/// Two VGA pictures: what the kernel has is taken in one call.
const READ: usize = 64 * 1024;
/// An answer's head is shorter.
const MOST_HEAD: usize = 8 * 1024;

/// Where to look, and how.
#[derive(Clone, Debug)]
pub(in super::super) struct Endpoint {
    pub(in super::super) protocol: Protocol,
    pub(in super::super) address: SocketAddr,
    /// The camera's name.
    pub(in super::super) camera: String,
    /// A token that may look.
    pub(in super::super) token: String,
}

/// What a viewer has seen; shared with whoever measures.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Seen>);

/// What was seen since it was taken last.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// From capture to the last byte.
    pub(super) delays: Samples,
    /// Pictures that were sent by the camera and never came.
    pub(super) skipped: u64,
    /// The newest picture's number.
    newest: Option<u64>,
    /// When the first picture had come, since the epoch.
    pub(super) first_ns: Option<u64>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was seen, and begins anew.
    pub(super) fn take(&self) -> Seen {
        let mut seen = self.lock();
        let fresh = Seen { newest: seen.newest, first_ns: seen.first_ns, ..Seen::default() };
        std::mem::replace(&mut seen, fresh)
    }

    /// Notes a picture; whether it was the first.
    fn note(&self, stamp: Stamp, now_ns: u64) -> bool {
        let mut seen = self.lock();
        seen.delays.add(Duration::from_nanos(now_ns.saturating_sub(stamp.captured_ns)));
        seen.skipped += seen.newest.map_or(0, |newest| stamp.number.saturating_sub(newest + 1));
        seen.newest = Some(stamp.number);
        let is_first = seen.first_ns.is_none();
        seen.first_ns.get_or_insert(now_ns);
        is_first
    }
}

impl Endpoint {
    /// Connects and asks; the bytes that came behind the answer's head.
    pub(in super::super) async fn connect(&self) -> io::Result<(TcpStream, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some((request, status)) = self.request() else { return Ok((stream, Vec::new())) };
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let end = loop {
            if let Some(at) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if answer.len() > MOST_HEAD || stream.read_buf(&mut answer).await? == 0 {
                return Err(io::Error::other("the hub gave no answer"));
            }
        };
        if !answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) {
            let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
            return Err(io::Error::other(format!("the hub answered {line:?}")));
        }
        Ok((stream, answer.split_off(end)))
    }

    /// The request, and the status that is hoped for.
    fn request(&self) -> Option<(String, u16)> {
        let Self { address, camera, token, .. } = self;
        let (path, more, status) = match self.protocol {
            Protocol::Floor => return None,
            Protocol::Mjpeg => ("stream.mjpeg", "", 200),
            // The key is the one of RFC 6455, 1.2: a client that knows its server needs no other.
            Protocol::WebSocket => (
                "live",
                "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                101,
            ),
        };
        let head = format!("GET /cameras/{camera}/{path} HTTP/1.1\r\nhost: {address}\r\n");
        Some((format!("{head}authorization: Bearer {token}\r\n{more}\r\n"), status))
    }
}

/// Looks until the server ends it. `first` gets a permit when the first picture has come.
pub(super) async fn watch(endpoint: &Endpoint, epoch: Epoch, tally: &Tally, first: &Semaphore) -> io::Result<()> {
    let (mut stream, begun) = endpoint.connect().await?;
    let mut parser = match endpoint.protocol {
        Protocol::Floor => Parser::Floor(Floor::default()),
        Protocol::WebSocket => Parser::WebSocket(WebSocket::default()),
        Protocol::Mjpeg => Parser::Mjpeg(Mjpeg::default()),
    };
    let (mut buffer, mut heard, mut answers) = (vec![0; READ], Vec::new(), Vec::new());
    let mut bytes = &begun[..];
    loop {
        parser.feed(bytes, &mut heard).map_err(io::Error::other)?;
        let now_ns = epoch.now_ns();
        for heard in heard.drain(..) {
            match heard {
                Heard::Picture(stamp, acknowledge) => {
                    if tally.note(stamp, now_ns) {
                        first.add_permits(1);
                    }
                    if let Some(sequence) = acknowledge {
                        masked(0x82, &sequence.to_be_bytes(), &mut answers);
                    }
                }
                Heard::Ping => masked(0x8a, &[], &mut answers),
                Heard::Closed => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        if !answers.is_empty() {
            stream.write_all(&answers).await?;
            answers.clear();
        }
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &buffer[..length];
    }
}

/// A client's frame (RFC 6455, 5.3). The mask protects proxies from pages, and here is neither: it stays the same.
fn masked(head: u8, content: &[u8], out: &mut Vec<u8>) {
    const MASK: [u8; 4] = [0x4c, 0x61, 0x72, 0x64];
    out.extend_from_slice(&[head, 0x80 | u8::try_from(content.len()).unwrap_or(0)]);
    out.extend_from_slice(&MASK);
    out.extend(content.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}
