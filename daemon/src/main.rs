//! `larderd`: parse, build, run, return a code. Signals are handled here alone.

use std::{
    convert::Infallible,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use larder_daemon::{
    app::{App, Wanted},
    config::Config,
    outcome::chain,
    tasks::blocking,
};
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
    /// Replaces everything in the database by a backup, and ends; all sessions, tokens and links end.
    ///
    /// What the database held is backed up in the state folder first. `larderctl backup restore` does the same while the
    /// hub runs.
    Restore {
        /// The backup's name, or a file.
        backup: String,
        /// Also another hub's, which is gone for good; its recordings folder becomes this hub's.
        #[arg(long)]
        take_over: bool,
        /// Also when what the database holds now cannot be kept.
        #[arg(long)]
        discard: bool,
        /// Does not ask.
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
        Some(Command::Restore { backup, take_over, discard, yes }) => {
            return restore(&config, &Wanted { backup, take_over, discard }, yes);
        }
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

fn restore(config: &Config, wanted: &Wanted, yes: bool) -> anyhow::Result<ExitCode> {
    let question = format!(
        "Replace everything in the hub's database by {}? All sessions, tokens and links end. [y/N] ",
        wanted.backup
    );
    if !yes && !confirmed(&question)? {
        tracing::warn!("nothing was changed; --yes does not ask");
        return Ok(ExitCode::FAILURE);
    }
    let kept = larder_daemon::app::restore(config, wanted)?;
    let kept = kept.map(tracing::field::display);
    tracing::info!(
        backup.kept = kept,
        "the database was restored; start the hub, and sign in with `larderctl sign-in-link`"
    );
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal; where there is none, the answer is no.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut error = std::io::stderr();
    error.write_all(question.as_bytes()).and_then(|()| error.flush()).context("asking")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    tokio::select! {
        biased;
        never = watchdog() => match never {},
        ended = run_hub(config) => ended,
    }
}

/// Runs the hub until it is told to stop. In between it stops and starts again as often as a backup is to be restored.
async fn run_hub(config: Config) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut restored = None;
    loop {
        let app = tokio::select! {
            biased;
            () = stop(&mut interrupt, &mut terminate) => anyhow::bail!("stopped while starting"),
            app = App::start_after(config.clone(), restored.take()) => app?,
        };
        systemd(&[sd_notify::NotifyState::Ready]);
        let order = tokio::select! {
            biased;
            () = stop(&mut interrupt, &mut terminate) => None,
            order = app.restore_wanted() => Some(order),
        };
        if order.is_none() {
            systemd(&[sd_notify::NotifyState::Stopping]);
            tracing::info!("stopping; a second signal ends at once");
        }
        let in_time = tokio::select! {
            biased;
            () = stop(&mut interrupt, &mut terminate) => {
                tracing::warn!("ended by a second signal");
                return Ok(ExitCode::FAILURE);
            }
            in_time = app.stop() => in_time,
        };
        let Some(order) = order else {
            return Ok(if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        };
        let of = config.clone();
        let restoring = blocking(move || larder_daemon::app::carry_out(&of, order));
        restored = tokio::select! {
            biased;
            () = stop(&mut interrupt, &mut terminate) => anyhow::bail!("stopped while restoring a backup"),
            outcome = restoring => Some(outcome),
        };
    }
}

async fn stop(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Tells systemd that the hub lives, twice as often as it asks. Never ends.
async fn watchdog() -> Infallible {
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
