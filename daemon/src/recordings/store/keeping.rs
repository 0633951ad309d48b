//! What may be deleted, and its deletion: rows are marked, then the files go, then the rows.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio_postgres::{Row, types::ToSql};
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

/// A segment by its place and its size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// The camera's count of fragments before it, which only rises.
    pub sequence: i64,
    /// Its start, if that is known.
    pub date: Option<Timestamp>,
    /// How long it is.
    pub duration: Duration,
    /// Bytes of its file.
    pub size_bytes: u64,
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

    /// A camera's oldest segments that may be deleted, in the order of their making: closed, local, not pinned, not yet
    /// marked, and made before `before` ([`Recorded::sequence`]).
    ///
    /// # Errors
    /// When the database is away.
    pub async fn oldest_unpinned(
        &self,
        camera: CameraId,
        before: i64,
        limit: u32,
    ) -> Result<Vec<StoredSegment>, Error> {
        self.oldest("s.first_sequence < $2", camera, &before, limit).await
    }

    /// The same, of those that ended before a time and whose dates are true: no other has an age.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn oldest_aged(
        &self,
        camera: CameraId,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredSegment>, Error> {
        self.oldest("s.started_at < $2 AND s.ended_at < $2 AND r.date_known", camera, &before, limit).await
    }

    async fn oldest(
        &self,
        which: &str,
        camera: CameraId,
        bound: &(dyn ToSql + Sync),
        limit: u32,
    ) -> Result<Vec<StoredSegment>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS} FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE s.camera_id = $1 AND s.closed AND s.location = 'local' AND s.deleting_since IS NULL
               AND {which} AND NOT {PINNED}
             ORDER BY s.first_sequence LIMIT $3"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&camera.0, bound, &i64::from(limit)]).await?;
        rows.iter().map(super::stored_segment).collect()
    }

    /// The cameras that have local segments.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn recorded_cameras(&self) -> Result<Vec<CameraId>, Error> {
        let client = self.client().await?;
        let sql = "SELECT c.id FROM cameras c WHERE EXISTS (
                       SELECT FROM segments s WHERE s.camera_id = c.id AND s.location = 'local') ORDER BY c.id";
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(|row| Ok(CameraId(row.try_get(0)?))).collect()
    }

    /// A camera's local segments before a number, the newest first, so many at most.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn newest_before(&self, camera: CameraId, before: i64, limit: u32) -> Result<Vec<Recorded>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT s.first_sequence, s.started_at, s.ended_at, s.size_bytes, r.date_known
                 FROM segments s JOIN runs r ON r.id = s.run_id
                 WHERE s.camera_id = $1 AND s.location = 'local' AND s.deleting_since IS NULL AND s.first_sequence < $2
                 ORDER BY s.first_sequence DESC LIMIT $3",
            )
            .await?;
        let rows = client.query(&statement, &[&camera.0, &before, &i64::from(limit)]).await?;
        let recorded = |row: &Row| -> Result<Recorded, Error> {
            let (began, ended): (Timestamp, Timestamp) = (row.try_get(1)?, row.try_get(2)?);
            Ok(Recorded {
                sequence: row.try_get(0)?,
                date: row.try_get::<_, bool>(4)?.then_some(began),
                duration: Duration::try_from(ended.duration_since(began)).unwrap_or_default(),
                size_bytes: super::unsigned(row.try_get(3)?),
            })
        };
        rows.iter().map(recorded).collect()
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
             RETURNING r.id AS run_id, r.camera_id, r.started_at, r.ended_at, r.shift_us, r.date_known",
            &[&runs],
        )
        .await?;
    let mut folders = Vec::with_capacity(removed.len());
    let (mut cameras, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new());
    for row in &removed {
        let (run, camera) = (RunId(row.try_get("run_id")?), CameraId(row.try_get("camera_id")?));
        let began: jiff::Timestamp = row.try_get("started_at")?;
        let dated = super::dated(row)?;
        folders.push(RemovedRun { run, folder: crate::recordings::run_folder(camera, dated.named(began), run) });
        if !dated.is_known {
            // Where it was, nobody knows.
            continue;
        }
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
            "WITH kept AS (SELECT min(started_at) AS oldest FROM runs WHERE camera_id = $1 AND date_known),
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
