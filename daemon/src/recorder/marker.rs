//! Whether the recordings folder is the one that was recorded to before.
//!
//! A marker file with a UUID lies in the folder, and the same UUID in the state folder. A disk that is not mounted
//! leaves an empty folder: without this, everything recorded would look deleted, and new recordings would fill the
//! wrong disk.

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::Path};

use uuid::Uuid;

use super::disk;
use crate::{outcome::chain, parts::Trouble};

/// In the recordings folder.
const MARKER: &str = ".larder-recordings";
/// In the state folder.
const EXPECTED: &str = "recordings.id";

/// For the daemon's own people, as its socket is: footage of a home is nobody else's.
const MODE: u32 = 0o750;

/// Reads the marker back, making it on first use.
///
/// # Errors
/// Why nothing may be recorded or judged there, in a sentence that says what to do.
pub(super) fn check(root: &Path, state: &Path) -> Result<(), Trouble> {
    let (marker, expected) = (root.join(MARKER), state.join(EXPECTED));
    let unreadable =
        |path: &Path, error| Trouble::new("unreadable", format!("cannot read {}: {error}", path.display()));
    let found = read(&marker).map_err(|error| unreadable(&marker, error))?;
    let wanted = read(&expected).map_err(|error| unreadable(&expected, error))?;
    match (found, wanted) {
        (Some(found), Some(wanted)) if found == wanted => writable(root),
        (Some(found), None) => keep(&expected, found),
        (None, None) => {
            make(root)
                .map_err(|error| Trouble::new("not_writable", format!("cannot make {}: {error}", root.display())))?;
            let id = Uuid::new_v4();
            keep(&marker, id)?;
            keep(&expected, id)
        }
        (found, Some(_)) => {
            let (reason, what) = match found {
                Some(_) => ("wrong_folder", "another folder than recordings were kept in"),
                None => ("marker_missing", "not what it was"),
            };
            let (root, expected) = (root.display(), expected.display());
            let detail = format!("{root} is {what}: mount its disk, or remove {expected} to begin anew there");
            Err(Trouble::new(reason, detail))
        }
    }
}

/// Makes the folder; one that is there keeps the mode that a person gave it.
fn make(root: &Path) -> io::Result<()> {
    root.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::DirBuilder::new().recursive(true).mode(MODE).create(root)
}

fn writable(root: &Path) -> Result<(), Trouble> {
    let Err(error) = rustix::fs::access(root, rustix::fs::Access::WRITE_OK) else { return Ok(()) };
    let reason = if error == rustix::io::Errno::ROFS { "read_only" } else { "not_writable" };
    Err(Trouble::new(reason, format!("cannot write below {}: {error}", root.display())))
}

fn read(path: &Path) -> io::Result<Option<Uuid>> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn keep(path: &Path, id: Uuid) -> Result<(), Trouble> {
    let kept = disk::replace(path, format!("{id}\n").as_bytes());
    kept.map_err(|error| Trouble::new("not_writable", chain(&error)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_unmounted_disk_is_noticed_and_its_return_too() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path().join("recordings");
        assert_eq!(check(&root, state.path()), Ok(()));
        assert_eq!(check(&root, state.path()), Ok(()));
        let away = state.path().join("away");
        fs::rename(&root, &away).unwrap();
        fs::create_dir(&root).unwrap();
        let complaint = check(&root, state.path()).unwrap_err();
        assert_eq!(complaint.reason, "marker_missing");
        assert!(complaint.detail.contains("mount its disk"), "{}", complaint.detail);
        assert!(!root.join(MARKER).exists());
        fs::remove_dir(&root).unwrap();
        fs::rename(&away, &root).unwrap();
        assert_eq!(check(&root, state.path()), Ok(()));
        fs::remove_file(state.path().join(EXPECTED)).unwrap();
        assert_eq!(check(&root, state.path()), Ok(()));
        fs::write(root.join(MARKER), format!("{}", Uuid::new_v4())).unwrap();
        assert_eq!(check(&root, state.path()).unwrap_err().reason, "wrong_folder");
    }

    #[test]
    fn others_on_the_machine_do_not_see_the_recordings() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path().join("footage/of/the/fridge");
        check(&root, state.path()).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777 & !MODE, 0);
    }
}
