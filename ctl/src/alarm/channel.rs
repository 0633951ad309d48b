//! Who is told: `larderctl alarm channel …` and `larderctl alarm deliveries`.

use std::{io::Read as _, path::PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use larder_proto::{
    Words as _,
    pb::{
        AlarmChannel, AlarmDelivery, AlarmDeliveryState, AlarmOccasion, CreateAlarmChannelRequest,
        DeleteAlarmChannelRequest, ListAlarmChannelsRequest, ListAlarmDeliveriesRequest, TestAlarmChannelRequest,
        UpdateAlarmChannelRequest,
        alarm_channel::{Email, MqttTopic, Ntfy, Target, Webhook},
    },
};
use prost_types::FieldMask;
use serde::Serialize;

use super::DeliveriesArgs;
use crate::{
    Failure, Out,
    client::{Hub, long, quick},
    pages, units, when,
};

/// What `larderctl alarm channel` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum ChannelCommand {
    /// List the channels, without their secrets
    #[command(visible_alias = "ls")]
    List,
    /// Add a channel; a webhook's secret is made by the hub and printed this once, unless one is given
    Add(ChannelArgs),
    /// Change a channel; a secret that is not given stays
    Update(UpdateArgs),
    /// Remove a channel and what waits to be sent through it
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name or id
        channel: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Send a test message now, once, and tell how that went
    Test {
        /// Its name or id
        channel: String,
    },
}

/// A new channel.
#[derive(Args, Clone, Debug)]
pub struct ChannelArgs {
    /// Its name: 1 to 32 of a-z, 0-9 and `-`, beginning with a letter
    pub name: String,
    /// Where it goes.
    #[command(flatten)]
    pub to: To,
}

/// A changed channel.
#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
    /// Its name or id
    pub channel: String,
    /// Give it another name
    #[arg(long = "name", value_name = "NAME")]
    pub new_name: Option<String>,
    /// Where it goes.
    #[command(flatten)]
    pub to: To,
}

/// Where a channel goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Target")]
pub struct To {
    /// One of these.
    #[command(flatten)]
    pub kind: Kind,
    /// Who an e-mail is from
    #[arg(long, value_name = "ADDRESS", requires = "email")]
    pub from: Option<String>,
    /// Who gets an e-mail; may be repeated
    #[arg(long = "to", value_name = "ADDRESS", requires = "email")]
    pub recipients: Vec<String>,
    /// File with the secret that signs a webhook, ntfy's access token or the e-mail server's password; `-`: standard
    /// input
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// What kind of target: one of these.
#[derive(Args, Clone, Debug, Default)]
#[group(id = "target", multiple = false)]
pub struct Kind {
    /// POST JSON to this URL: https, or http to a private address
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// ntfy, with the topic: https://ntfy.sh/my-fridge
    #[arg(long, value_name = "URL")]
    pub ntfy: Option<String>,
    /// The server of an e-mail: smtps://user@host, or smtp://user@host:587
    #[arg(long, value_name = "URL")]
    pub email: Option<String>,
    /// This topic on the broker of the hub's configuration
    #[arg(long, value_name = "TOPIC")]
    pub mqtt: Option<String>,
}

impl To {
    fn target(&self) -> Result<Option<Target>, Failure> {
        let secret = self.secret_file.as_ref().map(read_secret).transpose()?.unwrap_or_default();
        let target = if let Some(url) = &self.kind.webhook {
            Target::Webhook(Webhook { url: url.clone(), secret })
        } else if let Some(url) = &self.kind.ntfy {
            Target::Ntfy(Ntfy { url: url.clone(), token: secret })
        } else if let Some(server) = &self.kind.email {
            let from = self.from.clone().unwrap_or_default();
            Target::Email(Email { server: server.clone(), password: secret, from, to: self.recipients.clone() })
        } else if let Some(topic) = &self.kind.mqtt {
            Target::Mqtt(MqttTopic { topic: topic.clone() })
        } else if self.secret_file.is_some() {
            return Err(Failure::Usage("--secret-file needs its --webhook, --ntfy or --email".to_owned()));
        } else {
            return Ok(None);
        };
        Ok(Some(target))
    }
}

fn read_secret(file: &PathBuf) -> Result<String, Failure> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map_err(|source| Failure::file("standard input", source))?;
    } else {
        text = std::fs::read_to_string(file).map_err(|source| Failure::file(file, source))?;
    }
    let secret = text.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() { Err(Failure::Usage(format!("{} is empty", file.display()))) } else { Ok(secret) }
}

/// A channel, for programs.
#[derive(Serialize)]
struct View {
    id: String,
    name: String,
    kind: &'static str,
    target: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to: Vec<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<AlarmChannel> for View {
    fn from(channel: AlarmChannel) -> Self {
        let (kind, target, to, secret) = match channel.target {
            Some(Target::Webhook(webhook)) => ("webhook", webhook.url, Vec::new(), webhook.secret),
            Some(Target::Ntfy(ntfy)) => ("ntfy", ntfy.url, Vec::new(), String::new()),
            Some(Target::Email(email)) => ("email", email.server, email.to, String::new()),
            Some(Target::Mqtt(mqtt)) => ("mqtt", mqtt.topic, Vec::new(), String::new()),
            None => ("unknown", String::new(), Vec::new(), String::new()),
        };
        Self {
            kind,
            target,
            to,
            secret: Some(secret).filter(|secret| !secret.is_empty()),
            created_at: when::from_wire(channel.created_at.as_ref()),
            updated_at: when::from_wire(channel.updated_at.as_ref()),
            id: channel.id,
            name: channel.name,
        }
    }
}

pub(super) async fn run(hub: &Hub, command: ChannelCommand, out: &mut Out) -> Result<(), Failure> {
    match command {
        ChannelCommand::List => list(hub, out).await,
        ChannelCommand::Add(args) => add(hub, args, out).await,
        ChannelCommand::Update(args) => update(hub, args, out).await,
        ChannelCommand::Remove { channel, yes } => {
            out.confirm(&format!("Remove channel \"{channel}\" and what waits to be sent through it?"), yes)?;
            hub.alarms().delete_alarm_channel(quick(DeleteAlarmChannelRequest { channel: channel.clone() })).await?;
            out.done(&format!("removed {channel}"))
        }
        ChannelCommand::Test { channel } => test(hub, channel, out).await,
    }
}

async fn list(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let channels = pages::all(async |page_size, page_token| {
        let request = ListAlarmChannelsRequest { page_size, page_token };
        let page = hub.alarms().list_alarm_channels(quick(request)).await?.into_inner();
        Ok((page.channels, page.next_page_token))
    });
    let views: Vec<_> = channels.await?.into_iter().map(View::from).collect();
    if views.is_empty() && !out.is_json() {
        return out.line(
            "nobody is told yet; for example: larderctl alarm channel add phone --ntfy https://ntfy.sh/my-fridge",
        );
    }
    out.list(&views, &["NAME", "KIND", "TARGET", "TO"], |view| {
        vec![view.name.clone(), view.kind.to_owned(), view.target.clone(), view.to.join(", ")]
    })
}

async fn add(hub: &Hub, args: ChannelArgs, out: &mut Out) -> Result<(), Failure> {
    let target = args.to.target()?;
    let target = target.ok_or_else(|| Failure::Usage("say where: --webhook, --ntfy, --email or --mqtt".to_owned()))?;
    let channel = AlarmChannel { name: args.name, target: Some(target), ..Default::default() };
    let request = CreateAlarmChannelRequest { channel: Some(channel) };
    let view = View::from(hub.alarms().create_alarm_channel(quick(request)).await?.into_inner());
    out.one(&view, |out| {
        out.line(&format!("added {} ({})", view.name, view.id))?;
        if let Some(secret) = &view.secret {
            out.fields(&[("Secret", secret.clone())])?;
            out.note("This is the only time the secret is shown. It signs what is sent, in X-Larder-Signature.");
        }
        out.note(&format!("Try it: larderctl alarm channel test {}", view.name));
        Ok(())
    })
}

async fn update(hub: &Hub, args: UpdateArgs, out: &mut Out) -> Result<(), Failure> {
    let target = args.to.target()?;
    let mut paths = Vec::new();
    paths.extend(args.new_name.as_ref().map(|_| "name".to_owned()));
    paths.extend(target.as_ref().map(|target| {
        match target {
            Target::Webhook(_) => "webhook",
            Target::Ntfy(_) => "ntfy",
            Target::Email(_) => "email",
            Target::Mqtt(_) => "mqtt",
        }
        .to_owned()
    }));
    if paths.is_empty() {
        return Err(Failure::Usage("nothing to change: see `larderctl alarm channel update --help`".to_owned()));
    }
    let name = args.new_name.unwrap_or_default();
    let channel = AlarmChannel { id: args.channel, name, target, ..Default::default() };
    let request = UpdateAlarmChannelRequest { channel: Some(channel), update_mask: Some(FieldMask { paths }) };
    let view = View::from(hub.alarms().update_alarm_channel(quick(request)).await?.into_inner());
    out.one(&view, |out| out.line(&format!("changed {}", view.name)))
}

#[derive(Serialize)]
struct Tested {
    took_ms: u128,
    answer: String,
}

pub(super) async fn test(hub: &Hub, channel: String, out: &mut Out) -> Result<(), Failure> {
    let working = out.working("sending");
    let request = TestAlarmChannelRequest { channel: channel.clone() };
    let answer = hub.alarms().test_alarm_channel(long(request)).await?.into_inner();
    drop(working);
    let took = units::from_wire(answer.took.as_ref()).unwrap_or_default();
    let view = Tested { took_ms: took.as_millis(), answer: answer.answer };
    out.one(&view, |out| out.line(&format!("{channel} took it in {} ms: {}", view.took_ms, view.answer)))
}

/// A delivery, for programs.
#[derive(Serialize)]
struct DeliveryView {
    id: String,
    alarm_id: String,
    channel: String,
    occasion: String,
    state: String,
    attempts: u32,
    created_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    next_attempt_at: Option<Timestamp>,
    error: String,
}

impl From<AlarmDelivery> for DeliveryView {
    fn from(delivery: AlarmDelivery) -> Self {
        Self {
            id: delivery.id,
            created_at: when::from_wire(delivery.created_at.as_ref()),
            finished_at: when::from_wire(delivery.finished_at.as_ref()),
            next_attempt_at: when::from_wire(delivery.next_attempt_at.as_ref()),
            alarm_id: delivery.alarm_id,
            channel: delivery.channel_name,
            occasion: AlarmOccasion::word_of(delivery.occasion),
            state: AlarmDeliveryState::word_of(delivery.state),
            attempts: delivery.attempts,
            error: delivery.error,
        }
    }
}

pub(super) async fn deliveries(hub: &Hub, args: DeliveriesArgs, out: &mut Out) -> Result<(), Failure> {
    let alarm = args.alarm.unwrap_or_default();
    let deliveries = pages::up_to(args.limit.max(1), async |page_size, page_token| {
        let request = ListAlarmDeliveriesRequest { alarm: alarm.clone(), page_size, page_token };
        let page = hub.alarms().list_alarm_deliveries(quick(request)).await?.into_inner();
        Ok((page.deliveries, page.next_page_token))
    });
    let views: Vec<_> = deliveries.await?.0.into_iter().map(DeliveryView::from).collect();
    if views.is_empty() && !out.is_json() {
        return out.line("nothing was sent yet");
    }
    let zone = out.zone().clone();
    out.list(&views, &["MADE", "CHANNEL", "OCCASION", "STATE", "TRIES", "ERROR"], |view| {
        vec![
            view.created_at.map(|at| when::show(at, &zone)).unwrap_or_default(),
            view.channel.clone(),
            view.occasion.clone(),
            view.state.clone(),
            view.attempts.to_string(),
            view.error.clone(),
        ]
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        to: To,
    }

    fn target(line: &[&str]) -> Result<Option<Target>, String> {
        let line = Line::try_parse_from([&["x"], line].concat()).map_err(|error| error.to_string())?;
        line.to.target().map_err(|failure| failure.to_string())
    }

    #[test]
    fn targets_are_one_of_four_kinds() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, "hush\n").expect("written");
        let file = file.to_str().expect("a path");
        let webhook = Webhook { url: "https://x".into(), secret: "hush".into() };
        let written = target(&["--webhook", "https://x", "--secret-file", file]);
        assert_eq!(written, Ok(Some(Target::Webhook(webhook))));
        let line = ["--email", "smtps://a@b", "--from", "a@b", "--to", "c@d", "--to", "e@f"];
        let to = vec!["c@d".to_owned(), "e@f".to_owned()];
        let email = Email { server: "smtps://a@b".into(), password: String::new(), from: "a@b".into(), to };
        assert_eq!(target(&line), Ok(Some(Target::Email(email))));
        assert_eq!(target(&[]), Ok(None));
        for wrong in [&["--ntfy", "a", "--mqtt", "b"][..], &["--to", "c@d"], &["--secret-file", file]] {
            assert!(target(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
