//! The schema, forward only: a landed file is never edited.

use refinery::{Migration, Report, Runner, error::Kind};
use thiserror::Error;
use tokio_postgres::Client;

/// Two hubs on one database migrate one after the other; the number is ours alone.
const LOCK: i64 = 0x4c41_5244;

/// A migration may take long, and wait for another hub's.
const PATIENCE: &str = "SET statement_timeout = 0";
const LOCKING: &str = "SELECT pg_advisory_lock($1)";
const UNLOCKING: &str = "SELECT pg_advisory_unlock($1)";

const FILES: &[(&str, &str)] = &[
    ("V1__cameras", include_str!("../../migrations/0001_cameras.sql")),
    ("V2__recordings", include_str!("../../migrations/0002_recordings.sql")),
    ("V3__access", include_str!("../../migrations/0003_access.sql")),
    ("V4__temperatures", include_str!("../../migrations/0004_temperatures.sql")),
    ("V5__alarms", include_str!("../../migrations/0005_alarms.sql")),
    ("V6__camera_sources", include_str!("../../migrations/0006_camera_sources.sql")),
    ("V7__jobs", include_str!("../../migrations/0007_jobs.sql")),
    ("V8__hub", include_str!("../../migrations/0008_hub.sql")),
    ("V9__database_probe", include_str!("../../migrations/0009_database_probe.sql")),
    ("V10__verified", include_str!("../../migrations/0010_verified.sql")),
    ("V11__dated", include_str!("../../migrations/0011_dated.sql")),
];

/// Why the schema can't be brought up to date.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The database has been opened by a newer version.
    #[error(
        "the database was made by a newer Larder: it has {0}, and this one knows no more than {newest}; install the newer \
         version again, or restore what was kept before it",
        newest = FILES.last().map_or("nothing", |(name, _)| name)
    )]
    Newer(String),
    /// A migration failed.
    #[error("the schema cannot be migrated")]
    Migration(#[source] refinery::Error),
    /// The lock could not be taken.
    #[error("the migration lock cannot be taken")]
    Lock(#[from] tokio_postgres::Error),
}

/// The number of the newest migration that this program knows.
pub(super) fn newest() -> u32 {
    let number = |name: &str| name.strip_prefix('V')?.split_once("__")?.0.parse().ok();
    FILES.iter().filter_map(|(name, _)| number(name)).max().unwrap_or_default()
}

impl From<refinery::Error> for MigrateError {
    fn from(error: refinery::Error) -> Self {
        match error.kind() {
            Kind::MissingVersion(known) if !FILES.iter().any(|(name, _)| *name == known.to_string()) => {
                Self::Newer(known.to_string())
            }
            _ => Self::Migration(error),
        }
    }
}

/// Brings the schema up to date; returns the names of what was applied now.
///
/// # Errors
/// When a migration fails (each is one transaction, so nothing is left half done), or the database is newer than
/// this program.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, MigrateError> {
    client.batch_execute(PATIENCE).await?;
    client.query_one(LOCKING, &[&LOCK]).await?;
    let migrated = match runner() {
        Ok(runner) => runner.run_async(client).await,
        Err(error) => Err(error),
    };
    client.query_one(UNLOCKING, &[&LOCK]).await?;
    Ok(applied(&migrated?))
}

/// As [`migrate`], for `larderd migrate`, which has no runtime. It panics within one.
///
/// # Errors
/// As [`migrate`].
pub fn migrate_blocking(client: &mut postgres::Client) -> Result<Vec<String>, MigrateError> {
    client.batch_execute(PATIENCE)?;
    client.query_one(LOCKING, &[&LOCK])?;
    let migrated = runner().and_then(|runner| runner.run(client));
    client.query_one(UNLOCKING, &[&LOCK])?;
    Ok(applied(&migrated?))
}

fn runner() -> Result<Runner, refinery::Error> {
    let migrations = FILES.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    Ok(Runner::new(&migrations.collect::<Result<Vec<_>, _>>()?))
}

fn applied(report: &Report) -> Vec<String> {
    report.applied_migrations().iter().map(ToString::to_string).collect()
}
