//! What playback, lists and the timeline read.

use std::ops::Range;

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio_postgres::Row;

use super::{Error, FragmentIndex, LONGEST_SEGMENT, RUN_COLUMNS, Run, RunId, SEGMENT_COLUMNS, Segment, Store};
use super::{StoredSegment, broken};
use crate::recordings::timeline::{Stretch, Timeline};

/// A segment with its fragments, and its run.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// The run, with its init section.
    pub run: Run,
    /// The file.
    pub segment: Segment,
}

/// A run and what is left of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// The run.
    pub run: Run,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// How many segments.
    pub segments: u64,
    /// How many fragments.
    pub fragments: u64,
    /// Whether a pin reaches into it.
    pub pinned: bool,
    /// Where it stands among others: its start, or behind the run before it when its date is not known.
    pub placed_at: Timestamp,
}

/// Where a page of a list ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// Where the last run of the page before stands ([`RunSummary::placed_at`]).
    pub placed_at: Timestamp,
    /// And its id.
    pub run: RunId,
}

/// What a range holds, in a few numbers: a playlist of the same range and the same stamp has the same text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stamp {
    segments: i64,
    fragments: i64,
    bytes: i64,
    newest_row: i64,
    bounds: Option<(Timestamp, Timestamp)>,
}

#[cfg(test)]
impl Stamp {
    pub(crate) fn for_test(segments: i64) -> Self {
        Self { segments, fragments: 0, bytes: 0, newest_row: 0, bounds: None }
    }
}

pub(super) const REACHES: &str = "s.camera_id = $1 AND s.started_at < $3 AND s.ended_at > $2 AND s.started_at > $4";
/// Whether its deletion has not begun.
const KEPT: &str = "s.deleting_since IS NULL";

impl Store {
    /// Segments that reach into a range, by run, then time.
    ///
    /// # Errors
    /// When the database is away or a row is broken.
    pub async fn segments_between(&self, camera: CameraId, range: &Range<Timestamp>) -> Result<Vec<Played>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT s.first_sequence, s.started_at, s.fragment_index, s.closed, {RUN_COLUMNS}
             FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE {REACHES} AND {KEPT} ORDER BY r.ordinal, s.started_at"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&camera.0, &range.start, &range.end, &reach(range)]).await?;
        rows.iter().map(played).collect()
    }

    /// A camera's newest segments, by run, then time.
    ///
    /// # Errors
    /// When the database is away or a row is broken.
    pub async fn newest_segments(&self, camera: CameraId, limit: u32) -> Result<Vec<Played>, Error> {
        let client = self.client().await?;
        // The newest by count, not by time: a clock that was set back must not hold the live edge.
        let sql = format!(
            "SELECT s.first_sequence, s.started_at, s.fragment_index, s.closed, {RUN_COLUMNS}
             FROM (SELECT id, ordinal FROM runs WHERE camera_id = $1 ORDER BY ordinal DESC LIMIT $2) newest
             JOIN runs r ON r.id = newest.id
             CROSS JOIN LATERAL (SELECT * FROM segments WHERE run_id = r.id AND deleting_since IS NULL
                                 ORDER BY started_at DESC LIMIT $2) s
             ORDER BY r.ordinal DESC, s.started_at DESC LIMIT $2"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&camera.0, &i64::from(limit)]).await?;
        rows.iter().rev().map(played).collect()
    }

    /// What a range holds now, without its fragments.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn stamp(&self, camera: CameraId, range: &Range<Timestamp>) -> Result<Stamp, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT count(*), coalesce(sum(s.fragments), 0)::bigint, coalesce(sum(s.size_bytes), 0)::bigint,
                    coalesce(max(s.id), 0), min(s.started_at), max(s.ended_at)
             FROM segments s WHERE {REACHES} AND {KEPT}"
        );
        let statement = client.prepare_cached(&sql).await?;
        let row = client.query_one(&statement, &[&camera.0, &range.start, &range.end, &reach(range)]).await?;
        let bounds: (Option<Timestamp>, Option<Timestamp>) = (row.try_get(4)?, row.try_get(5)?);
        Ok(Stamp {
            segments: row.try_get(0)?,
            fragments: row.try_get(1)?,
            bytes: row.try_get(2)?,
            newest_row: row.try_get(3)?,
            bounds: bounds.0.zip(bounds.1),
        })
    }

    /// One run.
    ///
    /// # Errors
    /// When the database is away or the row is broken.
    pub async fn run(&self, run: RunId) -> Result<Option<Run>, Error> {
        let client = self.client().await?;
        let sql = format!("SELECT {RUN_COLUMNS} FROM runs r WHERE r.id = $1");
        let statement = client.prepare_cached(&sql).await?;
        client.query_opt(&statement, &[&run.0]).await?.as_ref().map(super::run).transpose()
    }

    /// One segment of a run by the time in its file's name, unless it is being deleted; with its fragments.
    ///
    /// # Errors
    /// When the database is away or the row is broken.
    pub async fn segment(&self, run: RunId, named: Timestamp) -> Result<Option<(StoredSegment, FragmentIndex)>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS}, s.fragment_index FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE s.run_id = $1 AND s.started_at = $2::timestamptz + r.shift_us * interval '1 microsecond'
               AND s.deleting_since IS NULL"
        );
        let statement = client.prepare_cached(&sql).await?;
        let row = client.query_opt(&statement, &[&run.0, &named]).await?;
        row.map(|row| Ok((super::stored_segment(&row)?, index(&row)?))).transpose()
    }

    /// Runs with something left of them, newest first: of one camera or all, in a range or all time, behind a
    /// position.
    ///
    /// # Errors
    /// When the database is away or a row is broken.
    pub async fn runs(
        &self,
        camera: Option<CameraId>,
        range: Option<&Range<Timestamp>>,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<RunSummary>, Error> {
        let client = self.client().await?;
        let sql = format!(
            "{} WHERE ($1::uuid IS NULL OR r.camera_id = $1)
               AND ($2::timestamptz IS NULL OR (r.placed_at < $3 AND CASE WHEN r.date_known
                    THEN coalesce(r.ended_at, 'infinity') > $2 ELSE r.placed_at >= $2 END))
               AND ($4::timestamptz IS NULL OR (r.placed_at, r.id) < ($4, $5::uuid))
             ORDER BY r.placed_at DESC, r.id DESC LIMIT $6",
            summary_of("AND held.segments > 0")
        );
        let statement = client.prepare_cached(&sql).await?;
        let (from, to) = range.map_or((None, None), |range| (Some(range.start), Some(range.end)));
        let (at, id) = after.map_or((None, None), |after| (Some(after.placed_at), Some(after.run.0)));
        let rows =
            client.query(&statement, &[&super::uuid_of(camera), &from, &to, &at, &id, &i64::from(limit)]).await?;
        rows.iter().map(summary).collect()
    }

    /// One run and what is left of it.
    ///
    /// # Errors
    /// When the database is away or the row is broken.
    pub async fn run_summary(&self, run: RunId) -> Result<Option<RunSummary>, Error> {
        let client = self.client().await?;
        let sql = format!("{} WHERE r.id = $1", summary_of(""));
        let statement = client.prepare_cached(&sql).await?;
        client.query_opt(&statement, &[&run.0]).await?.as_ref().map(summary).transpose()
    }

    /// What is recorded in a range and what is not, in the order of time and cut to the range.
    ///
    /// # Errors
    /// When the database is away or a row is broken.
    pub async fn timeline(&self, camera: CameraId, range: &Range<Timestamp>) -> Result<Timeline, Error> {
        let stretches = self.stretches(camera, range).await?;
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT camera_id, started_at, ended_at, reason FROM gaps
                 WHERE camera_id = $1 AND started_at < $3 AND coalesce(ended_at, 'infinity') > $2
                 ORDER BY started_at",
            )
            .await?;
        let gaps = client.query(&statement, &[&camera.0, &range.start, &range.end]).await?;
        let gaps = gaps.iter().map(super::gap).collect::<Result<Vec<_>, _>>()?;
        let statement = client
            .prepare_cached(
                "SELECT started_at, ended_at FROM runs
                 WHERE camera_id = $1 AND started_at < $3 AND ended_at > $2 AND date_known ORDER BY started_at",
            )
            .await?;
        let mut ended = Vec::new();
        for row in client.query(&statement, &[&camera.0, &range.start, &range.end]).await? {
            ended.push(row.try_get(0)?..row.try_get(1)?);
        }
        Ok(Timeline::new(camera, range, stretches, gaps, &ended))
    }

    async fn stretches(&self, camera: CameraId, range: &Range<Timestamp>) -> Result<Vec<Stretch>, Error> {
        let client = self.client().await?;
        // Segments of one run that follow each other are one stretch; a second of tolerance hides rounding alone.
        let sql = format!(
            "SELECT run_id, date_known, min(started_at) AS started_at, max(ended_at) AS ended_at,
                    sum(size_bytes)::bigint AS size_bytes
             FROM (SELECT *, count(*) FILTER (WHERE fresh) OVER (PARTITION BY run_id ORDER BY started_at) AS stretch
                   FROM (SELECT s.run_id, r.date_known, s.started_at, s.ended_at, s.size_bytes,
                                s.started_at > lag(s.ended_at) OVER (PARTITION BY s.run_id ORDER BY s.started_at)
                                               + interval '1 second' AS fresh
                         FROM segments s JOIN runs r ON r.id = s.run_id WHERE {REACHES} AND {KEPT}) marked) numbered
             GROUP BY run_id, date_known, stretch ORDER BY min(started_at)"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&camera.0, &range.start, &range.end, &reach(range)]).await?;
        let stretch = |row: &Row| -> Result<Stretch, Error> {
            Ok(Stretch {
                run: RunId(row.try_get("run_id")?),
                range: row.try_get("started_at")?..row.try_get("ended_at")?,
                size_bytes: super::unsigned(row.try_get("size_bytes")?),
                is_date_known: row.try_get("date_known")?,
            })
        };
        rows.iter().map(stretch).collect()
    }
}

/// No segment that began before this reaches into the range.
pub(super) fn reach(range: &Range<Timestamp>) -> Timestamp {
    range.start.saturating_sub(LONGEST_SEGMENT).unwrap_or(Timestamp::MIN)
}

fn summary_of(condition: &str) -> String {
    format!(
        "SELECT {RUN_COLUMNS}, r.placed_at, held.segments, held.fragments, held.size_bytes,
                EXISTS (SELECT FROM pins p WHERE p.camera_id = r.camera_id AND p.ended_at > r.started_at
                        AND p.started_at < coalesce(r.ended_at, 'infinity')) AS pinned
         FROM runs r JOIN LATERAL (
             SELECT count(*) AS segments, coalesce(sum(s.fragments), 0)::bigint AS fragments,
                    coalesce(sum(s.size_bytes), 0)::bigint AS size_bytes
             FROM segments s WHERE s.run_id = r.id AND s.deleting_since IS NULL) held ON true {condition}"
    )
}

fn summary(row: &Row) -> Result<RunSummary, Error> {
    Ok(RunSummary {
        run: super::run(row)?,
        size_bytes: super::unsigned(row.try_get("size_bytes")?),
        segments: super::unsigned(row.try_get("segments")?),
        fragments: super::unsigned(row.try_get("fragments")?),
        pinned: row.try_get("pinned")?,
        placed_at: row.try_get("placed_at")?,
    })
}

fn played(row: &Row) -> Result<Played, Error> {
    let run = super::run(row)?;
    let segment = Segment {
        run: run.id,
        camera: run.camera,
        first_sequence: row.try_get("first_sequence")?,
        started_at: row.try_get("started_at")?,
        fragments: index(row)?,
        closed: row.try_get("closed")?,
    };
    Ok(Played { run, segment })
}

pub(super) fn index(row: &Row) -> Result<FragmentIndex, Error> {
    let bytes: &[u8] = row.try_get("fragment_index")?;
    FragmentIndex::decode(bytes).map_err(|error| broken("segments", error.to_string()))
}
