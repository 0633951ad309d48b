//! `larderd`: parse, build, run, return a code. Signals are handled here alone.

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use larder_daemon::{app::App, config::Config, outcome::chain};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The hub: takes fridge cameras' pictures in, shows them live, records them, and answers for them over gRPC.
#[derive(Parser)]
#[command(name = "larderd", version)]
struct Args {
    /// The configuration; every key is optional. `config.example.toml` shows them all.
    #[arg(long, value_name = "FILE", env = "LARDER_CONFIG")]
    config: Option<PathBuf>,
    /// The state folder.
    #[arg(long, value_name = "FOLDER", env = "LARDER_STATE")]
    state: Option<PathBuf>,
    /// Sets one key over the configuration, for example `--set http.address=127.0.0.1:8081`.
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,
    /// Checks the configuration and ends.
    #[arg(long)]
    check_config: bool,
    /// How the log is written.
    #[arg(long, value_enum, default_value = "text", env = "LARDER_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Brings the database's schema up to date and ends.
    Migrate,
    /// Makes the database and the recordings folder this hub's when they were those of a hub that is gone for good, and ends.
    TakeOver {
        /// Does it; else it is only said whose they are.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    let args = Args::parse();
    log(args.log_format);
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LARDER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // Colours are for people: not for files and the journal, nor for who asked for none (no-color.org).
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(args.config.as_deref(), &args.settings)?;
    if args.state.is_some() {
        config.state = args.state;
    }
    if args.check_config {
        tracing::info!("the configuration is right");
        return Ok(ExitCode::SUCCESS);
    }
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_installed| anyhow::anyhow!("another TLS provider is installed already"))?;
    match args.command {
        Some(Command::Migrate) => return migrate(&config),
        Some(Command::TakeOver { yes }) => return take_over(&config, yes),
        None => {}
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the async runtime")?;
    let code = runtime.block_on(serve(config));
    // What overran the grace period is dropped here instead of being waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let applied = larder_daemon::app::migrate(config)?;
    match applied.as_slice() {
        [] => tracing::info!("the schema is up to date"),
        names => tracing::info!(db.migrations = names.join(", "), "the schema was brought up to date"),
    }
    Ok(ExitCode::SUCCESS)
}

fn take_over(config: &Config, yes: bool) -> anyhow::Result<ExitCode> {
    let taken = larder_daemon::app::take_over(config, yes)?;
    let whose = match &taken.database.before {
        Some((id, _)) if *id == taken.hub.id => "this hub's already".to_owned(),
        Some((id, name)) => format!("that of the hub on {name} ({id})"),
        None => "nobody's yet".to_owned(),
    };
    if yes {
        let folder = taken.folder.as_ref().map(|folder| tracing::field::display(folder.display()));
        tracing::info!(recordings.folder = folder, "the database was {whose}; it is this hub's now");
        Ok(ExitCode::SUCCESS)
    } else {
        tracing::warn!(
            "the database is {whose}; run this again with --yes to make it and its recordings folder this hub's"
        );
        Ok(ExitCode::FAILURE)
    }
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let app = tokio::select! {
        biased;
        () = stop(&mut interrupt, &mut terminate) => anyhow::bail!("stopped while starting"),
        app = App::start(config) => app?,
    };
    systemd(&[sd_notify::NotifyState::Ready]);
    tokio::select! {
        biased;
        () = stop(&mut interrupt, &mut terminate) => {}
        () = watchdog() => {}
    }
    systemd(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        biased;
        () = stop(&mut interrupt, &mut terminate) => {
            tracing::warn!("ended by a second signal");
            Ok(ExitCode::FAILURE)
        }
        in_time = app.stop() => Ok(if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
    }
}

async fn stop(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Tells systemd that the hub lives, twice as often as it asks. Never ends.
async fn watchdog() {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(within / 2);
    loop {
        ticks.tick().await;
        systemd(&[sd_notify::NotifyState::Watchdog]);
    }
}

fn systemd(state: &[sd_notify::NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(cause = %error, "systemd was not told");
    }
}
