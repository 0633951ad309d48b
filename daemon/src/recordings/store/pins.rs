//! Pins, and which cameras record by hand.

use std::ops::Range;

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Error, Pin, Store, StoredSegment};

impl Store {
    /// Keeps a range from being deleted.
    ///
    /// # Errors
    /// When the database is away or the camera is gone.
    pub async fn pin(&self, camera: CameraId, range: &Range<Timestamp>, note: &str) -> Result<Pin, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO pins (id, camera_id, started_at, ended_at, note) VALUES ($1, $2, $3, $4, $5)
                 RETURNING id, camera_id, started_at, ended_at, note, created_at",
            )
            .await?;
        let row = client.query_one(&statement, &[&Uuid::now_v7(), &camera.0, &range.start, &range.end, &note]).await?;
        pin(&row)
    }

    /// Takes a pin away; `false` when there is none.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn unpin(&self, id: Uuid) -> Result<bool, Error> {
        let client = self.client().await?;
        let statement = client.prepare_cached("DELETE FROM pins WHERE id = $1").await?;
        Ok(client.execute(&statement, &[&id]).await? == 1)
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

    /// The pins that hold any of these segments.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn pins_on(&self, segments: &[StoredSegment]) -> Result<Vec<Pin>, Error> {
        let ids: Vec<i64> = segments.iter().map(|segment| segment.id).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT p.id, p.camera_id, p.started_at, p.ended_at, p.note, p.created_at FROM pins p
                 WHERE EXISTS (SELECT FROM segments s WHERE s.id = ANY($1) AND s.camera_id = p.camera_id
                               AND s.started_at < p.ended_at AND s.ended_at > p.started_at)
                 ORDER BY p.started_at, p.id",
            )
            .await?;
        client.query(&statement, &[&ids]).await?.iter().map(pin).collect()
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

fn pin(row: &Row) -> Result<Pin, Error> {
    Ok(Pin {
        id: row.try_get("id")?,
        camera: CameraId(row.try_get("camera_id")?),
        range: row.try_get("started_at")?..row.try_get("ended_at")?,
        note: row.try_get("note")?,
        created_at: row.try_get("created_at")?,
    })
}
