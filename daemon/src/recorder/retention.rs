//! Deletes what is too old, too much, or in the way of new recordings.
//!
//! Order: rows are marked, files unlinked, folders synced, rows removed; what was interrupted is finished at the next
//! pass. Pins are never touched: one that comes after the mark takes it back, as long as nothing is unlinked. While the database is away nothing is deleted, because pins live there.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error;

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
    delete(shared, segments.into_iter().filter(StoredSegment::is_local).collect()).await
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
