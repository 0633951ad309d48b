//! Alarms, and causes that are there but not long enough.

use larder_proto::wire::{CameraId, camera::MilliCelsius};
use tokio_postgres::Row;

use super::{Store, get};
use crate::{
    alarms::{Acknowledged, Alarm, AlarmId, RuleId, board::Pending, messages::After},
    db,
    temperatures::SensorId,
};

const COLUMNS: &str = "id, rule_id, rule_name, message, since, raised_at, cleared_at, acknowledged_at, \
                       acknowledged_by, extreme_milli, sensor_id, camera_id";

/// Writes an alarm as it stands. Again is the same as once, and an older state never undoes a newer one.
///
/// # Errors
/// When the database fails.
async fn keep(client: &db::Client, alarm: &Alarm) -> Result<(), db::Error> {
    let sql = format!(
        "INSERT INTO alarms ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET \
         cleared_at = COALESCE(alarms.cleared_at, excluded.cleared_at), \
         acknowledged_by = CASE WHEN alarms.acknowledged_at IS NULL THEN excluded.acknowledged_by \
                                ELSE alarms.acknowledged_by END, \
         acknowledged_at = COALESCE(alarms.acknowledged_at, excluded.acknowledged_at), \
         extreme_milli = CASE WHEN alarms.cleared_at IS NULL THEN excluded.extreme_milli \
                              ELSE alarms.extreme_milli END"
    );
    let acknowledged = alarm.acknowledged.as_ref();
    client
        .execute(
            &sql,
            &[
                &alarm.id.0,
                &alarm.rule.0,
                &alarm.rule_name,
                &alarm.message,
                &alarm.since,
                &alarm.raised_at,
                &alarm.cleared_at,
                &acknowledged.map(|acknowledged| acknowledged.at),
                &acknowledged.map(|acknowledged| acknowledged.by.as_str()),
                &alarm.extreme.map(|extreme| extreme.0),
                &alarm.sensor.map(|sensor| sensor.0),
                &alarm.camera.map(|camera| camera.0),
            ],
        )
        .await?;
    Ok(())
}

impl Store {
    /// Writes an alarm as it stands.
    pub(in crate::alarms) async fn keep(&self, alarm: &Alarm) -> Result<(), db::Error> {
        keep(&self.db.client().await?, alarm).await
    }

    /// Alarms that are raised, the oldest first.
    pub(in crate::alarms) async fn raised(&self) -> Result<Vec<Alarm>, db::Error> {
        let client = self.db.client().await?;
        let sql = format!("SELECT {COLUMNS} FROM alarms WHERE cleared_at IS NULL ORDER BY raised_at, id");
        client.query(&sql, &[]).await?.iter().map(alarm).collect()
    }

    /// Alarms that are over, the newest first.
    pub(in crate::alarms) async fn over(&self, after: Option<After>, most: i64) -> Result<Vec<Alarm>, db::Error> {
        let client = self.db.client().await?;
        let (at, id) = after.map(|after| (after.raised_at, after.id.0)).unzip();
        let sql = format!(
            "SELECT {COLUMNS} FROM alarms WHERE cleared_at IS NOT NULL \
             AND ($1::timestamptz IS NULL OR (raised_at, id) < ($1, $2)) \
             ORDER BY raised_at DESC, id DESC LIMIT $3"
        );
        client.query(&sql, &[&at, &id, &most]).await?.iter().map(alarm).collect()
    }

    /// The alarm with that id.
    pub(in crate::alarms) async fn alarm(&self, id: AlarmId) -> Result<Option<Alarm>, db::Error> {
        let client = self.db.client().await?;
        let sql = format!("SELECT {COLUMNS} FROM alarms WHERE id = $1");
        client.query_opt(&sql, &[&id.0]).await?.as_ref().map(alarm).transpose()
    }

    /// Causes that were there but not long enough.
    pub(in crate::alarms) async fn pending(&self) -> Result<Vec<(RuleId, Pending)>, db::Error> {
        let client = self.db.client().await?;
        let rows = client.query("SELECT rule_id, since, seen_at FROM alarm_pending", &[]).await?;
        rows.iter()
            .map(|row| {
                Ok((RuleId(get(row, "rule_id")?), Pending { since: get(row, "since")?, seen_at: get(row, "seen_at")? }))
            })
            .collect()
    }

    /// Writes what is pending of one rule now. A rule that is gone has nothing.
    pub(in crate::alarms) async fn keep_pending(&self, rule: RuleId, now: Option<Pending>) -> Result<(), db::Error> {
        let client = self.db.client().await?;
        match now {
            Some(Pending { since, seen_at }) => {
                let sql = "INSERT INTO alarm_pending (rule_id, since, seen_at)
                           SELECT id, $2::timestamptz, $3::timestamptz FROM alarm_rules WHERE id = $1 FOR KEY SHARE
                           ON CONFLICT (rule_id) DO UPDATE SET since = excluded.since, seen_at = excluded.seen_at";
                client.execute(sql, &[&rule.0, &since, &seen_at]).await?;
            }
            None => {
                client.execute("DELETE FROM alarm_pending WHERE rule_id = $1", &[&rule.0]).await?;
            }
        }
        Ok(())
    }
}

fn alarm(row: &Row) -> Result<Alarm, db::Error> {
    let at: Option<jiff::Timestamp> = get(row, "acknowledged_at")?;
    let by: Option<String> = get(row, "acknowledged_by")?;
    let extreme: Option<i32> = get(row, "extreme_milli")?;
    let sensor: Option<uuid::Uuid> = get(row, "sensor_id")?;
    let camera: Option<uuid::Uuid> = get(row, "camera_id")?;
    Ok(Alarm {
        id: AlarmId(get(row, "id")?),
        rule: RuleId(get(row, "rule_id")?),
        rule_name: get(row, "rule_name")?,
        message: get(row, "message")?,
        since: get(row, "since")?,
        raised_at: get(row, "raised_at")?,
        cleared_at: get(row, "cleared_at")?,
        acknowledged: at.map(|at| Acknowledged { at, by: by.unwrap_or_default() }),
        extreme: extreme.map(MilliCelsius),
        sensor: sensor.map(SensorId),
        camera: camera.map(CameraId),
    })
}
