//! The hub itself: `status`, `version`, `events`.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use jiff::Timestamp;
use larder_proto::pb::{
    Event, GetStatusRequest, GetVersionRequest, ListCamerasRequest, SystemStatus, WatchEventsRequest,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    Failure, Out,
    cli::hub,
    client::{Hub, quick},
    target::TargetArgs,
    units::{self, show_bytes, show_duration},
    when,
};

/// How the hub is doing, for programs.
#[derive(Debug, Serialize)]
struct StatusView {
    version: String,
    started_at: Option<Timestamp>,
    uptime_seconds: u64,
    ready: bool,
    parts: Vec<PartView>,
    cameras: u32,
    cameras_online: u32,
    recording: u32,
    viewers: u32,
    disk: Option<DiskView>,
    listeners: Vec<ListenerView>,
}

#[derive(Debug, Serialize)]
struct PartView {
    name: String,
    ready: bool,
    detail: String,
}

#[derive(Debug, Serialize)]
struct DiskView {
    path: String,
    total_bytes: u64,
    free_bytes: u64,
    floor_bytes: u64,
    recordings_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ListenerView {
    name: String,
    address: String,
}

impl From<SystemStatus> for StatusView {
    fn from(status: SystemStatus) -> Self {
        let parts: Vec<_> = status
            .parts
            .into_iter()
            .map(|part| PartView { name: part.name, ready: part.ready, detail: part.detail })
            .collect();
        Self {
            version: status.version.map(|version| version.version).unwrap_or_default(),
            started_at: when::from_wire(status.started_at.as_ref()),
            uptime_seconds: units::from_wire(status.uptime.as_ref()).unwrap_or_default().as_secs(),
            ready: parts.iter().all(|part| part.ready),
            parts,
            cameras: status.cameras,
            cameras_online: status.cameras_online,
            recording: status.recording,
            viewers: status.viewers,
            disk: status.disk.map(|disk| DiskView {
                path: disk.path,
                total_bytes: disk.total_bytes,
                free_bytes: disk.free_bytes,
                floor_bytes: disk.floor_bytes,
                recordings_bytes: disk.recordings_bytes,
            }),
            listeners: status
                .listeners
                .into_iter()
                .map(|listener| ListenerView { name: listener.name, address: listener.address })
                .collect(),
        }
    }
}

/// `larderctl status`.
///
/// # Errors
///
/// The hub cannot be reached or refuses.
pub async fn status(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
    let view = StatusView::from(status);
    out.one(&view, |out| show_status(&view, out))
}

fn show_status(view: &StatusView, out: &mut Out) -> Result<(), Failure> {
    let since = view.started_at.map(|at| format!(" (since {})", when::show(at, out.zone()))).unwrap_or_default();
    let mut fields = vec![
        ("Larder", format!("{}, up {}{since}", view.version, show_duration(Duration::from_secs(view.uptime_seconds)))),
        ("Cameras", format!("{} of {} online, {} recording", view.cameras_online, view.cameras, view.recording)),
        ("Viewers", view.viewers.to_string()),
    ];
    fields.extend(view.disk.as_ref().map(|disk| ("Disk", show_disk(disk))));
    out.fields(&fields)?;
    if !view.parts.is_empty() {
        out.line("")?;
        out.list(&view.parts, &["PART", "STATE", "DETAIL"], |part| {
            vec![part.name.clone(), if part.ready { "ready" } else { "NOT READY" }.to_owned(), part.detail.clone()]
        })?;
    }
    if !view.listeners.is_empty() {
        out.line("")?;
        out.list(&view.listeners, &["LISTENER", "ADDRESS"], |listener| {
            vec![listener.name.clone(), listener.address.clone()]
        })?;
    }
    Ok(())
}

fn show_disk(disk: &DiskView) -> String {
    if disk.total_bytes == 0 {
        return format!("{}, not looked at yet", disk.path);
    }
    format!(
        "{} of recordings, {} of {} free (recording stops below {}) in {}",
        show_bytes(disk.recordings_bytes),
        show_bytes(disk.free_bytes),
        show_bytes(disk.total_bytes),
        show_bytes(disk.floor_bytes),
        disk.path
    )
}

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

/// Which events to tell.
#[derive(Args, Clone, Debug, Default)]
pub struct EventsArgs {
    /// Only these kinds, for example camera.offline; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,
}

#[derive(Serialize)]
struct EventView<'a> {
    at: Option<Timestamp>,
    kind: &'a str,
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
    let mut stream = hub.system().watch_events(WatchEventsRequest { kinds: args.kinds }).await?.into_inner();
    let mut names = Names::default();
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            event = stream.message() => event?,
        };
        let Some(event) = event else {
            return Err(Failure::Other("the hub ended the stream: it stops or has ended your session".to_owned()));
        };
        if out.is_json() {
            out.json_line(&EventView {
                at: when::from_wire(event.at.as_ref()),
                kind: &event.kind,
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
    format!("{at}  {:<18}  {camera:<12}  {}{missed}", event.kind, event.message)
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

#[cfg(test)]
mod tests {
    use larder_proto::pb::{Version, system_status};

    use super::*;
    use crate::output::tests::Written;

    fn status() -> StatusView {
        StatusView::from(SystemStatus {
            version: Some(Version { version: "0.1.0".into(), camera_link: 1 }),
            started_at: Some(when::to_wire(Timestamp::from_second(1_790_000_000).expect("a time"))),
            uptime: Some(units::to_wire(Duration::from_secs(3_725))),
            parts: vec![
                system_status::Part { name: "recorder".into(), ready: true, detail: String::new() },
                system_status::Part { name: "database".into(), ready: false, detail: "no server: starting".into() },
            ],
            cameras: 2,
            cameras_online: 1,
            viewers: 0,
            recording: 1,
            disk: Some(system_status::Disk {
                path: "/var/lib/larder/recordings".into(),
                total_bytes: 500_000_000_000,
                free_bytes: 123_400_000_000,
                floor_bytes: 5_000_000_000,
                recordings_bytes: 42_000_000,
            }),
            listeners: vec![system_status::Listener { name: "http".into(), address: "0.0.0.0:8080".into() }],
        })
    }

    #[test]
    fn status_reads_at_a_glance() {
        let written = Written::default();
        let mut out = written.out(false);
        show_status(&status(), &mut out).expect("written");
        insta::assert_snapshot!(written.text());
    }

    #[test]
    fn status_for_programs_has_seconds_and_bytes() {
        let written = Written::default();
        let mut out = written.out(true);
        let view = status();
        out.one(&view, |_| Ok(())).expect("written");
        insta::assert_snapshot!(written.text());
    }
}
