//! `larderctl camera trace`: what a camera and its hub say to each other.
//!
//! It stands between the two, passes every byte on as it came, and tells what it means. The wire is not encrypted, so no
//! key is needed; whether a MAC is right only the two can tell.

mod capture;
mod decode;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{Failure, Out, clock};
use capture::{Capture, Piece};
use decode::{Decoder, Said};

/// Pieces that wait to be told: a terminal that is slow holds the camera up rather than losing any.
const WAITING: usize = 64;
/// Bytes read at once.
const ROOM: usize = 16 * 1024;

/// Where to stand, or what to read.
#[derive(Args, Clone, Debug)]
pub struct TraceArgs {
    /// Tell of a session that was captured before, instead of listening
    #[arg(conflicts_with_all = ["listen", "to", "capture"], required_unless_present = "listen")]
    pub file: Option<PathBuf>,
    /// Where the camera dials in place of the hub, for example 0.0.0.0:7450
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where the hub takes cameras
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7440")]
    pub to: String,
    /// Keep all that is said in this new file; it holds the pictures
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Camera,
    Hub,
}

/// Traces until it is stopped, or to the end of the file.
///
/// # Errors
///
/// The address is taken, or a file can't be read or written.
pub async fn run(args: TraceArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match (args.file, args.listen) {
        (Some(file), _) => read(&file, out),
        (None, Some(listen)) => between(listen, &args.to, args.capture.as_deref(), out, stop).await,
        (None, None) => Err(Failure::Usage("say where to --listen, or which file to read".to_owned())),
    }
}

fn read(file: &Path, out: &mut Out) -> Result<(), Failure> {
    let mut teller = Teller::default();
    for piece in capture::read(file)? {
        teller.tell(&piece?, out)?;
    }
    Ok(())
}

async fn between(
    listen: SocketAddr,
    to: &str,
    capture: Option<&Path>,
    out: &mut Out,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut capture = capture.map(Capture::new).transpose()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::Other(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().map_err(Failure::Output)?;
    out.note(&format!("listening on {address} for cameras, passing on to {to}; Ctrl-C ends it"));
    let (pieces, mut heard) = mpsc::channel(WAITING);
    let mut sessions = JoinSet::new();
    let mut teller = Teller::default();
    let mut next = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(piece) = heard.recv() => {
                if let Some(capture) = &mut capture {
                    capture.write(&piece)?;
                }
                teller.tell(&piece, out)?;
            }
            accepted = listener.accept() => {
                let (camera, from) = accepted.map_err(Failure::Output)?;
                next += 1;
                out.note(&format!("session {next}: {from} dials"));
                sessions.spawn(pass_on(next, camera, to.to_owned(), pieces.clone()));
            }
            Some(ended) = sessions.join_next() => {
                if let Ok((session, Err(error))) = ended {
                    out.note(&format!("session {session}: {error}"));
                }
            }
        }
    }
    Ok(())
}

/// One connection, until both sides have closed it.
async fn pass_on(
    session: u32,
    camera: TcpStream,
    to: String,
    pieces: mpsc::Sender<Piece>,
) -> (u32, std::io::Result<()>) {
    let passing = async {
        let hub = TcpStream::connect(&to).await?;
        camera.set_nodelay(true)?;
        hub.set_nodelay(true)?;
        let ((from_camera, to_camera), (from_hub, to_hub)) = (camera.into_split(), hub.into_split());
        tokio::try_join!(
            one_way(session, Side::Camera, from_camera, to_hub, &pieces),
            one_way(session, Side::Hub, from_hub, to_camera, &pieces),
        )?;
        Ok(())
    };
    (session, passing.await)
}

async fn one_way(
    session: u32,
    side: Side,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pieces: &mpsc::Sender<Piece>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; ROOM];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = buffer.get(..count).unwrap_or_default();
        // Passed on first: telling takes longer.
        if bytes.is_empty() {
            to.shutdown().await?;
        } else {
            to.write_all(bytes).await?;
        }
        let piece = Piece { at: clock::now(), session, side, bytes: bytes.to_vec() };
        if pieces.send(piece).await.is_err() || bytes.is_empty() {
            return Ok(());
        }
    }
}

/// Tells of sessions, message by message.
#[derive(Default)]
struct Teller {
    sides: HashMap<(u32, Side), Decoder>,
}

/// A message, for programs.
#[derive(Serialize)]
struct View<'a> {
    at: Timestamp,
    session: u32,
    side: Side,
    #[serde(flatten)]
    said: &'a Said,
}

impl Teller {
    fn tell(&mut self, piece: &Piece, out: &mut Out) -> Result<(), Failure> {
        let Piece { at, session, side, ref bytes } = *piece;
        let decoder = self.sides.entry((session, side)).or_default();
        let (all, error) = decoder.feed(bytes);
        for said in &all {
            if out.is_json() {
                out.json_line(&View { at, session, side, said })?;
                continue;
            }
            let time = at.to_zoned(out.zone().clone()).strftime("%H:%M:%S%.3f").to_string();
            let mac = if said.has_mac { "mac" } else { "   " };
            let Said { kind, seq, bytes, meaning, .. } = said;
            out.line(&format!("{time} {session:>3} {side:<6} {kind:<12} {seq:>6} {bytes:>7} {mac} {meaning}"))?;
        }
        if let Some(error) = error {
            out.note(&format!("session {session}, {side}: {error}; the rest of it is not understood"));
        }
        if bytes.is_empty() {
            let rest = self.sides.remove(&(session, side)).map_or(0, |decoder| decoder.rest());
            let cut = if rest > 0 { format!(", {rest} bytes into a message") } else { String::new() };
            out.note(&format!("session {session}: the {side} has closed{cut}"));
        }
        Ok(())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Camera => "camera",
            Self::Hub => "hub",
        })
    }
}
