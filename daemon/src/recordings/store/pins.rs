//! Pins, and which cameras record by hand.

use std::ops::Range;

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error as ThisError;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Error, Pin, Store};
use crate::db::Transaction;

/// Why a range was not pinned.
#[derive(Debug, ThisError)]
pub enum PinError {
    /// The row could not be written.
    #[error(transparent)]
    Rows(#[from] Error),
    /// Its deletion was faster.
    #[error("{segments} minutes of it were just deleted; ask again to pin what is left")]
    TooLate {
        /// How many.
        segments: u64,
    },
}

impl Store {
    /// Keeps a range from being deleted, also what is marked for deletion and not unlinked yet.
    ///
    /// # Errors
    /// When the database is away or the camera is gone; when files of the range were unlinked just now.
    pub async fn pin(&self, camera: CameraId, range: &Range<Timestamp>, note: &str) -> Result<Pin, PinError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(Error::from)?;
        let pinned = insert(&transaction, camera, range, note).await?;
        let gone = take_back(&transaction, camera, range).await?;
        if gone > 0 {
            // Dropped with the pin.
            return Err(PinError::TooLate { segments: gone });
        }
        transaction.commit().await.map_err(Error::from)?;
        Ok(pinned)
    }

    /// Takes a pin away, and says which it was; `None` when there is none.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn unpin(&self, id: Uuid) -> Result<Option<Pin>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "DELETE FROM pins WHERE id = $1 RETURNING id, camera_id, started_at, ended_at, note, created_at",
            )
            .await?;
        client.query_opt(&statement, &[&id]).await?.as_ref().map(pin).transpose()
    }

    /// The ranges of all pins of a camera.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn pins_of(&self, camera: CameraId) -> Result<Vec<Range<Timestamp>>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("SELECT started_at, ended_at FROM pins WHERE camera_id = $1 ORDER BY started_at, id")
            .await?;
        let rows = client.query(&statement, &[&camera.0]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?..row.try_get(1)?)).collect()
    }

    /// A camera's pins that reach into a range, oldest first.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn pins(&self, camera: CameraId, range: &Range<Timestamp>) -> Result<Vec<Pin>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT id, camera_id, started_at, ended_at, note, created_at FROM pins
                 WHERE camera_id = $1 AND started_at < $3 AND ended_at > $2 ORDER BY started_at, id",
            )
            .await?;
        let rows = client.query(&statement, &[&camera.0, &range.start, &range.end]).await?;
        rows.iter().map(pin).collect()
    }

    /// Notes that a camera records by hand, until [`Store::stop_manual`]; survives a restart.
    ///
    /// # Errors
    /// When the database is away or the camera is gone.
    pub async fn start_manual(&self, camera: CameraId) -> Result<(), Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("INSERT INTO manual_recordings (camera_id) VALUES ($1) ON CONFLICT DO NOTHING")
            .await?;
        client.execute(&statement, &[&camera.0]).await?;
        Ok(())
    }

    /// Notes that it no longer does; `false` when it did not.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn stop_manual(&self, camera: CameraId) -> Result<bool, Error> {
        let client = self.client().await?;
        let statement = client.prepare_cached("DELETE FROM manual_recordings WHERE camera_id = $1").await?;
        Ok(client.execute(&statement, &[&camera.0]).await? == 1)
    }

    /// Every camera that records by hand now.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn manual(&self) -> Result<Vec<CameraId>, Error> {
        let client = self.client().await?;
        let statement = client.prepare_cached("SELECT camera_id FROM manual_recordings ORDER BY started_at").await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(|row| Ok(CameraId(row.try_get(0)?))).collect()
    }
}

async fn insert(
    transaction: &Transaction<'_>,
    camera: CameraId,
    range: &Range<Timestamp>,
    note: &str,
) -> Result<Pin, Error> {
    let row = transaction
        .query_one(
            "INSERT INTO pins (id, camera_id, started_at, ended_at, note) VALUES ($1, $2, $3, $4, $5)
             RETURNING id, camera_id, started_at, ended_at, note, created_at",
            &[&Uuid::now_v7(), &camera.0, &range.start, &range.end, &note],
        )
        .await?;
    pin(&row)
}

/// Takes the mark from segments in the range; waits for a deletion that has begun. How many are gone by then.
async fn take_back(transaction: &Transaction<'_>, camera: CameraId, range: &Range<Timestamp>) -> Result<u64, Error> {
    const DOOMED: &str = "s.camera_id = $1 AND s.started_at < $3 AND s.ended_at > $2 AND s.deleting_since IS NOT NULL";
    let count = format!("SELECT count(*) FROM segments s WHERE {DOOMED}");
    let doomed = transaction.query_one(&count, &[&camera.0, &range.start, &range.end]).await?;
    let update = format!(
        "UPDATE segments SET deleting_since = NULL
         WHERE id IN (SELECT s.id FROM segments s WHERE {DOOMED} ORDER BY s.id FOR UPDATE)"
    );
    let taken = transaction.execute(&update, &[&camera.0, &range.start, &range.end]).await?;
    Ok(super::unsigned(doomed.try_get(0)?).saturating_sub(taken))
}

pub(super) fn pin(row: &Row) -> Result<Pin, Error> {
    Ok(Pin {
        id: row.try_get("id")?,
        camera: CameraId(row.try_get("camera_id")?),
        range: row.try_get("started_at")?..row.try_get("ended_at")?,
        note: row.try_get("note")?,
        created_at: row.try_get("created_at")?,
    })
}
