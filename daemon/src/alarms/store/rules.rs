//! Rules.

use std::{collections::HashMap, time::Duration};

use larder_proto::wire::{CameraId, camera::MilliCelsius};
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::{Store, get};
use crate::{
    alarms::{
        ChannelId, Error, RuleId,
        rule::{Condition, Rate, Rule, Threshold},
    },
    db::{self, Transaction},
    temperatures::SensorId,
};

const COLUMNS: &str = "id, name, kind, sensor_id, camera_id, milli, hysteresis, after_seconds, enabled, \
                       hold_seconds, repeat_seconds, created_at, updated_at";

impl Store {
    pub(in crate::alarms) async fn rules(&self) -> Result<Vec<Rule>, Error> {
        let mut client = self.db.client().await?;
        let transaction = client.transaction().await.map_err(db::Error::from)?;
        let sql = format!("SELECT {COLUMNS} FROM alarm_rules ORDER BY name");
        let rows = transaction.query(&sql, &[]).await.map_err(db::Error::from)?;
        let told = "SELECT rule_id, channel_id FROM alarm_rule_channels ORDER BY rule_id, channel_id";
        let told = transaction.query(told, &[]).await.map_err(db::Error::from)?;
        let mut channels: HashMap<Uuid, Vec<ChannelId>> = HashMap::new();
        for row in &told {
            channels.entry(get(row, "rule_id")?).or_default().push(ChannelId(get(row, "channel_id")?));
        }
        let rules = rows.iter().map(|row| {
            let channels = channels.remove(&get(row, "id")?).unwrap_or_default();
            rule(row, channels)
        });
        rules.collect()
    }

    /// Adds a rule; its times are made here.
    pub(in crate::alarms) async fn insert(&self, rule: &Rule) -> Result<Rule, Error> {
        let sql = format!(
            "INSERT INTO alarm_rules (id, name, kind, sensor_id, camera_id, milli, hysteresis, after_seconds, \
             enabled, hold_seconds, repeat_seconds) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             RETURNING {COLUMNS}"
        );
        self.write(&sql, rule).await
    }

    /// Changes everything but id and times.
    pub(in crate::alarms) async fn update(&self, rule: &Rule) -> Result<Rule, Error> {
        let sql = format!(
            "UPDATE alarm_rules SET name = $2, kind = $3, sensor_id = $4, camera_id = $5, milli = $6, \
             hysteresis = $7, after_seconds = $8, enabled = $9, hold_seconds = $10, repeat_seconds = $11, \
             updated_at = now() WHERE id = $1 RETURNING {COLUMNS}"
        );
        self.write(&sql, rule).await
    }

    pub(in crate::alarms) async fn delete(&self, rule: RuleId) -> Result<(), Error> {
        let client = self.db.client().await?;
        let sql = "DELETE FROM alarm_rules WHERE id = $1";
        let gone = client.execute(sql, &[&rule.0]).await.map_err(db::Error::from)?;
        if gone == 0 { Err(Error::NoSuchRule(rule.to_string())) } else { Ok(()) }
    }

    async fn write(&self, sql: &str, rule: &Rule) -> Result<Rule, Error> {
        let kept = Kept::of(&rule.condition);
        let mut client = self.db.client().await?;
        let transaction = client.transaction().await.map_err(db::Error::from)?;
        let row = transaction
            .query_opt(
                sql,
                &[
                    &rule.id.0,
                    &rule.name,
                    &rule.condition.kind(),
                    &rule.condition.sensor().map(|sensor| sensor.0),
                    &rule.condition.camera().map(|camera| camera.0),
                    &kept.milli,
                    &kept.hysteresis,
                    &seconds(rule.condition.time()),
                    &rule.enabled,
                    &seconds(rule.hold),
                    &rule.repeat.map(seconds),
                ],
            )
            .await
            .map_err(|error| refused(error, rule))?;
        let row = row.ok_or_else(|| Error::NoSuchRule(rule.id.to_string()))?;
        write_channels(&transaction, rule).await.map_err(|error| refused(error, rule))?;
        transaction.commit().await.map_err(db::Error::from)?;
        self::rule(&row, rule.channels.clone())
    }
}

async fn write_channels(transaction: &Transaction<'_>, rule: &Rule) -> Result<(), tokio_postgres::Error> {
    let channels: Vec<Uuid> = rule.channels.iter().map(|channel| channel.0).collect();
    let gone = "DELETE FROM alarm_rule_channels WHERE rule_id = $1 AND NOT channel_id = ANY($2)";
    transaction.execute(gone, &[&rule.id.0, &channels]).await?;
    let sql = "INSERT INTO alarm_rule_channels (rule_id, channel_id) SELECT $1, unnest($2::uuid[]) \
               ON CONFLICT DO NOTHING";
    transaction.execute(sql, &[&rule.id.0, &channels]).await?;
    Ok(())
}

/// What some conditions have, as rows keep it.
#[derive(Default)]
struct Kept {
    milli: Option<i32>,
    hysteresis: Option<i32>,
}

impl Kept {
    fn of(condition: &Condition) -> Self {
        match condition {
            Condition::Above(threshold) | Condition::Below(threshold) => {
                Self { milli: Some(threshold.limit.0), hysteresis: Some(threshold.hysteresis.0) }
            }
            Condition::Rate(rate) => Self { milli: Some(rate.change.0), hysteresis: None },
            _ => Self::default(),
        }
    }
}

fn rule(row: &Row, channels: Vec<ChannelId>) -> Result<Rule, Error> {
    let repeat: Option<i64> = get(row, "repeat_seconds")?;
    Ok(Rule {
        id: RuleId(get(row, "id")?),
        name: get(row, "name")?,
        condition: condition(row)?,
        enabled: get(row, "enabled")?,
        hold: duration(get(row, "hold_seconds")?)?,
        repeat: repeat.map(duration).transpose()?,
        channels,
        created_at: get(row, "created_at")?,
        updated_at: get(row, "updated_at")?,
    })
}

fn condition(row: &Row) -> Result<Condition, Error> {
    let kind: String = get(row, "kind")?;
    let after = duration(get(row, "after_seconds")?)?;
    let sensor = || {
        let sensor: Option<Uuid> = get(row, "sensor_id")?;
        sensor.map(SensorId).ok_or_else(|| broken("it names no sensor"))
    };
    let camera = || {
        let camera: Option<Uuid> = get(row, "camera_id")?;
        camera.map(CameraId).ok_or_else(|| broken("it names no camera"))
    };
    let milli = |column| {
        let milli: Option<i32> = get(row, column)?;
        milli.map(MilliCelsius).ok_or_else(|| broken("it names no limit"))
    };
    let threshold = || {
        Ok::<_, Error>(Threshold { sensor: sensor()?, limit: milli("milli")?, after, hysteresis: milli("hysteresis")? })
    };
    Ok(match kind.as_str() {
        "above" => Condition::Above(threshold()?),
        "below" => Condition::Below(threshold()?),
        "rate" => Condition::Rate(Rate { sensor: sensor()?, change: milli("milli")?, within: after }),
        "sensor_silent" => Condition::SensorSilent { sensor: sensor()?, after },
        "camera_offline" => Condition::CameraOffline { camera: camera()?, after },
        "recording_stalled" => Condition::RecordingStalled { camera: camera()?, after },
        "disk_floor" => Condition::DiskFloor { after },
        _ => return Err(broken(&format!("kind is {kind:?}"))),
    })
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn duration(seconds: i64) -> Result<Duration, Error> {
    let seconds = u64::try_from(seconds).ok().ok_or_else(|| broken(&format!("a time is {seconds} s")))?;
    Ok(Duration::from_secs(seconds))
}

fn broken(why: &str) -> Error {
    Error::Database(db::Error::Broken { table: "alarm_rules", why: why.to_owned() })
}

fn refused(error: tokio_postgres::Error, rule: &Rule) -> Error {
    let constraint = error.as_db_error().and_then(tokio_postgres::error::DbError::constraint).unwrap_or_default();
    match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => Error::NameTaken(rule.name.clone()),
        // What it names was removed meanwhile.
        Some(&SqlState::FOREIGN_KEY_VIOLATION) => Error::Gone(constraint.to_owned()),
        _ => Error::Database(error.into()),
    }
}
