//! `larderctl recording verify`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use larder_proto::pb::{DamagedSegment, VerifyRecordingsRequest, VerifyRecordingsResponse};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{OptionalRange, names};
use crate::{
    Failure, Out,
    client::Hub,
    output::table,
    progress::Progress,
    units::{show_bytes, show_count, show_length},
    when,
};

/// What was found, for programs.
#[derive(Clone, Debug, Serialize)]
struct VerifiedView {
    segments: u64,
    bytes: u64,
    not_verifiable: u64,
    damaged: Vec<DamagedView>,
}

/// A file that is not what was recorded, for programs.
#[derive(Clone, Debug, Serialize)]
struct DamagedView {
    camera_id: String,
    camera: Option<String>,
    recording_id: String,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    path: String,
    fragments: u32,
    damaged: u32,
    is_missing: bool,
}

/// Verifies until everything was read, or until it is stopped.
pub(super) async fn verify(
    hub: &Hub,
    camera: Option<String>,
    range: OptionalRange,
    out: &mut Out,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let names = names(hub).await?;
    // Not quick: a year of recordings is read for hours.
    let request = VerifyRecordingsRequest { camera: camera.unwrap_or_default(), range: range.wire(out)? };
    let mut answers = hub.recordings().verify_recordings(request).await?.into_inner();
    let mut bar: Option<Progress> = None;
    let mut found = Vec::new();
    let mut last = VerifyRecordingsResponse::default();
    loop {
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Failure::Interrupted),
            answer = answers.message() => answer?,
        };
        let Some(answer) = answer else { break };
        let bar = bar.get_or_insert_with(|| Progress::of_whole(out, answer.all_bytes));
        bar.set(answer.bytes);
        bar.at(format!("{} of {}", show_bytes(answer.bytes), show_bytes(answer.all_bytes)));
        found.extend(answer.damaged.iter().map(|damaged| DamagedView::of(damaged, &names)));
        last = answer;
    }
    drop(bar);
    let (segments, bytes, not_verifiable) = (last.segments, last.bytes, last.not_verifiable);
    let view = VerifiedView { segments, bytes, not_verifiable, damaged: found };
    out.one(&view, |out| show(&view, out))?;
    if view.damaged.is_empty() {
        return Ok(());
    }
    Err(Failure::Other(format!("{} damaged or missing", show_length(view.damaged.len(), "file"))))
}

fn show(view: &VerifiedView, out: &mut Out) -> Result<(), Failure> {
    if !view.damaged.is_empty() {
        let zone = out.zone().clone();
        let rows = view.damaged.iter().map(|damaged| {
            let state = if damaged.is_missing {
                "missing".to_owned()
            } else {
                format!("{} of {} damaged", damaged.damaged, show_count(damaged.fragments, "fragment"))
            };
            let started_at = damaged.started_at.map(|at| when::show(at, &zone)).unwrap_or_default();
            let camera = damaged.camera.clone().unwrap_or_else(|| damaged.camera_id.clone());
            vec![camera, started_at, state, damaged.path.clone()]
        });
        out.line(&table(&["CAMERA", "STARTED", "STATE", "FILE"], rows))?;
    }
    let what = format!("{}, {}", show_count(view.segments, "file"), show_bytes(view.bytes));
    match (view.segments, view.damaged.len()) {
        (0, 0) => out.line("there is nothing to verify")?,
        (_, 0) => out.line(&format!("verified {what}: nothing is damaged"))?,
        _ => out.line(&format!("verified {what}; what is damaged is left out of playback"))?,
    }
    if view.not_verifiable > 0 {
        let files = show_count(view.not_verifiable, "file");
        out.line(&format!("{files} of a former release without checksums: not verifiable"))?;
    }
    Ok(())
}

impl DamagedView {
    fn of(damaged: &DamagedSegment, names: &BTreeMap<String, String>) -> Self {
        Self {
            camera: names.get(&damaged.camera_id).cloned(),
            camera_id: damaged.camera_id.clone(),
            recording_id: damaged.recording_id.clone(),
            started_at: when::from_wire(damaged.started_at.as_ref()),
            ended_at: when::from_wire(damaged.ended_at.as_ref()),
            path: damaged.path.clone(),
            fragments: damaged.fragments,
            damaged: damaged.damaged,
            is_missing: damaged.is_missing,
        }
    }
}
