//! The folders of backups: what lies there, and what goes.

use std::{
    cmp::Reverse,
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::{Kind, Name};
use crate::{db::PART, files};

/// In the recordings folder, and in the state folder for what restores replaced.
const FOLDER: &str = "backups";
/// Of what restores replaced: one can be taken back, and that again.
const KEPT_BEFORE_RESTORE: usize = 2;

/// A backup that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backup {
    /// What it is called.
    pub name: Name,
    /// Bytes of its file.
    pub size_bytes: u64,
}

/// Where backups lie.
#[derive(Clone, Debug)]
pub struct Folders {
    recordings: PathBuf,
    state: PathBuf,
}

impl Folders {
    /// Those beside the recordings and in the state folder.
    pub fn new(recordings: &Path, state: &Path) -> Self {
        Self { recordings: recordings.join(FOLDER), state: state.join(FOLDER) }
    }

    fn of(&self, kind: Kind) -> &Path {
        match kind {
            Kind::Regular => &self.recordings,
            Kind::BeforeRestore => &self.state,
        }
    }

    /// Where a backup is.
    pub fn path(&self, name: Name) -> PathBuf {
        self.of(name.kind).join(name.to_string())
    }

    /// All that are there, the newest first.
    ///
    /// # Errors
    /// When a folder is there and can't be read.
    pub fn list(&self) -> io::Result<Vec<Backup>> {
        let mut all = self.list_of(Kind::Regular)?;
        all.extend(self.list_of(Kind::BeforeRestore)?);
        all.sort_by_key(|backup| Reverse(backup.name));
        Ok(all)
    }

    /// Makes the folder of a kind, for the daemon alone, and removes what an interrupted dump left there.
    ///
    /// # Errors
    /// When that fails.
    pub fn prepare(&self, kind: Kind) -> io::Result<()> {
        let folder = self.of(kind);
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => folder.parent().map_or(Ok(()), files::sync_folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let whole = path.to_str().and_then(|path| Path::new(path.strip_suffix(PART)?).file_name()?.to_str());
            if whole.is_some_and(|name| name.parse::<Name>().is_ok()) {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes the oldest of a kind, so that so many are left; of what restores replaced always two.
    ///
    /// # Errors
    /// When one stays.
    pub fn prune(&self, kind: Kind, keep: usize) -> io::Result<()> {
        let keep = if kind == Kind::BeforeRestore { KEPT_BEFORE_RESTORE } else { keep };
        let mut all = self.list_of(kind)?;
        all.sort_by_key(|backup| Reverse(backup.name));
        for old in all.into_iter().skip(keep) {
            files::remove(&self.path(old.name))?;
        }
        Ok(())
    }

    fn list_of(&self, kind: Kind) -> io::Result<Vec<Backup>> {
        let entries = match fs::read_dir(self.of(kind)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let name = name.filter(|name: &Name| name.kind == kind);
            // One that goes meanwhile is gone.
            if let (Some(name), Ok(metadata)) = (name, entry.metadata())
                && metadata.is_file()
            {
                all.push(Backup { name, size_bytes: metadata.len() });
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_newest_of_each_kind_stay_and_halves_go() {
        let root = tempfile::tempdir().unwrap();
        let (recordings, state) = (root.path().join("recordings"), root.path().join("state"));
        let folders = Folders::new(&recordings, &state);
        assert_eq!(folders.list().unwrap(), []);
        let name = |kind, second| Name { at: Timestamp::from_second(second).unwrap(), kind };
        for (kind, home) in [(Kind::Regular, &recordings), (Kind::BeforeRestore, &state)] {
            fs::create_dir(home).unwrap();
            folders.prepare(kind).unwrap();
            for second in 0..5 {
                fs::write(folders.path(name(kind, second)), "x").unwrap();
            }
            fs::write(crate::db::part_of(&folders.path(name(kind, 9))), "half").unwrap();
            fs::write(home.join(FOLDER).join("mine.part"), "of somebody else").unwrap();
            folders.prepare(kind).unwrap();
            folders.prune(kind, 3).unwrap();
        }
        let names: Vec<_> = folders.list().unwrap().into_iter().map(|backup| backup.name).collect();
        let regular = |second| name(Kind::Regular, second);
        let before = |second| name(Kind::BeforeRestore, second);
        assert_eq!(names, [before(4), regular(4), before(3), regular(3), regular(2)]);
        assert_eq!(fs::read_dir(recordings.join(FOLDER)).unwrap().count(), 4);
        assert_eq!(fs::read_dir(state.join(FOLDER)).unwrap().count(), 3);
    }
}
