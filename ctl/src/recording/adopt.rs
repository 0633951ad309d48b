//! `larderctl recording adopt`.

use jiff::Timestamp;
use larder_proto::pb::{AdoptFootageRequest, FindFootageRequest, FoundCamera, FoundFootage};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out,
    client::Hub,
    output::table,
    progress::Progress,
    units::{show_bytes, show_count, show_length},
    when,
};

/// What there is, and what was done with it, for programs.
#[derive(Clone, Debug, Serialize)]
struct FootageView {
    cameras: Vec<CameraView>,
    days: u32,
    foreign: String,
    is_adopted: bool,
}

/// One camera's footage, for programs.
#[derive(Clone, Debug, Serialize)]
struct CameraView {
    camera_id: String,
    name: String,
    is_named: bool,
    key_opens: bool,
    recordings: u64,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    days: u32,
    size_bytes: u64,
}

/// Shows what there is, asks, and waits until it is taken over.
pub(super) async fn adopt(hub: &Hub, yes: bool, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let working = out.working("looking for footage");
    let found = hub.recordings().find_footage(FindFootageRequest {}).await?.into_inner();
    drop(working);
    let mut view = FootageView::from(found);
    if view.cameras.is_empty() && view.foreign.is_empty() {
        return out.one(&view, |out| out.line("there is no footage that the hub does not know"));
    }
    if !out.is_json() {
        show(&view, out)?;
    }
    out.confirm(&question(&view), yes)?;
    let mut answers = hub.recordings().adopt_footage(AdoptFootageRequest {}).await?.into_inner();
    let all = view.cameras.iter().map(|camera| camera.recordings).sum();
    let bar = Progress::of_count(out);
    bar.of(all);
    loop {
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => {
                out.note("The hub goes on with it; `larderctl recording adopt` shows what is left");
                return Err(Failure::Interrupted);
            }
            answer = answers.message() => answer?,
        };
        let Some(answer) = answer else { break };
        bar.set(answer.recordings);
    }
    drop(bar);
    view.is_adopted = true;
    out.one(&view, |out| {
        let cameras = show_length(view.cameras.len(), "camera");
        out.line(&format!("took over {cameras} with {}", show_count(all, "recording")))?;
        for lost in view.cameras.iter().filter(|camera| !camera.key_opens) {
            let name = &lost.name;
            out.line(&format!("{name} needs a new key: larderctl camera key {name}, and set its board up with it"))?;
        }
        Ok(())
    })
}

/// In the person's words, and what only they can know.
fn question(view: &FootageView) -> String {
    let cameras = show_length(view.cameras.len(), "camera");
    let days = show_count(view.days, "day");
    let warning = match view.foreign.as_str() {
        "" => String::new(),
        foreign => format!("\nMind that {foreign}."),
    };
    format!(
        "{cameras}, {days} of footage found. Take them over? Nothing is deleted for it; the cameras' limits of age and \
         size hold again.{warning}"
    )
}

fn show(view: &FootageView, out: &mut Out) -> Result<(), Failure> {
    let zone = out.zone().clone();
    let at = |at: Option<Timestamp>| at.map(|at| when::show(at, &zone)).unwrap_or_default();
    let rows = view.cameras.iter().map(|camera| {
        let key = if camera.key_opens { "known" } else { "lost" };
        vec![
            camera.name.clone(),
            camera.recordings.to_string(),
            at(camera.started_at),
            at(camera.ended_at),
            show_bytes(camera.size_bytes),
            key.to_owned(),
        ]
    });
    out.line(&table(&["CAMERA", "RECORDINGS", "FROM", "TO", "SIZE", "KEY"], rows))
}

impl From<FoundFootage> for FootageView {
    fn from(found: FoundFootage) -> Self {
        let cameras = found.cameras.into_iter().map(CameraView::from).collect();
        Self { cameras, days: found.days, foreign: found.foreign, is_adopted: false }
    }
}

impl From<FoundCamera> for CameraView {
    fn from(found: FoundCamera) -> Self {
        Self {
            camera_id: found.camera_id,
            name: found.name,
            is_named: found.is_named,
            key_opens: found.key_opens,
            recordings: found.recordings,
            started_at: when::from_wire(found.started_at.as_ref()),
            ended_at: when::from_wire(found.ended_at.as_ref()),
            days: found.days,
            size_bytes: found.size_bytes,
        }
    }
}
