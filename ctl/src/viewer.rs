//! Who watches live: `larderctl viewer …`.

use clap::Subcommand;
use jiff::Timestamp;
use larder_proto::pb::{DisconnectViewerRequest, ListViewersRequest, Viewer, viewer::Protocol};
use serde::Serialize;
use tonic::Code;

use crate::{
    Failure, Out,
    client::{Hub, quick},
    pages,
    units::{self, show_bytes},
    when,
};

/// What `larderctl viewer` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List live views of all protocols, the oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Only of this camera: name or id
        camera: Option<String>,
    },
    /// End a live view; to keep somebody out for good, revoke the token
    Disconnect {
        /// Its id, or the beginning of it
        viewer: String,
    },
}

/// A live view, for programs.
#[derive(Debug, Serialize)]
pub struct View {
    id: String,
    camera_id: String,
    camera: String,
    protocol: &'static str,
    address: String,
    user: String,
    client: String,
    connected_at: Option<Timestamp>,
    frames_delivered: u64,
    frames_skipped: u64,
    queued_bytes: u64,
    round_trip_seconds: Option<f64>,
    fps: f64,
    bytes_per_second: f64,
    limits: Option<LimitsView>,
}

/// What holds a view down.
#[derive(Debug, Serialize)]
struct LimitsView {
    fps: Option<f64>,
    width: Option<u32>,
    height: Option<u32>,
    by_line: bool,
}

impl From<Viewer> for View {
    fn from(viewer: Viewer) -> Self {
        Self {
            protocol: protocol_name(viewer.protocol()),
            connected_at: when::from_wire(viewer.connected_at.as_ref()),
            round_trip_seconds: units::from_wire(viewer.round_trip.as_ref()).map(|trip| trip.as_secs_f64()),
            limits: viewer.limits.map(|limits| LimitsView {
                fps: limits.fps,
                width: limits.width,
                height: limits.height,
                by_line: limits.by_line,
            }),
            id: viewer.id,
            camera_id: viewer.camera_id,
            camera: viewer.camera_name,
            address: viewer.address,
            user: viewer.user,
            client: viewer.client,
            frames_delivered: viewer.frames_delivered,
            frames_skipped: viewer.frames_skipped,
            queued_bytes: viewer.queued_bytes,
            fps: viewer.fps,
            bytes_per_second: viewer.bytes_per_second,
        }
    }
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Websocket => "websocket",
        Protocol::Mjpeg => "mjpeg",
        Protocol::Quic => "quic",
        Protocol::Webtransport => "webtransport",
        Protocol::Moq => "moq",
        Protocol::Unspecified => "unknown",
    }
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out) -> Result<(), Failure> {
    match command {
        Command::List { camera } => {
            let views = all(hub, camera.unwrap_or_default()).await?;
            if views.is_empty() && !out.is_json() {
                return out.line("nobody watches live");
            }
            show(&views, out)
        }
        Command::Disconnect { viewer } => {
            let id = find(all(hub, String::new()).await?, &viewer)?;
            hub.viewers().disconnect_viewer(quick(DisconnectViewerRequest { id: id.clone() })).await?;
            out.done(&format!("disconnected {id}"))
        }
    }
}

/// Who watches, for whoever may know; `None` for others.
///
/// # Errors
///
/// The hub goes away.
pub async fn if_allowed(hub: &Hub) -> Result<Option<Vec<View>>, Failure> {
    match all(hub, String::new()).await {
        // A hub of an earlier version does not know the question.
        Err(Failure::Refused(status)) if matches!(status.code(), Code::PermissionDenied | Code::Unimplemented) => {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

async fn all(hub: &Hub, camera: String) -> Result<Vec<View>, Failure> {
    let viewers = pages::all(async |page_size: i32, page_token| {
        let request = ListViewersRequest { camera: camera.clone(), page_size, page_token };
        let answer = hub.viewers().list_viewers(quick(request)).await?.into_inner();
        Ok((answer.viewers, answer.next_page_token))
    });
    Ok(viewers.await?.into_iter().map(View::from).collect())
}

/// The one whose id begins so.
fn find(views: Vec<View>, wanted: &str) -> Result<String, Failure> {
    let mut found = views.into_iter().map(|view| view.id).filter(|id| id.starts_with(wanted));
    match (found.next(), found.next()) {
        (Some(id), None) if !wanted.is_empty() => Ok(id),
        (None, _) => Err(Failure::Other(format!("no viewer {wanted:?}; see: larderctl viewer list"))),
        _ => Err(Failure::Usage(format!("{wanted:?} is not one viewer alone; write more of its id"))),
    }
}

/// A table of them.
///
/// # Errors
///
/// The output is gone.
pub fn show(views: &[View], out: &mut Out) -> Result<(), Failure> {
    let headers =
        ["VIEWER", "CAMERA", "PROTOCOL", "USER", "ADDRESS", "FPS", "RATE", "DELIVERED", "SKIPPED", "QUEUED", "RTT"];
    out.list(views, &headers, |view| {
        vec![
            view.id.chars().take(8).collect(),
            view.camera.clone(),
            view.protocol.to_owned(),
            view.user.clone(),
            view.address.clone(),
            fps(view),
            format!("{}/s", show_bytes(whole(view.bytes_per_second))),
            view.frames_delivered.to_string(),
            view.frames_skipped.to_string(),
            show_bytes(view.queued_bytes),
            view.round_trip_seconds.map(|trip| format!("{:.0} ms", trip * 1000.0)).unwrap_or_default(),
        ]
    })
}

/// The rate, and what holds it down.
fn fps(view: &View) -> String {
    match &view.limits {
        Some(limits) if limits.by_line => format!("{:.1} (line)", view.fps),
        Some(LimitsView { fps: Some(most), .. }) => format!("{:.1} of {most}", view.fps),
        _ => format!("{:.1}", view.fps),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of bytes, never negative")]
fn whole(rate: f64) -> u64 {
    rate.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Written;

    fn viewer(id: &str) -> View {
        View::from(Viewer {
            id: id.to_owned(),
            camera_name: "fridge".to_owned(),
            protocol: Protocol::Quic.into(),
            address: "192.0.2.1:50000".to_owned(),
            user: "tv".to_owned(),
            frames_delivered: 1234,
            frames_skipped: 5,
            queued_bytes: 108_000,
            round_trip: Some(prost_types::Duration { seconds: 0, nanos: 81_000_000 }),
            fps: 17.66,
            bytes_per_second: 953_000.0,
            ..Default::default()
        })
    }

    #[test]
    fn views_are_listed_with_what_they_cost_the_line() {
        let written = Written::default();
        show(&[viewer("018f6b0c-7d9a-4c3e-9b1f-2a3b4c5d6e7f")], &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        VIEWER    CAMERA  PROTOCOL  USER  ADDRESS          FPS   RATE        DELIVERED  SKIPPED  QUEUED    RTT
        018f6b0c  fridge  quic      tv    192.0.2.1:50000  17.7  953.0 kB/s  1234       5        108.0 kB  81 ms
        ");
        let json = serde_json::to_value(viewer("018f6b0c")).expect("json");
        assert_eq!((&json["round_trip_seconds"], &json["protocol"]), (&0.081.into(), &"quic".into()));
    }

    #[test]
    fn a_view_is_named_by_the_beginning_of_its_id() {
        let views = || vec![viewer("abc1"), viewer("abd2")];
        assert_eq!(find(views(), "abc").expect("one"), "abc1");
        assert!(matches!(find(views(), "ab"), Err(Failure::Usage(_))));
        assert!(matches!(find(views(), ""), Err(Failure::Usage(_))));
        assert!(matches!(find(views(), "x"), Err(Failure::Other(_))));
    }
}
