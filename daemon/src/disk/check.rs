//! One look at a disk: a small file written, synced, read and removed, and what its failure means.

use std::{
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use crate::parts::Trouble;

/// Left over by a hub that was killed, it is overwritten and removed by the next.
pub(super) const NAME: &str = ".larder-probe";

/// A page of most file systems: less may be kept in the folder itself.
const SIZE: usize = 4096;

/// Writes a file into the folder, syncs it, reads it and removes it. Blocks as long as the disk does.
pub(super) fn write_and_read(folder: &Path) -> io::Result<()> {
    let path = folder.join(NAME);
    let written = write(&path);
    let removed = match fs::remove_file(&path) {
        // Not made at all: the first error says why.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    written.and(removed)
}

fn write(path: &Path) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    let bytes = [0xa5; SIZE];
    file.write_all(&bytes)?;
    file.sync_all()?;
    file.rewind()?;
    let mut read = [0; SIZE];
    file.read_exact(&mut read)?;
    if read == bytes { Ok(()) } else { Err(io::Error::other("what was written is not what is read")) }
}

/// What the error means, and what helps.
pub(super) fn trouble(folder: &Path, error: &io::Error) -> Trouble {
    let path = folder.display();
    match error.kind() {
        io::ErrorKind::StorageFull if has_no_inodes(folder) => Trouble::new(
            "no_inodes",
            format!(
                "no file can be made below {path}: its file system has no inodes left. Remove small files there (df -i \
                 counts them)"
            ),
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Trouble::new("full", format!("nothing can be written below {path}: {error}. Make room on its file system"))
        }
        io::ErrorKind::ReadOnlyFilesystem => Trouble::new(
            "read_only",
            format!(
                "{path} is mounted read-only, mostly after an error of its disk. dmesg says why; check the disk and \
                 mount it again"
            ),
        ),
        _ => Trouble::new(
            "unwritable",
            format!("nothing can be written below {path}: {error}. Look at its owner and mode, and at its disk"),
        ),
    }
}

/// Some file systems, for example btrfs, do not count them.
fn has_no_inodes(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|stat| stat.f_files > 0 && stat.f_favail == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_leaves_nothing_also_where_a_killed_hub_left_its_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "half").unwrap();
        write_and_read(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn each_error_has_its_reason_and_names_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let reasons = [
            (io::ErrorKind::StorageFull, "full"),
            (io::ErrorKind::QuotaExceeded, "full"),
            (io::ErrorKind::ReadOnlyFilesystem, "read_only"),
            (io::ErrorKind::PermissionDenied, "unwritable"),
        ];
        for (kind, reason) in reasons {
            let trouble = trouble(folder.path(), &kind.into());
            assert_eq!(trouble.reason, reason);
            assert!(trouble.detail.contains(folder.path().to_str().unwrap()), "{}", trouble.detail);
        }
    }
}
