//! `larderctl bench`: what the hub costs, measured on this machine against a hub of its own.
//!
//! Each benchmark starts `larderd` in a temporary state folder as a process of its own; cameras and viewers are in this
//! process. `BENCHMARKS.md` explains the method and holds figures.

mod hub;
mod process;
mod soak;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{Failure, Out};

/// What to measure.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Cameras, viewers and faults at random for an hour: does anything grow that should not?
    Soak(soak::SoakArgs),
}

/// What every benchmark can be told.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The daemon [default: the one beside this program, else the one in PATH]
    #[arg(long, value_name = "FILE")]
    larderd: Option<PathBuf>,
}

/// Runs a benchmark.
///
/// # Errors
///
/// The hub does not start, or what is measured does not happen.
pub async fn run(command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::Soak(args) => soak::run(args, out, &stop).await,
    }
}
