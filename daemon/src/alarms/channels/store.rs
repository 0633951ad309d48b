//! Channels in PostgreSQL.

use tokio::sync::broadcast;
use tokio_postgres::{Row, error::SqlState, types::FromSql};
use uuid::Uuid;

use super::{Channel, ChannelId, Secret, delivery::KIND};
use crate::{
    alarms::Error,
    db::{self, Change, Db},
    secrets::HubKey,
};

const COLUMNS: &str = "id, name, settings, sealed_secret, created_at, updated_at";

/// Channels in PostgreSQL; clones share the pool.
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

    /// Removes the rows of deliveries whose channel is gone: one may have been written while it was removed.
    pub(super) async fn forget_leftovers(&self) -> Result<(), Error> {
        let sql = "DELETE FROM jobs j WHERE j.kind = $1 \
                   AND NOT EXISTS (SELECT FROM alarm_channels c WHERE c.id::text = j.lane)";
        let client = self.db.client().await?;
        client.execute(sql, &[&KIND]).await.map_err(db::Error::from)?;
        Ok(())
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

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, db::Error> {
    row.try_get(column).map_err(db::Error::Statement)
}

fn broken(why: &str) -> Error {
    Error::Database(db::Error::Broken { table: "alarm_channels", why: why.to_owned() })
}
