//! Alarms: `larderctl alarm …`.

mod channel;
mod degrees;
mod list;
mod rule;
mod view;
mod watch;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{Failure, Out, client::Hub};

pub use channel::ChannelCommand;
pub use list::raised;
pub use rule::RuleCommand;
pub use view::AlarmView;

/// What `larderctl alarm` can do with a hub.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List raised alarms
    #[command(visible_alias = "ls")]
    List,
    /// Show everything about one alarm
    Show {
        /// Its id, or the name of its rule for the newest one
        alarm: String,
    },
    /// List raised alarms and those that are over, the newest first
    History {
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Say that an alarm was seen: it is not repeated any more
    Ack {
        /// Its id, or the name of its rule
        alarm: String,
    },
    /// Tell every change of any alarm, until Ctrl-C
    Watch,
    /// What is watched: add, change and remove rules
    #[command(subcommand)]
    Rule(Box<RuleCommand>),
    /// Who is told: add, change, test and remove channels
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Send a test message through a channel now, once, and tell how that went
    Test {
        /// The channel's name or id
        channel: String,
    },
    /// List what was sent and what waits, the newest first
    Deliveries(DeliveriesArgs),
}

/// Which deliveries.
#[derive(Args, Clone, Debug)]
pub struct DeliveriesArgs {
    /// Only of the alarm with this id
    #[arg(long, value_name = "ID")]
    pub alarm: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List => list::list(hub, out).await,
        Command::Show { alarm } => list::show(hub, &alarm, out).await,
        Command::History { limit } => list::history(hub, limit, out).await,
        Command::Ack { alarm } => list::acknowledge(hub, alarm, out).await,
        Command::Watch => watch::watch(hub, out, stop).await,
        Command::Rule(command) => rule::run(hub, *command, out).await,
        Command::Test { channel } => channel::test(hub, channel, out).await,
        Command::Channel(command) => channel::run(hub, command, out).await,
        Command::Deliveries(args) => channel::deliveries(hub, args, out).await,
    }
}
