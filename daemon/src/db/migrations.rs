//! The schema, forward only: a landed file is never edited.

use refinery::{Migration, Runner};
use thiserror::Error;
use tokio_postgres::Client;

/// Two hubs on one database migrate one after the other; the number is ours alone.
const LOCK: i64 = 0x4c41_5244;

const FILES: &[(&str, &str)] = &[
    ("V1__cameras", include_str!("../../migrations/0001_cameras.sql")),
    ("V2__recordings", include_str!("../../migrations/0002_recordings.sql")),
    ("V3__access", include_str!("../../migrations/0003_access.sql")),
    ("V4__temperatures", include_str!("../../migrations/0004_temperatures.sql")),
    ("V5__alarms", include_str!("../../migrations/0005_alarms.sql")),
    ("V6__camera_sources", include_str!("../../migrations/0006_camera_sources.sql")),
];

/// Why the schema can't be brought up to date.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// A migration failed or the database has one that this version does not know.
    #[error("the schema cannot be migrated")]
    Migration(#[from] refinery::Error),
    /// The lock could not be taken.
    #[error("the migration lock cannot be taken")]
    Lock(#[from] tokio_postgres::Error),
}

/// Brings the schema up to date; returns the names of what was applied now.
///
/// # Errors
/// When a migration fails (each is one transaction, so nothing is left half done), or the database is newer than
/// this program.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, MigrateError> {
    // A migration may take long, and wait for another hub's.
    client.batch_execute("SET statement_timeout = 0").await?;
    client.query_one("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let migrated = run(client).await;
    client.query_one("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    migrated
}

async fn run(client: &mut Client) -> Result<Vec<String>, MigrateError> {
    let mut migrations = Vec::with_capacity(FILES.len());
    for (name, sql) in FILES {
        migrations.push(Migration::unapplied(name, sql)?);
    }
    let report = Runner::new(&migrations).run_async(client).await?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}
