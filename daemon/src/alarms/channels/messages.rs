//! Channels and deliveries as messages: pure. No secret passes here.

use larder_proto::pb::{
    self,
    alarm_channel::{Email, MqttTopic, Ntfy, Target as Message, Webhook},
};
use uuid::Uuid;

use super::{Channel, Delivery, DeliveryId, Target};
use crate::{outcome::Refusal, pb_time::timestamp};

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

pub(in crate::alarms) fn delivery(delivery: &Delivery, channel_name: &str) -> pb::AlarmDelivery {
    let state = match delivery.finished {
        None => "waiting",
        Some(finished) if finished.delivered => "delivered",
        Some(_) => "failed",
    };
    let is_waiting = delivery.finished.is_none();
    pb::AlarmDelivery {
        id: delivery.id.0.to_string(),
        alarm_id: delivery.alarm.to_string(),
        channel_id: delivery.channel.to_string(),
        channel_name: channel_name.to_owned(),
        occasion: delivery.note.occasion.clone(),
        created_at: Some(timestamp(delivery.created_at)),
        finished_at: delivery.finished.map(|finished| timestamp(finished.at)),
        attempts: delivery.attempts,
        next_attempt_at: is_waiting.then(|| timestamp(delivery.next_attempt_at)),
        state: state.to_owned(),
        error: delivery.error.clone().unwrap_or_default(),
    }
}

/// The last delivery of the page before; an empty token is `None`.
pub(in crate::alarms) fn before(token: &str) -> Result<Option<DeliveryId>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let id: Option<Uuid> = token.parse().ok();
    id.map(|id| Some(DeliveryId(id))).ok_or_else(|| Refusal::field("page_token", "is none of this hub's"))
}
