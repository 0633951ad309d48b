//! Makes room without the database, when it is away because it lies on the very disk that is full: what the files say
//! decides, and rows follow when it is back.
//!
//! A file may go when its run's `run.json` can be read, knows its pins and none of them reaches into it, and when nobody
//! writes to it. What went is written into `run.json`, so that the sweep does not take it for lost.

use std::{
    collections::HashMap,
    fs, io,
    ops::Range,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use super::{
    collect::blocking,
    dating,
    disk::{self, DiskError},
    order,
    recover::{RunOnDisk, folders, run_folders},
    retention::Deleted,
    room::{self, Kept, Minimum},
    run_file,
    shared::Shared,
};
use crate::{
    files,
    outcome::chain,
    recordings::{Run, RunId},
};

/// Runs being written, and the start of the segment that is open.
pub(super) type Active = HashMap<RunId, Option<Timestamp>>;

/// A segment's file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) camera: CameraId,
    /// From its start to the next one's.
    range: Range<Timestamp>,
    folder: PathBuf,
    path: PathBuf,
    pub(super) size_bytes: u64,
    /// Whether it is closed and certainly not pinned.
    is_free: bool,
    /// Its run's ordinal.
    ordinal: i64,
    /// Its start, if that can be believed.
    date: Option<Timestamp>,
}

/// Every segment's file below the root, the oldest first. What cannot be read is left out: it stays.
pub(super) async fn list(shared: &Shared) -> Vec<Found> {
    let (root, active, latest) = (shared.root.clone(), shared.all_active(), shared.latest_date());
    blocking(move || list_below(&root, &active, latest)).await
}

/// `latest`: a date behind it is that of a wrong clock.
fn list_below(root: &Path, active: &Active, latest: Timestamp) -> Vec<Found> {
    let of_camera = |camera: &PathBuf| {
        let runs = run_folders(camera).unwrap_or_default();
        let mut found: Vec<Found> = runs.iter().flat_map(|run| of_run(run, active).unwrap_or_default()).collect();
        found.sort_by_key(|file| (file.ordinal, file.range.start));
        let believed = |file: Found| {
            let date = file.date.filter(|date| *date <= latest);
            (date, Found { date, ..file })
        };
        found.into_iter().map(believed).collect()
    };
    order::merged(folders(root).unwrap_or_default().iter().map(of_camera))
}

fn of_run(folder: &Path, active: &Active) -> io::Result<Vec<Found>> {
    let Some((run, notes)) = run_file::read(folder)? else { return Ok(Vec::new()) };
    let on_disk = RunOnDisk { run, folder: folder.to_owned(), notes };
    let files = dating::segment_files(&on_disk).map_err(io::Error::other)?;
    let RunOnDisk { run, notes, .. } = on_disk;
    let ends = files.iter().skip(1).map(|(start, _)| Some(*start)).chain([run.ended_at]);
    let found = files.iter().zip(ends).map(|((start, path), end)| {
        let range = *start..end.unwrap_or(Timestamp::MAX);
        Ok(Found {
            camera: run.camera,
            is_free: is_closed(&run, *start, active) && notes.is_unpinned(&range),
            range,
            folder: folder.to_owned(),
            path: path.clone(),
            size_bytes: fs::metadata(path)?.len(),
            ordinal: run.ordinal,
            date: run.dated.is_known.then_some(*start),
        })
    });
    found.collect()
}

/// A run without an end that nobody writes was interrupted: it is ended first.
fn is_closed(run: &Run, start: Timestamp, active: &Active) -> bool {
    match active.get(&run.id) {
        Some(open) => open.is_some_and(|open| start < open),
        None => run.ended_at.is_some(),
    }
}

/// Those that go for so many bytes, of a list with the oldest first.
fn chosen(all: &[Found], bytes: u64, minimum: Minimum) -> Vec<&Found> {
    let mut kept: HashMap<CameraId, Kept> = HashMap::new();
    let mut oldest = Vec::new();
    for file in all.iter().rev() {
        let length = Duration::try_from(file.range.end.duration_since(file.range.start)).unwrap_or_default();
        // How long one is that has no end is not known, and it is not the one to be kept by its time.
        let length = if file.range.end == Timestamp::MAX { Duration::ZERO } else { length };
        let kept = kept.entry(file.camera).or_insert_with(|| minimum.begin());
        if !kept.holds(file.date, length, file.size_bytes) && file.is_free {
            oldest.push(file);
        }
    }
    oldest.reverse();
    let count = room::choose(oldest.iter().map(|file| file.size_bytes), bytes);
    oldest.truncate(count);
    oldest
}

/// What went of which run's folder.
pub(super) type Gone = Vec<(PathBuf, Vec<Range<Timestamp>>)>;

/// Deletes the oldest files for so many bytes. The caller holds `upkeep`, and pins still.
pub(super) async fn delete(
    shared: &Arc<Shared>,
    all: Vec<Found>,
    bytes: u64,
    minimum: Minimum,
) -> Result<Deleted, DiskError> {
    let (deleted, gone, failed) = blocking(move || unlink(&chosen(&all, bytes, minimum))).await;
    shared.freed(deleted.bytes);
    shared.unnoted().extend(gone);
    note(shared).await;
    if deleted.segments > 0 {
        tracing::warn!(
            segments = deleted.segments,
            bytes = deleted.bytes,
            "old recordings made room on the disk that is full, without the database, which lies there as well"
        );
    }
    match failed {
        Some(error) if deleted.segments == 0 => Err(error),
        // The next pass meets it again.
        _ => Ok(deleted),
    }
}

/// Run by run. What was deleted before a failure counts.
fn unlink(files: &[&Found]) -> (Deleted, Gone, Option<DiskError>) {
    let (mut deleted, mut gone) = (Deleted::default(), Gone::new());
    for of_run in files.chunk_by(|one, next| one.folder == next.folder) {
        let mut ranges = Vec::new();
        let mut failed = None;
        for file in of_run {
            if let Err(error) = files::remove(&file.path) {
                failed = Some(DiskError::file(&file.path)(error));
                break;
            }
            ranges.push(file.range.clone());
            deleted.add(Deleted { segments: 1, bytes: file.size_bytes });
        }
        let folder = &of_run[0].folder;
        let failed = failed.or(disk::sync_folder(folder).err());
        gone.push((folder.clone(), ranges));
        if failed.is_some() {
            return (deleted, gone, failed);
        }
    }
    (deleted, gone, None)
}

/// Writes what went into the runs' files: after the files, because before there was no room for it, and again until it
/// is written.
pub(super) async fn note(shared: &Shared) {
    let gone = std::mem::take(&mut *shared.unnoted());
    let left: Gone = blocking(move || {
        let fails = |(folder, ranges): &(PathBuf, Vec<Range<Timestamp>>)| {
            run_file::change(folder, |_, notes| ranges.iter().cloned().for_each(|range| notes.delete(range)))
                .inspect_err(|error| tracing::warn!(error = chain(error), "what was deleted could not be noted yet"))
                .is_err()
        };
        gone.into_iter().filter(fails).collect()
    })
    .await;
    shared.unnoted().extend(left);
}

/// Bytes of the database's folder when it lies on the same file system as the recordings; `None` when it does not, or
/// that cannot be told.
pub(super) fn database_beside(root: &Path, database: &Path) -> Option<u64> {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    (device(root)? == device(database)?).then(|| tree_bytes(database))
}

/// Files that come and go meanwhile do not matter.
fn tree_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => tree_bytes(&entry.path()),
            // Blocks of 512 bytes, whatever the file system's are (stat(2)).
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recorder::{recover::tests::interrupted_of, run_file::RUN_FILE, segments},
        recordings::{Dated, EndReason},
    };

    /// An ended run of four minutes: four segments.
    fn ended(root: &Path, camera: CameraId, pins: Option<Vec<Range<Timestamp>>>) -> (Run, PathBuf) {
        let (mut run, folder) = interrupted_of(camera, root, 120);
        run.ended_at = Some(run.started_at + Duration::from_secs(240));
        run.end_reason = Some(EndReason::Stalled);
        run_file::keep(&folder, &run).unwrap();
        run_file::change(&folder, |_, notes| notes.pins = pins).unwrap();
        (run, folder)
    }

    fn starts(files: &[&Found], run: &Run) -> Vec<i64> {
        files.iter().map(|file| file.range.start.duration_since(run.started_at).as_secs() / 60).collect()
    }

    const NOTHING: Minimum = Minimum { time: Duration::ZERO, bytes: 0 };

    #[test]
    fn what_is_pinned_written_or_not_known_stays() {
        let root = tempfile::tempdir().unwrap();
        let camera = CameraId::random();
        let (run, folder) = ended(root.path(), camera, Some(Vec::new()));
        let all = |active: &Active| list_below(root.path(), active, Timestamp::MAX);
        let free = |active: &Active| starts(&chosen(&all(active), u64::MAX, NOTHING), &run);
        let none = Active::new();
        assert_eq!(free(&none), [0, 1, 2, 3]);
        let second = run.started_at + Duration::from_secs(60);
        assert_eq!(free(&Active::from([(run.id, Some(second))])), [0]);
        assert_eq!(free(&Active::from([(run.id, None)])), [] as [i64; 0]);

        let pin = second + Duration::from_secs(10)..second + Duration::from_secs(20);
        run_file::change(&folder, |_, notes| notes.pins = Some(vec![pin])).unwrap();
        assert_eq!(free(&none), [0, 2, 3]);
        run_file::change(&folder, |_, notes| notes.pins = None).unwrap();
        assert_eq!(free(&none), [] as [i64; 0], "a file of an earlier release says nothing of pins");
        fs::write(folder.join(RUN_FILE), "{").unwrap();
        assert!(all(&none).is_empty(), "what cannot be read counts as pinned");
    }

    #[test]
    fn the_oldest_go_and_the_newest_of_each_camera_stay() {
        let root = tempfile::tempdir().unwrap();
        let (run, folder) = ended(root.path(), CameraId::random(), Some(Vec::new()));
        let all = list_below(root.path(), &Active::new(), Timestamp::MAX);
        let size = all[0].size_bytes;
        let minimum = |minutes: u64, bytes| Minimum { time: Duration::from_secs(60 * minutes), bytes };
        let choose = |bytes, minimum| starts(&chosen(&all, bytes, minimum), &run);
        assert_eq!(choose(size + 1, NOTHING), [0, 1]);
        assert_eq!(choose(u64::MAX, minimum(2, u64::MAX)), [0, 1]);
        assert_eq!(choose(u64::MAX, minimum(60, size)), [0, 1, 2]);

        let (deleted, gone, failed) = unlink(&chosen(&all, size + 1, NOTHING));
        assert_eq!((deleted.segments, deleted.bytes), (2, 2 * size));
        assert!(failed.is_none());
        let minute = |n: u64| run.started_at + Duration::from_secs(60 * n);
        assert_eq!(gone, [(folder.clone(), vec![minute(0)..minute(1), minute(1)..minute(2)])]);
        assert_eq!(segments::files(&folder).unwrap().len(), 2);
    }

    #[test]
    fn what_was_made_first_goes_first_whatever_its_clock_said() {
        let root = tempfile::tempdir().unwrap();
        let camera = CameraId::random();
        let (run, folder) = ended(root.path(), camera, Some(Vec::new()));
        // Made by a clock in 1970, after the other.
        let (later, its_folder) = ended(root.path(), camera, Some(Vec::new()));
        let wrong = Run { ordinal: run.ordinal + 1, started_at: Timestamp::UNIX_EPOCH, ..later };
        for (start, path) in segments::files(&its_folder).unwrap() {
            let us = start.duration_since(run.started_at).as_micros();
            fs::rename(path, its_folder.join(format!("{us}.m4s"))).unwrap();
        }
        fs::remove_file(its_folder.join(RUN_FILE)).unwrap();
        let boot = None;
        let wrong = Run { dated: Dated { is_known: false, shift_us: 0, boot }, ..wrong };
        run_file::create(&its_folder, &wrong, || Some(Vec::new())).unwrap();
        let all = list_below(root.path(), &Active::new(), Timestamp::MAX);
        let folders: Vec<_> = all.iter().map(|file| &file.folder).collect();
        assert_eq!(folders, [vec![&folder; 4], vec![&its_folder; 4]].concat());
    }

    #[test]
    fn a_database_elsewhere_is_not_beside_the_recordings() {
        let root = tempfile::tempdir().unwrap();
        let database = root.path().join("postgres/data");
        assert_eq!(database_beside(root.path(), &database), None);
        fs::create_dir_all(database.join("base")).unwrap();
        fs::write(database.join("base/1"), [7; 100_000]).unwrap();
        assert!((100_000..200_000).contains(&database_beside(root.path(), &database).unwrap()));
        assert_eq!(database_beside(root.path(), Path::new("/proc")), None);
    }
}
