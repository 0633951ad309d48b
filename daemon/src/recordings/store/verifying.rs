//! Which files are to be compared with their checksums, and what was found.

use std::ops::Range;

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use super::{Error, FragmentIndex, SEGMENT_COLUMNS, Store, StoredSegment, reading};

/// Complete, here, and not being deleted.
const VERIFIABLE: &str = "s.closed AND s.location = 'local' AND s.deleting_since IS NULL";
/// Of a camera or all, in a range or all time.
const CHOSEN: &str = "($1::uuid IS NULL OR s.camera_id = $1)
    AND ($2::timestamptz IS NULL OR (s.started_at < $3::timestamptz AND s.ended_at > $2))";

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Extent {
    /// Files.
    pub segments: u64,
    /// Of all of them.
    pub bytes: u64,
}

/// What is damaged of all recordings.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Damage {
    /// Files with damage in them.
    pub segments: u64,
    /// Damaged fragments in them.
    pub fragments: u64,
}

impl Store {
    /// How much there is to verify of a camera or all, in a range or all time.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn verifiable_size(
        &self,
        camera: Option<CameraId>,
        range: Option<&Range<Timestamp>>,
    ) -> Result<Extent, Error> {
        let sql = format!(
            "SELECT count(*), coalesce(sum(s.size_bytes), 0)::bigint FROM segments s WHERE {VERIFIABLE} AND {CHOSEN}"
        );
        let (from, to) = (range.map(|range| range.start), range.map(|range| range.end));
        let row = self.client().await?.query_one(&sql, &[&super::uuid_of(camera), &from, &to]).await?;
        Ok(Extent { segments: super::unsigned(row.try_get(0)?), bytes: super::unsigned(row.try_get(1)?) })
    }

    /// Rows of files to verify behind the row `after`, so many at most, in the order of rows.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn verifiable(
        &self,
        camera: Option<CameraId>,
        range: Option<&Range<Timestamp>>,
        after: i64,
        most: u32,
    ) -> Result<Vec<i64>, Error> {
        let sql = format!(
            "SELECT s.id FROM segments s WHERE {VERIFIABLE} AND {CHOSEN} AND s.id > $4 ORDER BY s.id LIMIT {most}"
        );
        let (from, to) = (range.map(|range| range.start), range.map(|range| range.end));
        let rows = self.client().await?.query(&sql, &[&super::uuid_of(camera), &from, &to, &after]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// The row of the file that was not verified for the longest time, and not since then.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn least_verified(&self, since: Timestamp) -> Result<Option<i64>, Error> {
        let sql = format!(
            "SELECT s.id FROM segments s WHERE {VERIFIABLE} AND (s.verified_at IS NULL OR s.verified_at < $1)
             ORDER BY s.verified_at NULLS FIRST, s.id LIMIT 1"
        );
        let row = self.client().await?.query_opt(&sql, &[&since]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// A segment by its row, with its fragments.
    ///
    /// # Errors
    /// When the database is away or the row is broken.
    pub async fn verifiable_segment(&self, id: i64) -> Result<Option<(StoredSegment, FragmentIndex)>, Error> {
        let sql = format!(
            "SELECT {SEGMENT_COLUMNS}, s.fragment_index FROM segments s JOIN runs r ON r.id = s.run_id
             WHERE s.id = $1 AND {VERIFIABLE}"
        );
        let row = self.client().await?.query_opt(&sql, &[&id]).await?;
        row.map(|row| Ok((super::stored_segment(&row)?, reading::index(&row)?))).transpose()
    }

    /// Keeps what was found of a segment's fragments.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn set_verified(&self, id: i64, at: Timestamp, fragments: &FragmentIndex) -> Result<(), Error> {
        let sql = "UPDATE segments SET verified_at = $2, fragment_index = $3, damaged = $4 WHERE id = $1";
        let damaged = i32::try_from(fragments.damaged()).unwrap_or(i32::MAX);
        self.client().await?.execute(sql, &[&id, &at, &fragments.encode(), &damaged]).await?;
        Ok(())
    }

    /// Notes that a segment was looked at then, whatever came of it.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn set_looked_at(&self, id: i64, at: Timestamp) -> Result<(), Error> {
        self.client().await?.execute("UPDATE segments SET verified_at = $2 WHERE id = $1", &[&id, &at]).await?;
        Ok(())
    }

    /// What is damaged, as far as it is known.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn damage(&self) -> Result<Damage, Error> {
        let sql = "SELECT count(*), coalesce(sum(damaged), 0)::bigint FROM segments WHERE damaged > 0";
        let row = self.client().await?.query_one(sql, &[]).await?;
        Ok(Damage { segments: super::unsigned(row.try_get(0)?), fragments: super::unsigned(row.try_get(1)?) })
    }
}
