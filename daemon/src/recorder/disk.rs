//! Files that are there after a power cut: what is written, synced, and in which order.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::taken::Taken;
use crate::{files, parts::Trouble};

/// What two runs that begin need: folders of the camera, of the day and of the run, three files, and one more for a
/// moment.
const FEWEST_INODES: u64 = 16;

/// Why something is not safely on disk.
#[derive(Debug, Error)]
pub enum DiskError {
    /// A file could not be written or synced: this run ends.
    #[error("cannot write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder could not be made or synced: no file in it is safe, recording stops.
    #[error("cannot write the folder {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DiskError {
    /// Whether the file system or the quota is full.
    pub(super) fn is_full(&self) -> bool {
        let (Self::File { source, .. } | Self::Folder { source, .. }) = self;
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(super) fn folder(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder { path, source }
    }
}

/// Syncs a folder's entries.
pub(super) fn sync_folder(path: &Path) -> Result<(), DiskError> {
    files::sync_folder(path).map_err(DiskError::folder(path))
}

/// Makes the folders of `below` one by one under `root`, each synced into its parent.
pub(super) fn make_folders(root: &Path, below: &str) -> Result<PathBuf, DiskError> {
    let mut path = root.to_owned();
    for part in below.split('/') {
        let parent = path.clone();
        path.push(part);
        match fs::create_dir(&path) {
            Ok(()) => sync_folder(&parent)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(DiskError::folder(&path)(error)),
        }
    }
    Ok(path)
}

/// Writes a small file whole or not at all: beside it, synced, renamed, folder synced.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(DiskError::file(path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Room of a file system.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Space {
    /// All there is.
    pub total_bytes: u64,
    /// What an ordinary user may still take.
    pub free_bytes: u64,
    /// What is taken; together with what is free it is less than all where some is reserved for root.
    pub used_bytes: u64,
    /// How many files may still be made; `None` where that is not counted.
    pub free_inodes: Option<u64>,
}

/// What a file system has too little of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lack {
    /// Less is free than the floor.
    Bytes,
    /// Fewer files can be made than a run or two need.
    Inodes,
}

impl Lack {
    /// As the recorder's trouble.
    pub(super) fn trouble(self, root: &Path, taken: &Taken) -> Trouble {
        let root = root.display();
        match self {
            Self::Bytes => Trouble::new(
                "disk_full",
                format!("the disk is full ({taken}): make room on {root}, delete recordings or take pins away"),
            ),
            Self::Inodes => Trouble::new(
                "no_inodes",
                format!("the file system of {root} has no inodes left: remove small files there (df -i counts them)"),
            ),
        }
    }
}

impl Space {
    /// What there is too little of to record.
    pub(super) fn lacks(self, floor_bytes: u64) -> Option<Lack> {
        if self.short_of(floor_bytes) > 0 {
            return Some(Lack::Bytes);
        }
        self.free_inodes.is_some_and(|free| free < FEWEST_INODES).then_some(Lack::Inodes)
    }

    /// Bytes that are missing so that `floor_bytes` stay free; 0 when none are.
    pub(super) fn short_of(self, floor_bytes: u64) -> u64 {
        floor_bytes.saturating_sub(self.free_bytes)
    }
}

/// Tells how full a file system is; another one in tests.
pub(super) type Probe = Box<dyn Fn(&Path) -> io::Result<Space> + Send + Sync>;

/// How full the file system of `path` is.
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(Space {
        total_bytes: stat.f_blocks * stat.f_frsize,
        free_bytes: stat.f_bavail * stat.f_frsize,
        used_bytes: stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_frsize,
        // btrfs and others count none.
        free_inodes: (stat.f_files > 0).then_some(stat.f_favail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_inodes_are_no_room_unless_nobody_counts_them() {
        let space =
            |free_bytes, free_inodes| Space { total_bytes: 1 << 30, free_bytes, free_inodes, ..Space::default() };
        assert_eq!(space(100, Some(FEWEST_INODES)).lacks(100), None);
        assert_eq!(space(100, Some(FEWEST_INODES - 1)).lacks(100), Some(Lack::Inodes));
        assert_eq!(space(99, Some(0)).lacks(100), Some(Lack::Bytes));
        assert_eq!(space(100, None).lacks(100), None);
    }

    #[test]
    fn a_replaced_file_is_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let below = make_folders(folder.path(), "a/b/c").unwrap();
        assert_eq!(make_folders(folder.path(), "a/b/c").unwrap(), below);
        let path = below.join("run.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&below).unwrap().count(), 1);
        files::remove(&path).unwrap();
        files::remove(&path).unwrap();
        assert!(space(&below).unwrap().total_bytes > 0);
    }
}
