//! `larderctl view`: a camera live, from however far away.
//!
//! ```text
//! dial ──▶ session (one connection) ──▶ keeper (dials again) ──events──▶ board ─┬─▶ screen (terminal)
//!                                                                                ├─▶ files (MJPEG, Matroska)
//!                                                                                └─▶ serve (MJPEG over HTTP)
//! ```
//!
//! Pictures come one a stream and are passed on in order; whoever shows them takes the newest and skips what it has no
//! time for, except the recording, which keeps all that came.

mod backoff;
mod board;
mod clock;
mod dial;
mod ended;
mod files;
mod keeper;
mod matroska;
mod picture;
mod screen;
mod serve;
mod session;
mod sinks;
mod status;
mod tally;
mod teller;
mod wanted;

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use larder_proto::{
    pb::FrameSize,
    wire::relay::{PORT, Rate},
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

pub(crate) use dial::Dialer;
pub(crate) use keeper::Keeper;
pub(crate) use session::{Asked, Event};

use board::Board;
use screen::Screen;
use sinks::Sinks;
use teller::Teller;

use crate::{Failure, Out, profile::Profiles, target::TargetArgs, units};

/// Between the connection and whoever shows it: pictures that wait for a moment of the processor's.
pub(crate) const EVENTS: usize = 32;

/// What the hub is told of this program.
const CLIENT: &str = concat!("larderctl ", env!("CARGO_PKG_VERSION"));

const EXAMPLES: &str = "Examples:\n  \
    larderctl view fridge\n  \
    larderctl view fridge --output - | ffplay -f mjpeg -\n  \
    larderctl view fridge --max-fps 2 --max-size 320x240 --serve 127.0.0.1:8090\n\n\
    Keys: q quits, s keeps a snapshot here, + and - change the highest rate, > and < the largest size, 0 takes both \
    limits away.";

/// What to look at, and where to show it.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ViewArgs {
    /// Its name or id
    pub camera: String,
    /// Write JPEG after JPEG for ffplay, mpv or ffmpeg; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Serve it as MJPEG over HTTP at this address, for any player: http://ADDRESS/stream.mjpeg
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub serve: Option<SocketAddr>,
    /// Keep all that comes in a new Matroska file
    #[arg(long, value_name = "FILE.mkv")]
    pub record: Option<PathBuf>,
    /// At most so many pictures a second, 0.1 to 60
    #[arg(long, value_name = "FPS", value_parser = wanted::rate)]
    pub max_fps: Option<Rate>,
    /// Pictures at most so large: 320x240; larger ones are made smaller by the hub
    #[arg(long, value_name = "SIZE", value_parser = units::frame_size)]
    pub max_size: Option<FrameSize>,
    /// End after so long: 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub duration: Option<Duration>,
    /// Where the hub's relay is, when it is not on UDP port 7443 of the hub
    #[arg(long, value_name = "HOST:PORT", value_parser = place)]
    pub relay: Option<(String, u16)>,
    /// How a terminal shows pictures
    #[arg(long, value_enum, default_value_t)]
    pub graphics: Graphics,
}

/// How a terminal shows pictures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Graphics {
    /// As the terminal says it can
    #[default]
    Auto,
    /// In half blocks, which every terminal with colours can
    Blocks,
    /// By kitty's protocol
    Kitty,
    /// By sixels
    Sixel,
    /// By iTerm2's protocol
    Iterm2,
}

fn place(text: &str) -> Result<(String, u16), String> {
    let complaint = || format!("\"{text}\" is no HOST:PORT; the port is mostly {PORT}");
    let (host, port) = text.rsplit_once(':').ok_or_else(complaint)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(complaint)?;
    if host.is_empty() { Err(complaint()) } else { Ok((host.to_owned(), port)) }
}

/// Shows a camera until it is stopped, or `--duration` is over.
///
/// # Errors
///
/// The hub refuses, or what is written to fails.
pub async fn run(args: ViewArgs, target: &TargetArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && out.is_json() {
        return Err(Failure::Usage("--json and --output - both want standard output".to_owned()));
    }
    let has_sink = args.output.is_some() || args.serve.is_some() || args.record.is_some();
    let on_screen = !has_sink && !out.is_json() && out.is_interactive() && io::stdout().is_terminal();
    if !has_sink && !on_screen && !out.is_json() {
        return Err(Failure::Usage(
            "where to? Standard output is no terminal: pass --output -, --serve, --record or --json".to_owned(),
        ));
    }
    let board = Board::new(&args.camera);
    let mut sinks = Sinks::open(&args, &board).await?;
    let server = sinks.server.take();
    if let Some(server) = &server {
        out.note(&format!("http://{}/stream.mjpeg", server.address()));
    }
    let dialer = Arc::new(Dialer::new(target.resolve(&Profiles::load()?)?, args.relay.clone()).await?);
    let (wishes, wished) = watch::channel(wanted::wish(args.max_fps, args.max_size));
    let (events, coming) = mpsc::channel(EVENTS);
    let asked = Asked { camera: args.camera.clone(), client: CLIENT.to_owned() };
    let keeper = Keeper { dialer: Arc::clone(&dialer), asked, wishes: wished, out: events };
    let screen =
        on_screen.then(|| Screen { board: &board, wishes: &wishes, graphics: args.graphics, zone: out.zone().clone() });
    let mut teller = Teller::new(&board, on_screen, out);
    let tape = sinks.tape.clone();
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        () = sleep(args.duration.unwrap_or(Duration::MAX)) => Ok(()),
        refused = keeper.run() => refused,
        shown = screen::or_never(screen) => shown,
        failed = sinks.ended() => failed,
        never = serve::or_never(server) => match never {},
        told = teller.run(coming, tape.as_ref(), out) => told,
    };
    teller.silent();
    dialer.close().await;
    let figures = board.figures();
    let lost = tape.as_ref().map_or(0, files::Tape::lost);
    // Those who wait for pictures are to see that none will come.
    drop((tape, board));
    ended.and(sinks.finish().await)?;
    teller::sum_up(&args, figures, lost, out)
}

#[cfg(test)]
mod tests;
