//! Files that are whole or absent, and secret where they must be.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::Error;

/// For the owner alone.
pub(super) const SECRET: u32 = 0o600;
/// For everyone to read.
pub(super) const PUBLIC: u32 = 0o644;

/// Makes the folder; others may look in, for the authority's certificate.
pub(super) fn ensure_folder(folder: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(Error::file(folder))
}

/// Writes beside the place and moves it there, so that a crash leaves the old or the new, never half.
pub(super) fn write(path: &Path, mode: u32, text: &str) -> Result<(), Error> {
    write_beside(path, mode, text).map_err(Error::file(path))
}

fn write_beside(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The text of a file, or `None` when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(path)(error)),
    }
}

/// [`read`] for a secret, which must not be open to others.
pub(super) fn read_secret(path: &Path) -> Result<Option<String>, Error> {
    let text = read(path)?;
    if text.is_some() && fs::metadata(path).map_err(Error::file(path))?.permissions().mode() & 0o077 != 0 {
        return Err(Error::Readable(path.to_owned()));
    }
    Ok(text)
}
