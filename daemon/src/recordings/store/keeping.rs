//! What may be deleted, and its deletion: rows are marked, then the files go, then the rows.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use uuid::Uuid;

use super::{Error, RunId, SEGMENT_COLUMNS, Store, StoredSegment};
use crate::db::Transaction;

/// A run whose last segment was removed; its folder can go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RemovedRun {
    /// Which.
    pub run: RunId,
    /// Its folder below the recordings root.
    pub folder: String,
}

/// Whether a pin reaches into segment `s`.
pub(super) const PINNED: &str = "EXISTS (SELECT FROM pins p WHERE p.camera_id = s.camera_id
                              AND p.started_at < s.ended_at AND p.ended_at > s.started_at)";

impl Store {
    /// Marks segments before their files are unlinked, and answers with those that are marked now: the closed, local
    /// ones that no pin holds.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn mark_deleting(&self, ids: &[i64]) -> Result<Vec<StoredSegment>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "WITH marked AS (
                 UPDATE segments s SET deleting_since = coalesce(s.deleting_since, now())
                 WHERE s.id = ANY($1) AND s.closed AND s.location = 'local' AND NOT {PINNED} RETURNING s.*)
             SELECT {SEGMENT_COLUMNS} FROM marked s JOIN runs r ON r.id = s.run_id ORDER BY s.started_at"
        );
        let statement = client.prepare_cached(&sql).await?;
        client.query(&statement, &[&ids]).await?.iter().map(super::stored_segment).collect()
    }

    /// Every segment whose deletion began and did not end.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn deleting(&self) -> Result<Vec<StoredSegment>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS} FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE s.deleting_since IS NOT NULL ORDER BY s.deleting_since"
        );
        let statement = client.prepare_cached(&sql).await?;
        client.query(&statement, &[]).await?.iter().map(super::stored_segment).collect()
    }

    /// Removes the rows of segments whose files are gone, and with them every ended run that has no segment left.
    /// Where such a run was, a gap says that it was deleted. A row that a pin holds stays, and says that its file is missing.
    ///
    /// # Errors
    /// When the database is away; then nothing was removed.
    pub async fn remove_segments(&self, ids: &[i64]) -> Result<Vec<RemovedRun>, Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let runs = lock_runs(&transaction, ids).await?;
        let keep =
            format!("UPDATE segments s SET location = 'missing' WHERE s.id = ANY($1) AND {PINNED} RETURNING s.id");
        let kept = transaction.query(&keep, &[&ids]).await?;
        let kept: Vec<i64> = kept.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if !kept.is_empty() {
            tracing::error!(segments = kept.len(), "files of pinned recordings are missing; their rows stay");
        }
        let gone: Vec<i64> = ids.iter().copied().filter(|id| !kept.contains(id)).collect();
        let removed = remove(&transaction, &gone, &runs).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// Unlinks the files of marked segments by `unlink`, then removes their rows as [`Store::remove_segments`] does.
    /// Their rows are locked meanwhile: a pin comes before, and then its segments are left out and no longer marked,
    /// or after, and then finds none.
    ///
    /// # Errors
    /// When the database is away or `unlink` fails; the rows stay as they were, and marked.
    pub async fn delete_marked<T, E, F>(
        &self,
        ids: &[i64],
        unlink: impl FnOnce(Vec<StoredSegment>) -> F + Send,
    ) -> Result<(T, Vec<RemovedRun>), E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, E>> + Send,
    {
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(Error::from)?;
        let runs = lock_runs(&transaction, ids).await?;
        let held = hold(&transaction, ids).await?;
        let ids: Vec<i64> = held.iter().map(|segment| segment.id).collect();
        let done = unlink(held).await?;
        let removed = remove(&transaction, &ids, &runs).await?;
        transaction.commit().await.map_err(Error::from)?;
        Ok((done, removed))
    }

    /// The oldest segments that may be deleted, of one camera or of all: closed, local, not pinned, not yet marked.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn oldest_unpinned(&self, camera: Option<CameraId>, limit: u32) -> Result<Vec<StoredSegment>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS} FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE ($1::uuid IS NULL OR s.camera_id = $1) AND s.closed AND s.location = 'local'
               AND s.deleting_since IS NULL AND NOT {PINNED}
             ORDER BY s.started_at LIMIT $2"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&super::uuid_of(camera), &i64::from(limit)]).await?;
        rows.iter().map(super::stored_segment).collect()
    }

    /// The oldest segments that may be deleted, of each camera those that start before its time: closed, local, not
    /// pinned, not yet marked.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn oldest_before(
        &self,
        before: &[(CameraId, Timestamp)],
        limit: u32,
    ) -> Result<Vec<StoredSegment>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS} FROM unnest($1::uuid[], $2::timestamptz[]) AS bound (camera_id, before)
             JOIN segments s ON s.camera_id = bound.camera_id AND s.started_at < bound.before
             JOIN runs r ON r.id = s.run_id
             WHERE s.closed AND s.location = 'local' AND s.deleting_since IS NULL AND NOT {PINNED}
             ORDER BY s.started_at LIMIT $3"
        );
        let statement = client.prepare_cached(&sql).await?;
        let cameras: Vec<_> = before.iter().map(|(camera, _)| camera.0).collect();
        let times: Vec<_> = before.iter().map(|(_, time)| *time).collect();
        let rows = client.query(&statement, &[&cameras, &times, &i64::from(limit)]).await?;
        rows.iter().map(super::stored_segment).collect()
    }

    /// Start and bytes of the local segments of each camera's newest time, the newest first. What starts after `now` was
    /// recorded by a wrong clock; it is among them, and the time is not counted from it.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn newest_of_each(
        &self,
        time: Duration,
        now: Timestamp,
    ) -> Result<Vec<(CameraId, Vec<(Timestamp, u64)>)>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT c.id, s.started_at, s.size_bytes FROM cameras c
                 CROSS JOIN LATERAL (
                     SELECT coalesce((SELECT max(started_at) FROM segments
                                      WHERE camera_id = c.id AND location = 'local' AND started_at <= $2),
                                     (SELECT max(started_at) FROM segments
                                      WHERE camera_id = c.id AND location = 'local')) AS started_at) newest
                 JOIN segments s ON s.camera_id = c.id AND s.location = 'local' AND s.deleting_since IS NULL
                                AND s.started_at >= newest.started_at - make_interval(secs => $1)
                 ORDER BY c.id, s.started_at DESC",
            )
            .await?;
        let mut cameras: Vec<(CameraId, Vec<(Timestamp, u64)>)> = Vec::new();
        for row in client.query(&statement, &[&time.as_secs_f64(), &now]).await? {
            let camera = CameraId(row.try_get(0)?);
            let segment = (row.try_get(1)?, super::unsigned(row.try_get(2)?));
            match cameras.last_mut() {
                Some((last, segments)) if *last == camera => segments.push(segment),
                _ => cameras.push((camera, vec![segment])),
            }
        }
        Ok(cameras)
    }

    /// Removes an ended run with these segments of it, whose files are gone. Where it was, a gap says that it was
    /// deleted.
    ///
    /// # Errors
    /// When the database is away; then nothing was removed.
    pub async fn remove_run(&self, run: RunId, segments: &[i64]) -> Result<(), Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", &[&run.0]).await?;
        remove(&transaction, segments, &[run.0]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Local bytes of one camera or of all, those being deleted left out. Reads every row: count on from it rather
    /// than ask again.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn bytes(&self, camera: Option<CameraId>) -> Result<u64, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT coalesce(sum(size_bytes), 0)::bigint FROM segments
                 WHERE ($1::uuid IS NULL OR camera_id = $1) AND location = 'local' AND deleting_since IS NULL",
            )
            .await?;
        let row = client.query_one(&statement, &[&super::uuid_of(camera)]).await?;
        Ok(super::unsigned(row.try_get(0)?))
    }
}

/// Runs are locked first and in order, so that two removals in one run see each other.
async fn lock_runs(transaction: &Transaction<'_>, ids: &[i64]) -> Result<Vec<Uuid>, Error> {
    let runs = transaction
        .query(
            "SELECT r.id FROM runs r WHERE r.id IN (SELECT run_id FROM segments WHERE id = ANY($1))
             ORDER BY r.id FOR UPDATE",
            &[&ids],
        )
        .await?;
    Ok(runs.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Locks the marked segments that no pin holds, and takes the mark from the others.
async fn hold(transaction: &Transaction<'_>, ids: &[i64]) -> Result<Vec<StoredSegment>, Error> {
    let free = format!("UPDATE segments s SET deleting_since = NULL WHERE s.id = ANY($1) AND {PINNED}");
    transaction.execute(&free, &[&ids]).await?;
    let hold = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segments s JOIN runs r ON r.id = s.run_id
         WHERE s.id = ANY($1) AND s.deleting_since IS NOT NULL AND NOT {PINNED} ORDER BY s.id FOR UPDATE OF s"
    );
    transaction.query(&hold, &[&ids]).await?.iter().map(super::stored_segment).collect()
}

async fn remove(transaction: &Transaction<'_>, ids: &[i64], runs: &[Uuid]) -> Result<Vec<RemovedRun>, Error> {
    transaction.execute("DELETE FROM segments WHERE id = ANY($1)", &[&ids]).await?;
    let removed = transaction
        .query(
            "DELETE FROM runs r WHERE r.id = ANY($1) AND r.ended_at IS NOT NULL
             AND NOT EXISTS (SELECT FROM segments s WHERE s.run_id = r.id)
             RETURNING r.id AS run_id, r.camera_id, r.started_at, r.ended_at",
            &[&runs],
        )
        .await?;
    let mut folders = Vec::with_capacity(removed.len());
    let (mut cameras, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new());
    for row in &removed {
        let (run, camera) = (RunId(row.try_get("run_id")?), CameraId(row.try_get("camera_id")?));
        let began: jiff::Timestamp = row.try_get("started_at")?;
        folders.push(RemovedRun { run, folder: crate::recordings::run_folder(camera, began, run) });
        cameras.push(camera.0);
        from.push(began);
        to.push(row.try_get::<_, jiff::Timestamp>("ended_at")?);
    }
    transaction
        .execute(
            "INSERT INTO gaps (camera_id, started_at, ended_at, reason)
             SELECT camera, started, ended, 'deleted'
             FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) removed (camera, started, ended)
             ON CONFLICT (camera_id, started_at) DO NOTHING",
            &[&cameras, &from, &to],
        )
        .await?;
    cameras.sort_unstable();
    cameras.dedup();
    for camera in cameras {
        join_gaps(transaction, CameraId(camera)).await?;
    }
    Ok(folders)
}

/// Makes one of all gaps before the oldest run that is kept: they explain nothing any more, and would be the only rows
/// that nothing ever deletes.
async fn join_gaps(transaction: &Transaction<'_>, camera: CameraId) -> Result<(), Error> {
    let joined = transaction
        .query_one(
            "WITH kept AS (SELECT min(started_at) AS oldest FROM runs WHERE camera_id = $1),
             gone AS (DELETE FROM gaps USING kept WHERE camera_id = $1 AND ended_at <= kept.oldest
                      RETURNING gaps.started_at, gaps.ended_at)
             SELECT min(started_at), max(ended_at) FROM gone",
            &[&camera.0],
        )
        .await?;
    let (from, to): (Option<jiff::Timestamp>, Option<jiff::Timestamp>) = (joined.try_get(0)?, joined.try_get(1)?);
    transaction
        .execute(
            "INSERT INTO gaps (camera_id, started_at, ended_at, reason)
             SELECT $1, $2, $3, 'deleted' WHERE $2::timestamptz IS NOT NULL",
            &[&camera.0, &from, &to],
        )
        .await?;
    Ok(())
}
