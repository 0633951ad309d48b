//! Makes rows say what the files say: after a start, and when the database was away.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::sync::watch;

use super::{
    collect::blocking,
    commit::remove_run,
    dating,
    disk::DiskError,
    marker, pins,
    recover::{self, RunOnDisk, Runs},
    run_file, segments,
    shared::Shared,
};
use crate::{
    clock::is_plausible,
    db, files,
    outcome::chain,
    recordings::{Dated, EndReason, Gap, Run, RunId, Segment, StoredSegment},
};

/// Why a sweep ended early; the next one goes on.
#[derive(Debug, Error)]
pub(super) enum SweepError {
    /// Rows could not be read or written.
    #[error("the database failed while recordings were swept")]
    Rows(#[from] db::Error),
    /// Files could not.
    #[error("the disk failed while recordings were swept")]
    Disk(#[from] DiskError),
    /// The folder is not the one that was recorded to: nothing that is missing there is gone.
    #[error("the recordings folder went away while it was swept: {0}")]
    Away(String),
}

impl SweepError {
    /// Whether every other camera would fare the same.
    fn concerns_all(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Rows(db::Error::Unavailable(_)))
    }
}

pub(super) struct Sweep {
    /// The state folder, which knows the marker.
    state: PathBuf,
    /// Runs that were found whole, in files and rows, and need no second look while the hub runs.
    whole: HashSet<RunId>,
    /// Counts the runs that were looked at, for whoever waits.
    looked: Option<watch::Sender<u64>>,
    /// Whether the clock was set at the last sweep.
    was_set: bool,
}

impl Sweep {
    pub(super) fn new(state: PathBuf) -> Self {
        Self { state, whole: HashSet::new(), looked: None, was_set: true }
    }

    /// Files were deleted without their rows: every run is looked at again.
    pub(super) fn look_again(&mut self) {
        self.whole.clear();
    }

    /// Sweeps every camera whose files were recovered; one that fails does not keep the others from it. The caller
    /// holds `upkeep`.
    pub(super) async fn run(&mut self, shared: &Arc<Shared>) -> Result<(), SweepError> {
        let mut failed = None;
        let is_set = shared.clock.is_set();
        let clock_was_set = is_set && !self.was_set;
        for suspect in shared.take_suspects() {
            self.whole.remove(&suspect);
        }
        for camera in shared.recovered_cameras() {
            match self.camera(shared, camera, clock_was_set).await {
                Ok(()) => {}
                Err(error) if error.concerns_all() => return Err(error),
                Err(error) => {
                    tracing::warn!(camera.id = %camera, error = chain(&error), "a camera's recordings were not swept");
                    failed = Some(error);
                }
            }
        }
        if failed.is_none() {
            self.was_set = is_set;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sweeps one camera, and counts its runs. The caller holds `upkeep`.
    pub(super) async fn adopt_all(
        &mut self,
        shared: &Arc<Shared>,
        camera: CameraId,
        looked: &watch::Sender<u64>,
    ) -> Result<(), SweepError> {
        self.looked = Some(looked.clone());
        self.camera(shared, camera, false).await
    }

    async fn camera(&mut self, shared: &Arc<Shared>, camera: CameraId, clock_was_set: bool) -> Result<(), SweepError> {
        // What was handed in before has the times of before: a run that is dated anew has all its rows when they move.
        shared.rows.flush().await;
        // Rows before files: a run whose row is known has its folder already, also one that began just now.
        let rows = shared.store.runs_known(camera).await?;
        let folder = shared.camera_folder(camera);
        let Runs { known: mut on_disk, newer, unreadable } = blocking(move || recover::runs(&folder, false)).await?;
        shared.set_newer(camera, newer.len());
        let mut rows: HashMap<RunId, Run> = rows.into_iter().map(|run| (run.id, run)).collect();
        dating::files_from_rows(&rows, &mut on_disk).await?;
        dating::rows(shared, camera, &mut rows, &on_disk, clock_was_set).await?;
        let mut failed = pins::follow_rows(shared, camera, &on_disk).await.err();
        if let Some(error) = failed.take_if(|error| error.concerns_all()) {
            return Err(error);
        }
        let there: HashSet<RunId> =
            on_disk.iter().map(|on_disk| on_disk.run.id).chain(newer).chain(unreadable).collect();
        for (at, run) in on_disk.iter().enumerate() {
            let next = on_disk.get(at + 1).map(|next| &next.run);
            if let Some(looked) = &self.looked {
                looked.send_modify(|count| *count += 1);
            }
            match self.adopt(shared, run.clone(), rows.get(&run.run.id), next).await {
                // A file that cannot be read must not hide what was recorded after it.
                Err(error @ SweepError::Disk(_)) => {
                    tracing::debug!(run.id = %run.run.id.0, error = chain(&error), "a run was not swept");
                    failed.get_or_insert(error);
                }
                other => other?,
            }
        }
        for gone in rows.keys().filter(|run| !there.contains(run) && shared.active(**run).is_none()) {
            let segments = shared.store.segments_known(*gone).await?;
            self.forget(shared, segments.iter().collect()).await?;
        }
        if let Some(open) = shared.open_gap(camera).filter(|open| is_plausible(open.since)) {
            let gap = Gap { camera, started_at: open.since, ended_at: None, reason: open.reason };
            shared.store.open_gap(&gap).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    async fn adopt(
        &mut self,
        shared: &Arc<Shared>,
        mut on_disk: RunOnDisk,
        row: Option<&Run>,
        next: Option<&Run>,
    ) -> Result<(), SweepError> {
        let id = on_disk.run.id;
        if self.whole.contains(&id) {
            return Ok(());
        }
        let active = shared.active(id);
        if active.is_none() && on_disk.run.ended_at.is_none() {
            // Its end could not be written when it came; or it began and ended since the folder was read.
            let reason = shared.take_unwritten_end(id);
            on_disk = match blocking(move || end(on_disk, reason.unwrap_or(EndReason::HubDown))).await {
                Ok(Some(ended)) => ended,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if let Some(reason) = reason {
                        shared.end_unwritten(id, reason);
                    }
                    return Err(error.into());
                }
            };
        }
        let known = if row.is_some() { shared.store.segments_known(id).await? } else { Vec::new() };
        // Of a run that has no row yet nothing is lost, either: its files went on purpose, or there never was one.
        let is_meant = |row: &StoredSegment| !row.is_local() || on_disk.notes.is_deleted(row.started_at);
        if active.is_none() && !on_disk.notes.deleted.is_empty() && known.iter().all(is_meant) {
            let folder = on_disk.folder.clone();
            if blocking(move || segments::files(&folder)).await?.is_empty() {
                self.follow_deletion(shared, &on_disk, row, &known).await?;
                return self.gap_behind(shared, &on_disk.run, next).await;
            }
        }
        let fresh = self.missing(shared, &on_disk, &known).await?;
        if fresh.is_empty() && known.is_empty() {
            if active.is_none() {
                blocking(move || remove_empty(&on_disk)).await;
            }
            return Ok(());
        }
        let ends = active.is_none() && row.is_none_or(|row| row.ended_at.is_none());
        let came = row.is_none();
        if came && on_disk.run.dated.is_known {
            shared.store.close_gap(on_disk.run.camera, on_disk.run.started_at).await?;
        }
        if came || ends {
            shared.store.insert_run(&on_disk.run).await?;
        }
        shared.store.upsert_segments(&fresh).await?;
        if let (true, Some(at), Some(reason)) = (ends, on_disk.run.ended_at, on_disk.run.end_reason) {
            shared.store.end_run(id, at, reason).await?;
            self.gap_behind(shared, &on_disk.run, next).await?;
        }
        if !fresh.is_empty() {
            tracing::info!(run.id = %id.0, segments = fresh.len(), "segments without a row were written down");
        }
        if active.is_none() {
            self.whole.insert(id);
        }
        Ok(())
    }

    /// Segments whose row is missing or says less or more than the file; rows without a file are removed.
    async fn missing(
        &self,
        shared: &Arc<Shared>,
        on_disk: &RunOnDisk,
        known: &[StoredSegment],
    ) -> Result<Vec<Segment>, SweepError> {
        let active = shared.active(on_disk.run.id);
        let folder = on_disk.folder.clone();
        let dated = on_disk.run.dated;
        let lengths = blocking(move || lengths(&folder, dated)).await;
        // Retention may have removed the whole run since it was listed.
        let Ok(lengths) = lengths else { return Ok(Vec::new()) };
        let gone = known.iter().filter(|row| row.is_local() && !row.deleting && !lengths.contains_key(&row.started_at));
        let meant = |row: &&StoredSegment| on_disk.notes.is_deleted(row.started_at);
        let (meant, gone): (Vec<_>, Vec<_>) = gone.partition(meant);
        if !meant.is_empty() {
            let ids: Vec<i64> = meant.iter().map(|row| row.id).collect();
            shared.store.remove_segments(&ids).await?;
            tracing::info!(run.id = %on_disk.run.id.0, segments = ids.len(), "rows followed files that made room");
        }
        if active.is_none() {
            self.forget(shared, gone).await?;
        }
        let rows: HashMap<_, _> = known.iter().map(|row| (row.started_at, row)).collect();
        let wrong = |start: &Timestamp| match rows.get(start) {
            // The file of one that is thought elsewhere is here.
            Some(row) => {
                let is_right = row.is_local() && row.closed && Some(&row.size_bytes) == lengths.get(start);
                !row.deleting && !is_right
            }
            None => true,
        };
        let open = active.map(|open| open.unwrap_or(on_disk.run.started_at));
        let wanted: HashSet<_> =
            lengths.keys().copied().filter(|start| open.is_none_or(|open| *start < open) && wrong(start)).collect();
        // A pin that came since holds its file.
        let end = |start: &Timestamp| lengths.keys().filter(|next| *next > start).min().copied();
        let is_free = |start: &Timestamp| on_disk.notes.is_unpinned(&(*start..end(start).unwrap_or(Timestamp::MAX)));
        let is_left =
            |start: &Timestamp| !rows.contains_key(start) && on_disk.notes.is_deleted(*start) && is_free(start);
        let (left, wanted): (HashSet<_>, HashSet<_>) = wanted.into_iter().partition(is_left);
        if active.is_none() && !left.is_empty() {
            let on_disk = on_disk.clone();
            blocking(move || finish_deletion(&on_disk, &left)).await?;
        }
        let Some(from) = wanted.iter().min().copied() else { return Ok(Vec::new()) };
        let on_disk = on_disk.clone();
        let mut segments = blocking(move || segments::read(&on_disk, Some(from))).await?;
        segments.retain(|segment| wanted.contains(&segment.started_at));
        Ok(segments)
    }

    /// All of a run's files made room while no row could say so: now rows say it, and the run's folder goes.
    async fn follow_deletion(
        &self,
        shared: &Shared,
        on_disk: &RunOnDisk,
        row: Option<&Run>,
        known: &[StoredSegment],
    ) -> Result<(), SweepError> {
        let run = &on_disk.run;
        // Also a run that has no row yet: it was there, and a gap tells where.
        shared.store.insert_run(run).await?;
        if let (true, Some(at), Some(reason)) =
            (row.is_none_or(|row| row.ended_at.is_none()), run.ended_at, run.end_reason)
        {
            shared.store.end_run(run.id, at, reason).await?;
        }
        let ids: Vec<i64> = known.iter().filter(|row| row.is_local()).map(|row| row.id).collect();
        shared.store.remove_run(run.id, &ids).await?;
        let empty = on_disk.clone();
        blocking(move || remove_empty(&empty)).await;
        tracing::info!(run.id = %run.id.0, segments = ids.len(), "a run's rows followed its files, which made room");
        Ok(())
    }

    /// Removes rows whose files are gone. A disk that went away since the sweep began left an empty folder as well: the
    /// marker is read back each time.
    async fn forget(&self, shared: &Shared, rows: Vec<&StoredSegment>) -> Result<(), SweepError> {
        let ids: Vec<i64> = rows.iter().filter(|row| row.is_local()).map(|row| row.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (root, state, owner) = (shared.root.clone(), self.state.clone(), shared.owner());
        blocking(move || marker::check(&root, &state, owner))
            .await
            .map_err(|trouble| SweepError::Away(trouble.detail))?;
        tracing::warn!(segments = ids.len(), "recorded files are gone; their rows go too");
        shared.store.remove_segments(&ids).await?;
        Ok(())
    }

    /// The gap between a run that was not written down in time and the next; behind the newest the camera's own task
    /// knows it.
    async fn gap_behind(&self, shared: &Shared, run: &Run, next: Option<&Run>) -> Result<(), SweepError> {
        let (Some(from), Some(reason), Some(next)) = (run.ended_at, run.end_reason.and_then(EndReason::gap), next)
        else {
            return Ok(());
        };
        if next.started_at > from && run.dated.is_known && next.dated.is_known {
            let gap = Gap { camera: run.camera, started_at: from, ended_at: Some(next.started_at), reason };
            shared.store.open_gap(&gap).await?;
        }
        Ok(())
    }
}

/// Bytes of a run's segment files by their starts.
fn lengths(folder: &Path, dated: Dated) -> Result<HashMap<Timestamp, u64>, DiskError> {
    let files = segments::files(folder)?;
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    Ok(files.iter().map(|(start, path)| (dated.of_name(*start), length(path))).collect())
}

fn end(mut on_disk: RunOnDisk, reason: EndReason) -> Result<Option<RunOnDisk>, DiskError> {
    // It may have ended by itself since it was listed: then its file has its own reason.
    match run_file::read(&on_disk.folder) {
        Ok(Some((run, _))) => on_disk.run = run,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DiskError::folder(&on_disk.folder)(error)),
    }
    if on_disk.run.ended_at.is_some() {
        return Ok(Some(on_disk));
    }
    recover::end(&mut on_disk, reason)?;
    Ok(on_disk.run.ended_at.is_some().then_some(on_disk))
}

/// Files whose deletion was begun, and whose rows were lost before it ended.
fn finish_deletion(on_disk: &RunOnDisk, left: &HashSet<Timestamp>) -> Result<(), DiskError> {
    for (start, path) in dating::segment_files(on_disk)? {
        if left.contains(&start) {
            files::remove(&path).map_err(DiskError::file(&path))?;
            tracing::info!(path = %path.display(), "a deletion that was interrupted is finished");
        }
    }
    Ok(())
}

/// A deletion that was interrupted after the last segment.
fn remove_empty(on_disk: &RunOnDisk) {
    if segments::files(&on_disk.folder).is_ok_and(|files| files.is_empty()) {
        let _ = remove_run(&on_disk.folder);
    }
}
