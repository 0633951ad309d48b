//! What can be asked of `larderctl`.

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out, alarm, backup, bench, camera,
    client::Hub,
    demo::{self, DemoArgs},
    job,
    login::{self, LoginArgs},
    profile::{self, Profiles},
    recording, sensor, simulate, system,
    target::TargetArgs,
    temperature, token, trace, view, viewer,
};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 hub not reachable, 4 no permission; of status also: 5 a part is not ready.";

/// Talks to larderd: cameras, recordings, access and the hub itself.
#[derive(Clone, Debug, Parser)]
#[command(name = "larderctl", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// Write JSON for programs; streams write one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// How the hub is doing: what needs you first, then its parts, cameras, disk and addresses
    Status,
    /// The versions of this program and of the hub
    Version,
    /// Cameras: add, change, watch and command them
    #[command(subcommand)]
    Camera(camera::Command),
    /// Look at a camera live, from however far away: in this terminal, in a player, into a file
    View(view::ViewArgs),
    /// Recordings: list, play, pin and delete them
    #[command(subcommand)]
    Recording(recording::Command),
    /// Thermometers: add, adopt, change and remove them
    #[command(subcommand)]
    Sensor(sensor::Command),
    /// Temperatures: the newest, graphs and exports
    #[command(subcommand, visible_alias = "temp")]
    Temperature(temperature::Command),
    /// Alarms: what is wrong, what is watched and who is told
    #[command(subcommand)]
    Alarm(alarm::Command),
    /// Long work that the hub does by itself: list, watch and cancel it
    #[command(subcommand)]
    Job(job::Command),
    /// Backups of the hub's database: list, make and restore them
    #[command(subcommand)]
    Backup(backup::Command),
    /// Who watches live
    #[command(subcommand)]
    Viewer(viewer::Command),
    /// Tokens for programs and for hubs elsewhere
    #[command(subcommand)]
    Token(token::Command),
    /// Try Larder: start a hub here with a simulated camera, until Ctrl-C
    Demo(DemoArgs),
    /// Measure a hub of its own on this machine: CPU, delay, memory
    #[command(subcommand)]
    Bench(bench::Command),
    /// Print a one-time link that signs a browser in as admin
    SignInLink,
    /// Sign in to a hub elsewhere and make it the one that commands go to
    Login(LoginArgs),
    /// End the session on a hub elsewhere and forget it
    Logout,
    /// Who you are to the hub
    Whoami,
    /// Fingerprint of this machine's hub's certificate authority, to compare at `login`
    Authority,
    /// Tell what happens, as it happens, until Ctrl-C
    Events(system::EventsArgs),
    /// Hubs stored by `login`
    #[command(subcommand)]
    Profile(profile::Command),
    /// Print the completion script of a shell
    #[command(
        after_help = "For bash: larderctl completions bash > ~/.local/share/bash-completion/completions/larderctl"
    )]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Runs a command. When `stop` is cancelled, a command that goes on by itself ends well.
///
/// # Errors
///
/// The command failed; [`Failure`] says why.
pub async fn run(cli: Cli, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    // The large ones are boxed, so that the others are small.
    match cli.command {
        Command::Completions { shell } => completions(shell, out),
        Command::Profile(command) => profile::run(command, out),
        Command::Version => system::version(&cli.target, out).await,
        Command::Status => system::status(&hub(&cli.target).await?, out).await,
        Command::Camera(camera::Command::Simulate(args)) if !args.needs_hub() => {
            Box::pin(simulate::execute(*args, None, out, stop)).await
        }
        Command::Camera(camera::Command::Trace(args)) => trace::run(args, out, stop).await,
        Command::Camera(command) => Box::pin(camera::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::View(args) => Box::pin(view::run(args, &cli.target, out, stop)).await,
        Command::Recording(command) => Box::pin(recording::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::Sensor(sensor::Command::Simulate(args)) if !args.needs_hub() => {
            sensor::simulate::execute(*args, None, out, stop).await
        }
        Command::Sensor(command) => Box::pin(sensor::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::Temperature(command) => Box::pin(temperature::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::Alarm(command) => Box::pin(alarm::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::Job(command) => Box::pin(job::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::Backup(command) => Box::pin(backup::run(&hub(&cli.target).await?, command, out, stop)).await,
        Command::Viewer(command) => viewer::run(&hub(&cli.target).await?, command, out).await,
        Command::Token(command) => token::run(&hub(&cli.target).await?, command, out).await,
        Command::Demo(args) => Box::pin(demo::run(args, &cli.target, out, stop)).await,
        Command::Bench(command) => Box::pin(bench::run(command, out, stop)).await,
        Command::SignInLink => token::sign_in_link(&hub(&cli.target).await?, out).await,
        Command::Login(args) => login::login(args, &cli.target, out).await,
        Command::Logout => login::logout(&cli.target, out).await,
        Command::Whoami => login::whoami(&hub(&cli.target).await?, out).await,
        Command::Authority => login::show_authority(&cli.target.authority()?, out),
        Command::Events(args) => system::events(&hub(&cli.target).await?, args, out, stop).await,
    }
}

/// Connects to the hub that is meant.
///
/// # Errors
///
/// It is not known, or cannot be reached.
pub async fn hub(target: &TargetArgs) -> Result<Hub, Failure> {
    Hub::connect(target.resolve(&Profiles::load()?)?).await
}

fn completions(shell: Shell, out: &mut Out) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "larderctl", &mut script);
    out.bytes(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }

    /// clap reads an argument by its id, so one of a command with the id of a global one would be read as that.
    #[test]
    fn no_commands_argument_takes_a_global_ones_place() {
        fn ids(command: &clap::Command, globals: &[clap::Id]) {
            for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
                assert!(!globals.contains(argument.get_id()), "{}: {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(|command| ids(command, globals));
        }
        let cli = Cli::command();
        let globals: Vec<_> = cli.get_arguments().filter(|argument| argument.is_global_set()).collect();
        let globals: Vec<_> = globals.into_iter().map(|argument| argument.get_id().clone()).collect();
        assert!(globals.len() >= 6);
        ids(&cli, &globals);
    }

    #[test]
    fn a_token_is_revoked_by_its_name() {
        let cli = Cli::try_parse_from(["larderctl", "token", "revoke", "player", "--token", "lrd_x"]).expect("parsed");
        assert!(matches!(cli.command, Command::Token(token::Command::Revoke { which }) if which == "player"));
        assert_eq!(cli.target.token, Some("lrd_x".into()));
    }

    #[test]
    fn the_hub_may_be_named_after_the_command() {
        let cli = Cli::try_parse_from(["larderctl", "status", "--json", "--hub", "pi.local"]).expect("parsed");
        assert!(cli.json);
        assert_eq!(cli.target.hub.as_deref(), Some("pi.local"));
    }
}
