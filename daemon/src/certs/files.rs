//! Files that are whole or absent, and secret where they must be.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use super::Error;
pub(super) use crate::files::{PUBLIC, SECRET};

/// Makes the folder; others may look in, for the authority's certificate.
pub(super) fn ensure_folder(folder: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(Error::file(folder))
}

/// Writes it, so that a crash leaves the old or the new, never half.
pub(super) fn write(path: &Path, mode: u32, text: &str) -> Result<(), Error> {
    crate::files::replace(path, mode, text.as_bytes()).map_err(Error::file(path))
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
