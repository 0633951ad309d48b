//! Finding PostgreSQL's programs and making the cluster once.
//!
//! It is made aside, with its settings, and takes its name when it is whole and on disk: a start that is interrupted leaves
//! nothing that a later one could take for a cluster, and no server ever runs on a half of one.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    Error, Layout,
    account::Account,
    made::{self, Found, MAP, MARK},
};
use crate::files;

/// Debian's place for PostgreSQL's own programs, one folder a version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How the folders begin in which clusters are made.
const NEW: &str = "data.new-";

/// Small enough for a Pi beside everything else. `fsync` stays on: it holds the only index of the recordings' pins.
const SETTINGS: &str = "\
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 40
shared_buffers = 32MB
max_wal_size = 256MB
wal_compression = on
log_min_duration_statement = 2000
# Parameters hold hashes of passwords.
log_parameter_max_length = 0
";

/// The folder of the programs: the one named, else the newest installed, else that of the cluster's version.
pub(super) fn find_bin(bin_dir: Option<&Path>, data: &Path) -> Result<PathBuf, Error> {
    if let Some(bin) = bin_dir {
        return if bin.join("postgres").exists() { Ok(bin.to_owned()) } else { Err(Error::NotInstalled) };
    }
    let mut found = versions();
    found.retain(|(_, bin)| bin.join("initdb").exists());
    let is_there = matches!(made::found(data), Found::Whole | Found::Unconfigured);
    let made_by = fs::read_to_string(data.join("PG_VERSION")).ok().filter(|_| is_there);
    let Some(made_by) = made_by else {
        return found.pop().map(|(_, bin)| bin).ok_or(Error::NotInstalled);
    };
    let made_by = made_by.trim().to_owned();
    let same = found.iter().find(|(version, _)| version.to_string() == made_by);
    same.map(|(_, bin)| bin.clone()).ok_or_else(|| Error::OtherVersion {
        data: data.to_owned(),
        made_by,
        found: found.iter().map(|(version, _)| version.to_string()).collect::<Vec<_>>().join(", "),
    })
}

/// Debian's versions, the newest last, each with the folder of its programs.
pub(super) fn versions() -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let version = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")));
    let mut found: Vec<_> = entries.filter_map(version).collect();
    found.sort();
    found
}

/// Makes the folders, checks that the account can enter them, and makes the cluster when there is none.
pub(super) async fn prepare(layout: &Layout) -> Result<(), Error> {
    let home = layout.data.parent().unwrap_or(&layout.data).to_owned();
    make_folder(&home, 0o755)?;
    check_entry(&layout.account, &home)?;
    make_folder(&layout.run, 0o700)?;
    own(layout, &layout.run)?;
    open_log(layout).map_err(|source| Error::File { path: layout.log.clone(), source })?;
    let data = &layout.data;
    match made::found(data) {
        Found::Whole => return Ok(()),
        Found::Nothing => {}
        Found::HalfMade => {
            tracing::warn!(db.data = %data.display(), "an earlier start was interrupted while it made its cluster, which holds nothing; it is made anew");
            remove(data)?;
        }
        Found::Unconfigured => {
            tracing::warn!(db.data = %data.display(), "the cluster lacks settings of ours; they are written now");
            return configure(layout, data);
        }
    }
    make(layout).await
}

async fn make(layout: &Layout) -> Result<(), Error> {
    let home = layout.data.parent().unwrap_or(&layout.data);
    remove_leftovers(home);
    // Its own name: what an interrupted start left may still be written to for a moment.
    let new = home.join(format!("{NEW}{}", Uuid::new_v4().simple()));
    make_folder(&new, 0o700)?;
    own(layout, &new)?;
    initdb(layout, &new).await?;
    configure(layout, &new)?;
    let named = |source| Error::File { path: layout.data.clone(), source };
    fs::rename(&new, &layout.data).map_err(named)?;
    sync(home)
}

/// What interrupted starts left. What can't be removed yet is left to the next start.
fn remove_leftovers(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(NEW)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "what an earlier start left can't be removed");
        }
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { path: folder.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// The server's log, for nobody else: statements that were slow or failed stand in it.
pub(super) fn open_log(layout: &Layout) -> io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&layout.log)
}

async fn initdb(layout: &Layout, data: &Path) -> Result<(), Error> {
    tracing::info!(db.data = %layout.data.display(), "making a PostgreSQL cluster");
    let program = layout.bin.join("initdb");
    let mut command = layout.account.command("KILL", &program);
    command
        .args(["--username=larder", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "-D"])
        .arg(data)
        .kill_on_drop(true);
    let output = command.output().await.map_err(|source| Error::Spawn { program, source })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Error::Initdb(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// Writes who may connect, and then the settings, whose mark says that all is written.
fn configure(layout: &Layout, data: &Path) -> Result<(), Error> {
    write(layout, data, "pg_hba.conf", &format!("local all all peer {MAP}\n"))?;
    write(layout, data, "pg_ident.conf", &format!("larder root larder\nlarder {} larder\n", layout.account.name))?;
    let file = data.join("postgresql.conf");
    let settings = fs::read_to_string(&file).map_err(|source| Error::File { path: file, source })?;
    write(layout, data, "postgresql.conf", &format!("{settings}\n{MARK}\n{SETTINGS}"))?;
    sync(data)
}

/// Whole or not at all.
fn write(layout: &Layout, data: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = data.join(name);
    let written = files::replace_by(&path, files::SECRET, text.as_bytes(), |new| layout.account.own(new));
    written.map_err(|source| Error::File { path, source })
}

fn sync(folder: &Path) -> Result<(), Error> {
    files::sync_folder(folder).map_err(|source| Error::File { path: folder.to_owned(), source })
}

fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|source| Error::File { path: path.to_owned(), source })
}

fn own(layout: &Layout, path: &Path) -> Result<(), Error> {
    layout.account.own(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Another user than ours must be able to enter the folder and all above it.
fn check_entry(account: &Account, home: &Path) -> Result<(), Error> {
    let Some((uid, gid)) = account.other else { return Ok(()) };
    let ancestors: Vec<&Path> = home.ancestors().collect();
    for folder in ancestors.into_iter().rev() {
        let metadata = metadata(folder)?;
        let execute = match (metadata.uid() == uid, metadata.gid() == gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if metadata.mode() & execute == 0 {
            return Err(Error::Closed { user: account.name.clone(), folder: folder.to_owned() });
        }
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<fs::Metadata, Error> {
    fs::metadata(path).map_err(|source: io::Error| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_the_account_cannot_enter_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("postgres");
        fs::create_dir(&home).unwrap();
        let nobody = Account { name: "nobody".to_owned(), other: Some((65_534, 65_534)) };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        check_entry(&nobody, &home).unwrap();

        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let error = check_entry(&nobody, &home).unwrap_err();
        assert!(matches!(&error, Error::Closed { folder: named, .. } if named == folder.path()), "{error}");
        check_entry(&Account { name: "me".to_owned(), other: None }, &home).unwrap();
    }
}
