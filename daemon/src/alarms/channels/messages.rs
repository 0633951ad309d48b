//! Channels and deliveries as messages: pure. No secret passes here.

use larder_proto::pb::{
    self, AlarmDeliveryState, AlarmOccasion,
    alarm_channel::{Email, MqttTopic, Ntfy, Target as Message, Webhook},
};

use super::{Channel, Delivery, Target};
use crate::{
    alarms::Occasion,
    db::jobs::{Job, Outcome},
    pb_time::timestamp,
};

pub(in crate::alarms) fn channel(channel: &Channel) -> pb::AlarmChannel {
    let target = match channel.target.clone() {
        Target::Webhook { url } => Message::Webhook(Webhook { url: url.into(), secret: String::new() }),
        Target::Ntfy { url } => Message::Ntfy(Ntfy { url: url.into(), token: String::new() }),
        Target::Email { server, from, to } => {
            Message::Email(Email { server: server.into(), password: String::new(), from, to })
        }
        Target::Mqtt { topic } => Message::Mqtt(MqttTopic { topic }),
    };
    pb::AlarmChannel {
        id: channel.id.to_string(),
        name: channel.name.clone(),
        target: Some(target),
        created_at: Some(timestamp(channel.created_at)),
        updated_at: Some(timestamp(channel.updated_at)),
    }
}

/// A channel whose secret the hub has just made: the one answer that tells it.
pub(in crate::alarms) fn channel_with_made_secret(channel: &Channel) -> pb::AlarmChannel {
    let mut message = self::channel(channel);
    if let (Some(Message::Webhook(webhook)), Some(secret)) = (&mut message.target, &channel.secret) {
        webhook.secret.clone_from(&secret.0);
    }
    message
}

pub(in crate::alarms) fn delivery(job: &Job, delivery: &Delivery, channel_name: &str) -> pb::AlarmDelivery {
    let state = match job.finished.map(|finished| finished.outcome) {
        None => AlarmDeliveryState::Waiting,
        Some(Outcome::Succeeded) => AlarmDeliveryState::Delivered,
        Some(Outcome::Failed) => AlarmDeliveryState::Failed,
        Some(Outcome::Cancelled) => AlarmDeliveryState::Cancelled,
    };
    let occasion = match Occasion::from_name(&delivery.note.occasion) {
        None => AlarmOccasion::Unspecified,
        Some(Occasion::Raised) => AlarmOccasion::Raised,
        Some(Occasion::Repeated) => AlarmOccasion::Repeated,
        Some(Occasion::Cleared) => AlarmOccasion::Cleared,
    };
    pb::AlarmDelivery {
        id: job.id.to_string(),
        alarm_id: job.about.map(|alarm| alarm.to_string()).unwrap_or_default(),
        channel_id: delivery.channel.to_string(),
        channel_name: channel_name.to_owned(),
        occasion: occasion.into(),
        created_at: Some(timestamp(job.created_at)),
        finished_at: job.finished.map(|finished| timestamp(finished.at)),
        attempts: job.attempts,
        next_attempt_at: job.finished.is_none().then(|| timestamp(job.next_attempt_at)),
        state: state.into(),
        error: job.error.clone().unwrap_or_default(),
    }
}
