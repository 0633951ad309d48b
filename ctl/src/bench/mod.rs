//! `larderctl bench`: what the hub costs and how quick it is, measured on this machine against a hub of its own.
//!
//! Each benchmark starts `larderd` in a temporary state folder as a process of its own, so that its CPU time and memory
//! can be read from `/proc`; cameras and viewers are in this process, and the floor that the fan-out is compared with
//! is a process too. `BENCHMARKS.md` explains the method and holds figures.

mod camera;
mod deletion;
mod fanout;
mod floor;
mod fragments;
mod hub;
pub mod impair;
mod ingest;
mod pace;
mod pictures;
mod playlist;
mod process;
mod relay;
mod samples;
mod seed;
mod soak;
mod stamp;
mod temperatures;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{Failure, Out};

/// What to measure.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// One camera to many viewers: CPU per delivered frame, latency, memory, beside a bare TCP fan-out
    Fanout(fanout::FanoutArgs),
    /// Many cameras recorded at once: the hub's CPU beside ffmpeg's, and whether a frame is lost
    Ingest(ingest::IngestArgs),
    /// Playlists of an hour, a day and the live edge out of a year of recordings
    Playlist(playlist::PlaylistArgs),
    /// A hundred thousand recordings deleted: how long it takes, and how long others wait meanwhile
    Deletion(deletion::DeletionArgs),
    /// Graphs of an hour up to all of it out of ten years of temperatures
    Temperatures(temperatures::TemperaturesArgs),
    /// A far viewer on lines that are thin, lossy, long or cut, beside MJPEG; CPU a frame beside QUIC alone
    Relay(relay::RelayArgs),
    /// Cameras, viewers and faults at random for an hour: does anything grow that should not?
    Soak(soak::SoakArgs),
    /// The bare TCP fan-out that `fanout` compares with; started by it
    #[command(hide = true)]
    Floor,
    /// QUIC alone, which `relay` compares with; started by it
    #[command(hide = true)]
    RawQuic,
}

/// What every benchmark can be told.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The daemon [default: the one beside this program, else the one in PATH]
    #[arg(long, value_name = "FILE")]
    larderd: Option<PathBuf>,
}

/// Runs a benchmark. With `--json` each row is a line.
///
/// # Errors
///
/// The hub does not start, or what is measured does not happen.
pub async fn run(command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::Fanout(args) => fanout::run(args, out, &stop).await,
        Command::Ingest(args) => ingest::run(args, out, &stop).await,
        Command::Playlist(args) => playlist::run(args, out, &stop).await,
        Command::Deletion(args) => deletion::run(args, out, &stop).await,
        Command::Temperatures(args) => temperatures::run(args, out, &stop).await,
        Command::Soak(args) => soak::run(args, out, &stop).await,
        Command::Relay(args) => relay::run(args, out, &stop).await,
        Command::Floor => floor::run().await,
        Command::RawQuic => relay::serve().await,
    }
}
