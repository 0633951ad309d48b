//! Channels: who is told of alarms, and what became of each message.
//!
//! ```text
//! an alarm ─▶ handle ─▶ a job a channel (one after the other in its lane) ─▶ delivery ─▶ send: webhook, ntfy, e-mail, MQTT
//! ```
//! Jobs are done from memory, so that people are told while the database is away; their rows follow. What was not through
//! when the hub stopped goes on after its start.

mod address;
mod delivery;
mod directory;
mod handle;
mod messages;
mod note;
mod parse;
mod removed;
mod send;
mod store;

use std::{fmt, path::PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelId, FieldError};
use address::{MailServer, WebUrl};

pub(super) use delivery::Delivery;
pub use handle::{Channels, Deps, StartError, Tested};
pub(super) use messages::{channel as channel_message, channel_with_made_secret, delivery as delivery_message};
pub(super) use parse::{Wanted, new_channel, updated};

/// How channels dial out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// An authority that webhooks', ntfy's and mail servers' certificates may come from, beside the system's. PEM.
    pub ca_file: Option<PathBuf>,
}

/// A way to tell people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Channel {
    /// Made by the hub.
    pub id: ChannelId,
    /// Unique.
    pub name: String,
    /// Where to.
    pub(super) target: Target,
    /// What signs a webhook, ntfy's token, or the mail server's password.
    pub(super) secret: Option<Secret>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Where a channel leads, as rows keep it. No secret is in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Target {
    /// A POST of JSON.
    Webhook { url: WebUrl },
    /// A topic of an ntfy server: the last part of the path.
    Ntfy { url: WebUrl },
    /// An e-mail.
    Email { server: MailServer, from: String, to: Vec<String> },
    /// A topic of the hub's broker.
    Mqtt { topic: String },
}

impl Target {
    /// The name that rows keep.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Ntfy { .. } => "ntfy",
            Self::Email { .. } => "email",
            Self::Mqtt { .. } => "mqtt",
        }
    }
}

/// A channel's secret. Shows nothing when printed.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
