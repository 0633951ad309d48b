//! Whose database it is. One belongs to one hub: its row names the hub, and whoever works with it holds a lock for as long
//! as its session lives. Two hubs on one database would take each other's files for lost.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use thiserror::Error;
use tokio::time::timeout;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Error, MigrateError, migrate, pool::WAIT};
use crate::{identity::Identity, outcome::chain, parts::Trouble};

/// Of the session that works with the database (an advisory lock, which is the database's own); the number is ours alone.
const LOCK: i64 = 0x4c41_5245;
const LOCKING: &str = "SELECT pg_try_advisory_lock($1)";
/// A session of ours that has just ended may hold it for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(3);
const LOCK_POLL: Duration = Duration::from_millis(100);

/// A hub whose network went away must not hold the lock for hours (PostgreSQL, *Connections and Authentication*).
const KEEPALIVE: &str = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2";

/// The session that holds the lock.
const HOLDER: &str = "SELECT format('%s since %s', coalesce('from ' || host(a.client_addr), 'on the same machine'),
        to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"'))
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database() AND l.objsubid = 1
      AND (l.classid::bigint << 32 | l.objid::bigint) = $1";

/// Why the database may not be used.
#[derive(Debug, Error)]
pub enum Unfit {
    /// It does not answer.
    #[error(transparent)]
    Away(#[from] Error),
    /// Another hub works with it now.
    #[error(
        "another hub works with this database ({0}); give this one a database of its own with database.url, or stop the \
         other"
    )]
    InUse(String),
    /// Another hub's rows are in it.
    #[error(
        "this database is another hub's, {name} ({id}); give this one a database of its own with database.url, or, when \
         that hub is gone for good, stop this one and run `larderd take-over`"
    )]
    Foreign {
        /// What the other hub's machine is called.
        name: String,
        /// Which hub.
        id: Uuid,
    },
    /// The schema can't be brought up to date.
    #[error(transparent)]
    Schema(#[from] MigrateError),
}

impl From<tokio_postgres::Error> for Unfit {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Away(error.into())
    }
}

impl Unfit {
    /// The word for programs.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Away(_) => "away",
            Self::InUse(_) => "in_use",
            Self::Foreign { .. } => "foreign",
            Self::Schema(MigrateError::Newer(_)) => "newer",
            Self::Schema(_) => "schema",
        }
    }

    /// What people are told, and monitors.
    pub(super) fn trouble(&self) -> Trouble {
        Trouble::new(self.reason(), chain(self))
    }
}

/// A database that is this hub's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owned {
    /// Which database.
    pub(super) database: Uuid,
    /// When a hub wrote to it last before it was taken now.
    pub(super) last_written_at: Option<Timestamp>,
}

/// Locks the database for as long as this session lives, finds that it is nobody's or this hub's, brings its schema up to
/// date and signs it. The names of the migrations that were applied come with it. What is another hub's is not touched.
pub(super) async fn take(client: &mut Client, hub: &Identity) -> Result<(Owned, Vec<String>), Unfit> {
    answered(expect_ours(client, hub.id)).await?;
    let applied = migrate(client).await?;
    Ok((answered(sign(client, hub)).await?, applied))
}

/// A server that hangs answers nothing for ever; only a migration may take its time.
async fn answered<T>(work: impl Future<Output = Result<T, Unfit>>) -> Result<T, Unfit> {
    timeout(WAIT + LOCK_WAIT, work).await.map_err(|elapsed| Error::Unavailable(elapsed.into()))?
}

/// Locks it, and finds that it is nobody's or this hub's.
pub(super) async fn expect_ours(client: &Client, hub: Uuid) -> Result<(), Unfit> {
    client.batch_execute(KEEPALIVE).await?;
    lock(client).await?;
    match owner(client).await? {
        Some((id, name)) if id != hub => Err(Unfit::Foreign { name, id }),
        _ => Ok(()),
    }
}

/// Locks it, whosever it is.
pub(super) async fn lock(client: &Client) -> Result<(), Unfit> {
    let end = tokio::time::Instant::now() + LOCK_WAIT;
    while !client.query_one(LOCKING, &[&LOCK]).await?.try_get::<_, bool>(0)? {
        if tokio::time::Instant::now() >= end {
            let holder = client.query_opt(HOLDER, &[&LOCK]).await?;
            let holder = holder.map(|row| row.try_get(0)).transpose()?;
            return Err(Unfit::InUse(holder.unwrap_or_else(|| "which has just ended".to_owned())));
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
    Ok(())
}

async fn sign(client: &Client, hub: &Identity) -> Result<Owned, Unfit> {
    let sign = "UPDATE hub SET hub_id = $1, hub_name = $2, claimed_at = coalesce(claimed_at, now())
        WHERE hub_id IS NULL OR hub_name IS DISTINCT FROM $2";
    client.execute(sign, &[&hub.id, &hub.host]).await?;
    let what = "SELECT database_id, (SELECT written_at FROM database_probe) FROM hub";
    let row = client.query_one(what, &[]).await?;
    Ok(Owned { database: row.try_get(0)?, last_written_at: row.try_get(1)? })
}

/// Whose a database was, and which it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// The hub it was signed for, and what its machine is called.
    pub before: Option<(Uuid, String)>,
    /// Which database.
    pub database: Uuid,
}

/// Locks it, and when it is to be done `really`, signs it for this hub, whosever it was.
pub(super) async fn take_over(client: &mut Client, hub: &Identity, really: bool) -> Result<Signed, Unfit> {
    lock(client).await?;
    migrate(client).await?;
    let before = owner(client).await?;
    if really {
        let sign = "UPDATE hub SET hub_id = $1, hub_name = $2, claimed_at = now()";
        client.execute(sign, &[&hub.id, &hub.host]).await?;
    }
    let row = client.query_one("SELECT database_id FROM hub", &[]).await?;
    Ok(Signed { before, database: row.try_get(0)? })
}

/// The hub that the database is signed for.
async fn owner(client: &Client) -> Result<Option<(Uuid, String)>, tokio_postgres::Error> {
    let is_there: bool = client.query_one("SELECT to_regclass('hub') IS NOT NULL", &[]).await?.try_get(0)?;
    if !is_there {
        return Ok(None);
    }
    let signed = "SELECT hub_id, coalesce(hub_name, '') FROM hub WHERE hub_id IS NOT NULL";
    let row = client.query_opt(signed, &[]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}
