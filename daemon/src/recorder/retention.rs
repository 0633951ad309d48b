//! Deletes what is too old, too much, or in the way of new recordings.
//!
//! Order: rows are marked, files unlinked, folders synced, rows removed; what was interrupted is finished at the next
//! pass. Pins are never touched: one that comes after the mark takes it back, as long as nothing is unlinked. While the
//! database is away nothing is deleted, because pins live there; the one exception is in [`by_files`].

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::time::Instant;

use super::{
    by_files,
    collect::blocking,
    commit::remove_run,
    disk::{self, DiskError, Space},
    order,
    room::{self, Budget, Minimum},
    run_file,
    shared::Shared,
    wish::Wanted,
};
use crate::{clock::Clock, db, files, outcome::chain, recordings::StoredSegment};

/// With less than this free, PostgreSQL (16 MiB for each segment of its log) does not run any more.
const NO_ROOM_FOR_ROWS: u64 = 64 << 20;
/// Segments looked at together.
const BATCH: u32 = 64;
/// And when their sizes alone are read: a day of one camera.
const MANY: u32 = 1500;

/// Why something was not deleted.
#[derive(Debug, Error)]
pub enum DeleteError {
    /// Rows could not be marked or removed.
    #[error("the database failed while recordings were deleted")]
    Rows(#[from] db::Error),
    /// Files could not; their rows stay marked and it is tried again.
    #[error("the disk failed while recordings were deleted")]
    Disk(#[from] DiskError),
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deleted {
    /// Files.
    pub segments: u64,
    /// Of all of them.
    pub bytes: u64,
}

/// Deletes what the cameras' limits say. `trusted`: whether age may be judged.
pub(super) async fn limits(
    shared: &Arc<Shared>,
    wanted: &[Wanted],
    clock: &Clock,
    trusted: bool,
) -> Result<Deleted, DeleteError> {
    let mut deleted = Deleted::default();
    for Wanted { camera, max_age, max_bytes, .. } in wanted {
        if let Some(age) = max_age.filter(|_| trusted) {
            let oldest = clock.now().checked_sub(age).unwrap_or(Timestamp::MIN);
            deleted.add(beyond(shared, *camera, Limit::Age(oldest)).await?);
        }
        if let Some(most) = max_bytes {
            let bytes = shared.store.bytes(Some(*camera)).await?;
            deleted.add(beyond(shared, *camera, Limit::Bytes(bytes.saturating_sub(*most))).await?);
        }
    }
    Ok(deleted)
}

/// The floor and what making room for it may cost.
pub(super) struct Floor {
    /// What is kept of each camera's newest time.
    keep: Duration,
    budget: Budget,
    /// Whether room was made by files, and the database is not back yet.
    by_files: bool,
}

/// What was deleted to make room.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Made {
    pub(super) deleted: Deleted,
    /// Whether rows have to follow.
    pub(super) by_files: bool,
}

impl Floor {
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, budget: Budget::new(Instant::now()), by_files: false }
    }

    /// Makes room on the file system, if it is needed: what the floor lacks, as fast as the budget allows, and nothing
    /// of what is kept in any case. The caller holds `upkeep` and has read the folder's marker back.
    pub(super) async fn make_room(&mut self, shared: &Arc<Shared>) -> Result<Made, DeleteError> {
        self.by_files &= shared.store.is_away();
        // A file system that does not tell is in trouble, and no reason to delete anything.
        let space = shared.space().await.map_err(DiskError::folder(&shared.root))?;
        let place = shared.place(space);
        let allowed = self.budget.allowance(Instant::now(), shared.written_bytes(), place);
        let wanted = room::needed(space, shared.floor_bytes, place).min(allowed);
        if wanted == 0 {
            return Ok(Made::default());
        }
        let made = match self.by_rows(shared, wanted, place).await {
            Err(DeleteError::Rows(error)) if self.may_go_by_files(shared, &error, space) => {
                self.by_files = true;
                self.by_files(shared, wanted).await?
            }
            by_rows => Made { deleted: by_rows?, by_files: false },
        };
        if made.deleted.segments > 0 && !made.by_files {
            let Deleted { segments, bytes } = made.deleted;
            tracing::info!(segments, bytes, "old recordings made room for new ones");
        }
        Ok(made)
    }

    async fn by_rows(&mut self, shared: &Arc<Shared>, wanted: u64, place: u64) -> Result<Deleted, DeleteError> {
        // Rows of files elsewhere must not go for files here.
        shared.store.expect_folder()?;
        let cameras = shared.store.recorded_cameras().await?;
        let minimum = Minimum::of(self.keep, place, cameras.len());
        let mut before = Vec::with_capacity(cameras.len());
        for camera in cameras {
            before.push((camera, kept_from(shared, camera, minimum).await?));
        }
        let mut deleted = Deleted::default();
        while deleted.bytes < wanted {
            let oldest = oldest_of_all(shared, &before).await?;
            let progress = delete_some(shared, &oldest, wanted - deleted.bytes).await?;
            self.budget.spend(progress.bytes);
            deleted.add(progress);
            if progress.segments == 0 {
                break;
            }
        }
        Ok(deleted)
    }

    /// Whether the database is away, or refuses, because of this very disk.
    fn may_go_by_files(&self, shared: &Shared, error: &db::Error, space: Space) -> bool {
        let starved = match error {
            db::Error::Unavailable(_) => self.by_files || space.free_bytes < NO_ROOM_FOR_ROWS,
            other => other.is_disk_full(),
        };
        starved && shared.database_bytes().is_some()
    }

    async fn by_files(&mut self, shared: &Arc<Shared>, wanted: u64) -> Result<Made, DeleteError> {
        // Whoever sets a pin writes it into files first, and the row needs a database that is back.
        let _pins = shared.pins.changing.lock().await;
        let all = by_files::list(shared).await;
        shared.count_recordings(all.iter().map(|file| file.size_bytes).sum()).await;
        let cameras: HashSet<_> = all.iter().map(|file| file.camera).collect();
        let minimum = Minimum::of(self.keep, shared.place(shared.last_space()), cameras.len());
        if shared.check_folder().await.is_err() {
            return Ok(Made::default());
        }
        let deleted = by_files::delete(shared, all, wanted, minimum).await?;
        self.budget.spend(deleted.bytes);
        Ok(Made { deleted, by_files: deleted.segments > 0 })
    }
}

/// Finishes deletions that were interrupted.
pub(super) async fn interrupted(shared: &Arc<Shared>) -> Result<Deleted, DeleteError> {
    let segments = shared.store.deleting().await?;
    delete(shared, segments.into_iter().filter(StoredSegment::is_local).collect()).await
}

/// From which number on a camera's segments are kept however full the disk is.
async fn kept_from(shared: &Shared, camera: CameraId, minimum: Minimum) -> Result<i64, db::Error> {
    let (latest, mut kept, mut from) = (shared.latest_date(), minimum.begin(), i64::MAX);
    loop {
        let newest = shared.store.newest_before(camera, from, MANY).await?;
        if newest.is_empty() {
            return Ok(from);
        }
        for segment in newest {
            let date = segment.date.filter(|date| *date <= latest);
            if !kept.holds(date, segment.duration, segment.size_bytes) {
                return Ok(from);
            }
            from = segment.sequence;
        }
    }
}

/// The oldest segments of all cameras that may go, of each those before its number; a batch at most.
async fn oldest_of_all(shared: &Shared, before: &[(CameraId, i64)]) -> Result<Vec<StoredSegment>, db::Error> {
    let latest = shared.latest_date();
    let mut cameras = Vec::with_capacity(before.len());
    for (camera, before) in before {
        let oldest = shared.store.oldest_unpinned(*camera, *before, BATCH).await?;
        let date = |segment: &StoredSegment| {
            Some(segment.started_at).filter(|start| segment.dated.is_known && *start <= latest)
        };
        cameras.push(oldest.into_iter().map(|segment| (date(&segment), segment)).collect());
    }
    let mut oldest = order::merged(cameras);
    // Behind a batch of one camera there may be older ones of it.
    oldest.truncate(usize::try_from(BATCH).unwrap_or(usize::MAX));
    Ok(oldest)
}

/// What of a camera's is beyond a limit.
#[derive(Clone, Copy)]
enum Limit {
    /// What ended before, if its date is known.
    Age(Timestamp),
    /// The oldest, so many bytes.
    Bytes(u64),
}

/// Deletes what is beyond a limit, batch after batch.
async fn beyond(shared: &Arc<Shared>, camera: CameraId, limit: Limit) -> Result<Deleted, DeleteError> {
    let mut deleted = Deleted::default();
    loop {
        let (oldest, bytes) = match limit {
            Limit::Age(before) => (shared.store.oldest_aged(camera, before, BATCH).await?, u64::MAX),
            Limit::Bytes(bytes) if deleted.bytes >= bytes => return Ok(deleted),
            Limit::Bytes(bytes) => {
                (shared.store.oldest_unpinned(camera, i64::MAX, BATCH).await?, bytes - deleted.bytes)
            }
        };
        let progress = delete_some(shared, &oldest, bytes).await?;
        deleted.add(progress);
        if progress.segments == 0 {
            return Ok(deleted);
        }
    }
}

/// Deletes the first of these segments, for so many bytes.
async fn delete_some(shared: &Arc<Shared>, oldest: &[StoredSegment], bytes: u64) -> Result<Deleted, DeleteError> {
    let count = room::choose(oldest.iter().map(|segment| segment.size_bytes), bytes);
    let chosen: Vec<i64> = oldest.iter().take(count).map(|segment| segment.id).collect();
    let marked = if chosen.is_empty() { Vec::new() } else { shared.store.mark_deleting(&chosen).await? };
    delete(shared, marked).await
}

impl Deleted {
    pub(super) fn add(&mut self, more: Self) {
        self.segments += more.segments;
        self.bytes += more.bytes;
    }
}

/// Deletes segments whose rows are marked. A file that is not there counts as deleted.
pub(super) async fn delete(shared: &Arc<Shared>, segments: Vec<StoredSegment>) -> Result<Deleted, DeleteError> {
    if segments.is_empty() {
        return Ok(Deleted::default());
    }
    let ids: Vec<i64> = segments.iter().map(|segment| segment.id).collect();
    let root = shared.root.clone();
    let unlinking = |held: Vec<StoredSegment>| blocking(move || unlink(&root, &held).map_err(DeleteError::from));
    let (deleted, removed) = shared.store.delete_marked(&ids, unlinking).await?;
    shared.freed(deleted.bytes);
    let folders: Vec<PathBuf> = removed.into_iter().map(|run| shared.root.join(run.folder)).collect();
    blocking(move || {
        for folder in folders {
            if let Err(error) = remove_run(&folder) {
                tracing::warn!(path = %folder.display(), %error, "an empty run's folder was not removed; the sweep will");
            }
        }
    })
    .await;
    Ok(deleted)
}

fn unlink(root: &Path, segments: &[StoredSegment]) -> Result<Deleted, DiskError> {
    note(root, segments);
    let mut folders = HashSet::new();
    let mut deleted = Deleted::default();
    for segment in segments {
        let path = root.join(segment.path());
        files::remove(&path).map_err(DiskError::file(&path))?;
        folders.extend(path.parent().map(Path::to_owned));
        deleted.add(Deleted { segments: 1, bytes: segment.size_bytes });
    }
    for folder in folders.into_iter().filter(|folder| folder.exists()) {
        disk::sync_folder(&folder)?;
    }
    Ok(deleted)
}

/// Says in the runs' own files what goes, so that nothing of it comes back should the rows be lost before the files are
/// gone. A disk without room for that must be made room on all the same.
fn note(root: &Path, segments: &[StoredSegment]) {
    for of_run in segments.chunk_by(|one, next| one.folder == next.folder) {
        let ranges = of_run.iter().map(|segment| segment.started_at..segment.ended_at);
        let noted =
            run_file::change(&root.join(&of_run[0].folder), |_, notes| ranges.for_each(|range| notes.delete(range)));
        if let Err(error) = noted {
            tracing::debug!(error = chain(&error), "what is deleted was not noted beside it");
        }
    }
}
