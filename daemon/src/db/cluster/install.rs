//! Finding PostgreSQL's programs and making the cluster once.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::{Error, Layout, account::Account};

/// Debian's place for PostgreSQL's own programs, one folder a version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Small enough for a Pi beside everything else. `fsync` stays on: it holds the only index of the recordings' pins.
const SETTINGS: &str = "\
# Written by larderd when it made this cluster.
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
    let mut found = Vec::new();
    for entry in fs::read_dir(VERSIONS).into_iter().flatten().flatten() {
        let bin = entry.path().join("bin");
        if let Some(version) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && bin.join("initdb").exists()
        {
            found.push((version, bin));
        }
    }
    found.sort();
    let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) else {
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

/// Makes the folders, checks that the account can enter them, and makes the cluster when there is none.
pub(super) async fn prepare(layout: &Layout) -> Result<(), Error> {
    let home = layout.data.parent().unwrap_or(&layout.data).to_owned();
    make_folder(&home, 0o755)?;
    check_entry(&layout.account, &home)?;
    make_folder(&layout.run, 0o700)?;
    own(layout, &layout.run)?;
    open_log(layout).map_err(|source| Error::File { path: layout.log.clone(), source })?;
    if layout.data.join("PG_VERSION").exists() {
        return Ok(());
    }
    make_folder(&layout.data, 0o700)?;
    own(layout, &layout.data)?;
    initdb(layout).await
}

/// The server's log, for nobody else: statements that were slow or failed stand in it.
pub(super) fn open_log(layout: &Layout) -> io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&layout.log)
}

async fn initdb(layout: &Layout) -> Result<(), Error> {
    tracing::info!(db.data = %layout.data.display(), "making a PostgreSQL cluster");
    let program = layout.bin.join("initdb");
    let mut command = Command::new(&program);
    command
        .args(["--username=larder", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "-D"])
        .arg(&layout.data)
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    layout.account.run_as(&mut command);
    let output = command.output().await.map_err(|source| Error::Spawn { program, source })?;
    if !output.status.success() {
        // A half-made cluster would be taken for a whole one at the next start.
        let _ = fs::remove_dir_all(&layout.data);
        return Err(Error::Initdb(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    write(layout, "pg_hba.conf", "local all all peer map=larder\n")?;
    write(layout, "pg_ident.conf", &format!("larder root larder\nlarder {} larder\n", layout.account.name))?;
    let file = layout.data.join("postgresql.conf");
    let mut settings = fs::read_to_string(&file).map_err(|source| Error::File { path: file, source })?;
    settings.push_str(SETTINGS);
    write(layout, "postgresql.conf", &settings)
}

fn write(layout: &Layout, name: &str, text: &str) -> Result<(), Error> {
    let path = layout.data.join(name);
    fs::write(&path, text).map_err(|source| Error::File { path, source })
}

fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|source| Error::File { path: path.to_owned(), source })
}

fn own(layout: &Layout, path: &Path) -> Result<(), Error> {
    let Some((uid, gid)) = layout.account.other else { return Ok(()) };
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|source| Error::File { path: path.to_owned(), source })
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
