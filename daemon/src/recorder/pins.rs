//! Pins in the runs' own files, so that they hold while the database is away. Rows are the truth: the sweep makes files
//! say what rows say.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use larder_proto::wire::CameraId;
use thiserror::Error;
use uuid::Uuid;

use super::{
    collect::blocking,
    disk::DiskError,
    recover::{RunOnDisk, run_folders},
    run_file,
    shared::Shared,
    sweep::SweepError,
};
use crate::{
    db,
    outcome::chain,
    parts::Trouble,
    recordings::{Pin, PinError, RunId},
};

/// A run lies in the folder of the day on which it began, and ends at midnight.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(24);

/// Why a range was not pinned.
#[derive(Debug, Error)]
pub enum PinFailed {
    /// Its row was not written.
    #[error(transparent)]
    Row(#[from] PinError),
    /// It could not be written beside the recordings.
    #[error("nothing was pinned")]
    Disk(#[from] DiskError),
    /// The recordings are not there.
    #[error("nothing was pinned: {}", .0.detail)]
    Away(Trouble),
}

/// The pins that are known, by camera.
#[derive(Default)]
pub(super) struct Pins {
    known: Mutex<HashMap<CameraId, Vec<Range<Timestamp>>>>,
    /// Held from a change's first file to its row: neither the sweep nor a deletion without rows may come between.
    pub(super) changing: tokio::sync::Mutex<()>,
}

impl Pins {
    /// Those of a camera that may reach into a run which begins at that moment; `None` until they are known.
    pub(super) fn of_run(&self, camera: CameraId, started_at: Timestamp) -> Option<Vec<Range<Timestamp>>> {
        let known = self.known();
        let pins = known.get(&camera)?.iter().filter(|pin| pin.end > started_at);
        Some(pins.cloned().collect())
    }

    pub(super) fn forget(&self, camera: CameraId) {
        self.known().remove(&camera);
    }

    fn change(&self, camera: CameraId, change: impl FnOnce(&mut Vec<Range<Timestamp>>)) {
        self.known().get_mut(&camera).map(change);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<CameraId, Vec<Range<Timestamp>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a camera's pins from the rows.
pub(super) async fn load(shared: &Shared, camera: CameraId) -> Result<(), db::Error> {
    let _changing = shared.pins.changing.lock().await;
    let pins = shared.store.pins_of(camera).await?;
    shared.pins.known().insert(camera, pins);
    Ok(())
}

/// Pins a range: in the files first, then in a row.
pub(super) async fn pin(
    shared: &Arc<Shared>,
    camera: CameraId,
    range: Range<Timestamp>,
    note: &str,
) -> Result<Pin, PinFailed> {
    let _changing = shared.pins.changing.lock().await;
    shared.check_folder().await.map_err(PinFailed::Away)?;
    // Known before files are looked for: a run that begins meanwhile asks for them.
    shared.pins.change(camera, |pins| pins.push(range.clone()));
    let pinned = match write(shared, camera, &range, Vec::push).await {
        Ok(()) => shared.store.pin(camera, &range, note).await.map_err(PinFailed::from),
        Err(error) => Err(error.into()),
    };
    if pinned.is_err() {
        take_back(shared, camera, &range).await;
    }
    pinned
}

/// Takes a pin away: its row first, then from the files. `false` when there is none.
pub(super) async fn unpin(shared: &Arc<Shared>, id: Uuid) -> Result<bool, db::Error> {
    let _changing = shared.pins.changing.lock().await;
    let Some(pin) = shared.store.unpin(id).await? else { return Ok(false) };
    take_back(shared, pin.camera, &pin.range).await;
    Ok(true)
}

/// What is left of a pin in files holds too much and nothing too little: the sweep takes it away.
async fn take_back(shared: &Arc<Shared>, camera: CameraId, range: &Range<Timestamp>) {
    shared.pins.change(camera, |pins| remove(pins, range.clone()));
    if let Err(error) = write(shared, camera, range, remove).await {
        tracing::warn!(camera.id = %camera, error = chain(&error), "a pin was not taken from every file; the sweep will");
        shared.sweep.notify_one();
    }
}

/// Several pins may have the same range: one of them goes.
fn remove(pins: &mut Vec<Range<Timestamp>>, range: Range<Timestamp>) {
    if let Some(at) = pins.iter().position(|pin| *pin == range) {
        pins.remove(at);
    }
}

async fn write(
    shared: &Shared,
    camera: CameraId,
    range: &Range<Timestamp>,
    change: fn(&mut Vec<Range<Timestamp>>, Range<Timestamp>),
) -> Result<(), DiskError> {
    let (folder, range) = (shared.camera_folder(camera), range.clone());
    // While rows are away no pin is set, and of those that are taken back the sweep makes sure.
    let shifted = shared.store.shifted_runs(camera).await.unwrap_or_default();
    blocking(move || {
        for folder in run_folders(&folder)?.iter().filter(|folder| may_reach_into(folder, &range, &shifted)) {
            run_file::change(folder, |run, notes| {
                let reaches = run.started_at < range.end && run.ended_at.is_none_or(|end| end > range.start);
                // Whose pins are not known counts as pinned anyway.
                if let (true, Some(pins)) = (reaches, &mut notes.pins) {
                    change(pins, range.clone());
                }
            })?;
        }
        Ok(())
    })
    .await
}

/// Judged by the day of its folder, unless it was dated anew.
fn may_reach_into(run: &Path, range: &Range<Timestamp>, shifted: &HashSet<RunId>) -> bool {
    let id = run.file_name().and_then(|name| Uuid::try_parse(name.to_str()?).ok());
    if id.is_some_and(|id| shifted.contains(&RunId(id))) {
        return true;
    }
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let first = range.start.checked_sub(LONGEST_RUN).unwrap_or(Timestamp::MIN);
    let of_run = run.parent().and_then(Path::file_name).map(|day| day.to_string_lossy());
    of_run.is_none_or(|of_run| (day(first)..=day(range.end)).contains(&of_run.into_owned()))
}

/// Makes the files of a camera's runs say which of its pins the rows know.
pub(super) async fn follow_rows(shared: &Shared, camera: CameraId, runs: &[RunOnDisk]) -> Result<(), SweepError> {
    let _changing = shared.pins.changing.lock().await;
    let pins = shared.store.pins_of(camera).await?;
    shared.pins.known().insert(camera, pins.clone());
    let stale: Vec<_> = runs
        .iter()
        .filter_map(|on_disk| {
            let run = &on_disk.run;
            let reaches = |pin: &&Range<Timestamp>| {
                pin.end > run.started_at && run.ended_at.is_none_or(|ended_at| pin.start < ended_at)
            };
            let wanted: Vec<_> = pins.iter().filter(reaches).cloned().collect();
            let same = on_disk.notes.pins.as_ref().is_some_and(|found| sorted(found) == sorted(&wanted));
            (!same).then(|| (on_disk.folder.clone(), wanted))
        })
        .collect();
    let written = move || {
        stale
            .into_iter()
            .try_for_each(|(folder, wanted)| run_file::change(&folder, |_, notes| notes.pins = Some(wanted)))
    };
    Ok(blocking(written).await?)
}

fn sorted(pins: &[Range<Timestamp>]) -> Vec<(Timestamp, Timestamp)> {
    let mut pins: Vec<_> = pins.iter().map(|pin| (pin.start, pin.end)).collect();
    pins.sort_unstable();
    pins
}
