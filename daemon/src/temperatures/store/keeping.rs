//! Removes readings, in steps so small that nobody waits for them.

use jiff::Timestamp;

use super::{Store, get};
use crate::db;

/// Rows are removed oldest first, whole hours at a time: what is left of a table begins with a whole hour, and before
/// it the next coarser one stands in.
struct Table {
    name: &'static str,
    time: &'static str,
    /// What one step removes at most: some thousand rows.
    step: &'static str,
}

const READINGS: Table = Table { name: "readings", time: "captured_at", step: "1 day" };
const MINUTES: Table = Table { name: "reading_minutes", time: "began_at", step: "3 days" };
const HOURS: Table = Table { name: "reading_hours", time: "began_at", step: "150 days" };
const DAYS: Table = Table { name: "reading_days", time: "began_at", step: "3600 days" };

impl Store {
    /// The keys of all sensors, and of those that are gone and have left rows.
    pub(in crate::temperatures) async fn keys(&self) -> Result<(Vec<i32>, Vec<i32>), db::Error> {
        let client = self.db.client().await?;
        let mut keys = (Vec::new(), Vec::new());
        for row in client
            .query("SELECT key, false AS gone FROM sensors UNION ALL SELECT key, true FROM sensors_gone", &[])
            .await?
        {
            if get(&row, "gone")? { keys.1.push(get(&row, "key")?) } else { keys.0.push(get(&row, "key")?) }
        }
        Ok(keys)
    }

    /// One step of removing a sensor's single readings from before then. Whether there may be more.
    pub(in crate::temperatures) async fn forget_readings(
        &self,
        key: i32,
        before: Timestamp,
    ) -> Result<bool, db::Error> {
        self.step(&READINGS, key, before).await
    }

    /// As [`Store::forget_readings`], its minutes.
    pub(in crate::temperatures) async fn forget_minutes(&self, key: i32, before: Timestamp) -> Result<bool, db::Error> {
        self.step(&MINUTES, key, before).await
    }

    /// One step of removing what a sensor left that is gone. Whether there may be more.
    pub(in crate::temperatures) async fn forget_gone(&self, key: i32) -> Result<bool, db::Error> {
        for table in [&READINGS, &MINUTES, &HOURS, &DAYS] {
            if self.step(table, key, Timestamp::MAX).await? {
                return Ok(true);
            }
        }
        self.db.client().await?.execute("DELETE FROM sensors_gone WHERE key = $1", &[&key]).await?;
        Ok(false)
    }

    async fn step(&self, table: &Table, key: i32, before: Timestamp) -> Result<bool, db::Error> {
        let Table { name, time, step } = table;
        let sql = format!(
            "DELETE FROM {name} WHERE sensor = $1 AND {time} < least(date_bin('1 hour', $2, 'epoch'), (
                 SELECT date_bin('1 hour', min({time}), 'epoch') + interval '{step}' FROM {name} WHERE sensor = $1))"
        );
        let client = self.db.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.execute(&statement, &[&key, &before]).await? > 0)
    }
}
