//! The hub itself: `status`, `version`, `events`.

mod attention;
mod glance;
mod status;

use std::collections::BTreeMap;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use jiff::Timestamp;
use larder_proto::{
    Words as _,
    pb::{Event, EventKind, GetVersionRequest, ListCamerasRequest, WatchEventsRequest},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    Failure, Out,
    cli::hub,
    client::{Hub, next, quick},
    target::TargetArgs,
    when,
};

pub use status::status;

#[derive(Serialize)]
struct VersionView {
    larderctl: &'static str,
    larderd: Option<String>,
    camera_link: Option<u32>,
}

/// `larderctl version`. This program's own version is shown even when no hub answers.
///
/// # Errors
///
/// The hub cannot be reached or refuses.
pub async fn version(target: &TargetArgs, out: &mut Out) -> Result<(), Failure> {
    let answer = async {
        let hub = hub(target).await?;
        Ok::<_, Failure>(hub.system().get_version(quick(GetVersionRequest {})).await?.into_inner())
    }
    .await;
    let view = VersionView {
        larderctl: env!("CARGO_PKG_VERSION"),
        larderd: answer.as_ref().ok().map(|version| version.version.clone()),
        camera_link: answer.as_ref().ok().map(|version| version.camera_link),
    };
    out.one(&view, |out| {
        out.fields(&[
            ("larderctl", view.larderctl.to_owned()),
            ("larderd", view.larderd.clone().unwrap_or_default()),
            ("camera link", view.camera_link.map(|version| version.to_string()).unwrap_or_default()),
        ])
    })?;
    answer.map(|_| ())
}

/// Which events to show.
#[derive(Args, Clone, Debug, Default)]
pub struct EventsArgs {
    /// Only these kinds, for example camera_offline; may be repeated
    #[arg(long = "kind", value_name = "KIND", value_parser = event_kinds())]
    pub kinds: Vec<EventKind>,
}

/// Every kind of event, by its word.
fn event_kinds() -> impl TypedValueParser<Value = EventKind> {
    let words = (1..).map_while(|number| EventKind::try_from(number).ok()).map(EventKind::word);
    PossibleValuesParser::new(words.map(clap::builder::PossibleValue::new))
        .map(|word| EventKind::from_word(&word).unwrap_or_default())
}

#[derive(Serialize)]
struct EventView<'a> {
    at: Option<Timestamp>,
    kind: String,
    camera_id: Option<&'a str>,
    message: &'a str,
    missed: u64,
}

/// `larderctl events`.
///
/// # Errors
///
/// The hub cannot be reached, refuses, or goes away.
pub async fn events(hub: &Hub, args: EventsArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let mut stream = hub
        .system()
        .watch_events(WatchEventsRequest { kinds: args.kinds.into_iter().map(i32::from).collect() })
        .await?
        .into_inner();
    let mut names = Names::default();
    loop {
        let Some(event) = next(&mut stream, &stop).await? else { return Ok(()) };
        if out.is_json() {
            out.json_line(&EventView {
                at: when::from_wire(event.at.as_ref()),
                kind: event.kind().word(),
                camera_id: Some(event.camera_id.as_str()).filter(|id| !id.is_empty()),
                message: &event.message,
                missed: event.missed,
            })?;
        } else {
            let name = names.of(hub, &event.camera_id).await?;
            out.line(&event_line(&event, &name, out))?;
        }
    }
}

fn event_line(event: &Event, camera: &str, out: &Out) -> String {
    let at = when::from_wire(event.at.as_ref()).map(|at| when::show(at, out.zone())).unwrap_or_default();
    let missed =
        if event.missed > 0 { format!(" ({} events before it were missed)", event.missed) } else { String::new() };
    format!("{at}  {:<18}  {camera:<12}  {}{missed}", event.kind().word(), event.message)
}

/// Cameras' names by id, asked for when an unknown id comes.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    async fn of(&mut self, hub: &Hub, id: &str) -> Result<String, Failure> {
        if id.is_empty() {
            return Ok(String::new());
        }
        if !self.0.contains_key(id) {
            let request = ListCamerasRequest { page_size: 1000, ..Default::default() };
            match hub.cameras().list_cameras(quick(request)).await {
                Ok(answer) => {
                    self.0.extend(answer.into_inner().cameras.into_iter().map(|camera| (camera.id, camera.name)));
                }
                // A name is a courtesy: without the database the id has to do.
                Err(status) if status.code() == Code::Unavailable => {}
                Err(status) => return Err(status.into()),
            }
        }
        Ok(self.0.get(id).cloned().unwrap_or_else(|| id.to_owned()))
    }
}
