//! Dumps of the database, in PostgreSQL's custom format: compressed, and read back before they get their name.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use thiserror::Error;
use uuid::Uuid;

use super::{
    Db, migrations,
    tools::{self, Programs},
};
use crate::{files, tasks::blocking};

/// Everything of the hub is in here. What belongs to others, as extensions do, is neither dumped nor replaced.
pub(super) const SCHEMA: &str = "--schema=public";
/// Rows of another owner are nobody's here: whoever restores a dump owns what is in it.
pub(super) const OURS: [&str; 2] = ["--no-owner", "--no-privileges"];
/// A migration or a person may hold a table; nothing of the hub does for so long.
const LOCK_WAIT: &str = "--lock-wait-timeout=30s";
/// What follows the name of a dump that is being written.
pub const PART: &str = ".part";

/// Why a dump can't be made or used.
#[derive(Debug, Error)]
pub enum Error {
    /// The programs are missing, or older than the server.
    #[error(
        "pg_dump, pg_restore and psql {} are needed: run `sudo apt-get install postgresql-client{}`, or set \
         database.bin_dir", of_version(.0), package(.0)
    )]
    NotInstalled(u32),
    /// One of them can't be run.
    #[error("{program} cannot be run")]
    Spawn {
        /// Which.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// One of them failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// A file can't be written or read.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is cut off, damaged, or something else.
    #[error("{path} is no whole backup: {why}")]
    Broken {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The server can't be asked.
    #[error(transparent)]
    Database(#[from] super::Error),
}

fn of_version(major: &u32) -> String {
    if *major == 0 { "of PostgreSQL".to_owned() } else { format!("of PostgreSQL {major} or newer") }
}

fn package(major: &u32) -> String {
    if *major == 0 { String::new() } else { format!("-{major}") }
}

/// What a dump holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contents {
    /// Number of the newest migration that made its schema.
    pub schema: u32,
    /// The hub whose database it is, and what its machine was called; absent when it was nobody's.
    pub hub: Option<(Uuid, String)>,
    /// Which database.
    pub database: Uuid,
}

/// Why a whole dump is not for this hub.
#[derive(Debug, Error)]
pub enum Unsuited {
    /// A newer Larder made it.
    #[error(
        "the backup was made by a newer Larder: its schema is number {0}, and this one knows no more than {newest}; install \
         the newer version first", newest = migrations::newest()
    )]
    Newer(u32),
    /// It is another hub's.
    #[error(
        "the backup is another hub's, {name} ({id}); when that hub is gone for good, restore it with --take-over, which also \
         makes its recordings folder this hub's"
    )]
    Foreign {
        /// What the other hub's machine was called.
        name: String,
        /// Which hub.
        id: Uuid,
    },
}

impl Contents {
    /// Whether this hub may have it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, hub: Uuid, take_over: bool) -> Result<(), Unsuited> {
        if self.schema > migrations::newest() {
            return Err(Unsuited::Newer(self.schema));
        }
        match &self.hub {
            Some((id, name)) if *id != hub && !take_over => Err(Unsuited::Foreign { name: name.clone(), id: *id }),
            _ => Ok(()),
        }
    }
}

impl Db {
    /// The programs that dump this database.
    ///
    /// # Errors
    /// When there are none, or the database is away.
    pub async fn programs(&self) -> Result<Programs, Error> {
        let client = self.client().await?;
        let row = client.query_one(SERVER_VERSION, &[]).await.map_err(super::Error::from)?;
        self.tools().of_server(server_major(row.try_get(0).map_err(super::Error::from)?)).await
    }
}

/// Asks for the server's version.
pub(super) const SERVER_VERSION: &str = "SELECT current_setting('server_version_num')::int";

/// The major version, of `server_version_num`.
pub(super) fn server_major(number: i32) -> u32 {
    u32::try_from(number / 10_000).unwrap_or_default()
}

impl Programs {
    /// Dumps the database into a file of that name, which is whole or absent: it is written beside its place
    /// ([`part_of`]), synced, read back to its end, and moved there. Its bytes. Dropped, it leaves nothing behind.
    ///
    /// # Errors
    /// When any of that fails.
    pub async fn dump(&self, path: &Path) -> Result<u64, Error> {
        let part = Part(part_of(path));
        let new = part.0.clone();
        let (file, synced) = blocking(move || {
            files::remove(&new)?;
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(files::SECRET).open(&new)?;
            Ok((file.try_clone()?, file))
        })
        .await
        .map_err(named(&part.0))?;
        let mut command = self.command("pg_dump");
        // A file as its output, and not a pipe: it can go back and write where each table begins.
        command.args(["--format=custom", SCHEMA, LOCK_WAIT]).args(OURS).stdout(file);
        tools::finish(tools::spawn(&mut command, "pg_dump")?, "pg_dump").await?;
        drop(command);
        self.read(&part.0).await?;
        let (new, whole) = (part.0.clone(), path.to_owned());
        let size = blocking(move || {
            synced.sync_all()?;
            files::adopt(&new, &whole)?;
            Ok(synced.metadata()?.len())
        });
        size.await.map_err(named(path))
    }

    /// Reads a dump to its end, and says what it holds.
    ///
    /// # Errors
    /// [`Error::Broken`] when it is cut off, damaged, or no hub's.
    pub async fn read(&self, path: &Path) -> Result<Contents, Error> {
        fs::metadata(path).map_err(named(path))?;
        let broken = |error| match error {
            Error::Failed { said, .. } => Error::Broken { path: path.to_owned(), why: said },
            other => other,
        };
        let restore = |arguments: &[&str], output: Stdio| {
            let mut command = self.command("pg_restore");
            command.args(arguments).arg("--file=-").arg(path).stdout(output);
            tools::spawn(&mut command, "pg_restore")
        };
        tools::finish(restore(&[], Stdio::null())?, "pg_restore").await.map_err(broken)?;
        let tables = ["--data-only", "--table=hub", "--table=refinery_schema_history"];
        let text = tools::finish(restore(&tables, Stdio::piped())?, "pg_restore").await.map_err(broken)?;
        contents(&String::from_utf8_lossy(&text))
            .ok_or_else(|| Error::Broken { path: path.to_owned(), why: "it holds no hub's database".to_owned() })
    }
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

/// Where a dump is written before it is whole.
pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    name.into()
}

/// A file that is not whole yet; dropped, it is gone, unless it got its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // What can't be removed is removed before the next dump.
        let _ = files::remove(&self.0);
    }
}

/// What the two tables say, as `pg_restore` writes them.
fn contents(text: &str) -> Option<Contents> {
    let versions = rows(text, "refinery_schema_history");
    let schema = versions.iter().filter_map(|row| row.get("version")?.parse().ok()).max()?;
    let hub = rows(text, "hub").into_iter().next()?;
    let id = hub.get("hub_id").and_then(|id| id.parse().ok());
    Some(Contents {
        schema,
        hub: id.map(|id| (id, hub.get("hub_name").copied().unwrap_or_default().to_owned())),
        database: hub.get("database_id")?.parse().ok()?,
    })
}

/// A table's rows by the names of their columns; NULL is left out. Escapes stay: ids, numbers and host names have none.
fn rows<'a>(text: &'a str, table: &str) -> Vec<BTreeMap<&'a str, &'a str>> {
    let copy = format!("COPY public.{table} (");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&copy));
    let head = lines.next().and_then(|head| head.strip_prefix(&copy)?.strip_suffix(") FROM stdin;"));
    let columns: Vec<&str> = head.unwrap_or_default().split(", ").collect();
    let values = |line: &'a str| columns.iter().copied().zip(line.split('\t')).filter(|(_, value)| *value != "\\N");
    lines.take_while(|line| *line != "\\.").map(|line| values(line).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: Uuid = Uuid::from_u128(1);
    const DATABASE: Uuid = Uuid::from_u128(2);

    fn dumped(hub: &str, versions: &[u32]) -> String {
        let versions: String = versions.iter().map(|version| format!("{version}\tx\tnow\t7\n")).collect();
        format!(
            "SET row_security = off;\nCOPY public.hub (only_row, database_id, hub_id, hub_name) FROM stdin;\n\
             t\t{DATABASE}\t{hub}\n\\.\n\nCOPY public.refinery_schema_history (version, name, applied_on, checksum) \
             FROM stdin;\n{versions}\\.\n"
        )
    }

    #[test]
    fn a_dump_says_whose_it_is_and_which_schema_it_has() {
        let ours = contents(&dumped(&format!("{HUB}\tpi"), &[1, 9, 8])).unwrap();
        assert_eq!(ours, Contents { schema: 9, hub: Some((HUB, "pi".to_owned())), database: DATABASE });
        assert!(ours.check(HUB, false).is_ok());
        assert!(matches!(ours.check(DATABASE, false), Err(Unsuited::Foreign { id: HUB, .. })));
        assert!(ours.check(DATABASE, true).is_ok());
        let nobodys = contents(&dumped("\\N\t\\N", &[1])).unwrap();
        assert_eq!(nobodys.hub, None);
        assert!(nobodys.check(HUB, false).is_ok());
    }

    #[test]
    fn a_dump_of_a_newer_schema_is_not_for_this_hub() {
        let newer = contents(&dumped(&format!("{HUB}\tpi"), &[1, 9999])).unwrap();
        let refused = newer.check(HUB, true).unwrap_err();
        assert!(refused.to_string().contains("its schema is number 9999"), "{refused}");
    }

    #[test]
    fn a_dump_of_something_else_holds_no_hubs_database() {
        assert_eq!(contents("SET row_security = off;\n"), None);
        assert_eq!(contents(&dumped(&format!("{HUB}\tpi"), &[])), None);
    }
}
