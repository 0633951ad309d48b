//! Requests become channels here, or an error that names each wrong field: pure but for secrets that are made.

use larder_proto::pb::{self, alarm_channel::Target as Message};
use prost_types::FieldMask;

use super::{
    Channel, ChannelId, FieldError, Secret, Target,
    address::{MailServer, WebUrl, is_topic},
};
use crate::{alarms::Error, named, pb_mask, secrets};

const MOST_RECIPIENTS: usize = 20;
const LONGEST_SECRET: usize = 1000;
static NO_SECRET: String = String::new();
/// Every path a mask may hold.
const PATHS: [&str; 5] = ["name", "webhook", "ntfy", "email", "mqtt"];

/// A channel, and whether its secret was made just now.
#[derive(Debug)]
pub(in crate::alarms) struct Wanted {
    pub(in crate::alarms) channel: Channel,
    pub(in crate::alarms) is_secret_made: bool,
}

/// A channel to add.
pub(in crate::alarms) fn new_channel(
    wanted: &pb::AlarmChannel,
    has_broker: bool,
    now: jiff::Timestamp,
) -> Result<Wanted, Error> {
    let mut wrong = Vec::new();
    check_name(&wanted.name, &mut wrong);
    let target = wanted.target.as_ref().and_then(|target| self::target(target, has_broker, &mut wrong));
    if wanted.target.is_none() {
        wrong.push(("channel.target".to_owned(), "is not set".to_owned()));
    }
    let (Some((target, secret)), true) = (target, wrong.is_empty()) else { return Err(Error::Fields(wrong)) };
    let id = ChannelId::random();
    let channel = Channel { id, name: wanted.name.clone(), target, secret, created_at: now, updated_at: now };
    with_secret(channel)
}

/// A channel as it is to be after an update.
pub(in crate::alarms) fn updated(
    known: &Channel,
    wanted: &pb::AlarmChannel,
    mask: Option<&FieldMask>,
    has_broker: bool,
) -> Result<Wanted, Error> {
    let set_kind = wanted.target.as_ref().map(kind);
    let set = || {
        let name = Some("name").filter(|_| !wanted.name.is_empty());
        name.into_iter().chain(set_kind).map(str::to_owned).collect()
    };
    // Of the targets there is one, so every field is the name and that.
    let paths = if pb_mask::is_all(mask) {
        vec!["name".to_owned(), set_kind.unwrap_or("target").to_owned()]
    } else {
        pb_mask::paths(mask, set, &PATHS).map_err(|wrong| Error::Fields(vec![wrong]))?
    };
    let mut wrong = Vec::new();
    let mut channel = known.clone();
    for path in paths {
        if path == "name" {
            channel.name.clone_from(&wanted.name);
            check_name(&wanted.name, &mut wrong);
        } else if let Some(message) = wanted.target.as_ref().filter(|message| kind(message) == path) {
            let Some((target, secret)) = target(message, has_broker, &mut wrong) else { continue };
            // One that is not given stays, but not for another kind of target.
            let stays = secret.is_none() && target.kind() == known.target.kind();
            channel.secret = if stays { known.secret.clone() } else { secret };
            channel.target = target;
        } else {
            wrong.push((format!("channel.{path}"), "is not set".to_owned()));
        }
    }
    if wrong.is_empty() { with_secret(channel) } else { Err(Error::Fields(wrong)) }
}

/// A webhook always has a secret.
fn with_secret(mut channel: Channel) -> Result<Wanted, Error> {
    let is_secret_made = matches!(channel.target, Target::Webhook { .. }) && channel.secret.is_none();
    if is_secret_made {
        let bytes: [u8; secrets::KEY_LEN] = secrets::random()?;
        channel.secret = Some(Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
    }
    Ok(Wanted { channel, is_secret_made })
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Webhook(_) => "webhook",
        Message::Ntfy(_) => "ntfy",
        Message::Email(_) => "email",
        Message::Mqtt(_) => "mqtt",
    }
}

fn check_name(name: &str, wrong: &mut Vec<FieldError>) {
    if let Some(why) = named::complaint(name) {
        wrong.push(("channel.name".to_owned(), why));
    }
}

fn target(message: &Message, has_broker: bool, wrong: &mut Vec<FieldError>) -> Option<(Target, Option<Secret>)> {
    let before = wrong.len();
    let mut say = |field: &str, why: &str| wrong.push((format!("channel.{}.{field}", kind(message)), why.to_owned()));
    let (target, secret, field) = match message {
        Message::Webhook(webhook) => {
            let url = WebUrl::try_from(webhook.url.clone()).map_err(|why| say("url", why)).ok();
            (url.map(|url| Target::Webhook { url }), &webhook.secret, "secret")
        }
        Message::Ntfy(ntfy) => {
            let url = WebUrl::try_from(ntfy.url.clone()).map_err(|why| say("url", why)).ok();
            if url.as_ref().is_some_and(|url| url.topic().is_none()) {
                say("url", "names no topic, as in https://ntfy.sh/my-fridge");
            }
            (url.map(|url| Target::Ntfy { url }), &ntfy.token, "token")
        }
        Message::Email(email) => {
            let server = MailServer::try_from(email.server.clone()).map_err(|why| say("server", why)).ok();
            if !is_mailbox(&email.from) {
                say("from", "is no e-mail address");
            }
            if !(1..=MOST_RECIPIENTS).contains(&email.to.len()) || !email.to.iter().all(|to| is_mailbox(to)) {
                say("to", "is not 1 to 20 e-mail addresses");
            }
            let (from, to) = (email.from.clone(), email.to.clone());
            (server.map(|server| Target::Email { server, from, to }), &email.password, "password")
        }
        Message::Mqtt(mqtt) => {
            if !is_topic(&mqtt.topic) {
                say("topic", "is not 1 to 200 bytes without `+` and `#`");
            }
            if !has_broker {
                say("topic", "needs a broker: set mqtt.url in the hub's configuration");
            }
            (Some(Target::Mqtt { topic: mqtt.topic.clone() }), &NO_SECRET, "topic")
        }
    };
    if secret.len() > LONGEST_SECRET || secret.chars().any(char::is_control) {
        say(field, "is longer than 1000 bytes, or more than one line");
    }
    let secret = Some(secret.clone()).filter(|secret| !secret.is_empty()).map(Secret);
    target.filter(|_| wrong.len() == before).map(|target| (target, secret))
}

fn is_mailbox(text: &str) -> bool {
    text.parse::<lettre::message::Mailbox>().is_ok()
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::alarm_channel::{Email, MqttTopic, Ntfy, Webhook};

    use super::*;

    fn add(target: Message) -> Result<Wanted, Error> {
        let wanted = pb::AlarmChannel { name: "phone".to_owned(), target: Some(target), ..Default::default() };
        new_channel(&wanted, true, jiff::Timestamp::UNIX_EPOCH)
    }

    fn webhook(url: &str, secret: &str) -> Message {
        Message::Webhook(Webhook { url: url.to_owned(), secret: secret.to_owned() })
    }

    fn fields(result: Result<Wanted, Error>) -> Vec<String> {
        match result.unwrap_err() {
            Error::Fields(fields) => fields.into_iter().map(|(path, _)| path).collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_webhook_without_a_secret_gets_one_and_keeps_it() {
        let made = add(webhook("https://x/in", "")).unwrap();
        assert!(made.is_secret_made && made.channel.secret.as_ref().unwrap().0.len() == 64);
        assert!(!format!("{:?}", made.channel).contains(&made.channel.secret.as_ref().unwrap().0));
        let moved = pb::AlarmChannel { target: Some(webhook("https://y/in", "")), ..Default::default() };
        let updated = updated(&made.channel, &moved, None, true).unwrap();
        assert!(!updated.is_secret_made);
        assert_eq!(updated.channel.secret, made.channel.secret);
        assert!(!add(webhook("https://x", "mine")).unwrap().is_secret_made);
    }

    #[test]
    fn another_kind_of_target_does_not_get_the_old_ones_secret() {
        let known = add(webhook("https://x/in", "hush")).unwrap().channel;
        let ntfy = Ntfy { url: "https://ntfy.sh/fridge".to_owned(), token: String::new() };
        let wanted = pb::AlarmChannel { target: Some(Message::Ntfy(ntfy)), ..Default::default() };
        assert_eq!(updated(&known, &wanted, None, true).unwrap().channel.secret, None);
    }

    #[test]
    fn every_wrong_field_of_a_channel_is_named() {
        let empty = new_channel(&pb::AlarmChannel::default(), true, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(fields(empty), ["channel.name", "channel.target"]);
        assert_eq!(fields(add(webhook("gopher://x", "a\nb"))), ["channel.webhook.url", "channel.webhook.secret"]);
        let ntfy = Ntfy { url: "https://ntfy.sh".to_owned(), token: String::new() };
        assert_eq!(fields(add(Message::Ntfy(ntfy))), ["channel.ntfy.url"]);
        let email = Email { server: "smtp+plain://far".to_owned(), from: "me".to_owned(), ..Default::default() };
        let email = |field: &str| (format!("channel.email.{field}"), email.clone());
        assert_eq!(fields(add(Message::Email(email("").1))), [email("server").0, email("from").0, email("to").0]);
        let topic = Message::Mqtt(MqttTopic { topic: "a/#".to_owned() });
        assert_eq!(fields(add(topic)), ["channel.mqtt.topic"]);
        let known = add(webhook("https://x/in", "hush")).unwrap().channel;
        for (path, wrong) in [("secret", "update_mask"), ("email", "channel.email")] {
            let mask = FieldMask { paths: vec![path.to_owned()] };
            assert_eq!(fields(updated(&known, &pb::AlarmChannel::default(), Some(&mask), true)), [wrong]);
        }
    }

    #[test]
    fn a_topic_needs_a_broker() {
        let target = Some(Message::Mqtt(MqttTopic { topic: "larder/alarms".to_owned() }));
        let wanted = pb::AlarmChannel { name: "bus".to_owned(), target, ..Default::default() };
        let at = jiff::Timestamp::UNIX_EPOCH;
        assert!(new_channel(&wanted, true, at).is_ok());
        assert_eq!(fields(new_channel(&wanted, false, at)), ["channel.mqtt.topic"]);
    }
}
