//! Footage that has no rows, as whoever asks is told of it.

use std::sync::Arc;

use futures_util::{Stream, stream};
use jiff::Timestamp;
use larder_proto::{pb, wire::CameraId};
use tokio::sync::watch;

use crate::{
    outcome::{Kind, Refusal},
    pb_time::timestamp,
};

/// Footage that has no rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Whose.
    pub cameras: Vec<FoundCamera>,
    /// UTC days with footage of any of them.
    pub days: u32,
    /// Why the hub does not record into this folder until it is taken over.
    pub foreign: Option<String>,
}

/// One camera's footage.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundCamera {
    /// Whose.
    pub camera: CameraId,
    /// What it is called, or is going to be.
    pub name: String,
    /// Whether its name and settings are known.
    pub is_named: bool,
    /// Whether its board can go on with the key it has.
    pub key_opens: bool,
    /// How many.
    pub recordings: u64,
    /// Start of the first.
    pub started_at: Option<Timestamp>,
    /// End of the last.
    pub ended_at: Option<Timestamp>,
    /// UTC days on which one began.
    pub days: u32,
    /// Of all files.
    pub bytes: u64,
}

/// How far taking it over is.
#[derive(Clone, Debug, Default)]
pub struct Adopted {
    /// Cameras that are taken over.
    pub cameras: usize,
    /// Recordings that have their rows.
    pub recordings: u64,
    /// Of so many.
    pub all_recordings: u64,
    /// That it is over, and how.
    pub ended: Option<Result<(), Arc<Refusal>>>,
}

/// Who takes footage over.
#[tonic::async_trait]
pub trait Adopting: Send + Sync + 'static {
    /// What there is.
    async fn found(&self) -> Result<Found, Refusal>;
    /// Takes all of it over; goes on when nobody watches.
    fn adopt(&self) -> watch::Receiver<Adopted>;
}

pub(super) fn found(found: Found) -> pb::FoundFootage {
    let Found { cameras, days, foreign } = found;
    pb::FoundFootage { cameras: cameras.into_iter().map(camera).collect(), days, foreign: foreign.unwrap_or_default() }
}

fn camera(found: FoundCamera) -> pb::FoundCamera {
    pb::FoundCamera {
        camera_id: found.camera.to_string(),
        name: found.name,
        is_named: found.is_named,
        key_opens: found.key_opens,
        recordings: found.recordings,
        started_at: found.started_at.map(timestamp),
        ended_at: found.ended_at.map(timestamp),
        days: found.days,
        size_bytes: found.bytes,
    }
}

pub(super) fn progress(adopted: &Adopted) -> pb::AdoptFootageResponse {
    pb::AdoptFootageResponse {
        cameras: u32::try_from(adopted.cameras).unwrap_or(u32::MAX),
        recordings: adopted.recordings,
        all_recordings: adopted.all_recordings,
    }
}

/// Progress until it is over.
pub(super) fn stream(
    progress_of: watch::Receiver<Adopted>,
) -> impl Stream<Item = Result<pb::AdoptFootageResponse, Refusal>> {
    stream::unfold(Some(progress_of), |watched| async move {
        let mut watched = watched?;
        let stopped = watched.changed().await.is_err();
        let seen = watched.borrow_and_update();
        let (message, ended) = (progress(&seen), seen.ended.clone());
        drop(seen);
        match ended {
            Some(Err(refusal)) => Some((Err(Refusal::new(refusal.kind, refusal.message.clone())), None)),
            None if stopped => {
                Some((Err(Refusal::new(Kind::Unavailable, "the hub stops; ask again when it is back")), None))
            }
            Some(Ok(())) => Some((Ok(message), None)),
            None => Some((Ok(message), Some(watched))),
        }
    })
}
