//! What recordings, the database and other files take of the disk. Pure.

use tokio::time::Instant;

use super::{disk::Space, others::Others, pace::Pace, room, taken::Taken};

/// Bytes of the recordings' file system, by who takes them.
#[derive(Debug)]
pub(super) struct Usage {
    /// As counted last, and what changed since; absent before they were counted.
    recordings_bytes: Option<u64>,
    /// Of the hub's own database, if it lies there.
    database_bytes: Option<u64>,
    others: Others,
    pace: Pace,
}

impl Usage {
    pub(super) fn new(now: Instant) -> Self {
        Self { recordings_bytes: None, database_bytes: None, others: Others::default(), pace: Pace::new(now) }
    }

    /// All recordings were counted just now, and the file system looked at.
    pub(super) fn count(&mut self, now: Instant, bytes: u64, space: Space) {
        self.recordings_bytes = Some(bytes);
        self.note_others(now, space, true);
    }

    /// The file system was looked at.
    pub(super) fn look(&mut self, now: Instant, space: Space) {
        self.note_others(now, space, false);
    }

    /// So many bytes were recorded.
    pub(super) fn write(&mut self, now: Instant, bytes: u64) {
        self.recordings_bytes = self.recordings_bytes.map(|before| before.saturating_add(bytes));
        self.pace.add(now, bytes);
    }

    /// So many bytes of recordings were deleted.
    pub(super) fn free(&mut self, bytes: u64) {
        self.recordings_bytes = self.recordings_bytes.map(|before| before.saturating_sub(bytes));
    }

    pub(super) fn database_bytes(&self) -> Option<u64> {
        self.database_bytes
    }

    pub(super) fn set_database_bytes(&mut self, bytes: Option<u64>) {
        self.database_bytes = bytes;
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Bytes that fit where recordings are kept: other files count with the least they took within a day.
    pub(super) fn place(&self, space: Space, floor_bytes: u64) -> u64 {
        let others = self.others.least().or(self.others.bytes()).unwrap_or_default();
        room::place(space, floor_bytes, others.saturating_add(self.database_bytes.unwrap_or_default()))
    }

    pub(super) fn taken(&self) -> Taken {
        Taken {
            recordings_bytes: self.recordings_bytes.unwrap_or_default(),
            database_bytes: self.database_bytes,
            other_bytes: self.others.bytes(),
            other_growth_bytes: self.others.growth(),
        }
    }

    /// Nothing is known of them before recordings were counted.
    fn note_others(&mut self, now: Instant, space: Space, counted: bool) {
        let Some(recordings) = self.recordings_bytes else { return };
        let ours = recordings.saturating_add(self.database_bytes.unwrap_or_default());
        self.others.note(now, space.used_bytes.saturating_sub(ours), counted);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_fills_the_disk_is_told_from_recordings_and_leaves_their_place() {
        let start = Instant::now();
        let space = |used_bytes, free_bytes| Space { total_bytes: 1000, free_bytes, used_bytes, free_inodes: None };
        let mut usage = Usage::new(start);
        usage.look(start, space(700, 300));
        assert_eq!(usage.taken(), Taken::default());
        usage.set_database_bytes(Some(50));
        usage.count(start, 600, space(700, 300));
        assert_eq!(usage.taken().other_bytes, Some(50));
        assert_eq!(usage.place(space(700, 300), 100), 800);

        let later = start + Duration::from_secs(10);
        usage.write(later, 20);
        usage.free(120);
        usage.look(later, space(1000, 0));
        let taken = usage.taken();
        assert_eq!((taken.recordings_bytes, taken.other_bytes, taken.other_growth_bytes), (500, Some(450), 400));
        assert_eq!(usage.place(space(1000, 0), 100), 800);
        assert_eq!(usage.pace().total(), 20);
    }
}
