//! Deliveries: one message to one channel, each a job of the channel's lane.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Channel, directory::Directory, note::Note, send::Sender};
use crate::{
    alarms::{AlarmId, ChannelId},
    db::{
        self,
        jobs::{Attempt, Failed, Job, Policy, Wanted, Worker},
    },
};

/// What rows and people call these jobs.
pub(super) const KIND: &str = "alarm_delivery";

/// What a delivery's row keeps.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::alarms) struct Delivery {
    pub(super) channel: Uuid,
    pub(super) note: Note,
}

impl Delivery {
    /// Of a job of this kind.
    pub(in crate::alarms) fn of(job: &Job) -> Result<Self, db::Error> {
        serde_json::from_value(job.input.clone())
            .map_err(|error| db::Error::Broken { table: "jobs", why: error.to_string() })
    }

    /// To which channel.
    pub(in crate::alarms) fn channel(&self) -> ChannelId {
        ChannelId(self.channel)
    }
}

/// The job that tells a channel of an alarm.
pub(super) fn job(channel: &Channel, alarm: AlarmId, note: &Note) -> Result<Wanted, serde_json::Error> {
    let delivery = Delivery { channel: channel.id.0, note: note.clone() };
    Ok(Wanted {
        kind: KIND,
        lane: lane(channel.id),
        about: Some(alarm.0),
        title: format!("{}, to {}", note.subject, channel.name),
        input: serde_json::to_value(delivery)?,
        priority: 0,
    })
}

/// A channel's messages go out one after the other.
pub(super) fn lane(channel: ChannelId) -> String {
    channel.to_string()
}

/// Sends deliveries. A message comes at least once: a hub that is killed between the other side's answer and its row
/// sends it again, under the same id.
pub(super) struct Delivering {
    pub(super) directory: Directory,
    pub(super) sender: Arc<Sender>,
}

#[tonic::async_trait]
impl Worker for Delivering {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn policy(&self) -> Policy {
        Policy {
            // A channel that hangs must not hold up the others.
            parallel: usize::MAX,
            attempt: Duration::from_mins(1),
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_mins(10),
            // It would be no news any more.
            give_up_after: SignedDuration::from_hours(24),
            // A day of a house's worst, over all channels.
            most_waiting: 1000,
            // Years of a house's alarms.
            kept: 1000,
        }
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<(), Failed> {
        let delivery = Delivery::of(attempt.job()).map_err(|error| Failed::forever(error.to_string()))?;
        let channel = self.directory.get(ChannelId(delivery.channel));
        let channel = channel.ok_or_else(|| Failed::forever("the channel was removed"))?;
        self.sender.send(&channel, &delivery.note, attempt.job().id).await.map(drop)
    }
}
