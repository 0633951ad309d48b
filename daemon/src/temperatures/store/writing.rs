//! Rows of readings, and the minutes, hours and days above them.

use jiff::Timestamp;
use uuid::Uuid;

use super::Store;
use crate::{db, temperatures::queue::Entry};

/// One statement, and so one transaction: minutes, hours and days count exactly the readings that are rows. What is a
/// row already changes nothing. A sensor that is being removed is locked out: no row appears behind its back.
///
/// `date_bin` and not `date_trunc`, which follows the session's time zone.
const WRITE: &str = "
WITH wanted AS (
    SELECT sensors.key, heard.captured_at, heard.received_at, heard.milli
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::integer[])
         AS heard (sensor, captured_at, received_at, milli)
    JOIN sensors ON sensors.id = heard.sensor
    FOR KEY SHARE OF sensors
), written AS (
    INSERT INTO readings (sensor, captured_at, received_at, milli) SELECT * FROM wanted
    ON CONFLICT DO NOTHING RETURNING sensor, captured_at, milli
), minutes AS (
    INSERT INTO reading_minutes AS known (sensor, began_at, least, most, total, count)
    SELECT sensor, date_bin('1 minute', captured_at, 'epoch'), min(milli), max(milli), sum(milli), count(*)
    FROM written GROUP BY 1, 2
    ON CONFLICT (sensor, began_at) DO UPDATE SET
        least = least(known.least, excluded.least), most = greatest(known.most, excluded.most),
        total = known.total + excluded.total, count = known.count + excluded.count
), hours AS (
    INSERT INTO reading_hours AS known (sensor, began_at, least, most, total, count)
    SELECT sensor, date_bin('1 hour', captured_at, 'epoch'), min(milli), max(milli), sum(milli), count(*)
    FROM written GROUP BY 1, 2
    ON CONFLICT (sensor, began_at) DO UPDATE SET
        least = least(known.least, excluded.least), most = greatest(known.most, excluded.most),
        total = known.total + excluded.total, count = known.count + excluded.count
), days AS (
    INSERT INTO reading_days AS known (sensor, began_at, least, most, total, count)
    SELECT sensor, date_bin('1 day', captured_at, 'epoch'), min(milli), max(milli), sum(milli), count(*)
    FROM written GROUP BY 1, 2
    ON CONFLICT (sensor, began_at) DO UPDATE SET
        least = least(known.least, excluded.least), most = greatest(known.most, excluded.most),
        total = known.total + excluded.total, count = known.count + excluded.count
)
SELECT count(*) FROM written";

impl Store {
    /// Writes readings whose sensors are there; how many were new.
    pub(in crate::temperatures) async fn write(&self, entries: &[Entry]) -> Result<u64, db::Error> {
        let sensors: Vec<Uuid> = entries.iter().map(|entry| entry.sensor.0).collect();
        let captured: Vec<Timestamp> = entries.iter().map(|entry| entry.captured_at).collect();
        let received: Vec<Timestamp> = entries.iter().map(|entry| entry.received_at).collect();
        let milli: Vec<i32> = entries.iter().map(|entry| entry.value.0).collect();
        let client = self.db.client().await?;
        let statement = client.prepare_cached(WRITE).await?;
        let row = client.query_one(&statement, &[&sensors, &captured, &received, &milli]).await?;
        let written: i64 = super::get(&row, "count")?;
        Ok(written.unsigned_abs())
    }
}
