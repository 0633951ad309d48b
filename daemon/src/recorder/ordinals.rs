//! How far a camera's counts of runs and fragments have come, known without the database.
//!
//! HLS numbers fragments and discontinuities by them, so they never go back and leave no holes. The file is written
//! when a run ends; after a crash the sweep takes what the files themselves say.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::disk::{self, DiskError};

const FILE: &str = "ordinals.json";

/// What the camera's next run begins with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Ordinals {
    /// Runs so far.
    pub(super) next_run: i64,
    /// Fragments so far.
    pub(super) next_sequence: i64,
}

impl Ordinals {
    /// The later of both.
    #[must_use]
    pub(super) fn max(self, other: Self) -> Self {
        Self { next_run: self.next_run.max(other.next_run), next_sequence: self.next_sequence.max(other.next_sequence) }
    }

    /// After one more run of `fragments` fragments. A run without any was none.
    #[must_use]
    pub(super) fn after(self, fragments: u32) -> Self {
        if fragments == 0 {
            return self;
        }
        Self { next_run: self.next_run + 1, next_sequence: self.next_sequence + i64::from(fragments) }
    }

    /// Reads a camera's file; none there, or a broken one, counts from 0 (the sweep knows better).
    pub(super) fn read(camera_folder: &Path) -> io::Result<Self> {
        match fs::read(camera_folder.join(FILE)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps it in the camera's folder, which must be there.
    pub(super) fn keep(self, camera_folder: &Path) -> Result<(), DiskError> {
        let path = camera_folder.join(FILE);
        let bytes = serde_json::to_vec(&self).map_err(|error| DiskError::file(&path)(error.into()))?;
        disk::replace(&path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_and_an_empty_run_counts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let start = Ordinals::read(folder.path()).unwrap();
        assert_eq!(start, Ordinals::default());
        assert_eq!(start.after(0), start);
        let after = start.after(30).after(2);
        assert_eq!(after, Ordinals { next_run: 2, next_sequence: 32 });
        after.keep(folder.path()).unwrap();
        assert_eq!(Ordinals::read(folder.path()).unwrap(), after);
        assert_eq!(after.max(Ordinals { next_run: 7, next_sequence: 1 }), Ordinals { next_run: 7, next_sequence: 32 });
    }
}
