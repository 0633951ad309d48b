//! Puts a dump in the place of what the database holds, while no hub works with it.
//!
//! All of it is one transaction: tables are dropped, made and filled again, and what would let somebody in is deleted,
//! by the SQL that `pg_restore` writes of the dump and `psql` carries out between our own first and last statements.
//! COMMIT follows only on a dump that was read to its end. Killed at any moment, the old database is there or the new
//! one; nothing is needed for it beyond the rights that the hub has anyway, on its own cluster and on any other server.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_postgres::Client;

use super::{
    Config, DumpError, MigrateError, StartError, Unfit,
    dump::{self, Contents, Unsuited},
    migrate,
    offline::{briefly, unfit},
    owner,
    tools::{self, Programs, Tools},
};
use crate::identity::Identity;

/// Removes all there is of a hub, also what a newer version made. What belongs to an extension stays.
const BEGIN: &str = "BEGIN;
SET LOCAL search_path = '';
SET LOCAL lock_timeout = '30s';
SET LOCAL client_min_messages = warning;
DO $$
DECLARE
    thing text;
BEGIN
    FOR thing IN
        SELECT 'TABLE IF EXISTS ' || oid::regclass FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
        UNION ALL
        SELECT 'ROUTINE IF EXISTS ' || oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
    LOOP
        EXECUTE 'DROP ' || thing || ' CASCADE';
    END LOOP;
END $$;
";

/// Whatever one could get in with is void, and the backup that was being made is not made again.
const VOID: &str = "
DELETE FROM public.sessions;
DELETE FROM public.tokens;
DELETE FROM public.jobs WHERE kind = 'database_backup' AND finished_at IS NULL;
";

/// Newer programs set this for servers that know it, and write it down for all.
const TRANSACTION_TIMEOUT: &[u8] = b"SET transaction_timeout = 0;\n";
/// The version that knows it.
const KNOWS_TRANSACTION_TIMEOUT: u32 = 17;
/// Settings stand in the first lines of what `pg_restore` writes.
const HEAD_LINES: usize = 40;

/// What is restored, and how.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The dump.
    pub file: PathBuf,
    /// Where what the database holds now is dumped first; absent: it is lost.
    pub keep: Option<PathBuf>,
    /// Whether another hub's becomes this one's.
    pub take_over: bool,
}

/// Why nothing was restored; the database is what it was, unless it says otherwise.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// There is no usable database.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The dump can't be read, or `psql` failed.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// It is not for this hub.
    #[error(transparent)]
    Unsuited(#[from] Unsuited),
    /// What the database holds now can't be dumped.
    #[error("what the database holds now cannot be kept; --discard restores without keeping it")]
    Keep(#[source] DumpError),
    /// Sessions, tokens and links that need no row could not be ended.
    #[error("sessions, tokens and links cannot be ended")]
    Void(#[source] std::io::Error),
    /// It was restored, and its schema can't be brought up to date.
    #[error("the backup was restored, but its schema cannot be brought up to date")]
    Migrate(#[source] MigrateError),
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup held.
    pub contents: Contents,
    /// Where what the database held before was dumped; absent when it was empty or to be lost.
    pub kept: Option<PathBuf>,
}

/// Restores a dump and ends. `void` is called before the first row is changed: it must end whatever lets somebody in
/// without a row. Not within a runtime.
///
/// # Errors
/// [`RestoreError`]; only its last case has changed the database.
pub fn restore_and_end(
    config: &Config,
    state: &Path,
    restore: &Restore,
    void: impl FnOnce() -> std::io::Result<()>,
) -> Result<Restored, RestoreError> {
    briefly(config, state, |runtime, mut held, hub| {
        let tools = Tools::new(config, &held.server);
        runtime.block_on(restore_with(&tools, &mut held.client, hub, restore, void))
    })
}

async fn restore_with(
    tools: &Tools,
    client: &mut Client,
    hub: &Identity,
    restore: &Restore,
    void: impl FnOnce() -> std::io::Result<()>,
) -> Result<Restored, RestoreError> {
    let contents = tools.newest().await?.read(&restore.file).await?;
    contents.check(hub.id, restore.take_over)?;
    // Held meanwhile: no hub works with it.
    let ours = if restore.take_over { owner::lock(client).await } else { owner::expect_ours(client, hub.id).await };
    ours.map_err(unfit)?;
    let row = client.query_one(dump::SERVER_VERSION, &[]).await.map_err(refused)?;
    let major = dump::server_major(row.try_get(0).map_err(refused)?);
    let programs = tools.of_server(major).await?;
    let kept = match &restore.keep {
        Some(path) if is_used(client).await.map_err(refused)? => {
            programs.dump(path).await.map_err(RestoreError::Keep)?;
            Some(path.clone())
        }
        _ => None,
    };
    void().map_err(RestoreError::Void)?;
    replace(&programs, &restore.file, major, hub).await?;
    migrate(client).await.map_err(RestoreError::Migrate)?;
    Ok(Restored { contents, kept })
}

fn refused(error: tokio_postgres::Error) -> StartError {
    unfit(Unfit::from(error))
}

/// Whether any hub has worked with it.
async fn is_used(client: &Client) -> Result<bool, tokio_postgres::Error> {
    client.query_one("SELECT to_regclass('public.hub') IS NOT NULL", &[]).await?.try_get(0)
}

/// Replaces everything in one transaction, and signs it for this hub.
async fn replace(programs: &Programs, file: &Path, server: u32, hub: &Identity) -> Result<(), DumpError> {
    let mut psql = programs.command("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut psql = tools::spawn(&mut psql, "psql")?;
    let into = psql.stdin.take();
    let end = format!("{VOID}{}COMMIT;\n", sign(hub));
    // Where feeding it fails, its input ends without COMMIT, and so does it.
    let (fed, ended) = tokio::join!(feed(programs, file, server, into, &end), tools::finish(psql, "psql"));
    match fed {
        // Half of a statement is what it complains of then.
        Err(error @ DumpError::Failed { .. }) => Err(error),
        fed => ended.map(drop).and(fed),
    }
}

async fn feed(
    programs: &Programs,
    file: &Path,
    server: u32,
    into: Option<tokio::process::ChildStdin>,
    end: &str,
) -> Result<(), DumpError> {
    let broken = |source| DumpError::Spawn { program: "psql", source };
    let mut into = into.ok_or_else(|| broken(std::io::ErrorKind::BrokenPipe.into()))?;
    let mut restore = programs.command("pg_restore");
    restore.args([dump::SCHEMA, "--file=-"]).args(dump::OURS).arg(file).stdout(Stdio::piped());
    let mut restore = tools::spawn(&mut restore, "pg_restore")?;
    let from = restore.stdout.take().ok_or_else(|| broken(std::io::ErrorKind::BrokenPipe.into()))?;
    let passing = async {
        let mut from = BufReader::new(from);
        into.write_all(BEGIN.as_bytes()).await?;
        let mut line = Vec::new();
        for _ in 0..HEAD_LINES {
            line.clear();
            from.read_until(b'\n', &mut line).await?;
            if line != TRANSACTION_TIMEOUT || server >= KNOWS_TRANSACTION_TIMEOUT {
                into.write_all(&line).await?;
            }
        }
        tokio::io::copy_buf(&mut from, &mut into).await
    };
    // What it complains of is read meanwhile, so that it never waits for that.
    let (passed, read) = tokio::join!(passing, tools::finish(restore, "pg_restore"));
    passed.map_err(broken)?;
    read?;
    into.write_all(end.as_bytes()).await.map_err(broken)?;
    into.shutdown().await.map_err(broken)
}

/// Names this hub as its owner, who it mostly was before.
fn sign(hub: &Identity) -> String {
    let name = hub.host.replace('\'', "''");
    format!("UPDATE public.hub SET hub_id = '{}', hub_name = '{name}', claimed_at = now();\n", hub.id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_machines_name_is_quoted() {
        let signed = sign(&Identity { id: Uuid::nil(), host: "ada's pi".to_owned() });
        assert!(signed.contains("hub_name = 'ada''s pi'"), "{signed}");
    }
}
