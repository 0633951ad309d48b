//! A run on disk: what is written when, so that a power cut costs at most the fragment being written.
//!
//! ```text
//! <camera UUID>/<UTC day of the run's start>/<run UUID>/init.mp4
//!                                                       run.json
//!                                                       index
//!                                                       <start µs>.m4s   one about a minute
//!                                                       <start µs>.cut   what a crash left half written
//! ```
//! Folders, `init.mp4`, `index` and `run.json` are synced before the first fragment; fragments are appended and synced one
//! by one; a segment that closes is added to `index`; the end and its reason are written into `run.json`. No name needs
//! the database.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use thiserror::Error;

use super::{
    disk::{self, DiskError},
    fragments::{Init, Piece},
    index_file::{self, INDEX_FILE, Indexed},
    run_file::{self, RUN_FILE},
};
use crate::{
    files,
    recordings::{EndReason, Fragment, FragmentIndex, Run, Segment},
};

/// The init section's file.
pub(super) const INIT_FILE: &str = "init.mp4";
/// What a segment's file ends in.
pub(super) const SEGMENT_SUFFIX: &str = ".m4s";
/// What the file beside a segment ends in that keeps what was cut off it.
pub(super) const CUT_SUFFIX: &str = "cut";
/// A segment is closed by the first fragment that starts this long after it.
const SEGMENT: Duration = Duration::from_secs(60);

/// Why a fragment was not committed.
#[derive(Debug, Error)]
pub(super) enum CommitError {
    /// The disk would not.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The encoder counted wrong: numbers and times of later fragments could not be trusted.
    #[error("fragment {found} came where {expected} was due")]
    Number {
        /// Counted from 0.
        found: u32,
        /// Counted from 0.
        expected: u32,
    },
}

/// What one commit did.
#[derive(Debug)]
pub(super) struct Committed {
    /// The segment that a new one closed.
    pub(super) closed: Option<Segment>,
    /// The open segment as it is now.
    pub(super) open: Segment,
    /// Whether this was the run's first fragment.
    pub(super) first: bool,
}

/// The one writer of a run. All calls block: not for the async threads.
#[derive(Debug)]
pub(super) struct Writer {
    run: Run,
    folder: PathBuf,
    open: Option<OpenSegment>,
    fragments: u32,
    end: Duration,
}

#[derive(Debug)]
struct OpenSegment {
    file: File,
    path: PathBuf,
    /// Since the run's start.
    start: Duration,
    segment: Segment,
}

impl Writer {
    /// Makes the run's folder with `init.mp4`, `index` and `run.json` and syncs all of it. `pins` are the camera's that may reach
    /// into the run, as far as they are known.
    ///
    /// # Errors
    /// When the disk would not.
    pub(super) fn create(
        root: &Path,
        run: Run,
        init: &Init,
        pins: impl FnOnce() -> Option<Vec<Range<Timestamp>>>,
    ) -> Result<Self, DiskError> {
        let folder = disk::make_folders(root, &run.folder())?;
        disk::replace(&folder.join(INIT_FILE), &init.bytes)?;
        index_file::create(&folder, &run_file::text(&folder, &run)?, &init.bytes)?;
        run_file::create(&folder, &run, pins)?;
        Ok(Self { run, folder, open: None, fragments: 0, end: Duration::ZERO })
    }

    /// The run as it is now.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// The end of what is on disk.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.run.started_at + self.end
    }

    /// Fragments on disk.
    pub(super) fn fragments(&self) -> u32 {
        self.fragments
    }

    /// Whether the next fragment, starting at `start` since the run's start, opens a new segment.
    pub(super) fn needs_segment(&self, start: Duration) -> bool {
        self.open.as_ref().is_none_or(|open| start.saturating_sub(open.start) >= SEGMENT)
    }

    /// Appends a fragment of this duration and syncs it.
    ///
    /// # Errors
    /// After an error the run must be ended; what was committed before stays.
    pub(super) fn commit(&mut self, piece: &Piece, duration: Duration) -> Result<Committed, CommitError> {
        if piece.number != self.fragments {
            return Err(CommitError::Number { found: piece.number, expected: self.fragments });
        }
        let closed = if self.needs_segment(piece.start) { self.close_segment()? } else { None };
        let fresh = self.open.is_none();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_segment(piece.start)?,
        };
        if let Err(error) = append(&mut open.file, &piece.bytes) {
            // Half a fragment is cut off again; if that fails too, the sweep does it.
            let _ = open.file.set_len(open.segment.fragments.size_bytes());
            let error = DiskError::file(&open.path)(error);
            self.open = (!open.segment.fragments.is_empty()).then_some(open);
            return Err(error.into());
        }
        if fresh {
            disk::sync_folder(&self.folder)?;
        }
        let size = u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX);
        let start = piece.start.saturating_sub(open.start);
        let crc32c = Some(crc32c::crc32c(&piece.bytes));
        open.segment.fragments.push(Fragment { start, duration, size, crc32c, ..Fragment::default() });
        let committed = Committed { closed, open: open.segment.clone(), first: self.fragments == 0 };
        self.open = Some(open);
        self.fragments += 1;
        self.end = piece.start + duration;
        Ok(committed)
    }

    /// Closes the last segment and writes the end and its reason. A run without a fragment is removed.
    ///
    /// # Errors
    /// When the disk would not; the sweep ends such a run.
    pub(super) fn end(&mut self, reason: EndReason) -> Result<Option<Segment>, DiskError> {
        if self.fragments == 0 {
            remove_run(&self.folder).map_err(DiskError::folder(&self.folder))?;
            return Ok(None);
        }
        // Known also when it cannot be kept: its row is told.
        self.run.ended_at = Some(self.ends_at());
        self.run.end_reason = Some(reason);
        let closed = self.close_segment();
        run_file::keep(&self.folder, &self.run)?;
        closed
    }

    fn open_segment(&self, start: Duration) -> Result<OpenSegment, DiskError> {
        let segment = Segment {
            run: self.run.id,
            camera: self.run.camera,
            first_sequence: self.run.first_sequence + i64::from(self.fragments),
            started_at: self.run.started_at + start,
            fragments: FragmentIndex::default(),
            closed: false,
        };
        let path = self.folder.join(segment.file_name());
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(DiskError::file(&path))?;
        Ok(OpenSegment { file, path, start, segment })
    }

    fn close_segment(&mut self) -> Result<Option<Segment>, DiskError> {
        let Some(mut open) = self.open.take() else { return Ok(None) };
        open.file.sync_all().map_err(DiskError::file(&open.path))?;
        open.segment.closed = true;
        let name = open.segment.started_at.as_microsecond();
        let first = u32::try_from(open.segment.first_sequence - self.run.first_sequence).unwrap_or_default();
        let indexed = Indexed { first, fragments: open.segment.fragments.clone() };
        index_file::append(&self.folder, name, &indexed)?;
        Ok(Some(open.segment))
    }
}

fn append(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    // The length is part of what fdatasync keeps.
    file.sync_data()
}

/// Removes a run's folder, and its day's when that was the last run.
pub(super) fn remove_run(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_left = |extension: &OsStr| extension == CUT_SUFFIX || extension == "part";
        if path.extension().is_some_and(is_left) {
            files::remove(&path)?;
        }
    }
    // What the run is goes last: a folder without it was never finished being made.
    for name in [INDEX_FILE, INIT_FILE, RUN_FILE] {
        files::remove(&folder.join(name))?;
    }
    std::fs::remove_dir(folder)?;
    if let Some(day) = folder.parent() {
        // Fails while other runs are in it, which is right.
        let _ = std::fs::remove_dir(day);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use larder_proto::wire::CameraId;
    use uuid::Uuid;

    use super::*;
    use crate::{
        clock::from_us,
        recorder::made,
        recordings::{Dated, RunId},
    };

    fn init() -> Init {
        Init { bytes: made::init().into(), size: (640, 480), codec: "avc1.42C01E".into() }
    }

    fn run() -> Run {
        Run {
            id: RunId(Uuid::now_v7()),
            camera: CameraId::random(),
            ordinal: 3,
            first_sequence: 100,
            started_at: from_us(1_780_000_000_123_456),
            ended_at: None,
            end_reason: None,
            size: (640, 480),
            codec: "avc1.42C01E".into(),
            dated: Dated::default(),
        }
    }

    fn piece(number: u32, start_ms: u32) -> Piece {
        let bytes = Bytes::from(made::fragment(number, start_ms, &[1000, 1000], 40));
        Piece {
            bytes,
            number,
            start: Duration::from_millis(start_ms.into()),
            duration: Duration::from_secs(2),
            to_last_picture: Duration::from_secs(1),
            pictures: 2,
        }
    }

    #[test]
    fn a_run_becomes_files_of_a_minute_and_its_end_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let run = run();
        let folder = root.path().join(run.folder());
        let mut writer = Writer::create(root.path(), run.clone(), &init(), || None).unwrap();
        let mut segments = Vec::new();
        for number in 0..61 {
            let piece = piece(number, number * 2000);
            let committed = writer.commit(&piece, piece.duration).unwrap();
            assert_eq!(committed.first, number == 0);
            segments.extend(committed.closed);
        }
        segments.extend(writer.end(EndReason::Stopped).unwrap());
        let starts: Vec<_> = segments.iter().map(|segment| segment.started_at.as_microsecond()).collect();
        let first = run.started_at.as_microsecond();
        assert_eq!(starts, [first, first + 60_000_000, first + 120_000_000]);
        assert_eq!(segments.iter().map(|segment| segment.first_sequence).collect::<Vec<_>>(), [100, 130, 160]);
        for segment in &segments {
            assert!(segment.closed);
            let length = std::fs::metadata(folder.join(segment.file_name())).unwrap().len();
            assert_eq!(length, segment.fragments.size_bytes());
        }
        let (kept, notes) = run_file::read(&folder).unwrap().unwrap();
        assert_eq!(notes.pins, None);
        assert_eq!(kept, *writer.run());
        assert_eq!(kept.ended_at, Some(run.started_at + Duration::from_secs(122)));
        assert_eq!(kept.end_reason, Some(EndReason::Stopped));
    }

    #[test]
    fn a_run_without_a_fragment_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let run = run();
        let mut writer = Writer::create(root.path(), run.clone(), &init(), || None).unwrap();
        assert_eq!(writer.end(EndReason::EncoderFailed).unwrap(), None);
        assert!(!root.path().join(run.folder()).parent().unwrap().exists());
    }

    #[test]
    fn a_fragment_out_of_turn_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(root.path(), run(), &init(), || None).unwrap();
        let error = writer.commit(&piece(1, 0), Duration::from_secs(2)).unwrap_err();
        assert_eq!(error.to_string(), "fragment 1 came where 0 was due");
    }
}
