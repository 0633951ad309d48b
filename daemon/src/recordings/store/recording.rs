//! What the recorder writes down, and what it asks when it starts.

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use super::{EndReason, Error, Gap, RUN_COLUMNS, Run, RunId, SEGMENT_COLUMNS, Segment, Store, StoredSegment};

/// The counts with which a camera's next run begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ordinals {
    /// The next run's ordinal.
    pub run: i64,
    /// Media sequence of the next fragment.
    pub sequence: i64,
}

impl Store {
    /// Writes a run down. One that is known already is left as it is, but gets the end it lacks.
    ///
    /// # Errors
    /// When the database is away, the camera is gone, or another run has the same ordinal.
    pub async fn insert_run(&self, run: &Run) -> Result<(), Error> {
        self.expect_folder()?;
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO runs (id, camera_id, ordinal, first_sequence, started_at, ended_at, end_reason,
                                   width, height, codec, shift_us, date_known, placed_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, CASE WHEN $12 THEN $5 ELSE coalesce(
                     (SELECT placed_at + ($3 - ordinal) * interval '1 microsecond' FROM runs
                      WHERE camera_id = $2 AND ordinal < $3 ORDER BY ordinal DESC LIMIT 1), $5) END)
                 ON CONFLICT (id) DO UPDATE
                 SET ended_at = coalesce(runs.ended_at, excluded.ended_at),
                     end_reason = coalesce(runs.end_reason, excluded.end_reason)",
            )
            .await?;
        let (width, height) = (i32::from(run.size.0), i32::from(run.size.1));
        let reason = run.end_reason.map(EndReason::name);
        client
            .execute(
                &statement,
                &[
                    &run.id.0,
                    &run.camera.0,
                    &run.ordinal,
                    &run.first_sequence,
                    &run.started_at,
                    &run.ended_at,
                    &reason,
                    &width,
                    &height,
                    &run.codec,
                    &run.dated.shift_us,
                    &run.dated.is_known,
                ],
            )
            .await?;
        Ok(())
    }

    /// Ends a run, and closes the segment that was still open. A run that has ended keeps its end.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn end_run(&self, run: RunId, ended_at: Timestamp, reason: EndReason) -> Result<(), Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH closed AS (UPDATE segments SET closed = true WHERE run_id = $1 AND NOT closed)
                 UPDATE runs SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
            )
            .await?;
        client.execute(&statement, &[&run.0, &ended_at, &reason.name()]).await?;
        Ok(())
    }

    /// Writes a segment down as it is now: called after every fragment, so that it can be played. A closed segment
    /// is never opened again: what was written late about its beginning says less than it does.
    ///
    /// # Errors
    /// When the database is away, or the run has no row.
    pub async fn upsert_segment(&self, segment: &Segment) -> Result<(), Error> {
        self.upsert_segments(std::slice::from_ref(segment)).await
    }

    /// As [`Store::upsert_segment`], many of one run at once: a day's in one statement.
    ///
    /// # Errors
    /// As that.
    pub async fn upsert_segments(&self, segments: &[Segment]) -> Result<(), Error> {
        self.expect_folder()?;
        let Some(Segment { run, camera, .. }) = segments.first() else { return Ok(()) };
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO segments (run_id, camera_id, first_sequence, started_at, ended_at, size_bytes,
                                       fragments, fragment_index, closed, damaged)
                 SELECT $1, $2, s.* FROM unnest($3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::bigint[],
                                                $7::integer[], $8::bytea[], $9::boolean[], $10::integer[]) s
                 ON CONFLICT (run_id, started_at) DO UPDATE
                 SET ended_at = excluded.ended_at, size_bytes = excluded.size_bytes,
                     fragments = excluded.fragments, fragment_index = excluded.fragment_index,
                     closed = excluded.closed, damaged = excluded.damaged, location = 'local'
                 WHERE excluded.closed OR NOT segments.closed",
            )
            .await?;
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let first: Vec<i64> = segments.iter().map(|segment| segment.first_sequence).collect();
        let from: Vec<Timestamp> = segments.iter().map(|segment| segment.started_at).collect();
        let to: Vec<Timestamp> = segments.iter().map(Segment::ended_at).collect();
        let sizes: Vec<i64> = segments.iter().map(|segment| super::signed(segment.fragments.size_bytes())).collect();
        let counts: Vec<i32> = segments.iter().map(|segment| count(segment.fragments.len())).collect();
        let indexes: Vec<Vec<u8>> = segments.iter().map(|segment| segment.fragments.encode()).collect();
        let closed: Vec<bool> = segments.iter().map(|segment| segment.closed).collect();
        let damaged: Vec<i32> = segments.iter().map(|segment| count(segment.fragments.damaged())).collect();
        client
            .execute(&statement, &[&run.0, &camera.0, &first, &from, &to, &sizes, &counts, &indexes, &closed, &damaged])
            .await?;
        Ok(())
    }

    /// Writes a gap down, whole or open. One that was open before it ends where this one starts, so that a camera
    /// never has two open ones; a gap with the same start is left as it is.
    ///
    /// # Errors
    /// When the database is away or the camera is gone.
    pub async fn open_gap(&self, gap: &Gap) -> Result<(), Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH closed AS (UPDATE gaps SET ended_at = $2
                                 WHERE camera_id = $1 AND ended_at IS NULL AND started_at < $2)
                 INSERT INTO gaps (camera_id, started_at, ended_at, reason) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (camera_id, started_at) DO NOTHING",
            )
            .await?;
        client.execute(&statement, &[&gap.camera.0, &gap.started_at, &gap.ended_at, &gap.reason.name()]).await?;
        Ok(())
    }

    /// Ends a camera's open gap, if there is one. A gap that would end before it starts (the clock was set back)
    /// is dropped.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn close_gap(&self, camera: CameraId, ended_at: Timestamp) -> Result<(), Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH dropped AS (DELETE FROM gaps WHERE camera_id = $1 AND ended_at IS NULL AND started_at >= $2)
                 UPDATE gaps SET ended_at = $2 WHERE camera_id = $1 AND ended_at IS NULL AND started_at < $2",
            )
            .await?;
        client.execute(&statement, &[&camera.0, &ended_at]).await?;
        Ok(())
    }

    /// The open gap of a camera.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn gap_open(&self, camera: CameraId) -> Result<Option<Gap>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT camera_id, started_at, ended_at, reason FROM gaps
                 WHERE camera_id = $1 AND ended_at IS NULL ORDER BY started_at DESC LIMIT 1",
            )
            .await?;
        client.query_opt(&statement, &[&camera.0]).await?.as_ref().map(super::gap).transpose()
    }

    /// The counts behind a camera's newest run, as far as rows know them.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn next_ordinals(&self, camera: CameraId) -> Result<Ordinals, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT r.ordinal + 1 AS run,
                        greatest(r.first_sequence, (SELECT coalesce(max(s.first_sequence + s.fragments), 0)
                                                    FROM segments s WHERE s.run_id = r.id)) AS sequence
                 FROM runs r WHERE r.camera_id = $1 ORDER BY r.ordinal DESC LIMIT 1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&camera.0]).await?;
        row.map_or(Ok(Ordinals::default()), |row| {
            Ok(Ordinals { run: row.try_get("run")?, sequence: row.try_get("sequence")? })
        })
    }

    /// Every run without an end, of all cameras.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn open_runs(&self) -> Result<Vec<Run>, Error> {
        let client = self.client().await?;
        let sql = format!("SELECT {RUN_COLUMNS} FROM runs r WHERE r.ended_at IS NULL ORDER BY r.camera_id, r.ordinal");
        let statement = client.prepare_cached(&sql).await?;
        client.query(&statement, &[]).await?.iter().map(super::run).collect()
    }

    /// Every run of a camera that has a row, oldest first.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn runs_known(&self, camera: CameraId) -> Result<Vec<Run>, Error> {
        let client = self.client().await?;
        let sql = format!("SELECT {RUN_COLUMNS} FROM runs r WHERE r.camera_id = $1 ORDER BY r.ordinal");
        let statement = client.prepare_cached(&sql).await?;
        client.query(&statement, &[&camera.0]).await?.iter().map(super::run).collect()
    }

    /// Every segment of a run that has a row, oldest first, those being deleted too.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn segments_known(&self, run: RunId) -> Result<Vec<StoredSegment>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS} FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE s.run_id = $1 ORDER BY s.started_at"
        );
        let statement = client.prepare_cached(&sql).await?;
        client.query(&statement, &[&run.0]).await?.iter().map(super::stored_segment).collect()
    }
}
