//! Deletes what is too old, too much, or in the way of new recordings.
//!
//! Order: rows are marked, files unlinked, folders synced, rows removed; what was interrupted is finished at the next
//! pass. Pins are never touched: one that comes after the mark takes it back, as long as nothing is unlinked. While the database is away nothing is deleted, because pins live there.

use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::time::Instant;

use super::{
    collect::blocking,
    commit::remove_run,
    disk::{self, DiskError},
    shared::Shared,
    wish::Wanted,
};
use crate::{clock::Clock, db, recordings::StoredSegment};

/// Room made beyond the floor: a few minutes of a few cameras, so that it is not made for each segment.
const HEADROOM: u64 = 64 << 20;
/// Segments looked at together.
const BATCH: u32 = 64;
/// Deletion by age waits until the clock has been plausible this long: a Pi starts with a wrong one.
const PLAUSIBLE: Duration = Duration::from_secs(3600);

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

/// Whether the clock can be believed when it says that something is old.
#[derive(Debug)]
pub(super) struct ClockTrust {
    epoch: u64,
    since: Option<Instant>,
}

impl ClockTrust {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, since: None }
    }

    /// Looks at the clock now. `newest`: the newest recording's start.
    pub(super) fn look(&mut self, epoch: u64, now: Timestamp, newest: Option<Timestamp>, synchronised: bool) -> bool {
        let plausible = epoch == self.epoch && synchronised && newest.is_none_or(|newest| newest <= now);
        self.epoch = epoch;
        if !plausible {
            self.since = None;
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= PLAUSIBLE
    }
}

/// Whether the system's time service says that the clock is set; where there is none that tells, it is believed.
pub(super) fn synchronised() -> bool {
    let service = std::path::Path::new("/run/systemd/timesync");
    !service.exists() || service.join("synchronized").exists()
}

/// Deletes what the cameras' limits say. `trusted`: whether age may be judged.
pub(super) async fn limits(
    shared: &Arc<Shared>,
    wanted: &[Wanted],
    clock: &Clock,
    trusted: bool,
) -> Result<Deleted, DeleteError> {
    let mut deleted = Deleted::default();
    for camera in wanted {
        if let Some(age) = camera.max_age.filter(|_| trusted) {
            let oldest = clock.now().checked_sub(age).unwrap_or(Timestamp::MIN);
            deleted.add(while_so(shared, Some(camera.camera), |segment, _| segment.ended_at < oldest).await?);
        }
        if let Some(most) = camera.max_bytes {
            let bytes = shared.store.bytes(Some(camera.camera)).await?;
            let surplus = bytes.saturating_sub(most);
            deleted.add(while_so(shared, Some(camera.camera), |_, before| before < surplus).await?);
        }
    }
    Ok(deleted)
}

/// Makes room on the file system, if it is needed.
pub(super) async fn floor(shared: &Arc<Shared>) -> Result<Deleted, DeleteError> {
    // A file system that does not tell is in trouble, and no reason to delete anything.
    let space = shared.space().await.map_err(DiskError::folder(&shared.root))?;
    let short = space.short_of(shared.floor_bytes);
    if short == 0 {
        return Ok(Deleted::default());
    }
    let needed = short.saturating_add(HEADROOM);
    let deleted = while_so(shared, None, |_, before| before < needed).await?;
    if deleted.segments > 0 {
        tracing::info!(segments = deleted.segments, bytes = deleted.bytes, "old recordings made room for new ones");
    }
    Ok(deleted)
}

/// Finishes deletions that were interrupted.
pub(super) async fn interrupted(shared: &Arc<Shared>) -> Result<Deleted, DeleteError> {
    let segments = shared.store.deleting().await?;
    delete(shared, segments.into_iter().filter(|segment| segment.local).collect()).await
}

/// Deletes the oldest unpinned segments as long as `wanted(segment, bytes deleted before it)`.
async fn while_so(
    shared: &Arc<Shared>,
    camera: Option<CameraId>,
    wanted: impl Fn(&StoredSegment, u64) -> bool,
) -> Result<Deleted, DeleteError> {
    let mut deleted = Deleted::default();
    loop {
        let oldest = shared.store.oldest_unpinned(camera, BATCH).await?;
        let whole_batch = oldest.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
        let mut chosen = Vec::new();
        let mut before = deleted.bytes;
        for segment in oldest {
            if !wanted(&segment, before) {
                break;
            }
            before += segment.size_bytes;
            chosen.push(segment.id);
        }
        let more = whole_batch && chosen.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
        let marked = if chosen.is_empty() { Vec::new() } else { shared.store.mark_deleting(&chosen).await? };
        let progress = delete(shared, marked).await?;
        deleted.add(progress);
        if !more || progress.segments == 0 {
            return Ok(deleted);
        }
    }
}

impl Deleted {
    fn add(&mut self, more: Self) {
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

fn unlink(root: &std::path::Path, segments: &[StoredSegment]) -> Result<Deleted, DiskError> {
    let mut folders = HashSet::new();
    let mut deleted = Deleted::default();
    for segment in segments {
        let path = root.join(segment.path());
        disk::remove_file(&path).map_err(DiskError::file(&path))?;
        folders.extend(path.parent().map(std::path::Path::to_owned));
        deleted.add(Deleted { segments: 1, bytes: segment.size_bytes });
    }
    for folder in folders.into_iter().filter(|folder| folder.exists()) {
        disk::sync_folder(&folder)?;
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_us;

    #[tokio::test(start_paused = true)]
    async fn age_is_judged_only_by_a_clock_that_was_plausible_for_an_hour() {
        let now = from_us(1_780_000_000_000_000);
        let later = now + Duration::from_secs(60);
        let mut trust = ClockTrust::new(0);
        assert!(!trust.look(0, now, None, true));
        tokio::time::advance(PLAUSIBLE).await;
        assert!(trust.look(0, now, Some(now), true));
        assert!(!trust.look(1, now, Some(now), true), "a step");
        assert!(!trust.look(1, now, Some(now), true));
        tokio::time::advance(PLAUSIBLE).await;
        assert!(!trust.look(1, now, Some(later), true), "before the newest row");
        assert!(!trust.look(1, now, Some(now), true));
        tokio::time::advance(PLAUSIBLE).await;
        assert!(!trust.look(1, now, Some(now), false), "not synchronised");
    }
}
