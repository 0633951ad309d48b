//! `larderctl`: the command line of `larderd`.

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use larder_ctl::{Cli, Failure, Out};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How long a command may take to end after the first Ctrl-C; a simulated camera says goodbye within it, and the hub of
/// a demo finishes what it records.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log();
    let mut out = Out::of_the_process(cli.json);
    match until_stopped(cli, &mut out).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                eprintln!("larderctl: {}", failure.explain());
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Warnings go to standard error; `LARDER_LOG=debug` tells more.
fn log() {
    let filter = EnvFilter::try_from_env("LARDER_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}

/// Runs the command. The first Ctrl-C or SIGTERM asks it to stop, the second does not wait for it.
async fn until_stopped(cli: Cli, out: &mut Out) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Output)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Output)?;
    let mut command = Box::pin(larder_ctl::run(cli, out, stop.clone()));
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        result = &mut command => return result,
    }
    stop.cancel();
    tokio::select! {
        biased;
        _ = interrupt.recv() => Err(Failure::Interrupted),
        _ = terminate.recv() => Err(Failure::Interrupted),
        () = tokio::time::sleep(GRACE) => Err(Failure::Interrupted),
        result = &mut command => result,
    }
}
