//! Alarms: what is watched, what was wrong, and who is told.
//!
//! ```text
//! readings, presence, recorder ─▶ watch ─▶ board ─ cause, engine (pure) ─▶ rows (PostgreSQL)
//!                                                                      └─▶ channels, watchers, events
//! ```
//! Rules are watched in monotonic time and in memory: an alarm is raised and told while the database is away, and its
//! row follows.

mod board;
mod cause;
pub mod channels;
mod directory;
mod engine;
mod handle;
mod message;
mod messages;
mod parse;
mod presets;
mod rows;
mod rule;
mod sentence;
mod service;
mod store;
mod watch;

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::MilliCelsius};
use thiserror::Error;
use uuid::Uuid;

pub use channels::{Channels, Config};
pub use handle::{Alarms, Deps};
pub use message::Message;
pub use rule::{Condition, Rate, Rule, Threshold};
pub use service::{Parts, Service};
pub use watch::Sources;

use crate::{
    db,
    outcome::{Kind, Refusal},
    secrets,
    temperatures::SensorId,
};

/// A newtype over a UUID that is written and read as one.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// Which rule.
    RuleId
}
id! {
    /// Which way to tell people.
    ChannelId
}
id! {
    /// Which alarm; rises with time (version 7).
    AlarmId
}

impl RuleId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl ChannelId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// Something that was wrong, from when to when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alarm {
    /// Made when it was raised.
    pub id: AlarmId,
    /// The rule that raised it; it may be gone.
    pub rule: RuleId,
    /// The rule's name then.
    pub rule_name: String,
    /// A sentence for people, as it was when it was raised.
    pub message: String,
    /// Since when the cause was there.
    pub since: Timestamp,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// `None` while it is raised.
    pub cleared_at: Option<Timestamp>,
    /// When somebody said that it was seen, and who.
    pub acknowledged: Option<Acknowledged>,
    /// The worst value so far, if it is about one.
    pub extreme: Option<MilliCelsius>,
    /// About which sensor, if about one.
    pub sensor: Option<SensorId>,
    /// About which camera, if about one.
    pub camera: Option<CameraId>,
}

/// That somebody has seen an alarm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    /// When.
    pub at: Timestamp,
    /// The caller's name.
    pub by: String,
}

/// Why people are told of an alarm. The names are kept in rows and sent: a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// It began.
    Raised,
    /// It goes on and nobody has acknowledged it.
    Repeated,
    /// It is over.
    Cleared,
}

impl Occasion {
    const ALL: [Self; 3] = [Self::Raised, Self::Repeated, Self::Cleared];

    /// The kept name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
            Self::Cleared => "cleared",
        }
    }

    /// The occasion with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.name() == name)
    }
}

/// What is wrong with a field: its path and why.
type FieldError = (String, String);

/// Why something about alarms can't be done.
#[derive(Debug, Error)]
pub enum Error {
    /// No rule has that id or name.
    #[error("no such alarm rule {0:?}")]
    NoSuchRule(String),
    /// No alarm has that id.
    #[error("no such alarm {0:?}")]
    NoSuchAlarm(String),
    /// The rule's alarm is not raised.
    #[error("the alarm of rule {0:?} is not raised")]
    NotRaised(String),
    /// The alarm is over.
    #[error("the alarm {0:?} is over already")]
    Over(String),
    /// Another rule has that name.
    #[error("there is an alarm rule {0:?} already")]
    NameTaken(String),
    /// What a rule names was removed meanwhile.
    #[error("what the rule names was removed meanwhile ({0})")]
    Gone(String),
    /// No channel has that id or name.
    #[error("no such alarm channel {0:?}")]
    NoSuchChannel(String),
    /// Another channel has that name.
    #[error("there is an alarm channel {0:?} already")]
    ChannelNameTaken(String),
    /// A test message did not get through.
    #[error("channel {0:?} did not take it: {1}")]
    NotSent(String, String),
    /// The hub can make or seal no secret.
    #[error(transparent)]
    Secret(#[from] secrets::Error),
    /// Fields are wrong.
    #[error("the request is wrong")]
    Fields(Vec<FieldError>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Deliveries can't be read or dropped.
    #[error(transparent)]
    Deliveries(#[from] db::jobs::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NoSuchRule(_) | Error::NoSuchAlarm(_) | Error::NoSuchChannel(_) => Kind::NotFound,
            Error::NotRaised(_) | Error::Over(_) | Error::Gone(_) | Error::NotSent(..) => Kind::FailedPrecondition,
            Error::NameTaken(_) | Error::ChannelNameTaken(_) => Kind::AlreadyExists,
            Error::Secret(error) => return Self::internal(error),
            Error::Fields(fields) => return Self::fields(fields),
            Error::Database(error) => return error.into(),
            Error::Deliveries(error) => return error.into(),
        };
        Self::new(kind, error.to_string())
    }
}
