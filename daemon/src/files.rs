//! Small files that are whole or absent, also after a power cut.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// For the owner alone.
pub const SECRET: u32 = 0o600;
/// For everyone to read.
pub const PUBLIC: u32 = 0o644;

/// Writes a file whole or not at all: beside its place, synced, moved there, the folder synced.
///
/// # Errors
/// When any of that fails; then the old file is there, or the new one whole.
pub fn replace(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    replace_by(path, mode, bytes, |_new| Ok(()))
}

/// As [`replace`]; `prepare` has the new file before it gets its name.
///
/// # Errors
/// As [`replace`], or what `prepare` says.
pub fn replace_by(
    path: &Path,
    mode: u32,
    bytes: &[u8],
    prepare: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".part");
    let new = path.with_file_name(name);
    // One that a crash left may have another mode.
    remove(&new)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    prepare(&new)?;
    adopt(&new, path)
}

/// Gives a file its name that was written and synced beside its place: moved there, the folder synced.
///
/// # Errors
/// When any of that fails; then the old file is there, or the new one whole.
pub fn adopt(new: &Path, path: &Path) -> io::Result<()> {
    fs::rename(new, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Syncs a folder's entries.
///
/// # Errors
/// When it can't be opened or synced.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a file; one that is not there counts as removed.
///
/// # Errors
/// When it is there and stays.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What a file holds; `None` when it is not there.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_replaced_file_is_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        replace(&path, PUBLIC, b"one").unwrap();
        fs::write(folder.path().join("run.json.part"), "left by a crash, for all to read").unwrap();
        replace(&path, SECRET, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SECRET);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn what_is_refused_before_it_has_its_name_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        replace(&path, PUBLIC, b"old").unwrap();
        let refused = replace_by(&path, PUBLIC, b"new", |_new| Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(read(&path).unwrap().unwrap(), b"old");
    }
}
