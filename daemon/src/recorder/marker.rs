//! Whether the recordings folder is the one that was recorded to before, and this hub's.
//!
//! A marker file with a UUID lies in the folder, and the same UUID in the state folder. A disk that is not mounted
//! leaves an empty folder: without this, everything recorded would look deleted, and new recordings would fill the
//! wrong disk. The marker also names the hub and the database: two hubs on one folder would delete each other's files, and
//! another database's rows say nothing of what is in it.

use std::{fmt, fs, io, os::unix::fs::DirBuilderExt as _, path::Path, str::FromStr};

use uuid::Uuid;

use super::footage::Foreign;
use crate::{files, parts::Trouble};

/// In the recordings folder.
pub(super) const MARKER: &str = ".larder-recordings";
/// In the state folder.
const EXPECTED: &str = "recordings.id";

/// Why a folder that is there is not recorded to.
const OTHER_HUB: &str = "other_hub";
const OTHER_DATABASE: &str = "other_database";

/// For the daemon's own people, as its socket is: footage of a home is nobody else's.
const MODE: u32 = 0o750;

/// Whose a recordings folder should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner {
    /// This hub.
    pub(super) hub: Uuid,
    /// Its database; absent while that is away.
    pub(super) database: Option<Uuid>,
}

/// What a recordings folder is marked with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Marker {
    /// Which folder.
    pub(super) folder: Uuid,
    /// Who records to it; absent when it was made before markers said so.
    pub(super) hub: Option<Uuid>,
    /// Whose rows tell what is in it; absent until a database was there.
    pub(super) database: Option<Uuid>,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.folder)?;
        for (name, id) in [("hub", self.hub), ("database", self.database)] {
            if let Some(id) = id {
                writeln!(f, "{name} {id}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Marker {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lines = text.lines();
        let folder = lines.next().unwrap_or_default().trim().parse()?;
        let mut marker = Self { folder, hub: None, database: None };
        for line in lines {
            match line.trim().split_once(' ') {
                Some(("hub", id)) => marker.hub = Some(id.parse()?),
                Some(("database", id)) => marker.database = Some(id.parse()?),
                // Of a newer version.
                _ => {}
            }
        }
        Ok(marker)
    }
}

/// Reads the marker back, making it on first use.
///
/// # Errors
/// Why nothing may be recorded or judged there, in a sentence that says what to do.
pub(super) fn check(root: &Path, state: &Path, owner: Owner) -> Result<Marker, Trouble> {
    let (place, expected) = (root.join(MARKER), state.join(EXPECTED));
    let found: Option<Marker> = read(&place).map_err(|error| unreadable(&place, &error))?;
    let wanted: Option<Uuid> = read(&expected).map_err(|error| unreadable(&expected, &error))?;
    match (found, wanted) {
        (Some(found), wanted) if wanted.is_none_or(|wanted| wanted == found.folder) => {
            expect_owner(root, found, owner)?;
            match wanted {
                Some(_) => writable(root)?,
                None => keep(&expected, &found.folder)?,
            }
            Ok(found)
        }
        (None, None) => {
            make(root)
                .map_err(|error| Trouble::new("not_writable", format!("cannot make {}: {error}", root.display())))?;
            let made = Marker { folder: Uuid::new_v4(), hub: Some(owner.hub), database: owner.database };
            keep(&place, &made)?;
            keep(&expected, &made.folder)?;
            Ok(made)
        }
        (found, _) => {
            let (reason, what) = match found {
                Some(_) => ("wrong_folder", "another folder than recordings were kept in"),
                None => ("marker_missing", "not what it was"),
            };
            let (root, expected) = (root.display(), expected.display());
            let detail = format!(
                "{root} is {what}: mount its disk, or remove {expected} to begin anew there (what was recorded before stays \
                 listed, and plays again when its folder is back)"
            );
            Err(Trouble::new(reason, detail))
        }
    }
}

/// Marks the folder as this hub's and its database's, whosever it was. The folder's id stays.
///
/// # Errors
/// When there is no marker, or it can't be written.
pub(super) fn sign(root: &Path, owner: Owner) -> Result<Marker, Trouble> {
    let found = of(root)?;
    let place = root.join(MARKER);
    let signed = Marker { hub: Some(owner.hub), database: owner.database.or(found.database), ..found };
    if signed != found {
        keep(&place, &signed)?;
    }
    Ok(signed)
}

/// What the folder is marked with, whosever it is.
///
/// # Errors
/// When there is no marker, or it can't be read.
pub(super) fn of(root: &Path) -> Result<Marker, Trouble> {
    let place = root.join(MARKER);
    let found: Option<Marker> = read(&place).map_err(|error| unreadable(&place, &error))?;
    found.ok_or_else(|| Trouble::new("marker_missing", format!("{} is no recordings folder", root.display())))
}

/// Whose a folder is that is there and was refused for its owner.
pub(super) fn foreign(trouble: &Trouble) -> Option<Foreign> {
    match trouble.reason {
        OTHER_HUB => Some(Foreign::Hub),
        OTHER_DATABASE => Some(Foreign::Database),
        _ => None,
    }
}

/// The hub that a folder is marked for; `None` when there is no marker, or it names none.
///
/// # Errors
/// When the marker can't be read.
pub(super) fn owner(root: &Path) -> Result<Option<Uuid>, Trouble> {
    let place = root.join(MARKER);
    let found: Option<Marker> = read(&place).map_err(|error| unreadable(&place, &error))?;
    Ok(found.and_then(|found| found.hub))
}

fn expect_owner(root: &Path, found: Marker, owner: Owner) -> Result<(), Trouble> {
    let root = root.display();
    match found {
        Marker { hub: Some(hub), .. } if hub != owner.hub => Err(Trouble::new(
            OTHER_HUB,
            format!(
                "{root} is the recordings folder of another hub ({hub}): give this one another with recordings.folder, or, \
                 when that hub is gone for good, stop this one and run `larderd take-over`"
            ),
        )),
        Marker { database: Some(database), .. } if owner.database.is_some_and(|ours| ours != database) => {
            Err(Trouble::new(
                OTHER_DATABASE,
                format!(
                    "what is in {root} stands in another database ({database}): bring that one back, or restore a \
                     backup of it (`larderctl backup list`); when it is gone for good, take the footage over with `larderctl \
                     recording adopt`; nothing is recorded or deleted until then"
                ),
            ))
        }
        _ => Ok(()),
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

fn unreadable(path: &Path, error: &io::Error) -> Trouble {
    Trouble::new("unreadable", format!("cannot read {}: {error}", path.display()))
}

fn read<T: FromStr<Err = uuid::Error>>(path: &Path) -> io::Result<Option<T>> {
    let Some(bytes) = files::read(path)? else { return Ok(None) };
    let read = String::from_utf8_lossy(&bytes).trim().parse();
    read.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn keep(path: &Path, what: &impl fmt::Display) -> Result<(), Trouble> {
    let text = format!("{}\n", what.to_string().trim_end());
    let kept = files::replace(path, files::PUBLIC, text.as_bytes());
    kept.map_err(|error| Trouble::new("not_writable", format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const OURS: Owner = Owner { hub: Uuid::from_u128(1), database: Some(Uuid::from_u128(2)) };

    #[test]
    fn an_unmounted_disk_is_noticed_and_its_return_too() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path().join("recordings");
        let made = check(&root, state.path(), OURS).unwrap();
        assert_eq!(check(&root, state.path(), OURS), Ok(made));
        let away = state.path().join("away");
        fs::rename(&root, &away).unwrap();
        fs::create_dir(&root).unwrap();
        let complaint = check(&root, state.path(), OURS).unwrap_err();
        assert_eq!(complaint.reason, "marker_missing");
        assert!(complaint.detail.contains("mount its disk"), "{}", complaint.detail);
        assert!(!root.join(MARKER).exists());
        fs::remove_dir(&root).unwrap();
        fs::rename(&away, &root).unwrap();
        assert_eq!(check(&root, state.path(), OURS), Ok(made));
        fs::remove_file(state.path().join(EXPECTED)).unwrap();
        assert_eq!(check(&root, state.path(), OURS), Ok(made));
        fs::write(root.join(MARKER), format!("{}", Uuid::new_v4())).unwrap();
        assert_eq!(check(&root, state.path(), OURS).unwrap_err().reason, "wrong_folder");
    }

    #[test]
    fn another_hubs_folder_and_another_databases_are_told_apart_and_can_be_taken_over() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path().join("recordings");
        let made = check(&root, state.path(), OURS).unwrap();
        let other_hub = Owner { hub: Uuid::from_u128(3), ..OURS };
        let other_database = Owner { database: Some(Uuid::from_u128(4)), ..OURS };
        let reason = |owner| check(&root, state.path(), owner).unwrap_err().reason;
        assert_eq!((reason(other_hub), reason(other_database)), ("other_hub", "other_database"));
        // While the database is away nobody knows whether it is the right one, and recording goes on.
        assert_eq!(check(&root, state.path(), Owner { database: None, ..OURS }), Ok(made));
        let taken = sign(&root, other_database).unwrap();
        assert_eq!(taken, Marker { database: other_database.database, ..made });
        assert_eq!(check(&root, state.path(), other_database), Ok(taken));
    }

    #[test]
    fn a_marker_of_before_is_taken_and_signed() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path().join("recordings");
        fs::create_dir(&root).unwrap();
        let folder = Uuid::new_v4();
        fs::write(root.join(MARKER), format!("{folder}\n")).unwrap();
        let before = check(&root, state.path(), OURS).unwrap();
        assert_eq!(before, Marker { folder, hub: None, database: None });
        let signed = Marker { folder, hub: Some(OURS.hub), database: OURS.database };
        assert_eq!(sign(&root, OURS), Ok(signed));
        assert_eq!(check(&root, state.path(), OURS), Ok(signed));
    }

    #[test]
    fn others_on_the_machine_do_not_see_the_recordings() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path().join("footage/of/the/fridge");
        check(&root, state.path(), OURS).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777 & !MODE, 0);
    }
}
