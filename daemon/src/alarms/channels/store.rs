//! Channels and deliveries in PostgreSQL.

use tokio::sync::broadcast;
use tokio_postgres::{Row, error::SqlState, types::FromSql};
use uuid::Uuid;

use super::{Channel, ChannelId, Delivery, DeliveryId, Finished, Secret, note::Note};
use crate::{
    alarms::{AlarmId, Error, store},
    db::{self, Change, Db},
    secrets::HubKey,
};

const COLUMNS: &str = "id, name, settings, sealed_secret, created_at, updated_at";

/// Finished deliveries of a channel that are kept, the newest ones: years of a house's alarms.
const KEPT: i64 = 1000;

const DELIVERY: &str = "id, alarm_id, channel_id, message, created_at, finished_at, delivered, attempts, \
                        next_attempt_at, error";

/// Channels and deliveries in PostgreSQL; clones share the pool.
#[derive(Clone)]
pub(super) struct Store {
    db: Db,
    hub_key: HubKey,
}

impl Store {
    /// A store whose secrets are sealed with the hub's key.
    pub(super) fn new(db: Db, hub_key: HubKey) -> Self {
        Self { db, hub_key }
    }

    /// Changes as the database tells them.
    pub(super) fn changes(&self) -> broadcast::Receiver<Change> {
        self.db.changes()
    }

    pub(super) async fn channels(&self) -> Result<Vec<Channel>, Error> {
        let client = self.db.client().await?;
        let rows =
            client.query(&format!("SELECT {COLUMNS} FROM alarm_channels"), &[]).await.map_err(db::Error::from)?;
        rows.iter().map(|row| self.channel(row)).collect()
    }

    pub(super) async fn insert(&self, channel: &Channel) -> Result<Channel, Error> {
        let sql = format!(
            "INSERT INTO alarm_channels (id, name, kind, settings, sealed_secret) VALUES ($1, $2, $3, $4, $5) \
             RETURNING {COLUMNS}"
        );
        self.write(&sql, channel).await
    }

    pub(super) async fn update(&self, channel: &Channel) -> Result<Channel, Error> {
        let sql = format!(
            "UPDATE alarm_channels SET name = $2, kind = $3, settings = $4, sealed_secret = $5, updated_at = now() \
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        self.write(&sql, channel).await
    }

    async fn write(&self, sql: &str, channel: &Channel) -> Result<Channel, Error> {
        let settings = serde_json::to_value(&channel.target).map_err(|error| broken(&error.to_string()))?;
        let seal = |secret: &Secret| self.hub_key.seal(channel.id.0.as_bytes(), secret.0.as_bytes());
        let sealed = channel.secret.as_ref().map(seal).transpose()?;
        let client = self.db.client().await?;
        let row = client
            .query_opt(sql, &[&channel.id.0, &channel.name, &channel.target.kind(), &settings, &sealed])
            .await
            .map_err(|error| match error.code() {
                Some(&SqlState::UNIQUE_VIOLATION) => Error::ChannelNameTaken(channel.name.clone()),
                _ => Error::Database(error.into()),
            })?;
        self.channel(&row.ok_or_else(|| Error::NoSuchChannel(channel.id.to_string()))?)
    }

    pub(super) async fn delete(&self, channel: ChannelId) -> Result<(), Error> {
        let client = self.db.client().await?;
        let sql = "DELETE FROM alarm_channels WHERE id = $1";
        let gone = client.execute(sql, &[&channel.0]).await.map_err(db::Error::from)?;
        if gone == 0 { Err(Error::NoSuchChannel(channel.to_string())) } else { Ok(()) }
    }

    /// Writes a delivery as it stands, and before it the alarm it is about. Again is the same as once; of a channel
    /// that is gone nothing is kept, and of each channel only the newest that are finished.
    pub(super) async fn keep(&self, delivery: &Delivery) -> Result<(), db::Error> {
        let mut client = self.db.client().await?;
        let transaction = client.transaction().await?;
        if let Some(alarm) = &delivery.about {
            store::keep_new(&transaction, alarm).await?;
        }
        let sql = format!(
            "INSERT INTO alarm_deliveries ({DELIVERY}, occasion) \
             SELECT $1, $2, channel.id, $4, $5, $6, $7, $8, $9, $10, $11 FROM alarm_channels channel \
             WHERE channel.id = $3 FOR KEY SHARE \
             ON CONFLICT (id) DO UPDATE SET finished_at = excluded.finished_at, delivered = excluded.delivered, \
             attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, error = excluded.error"
        );
        let finished = delivery.finished;
        transaction
            .execute(
                &sql,
                &[
                    &delivery.id.0,
                    &delivery.alarm.0,
                    &delivery.channel.0,
                    &delivery.note.json(),
                    &delivery.created_at,
                    &finished.map(|finished| finished.at),
                    &finished.map(|finished| finished.delivered),
                    &i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
                    &delivery.next_attempt_at,
                    &delivery.error,
                    &delivery.note.occasion,
                ],
            )
            .await?;
        if finished.is_some() {
            let old = "DELETE FROM alarm_deliveries WHERE channel_id = $1 AND finished_at IS NOT NULL AND id <= ( \
                       SELECT id FROM alarm_deliveries WHERE channel_id = $1 AND finished_at IS NOT NULL \
                       ORDER BY id DESC OFFSET $2 LIMIT 1)";
            transaction.execute(old, &[&delivery.channel.0, &KEPT]).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Deliveries that were not through, the oldest first.
    pub(super) async fn waiting(&self) -> Result<Vec<Delivery>, Error> {
        let client = self.db.client().await?;
        let sql = format!("SELECT {DELIVERY} FROM alarm_deliveries WHERE finished_at IS NULL ORDER BY created_at, id");
        client.query(&sql, &[]).await.map_err(db::Error::from)?.iter().map(delivery).collect()
    }

    /// The newest deliveries before one, of one alarm or of all.
    pub(super) async fn deliveries(
        &self,
        alarm: Option<AlarmId>,
        before: Option<DeliveryId>,
        most: i64,
    ) -> Result<Vec<Delivery>, Error> {
        let client = self.db.client().await?;
        let (alarm, before) = (alarm.map(|alarm| alarm.0), before.map(|before| before.0));
        let sql = format!(
            "SELECT {DELIVERY} FROM alarm_deliveries WHERE ($1::uuid IS NULL OR alarm_id = $1) \
             AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
        );
        client.query(&sql, &[&alarm, &before, &most]).await.map_err(db::Error::from)?.iter().map(delivery).collect()
    }

    fn channel(&self, row: &Row) -> Result<Channel, Error> {
        let id: Uuid = get(row, "id")?;
        let name: String = get(row, "name")?;
        let settings: serde_json::Value = get(row, "settings")?;
        let sealed: Option<Vec<u8>> = get(row, "sealed_secret")?;
        let open = |sealed: Vec<u8>| {
            let opened = self.hub_key.open(id.as_bytes(), &sealed).ok()?;
            String::from_utf8(opened).ok().map(Secret)
        };
        let is_sealed = sealed.is_some();
        let secret = sealed.and_then(open);
        if is_sealed && secret.is_none() {
            tracing::error!(
                alarm.channel = name,
                "the channel's secret does not open with this hub's key; give it again"
            );
        }
        let target = serde_json::from_value(settings).map_err(|error| broken(&error.to_string()))?;
        Ok(Channel {
            id: ChannelId(id),
            name,
            target,
            secret,
            created_at: get(row, "created_at")?,
            updated_at: get(row, "updated_at")?,
        })
    }
}

fn delivery(row: &Row) -> Result<Delivery, Error> {
    let message: String = get(row, "message")?;
    let attempts: i32 = get(row, "attempts")?;
    let finished_at: Option<jiff::Timestamp> = get(row, "finished_at")?;
    let delivered: Option<bool> = get(row, "delivered")?;
    let note: Note = serde_json::from_str(&message)
        .map_err(|error| Error::Database(db::Error::Broken { table: "alarm_deliveries", why: error.to_string() }))?;
    Ok(Delivery {
        id: DeliveryId(get(row, "id")?),
        alarm: AlarmId(get(row, "alarm_id")?),
        about: None,
        channel: ChannelId(get(row, "channel_id")?),
        note,
        created_at: get(row, "created_at")?,
        attempts: attempts.unsigned_abs(),
        next_attempt_at: get(row, "next_attempt_at")?,
        finished: finished_at.map(|at| Finished { at, delivered: delivered.unwrap_or_default() }),
        error: get(row, "error")?,
    })
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, db::Error> {
    row.try_get(column).map_err(db::Error::Statement)
}

fn broken(why: &str) -> Error {
    Error::Database(db::Error::Broken { table: "alarm_channels", why: why.to_owned() })
}
