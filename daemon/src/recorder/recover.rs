//! What is on disk of a camera, and repairing what a crash left: no database is needed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    commit::{INIT_FILE, remove_run},
    dating,
    disk::DiskError,
    index_file::{self, INDEX_FILE},
    ordinals::Ordinals,
    run_file::{self, Look, Notes, RUN_FILE},
    segments,
};
use crate::{
    outcome::chain,
    recordings::{EndReason, Run, RunId},
    repeats,
};

/// What is appended to the name of what cannot be read; kept for a person to look at.
const BROKEN: &str = "broken";

/// What a camera's folder says.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) ordinals: Ordinals,
    /// When the newest run ended whose date is known, and why.
    pub(super) last_end: Option<(Timestamp, EndReason)>,
    /// Whether there is a run that may be dated anew.
    pub(super) is_undated: bool,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub(super) struct RunOnDisk {
    pub(super) run: Run,
    pub(super) folder: PathBuf,
    /// What its file says besides.
    pub(super) notes: Notes,
}

/// Reads a camera's folder, ends the runs that were left open, for this reason, and finds the counts of the next run.
pub(super) fn camera(folder: &Path, reason: EndReason) -> Result<Known, DiskError> {
    let mut known = Known { ordinals: Ordinals::read(folder).map_err(DiskError::folder(folder))?, ..Known::default() };
    let mut runs = runs(folder, true)?.known;
    for on_disk in &mut runs {
        if on_disk.run.ended_at.is_none()
            && let Err(error) = end(on_disk, reason)
        {
            // One run that cannot be repaired must not keep the camera from being recorded; the sweep tries again.
            tracing::error!(run.id = %on_disk.run.id.0, error = chain(&error), "an interrupted run was not ended");
        }
    }
    runs.retain(|on_disk| on_disk.folder.exists());
    // Behind one whose date is not known, nobody knows since when nothing is recorded.
    let dated = runs.iter().rev().find(|on_disk| on_disk.run.dated.is_known);
    known.is_undated = runs.iter().any(|on_disk| dating::is_datable(on_disk.run.dated));
    known.last_end = dated.and_then(|on_disk| on_disk.run.ended_at.zip(on_disk.run.end_reason));
    if let Some(newest) = runs.iter().max_by_key(|on_disk| on_disk.run.ordinal) {
        let run = &newest.run;
        let count = count(newest).unwrap_or_else(|error| {
            // The counts that were kept and those of rows are there as well.
            tracing::error!(run.id = %run.id.0, error = chain(&error), "the fragments of the newest run cannot be counted");
            0
        });
        known.ordinals = known
            .ordinals
            .max(Ordinals { next_run: run.ordinal + 1, next_sequence: run.first_sequence + i64::from(count) });
        known.ordinals.keep(folder)?;
    }
    Ok(known)
}

/// What a camera's folder holds.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// By ordinal.
    pub(super) known: Vec<RunOnDisk>,
    /// Runs that a newer release made: left alone.
    pub(super) newer: Vec<RunId>,
    /// Runs whose files cannot be read now: they say nothing, and are not gone.
    pub(super) unreadable: Vec<RunId>,
}

/// Every run in a camera's folder. With `tidy`, damaged files are mended, runs that cannot be understood are put aside and
/// those that were never finished being made are removed: only while nothing is recorded there, for one being made looks the
/// same. Without, nothing is written.
pub(super) fn runs(camera: &Path, tidy: bool) -> Result<Runs, DiskError> {
    let mut runs = Runs::default();
    for folder in run_folders(camera)? {
        match run_file::look(&folder) {
            Ok(Look::Run(run, notes)) => runs.known.push(RunOnDisk { run, folder, notes }),
            Ok(Look::Newer(id)) => runs.leave(id, &folder),
            Ok(Look::Broken) => match restored(&folder, tidy) {
                Ok(Some(on_disk)) => runs.known.push(on_disk),
                Ok(None) if tidy => put_aside(&folder),
                Ok(None) => {}
                Err(error) => runs.pass(&folder, &error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && tidy => match unfinished(&folder) {
                Ok(on_disk) => runs.known.extend(on_disk),
                Err(error) => runs.pass(&folder, &error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad sector must not hide the camera's other runs, nor keep it from being recorded.
            Err(error) => runs.pass(&folder, &DiskError::file(&folder.join(RUN_FILE))(error)),
        }
    }
    runs.known.sort_by_key(|on_disk| on_disk.run.ordinal);
    Ok(runs)
}

impl Runs {
    fn leave(&mut self, id: RunId, folder: &Path) {
        let path = folder.display().to_string();
        repeats::say!(warn, &path, { path }, "a recording of a newer release is left alone");
        self.newer.push(id);
    }

    fn pass(&mut self, folder: &Path, error: &DiskError) {
        let path = folder.display().to_string();
        repeats::say!(error, &path, { path, error = chain(error) }, "a recording cannot be read");
        let id = folder.file_name().and_then(|name| Uuid::try_parse(name.to_str()?).ok());
        self.unreadable.extend(id.map(RunId));
    }
}

/// The run by the copy of its file as it was at the beginning; its end and its pins are not in it. With `mend` the file is
/// written anew from it, if that is possible.
fn restored(folder: &Path, mend: bool) -> Result<Option<RunOnDisk>, DiskError> {
    let copy = index_file::read(folder)?.run;
    let Some(Look::Run(run, notes)) = copy.as_deref().map(run_file::parse) else { return Ok(None) };
    if mend {
        let mended = run_file::restore(folder, &run, &notes);
        let error = mended.err().map(|error| chain(&error));
        tracing::warn!(path = %folder.display(), error, "what a recording's file says was damaged; its copy counts");
    }
    Ok(Some(RunOnDisk { run, folder: folder.to_owned(), notes }))
}

/// The folders of a camera's runs, day by day; what was put aside is left out.
pub(super) fn run_folders(camera: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for day in folders(camera)? {
        found.extend(folders(&day)?.into_iter().filter(|folder| folder.extension().is_none()));
    }
    Ok(found)
}

pub(super) fn folders(parent: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DiskError::folder(parent))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DiskError::folder(parent))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// A run without a whole fragment goes, unless there is something in it that a person may want to look at.
fn remove_or_put_aside(folder: &Path) {
    let known = |name: &std::ffi::OsStr| name == RUN_FILE || name == INIT_FILE || name == INDEX_FILE;
    let only_known = fs::read_dir(folder).is_ok_and(|entries| entries.flatten().all(|entry| known(&entry.file_name())));
    if only_known && remove_run(folder).is_ok() {
        tracing::info!(path = %folder.display(), "a run without a fragment is removed");
    } else if folder.exists() {
        put_aside(folder);
    }
}

/// A folder without `run.json` was being made or removed; no fragment was ever in it, unless the file was lost.
fn unfinished(folder: &Path) -> Result<Option<RunOnDisk>, DiskError> {
    if segments::files(folder)?.is_empty() {
        for name in [RUN_FILE, INIT_FILE, INDEX_FILE] {
            let _ = fs::remove_file(folder.join(name).with_extension("part"));
        }
        if remove_run(folder).is_ok() {
            return Ok(None);
        }
    } else if let Some(on_disk) = restored(folder, true)? {
        return Ok(Some(on_disk));
    }
    put_aside(folder);
    Ok(None)
}

fn put_aside(path: &Path) {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(BROKEN);
    let done = fs::rename(path, &name).is_ok();
    tracing::error!(path = %path.display(), done, "what is recorded there cannot be read; it is put aside");
}

/// Ends a run that was open when the hub died: its last segment is cut to its last whole fragment, the end is written. A
/// run without a fragment is removed.
pub(super) fn end(on_disk: &mut RunOnDisk, reason: EndReason) -> Result<(), DiskError> {
    let segments = segments::close(on_disk)?;
    let Some(last) = segments.last() else {
        remove_or_put_aside(&on_disk.folder);
        return Ok(());
    };
    on_disk.run.ended_at = Some(last.ended_at());
    on_disk.run.end_reason = Some(reason);
    tracing::info!(run.id = %on_disk.run.id.0, "a run that was interrupted is ended");
    run_file::keep(&on_disk.folder, &on_disk.run)
}

/// Fragments of a run up to its newest, also those that were deleted before it.
fn count(on_disk: &RunOnDisk) -> Result<u32, DiskError> {
    // A full disk leaves a file without a whole fragment behind: it does not count, and those before it do.
    for (start, _) in dating::segment_files(on_disk)?.into_iter().rev() {
        if let Some(newest) = segments::read(on_disk, Some(start))?.last() {
            let before = u32::try_from(newest.first_sequence - on_disk.run.first_sequence).unwrap_or_default();
            return Ok(before + u32::try_from(newest.fragments.len()).unwrap_or(u32::MAX));
        }
    }
    Ok(0)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use larder_proto::wire::CameraId;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::from_us,
        recorder::{
            commit::{SEGMENT_SUFFIX, Writer},
            fragments::{Init, Piece},
            made,
        },
        recordings::{Dated, RunId},
    };

    /// A run of `count` fragments of two seconds that nobody ended.
    fn interrupted(root: &Path, count: u32) -> (Run, PathBuf) {
        interrupted_of(CameraId::random(), root, count)
    }

    pub(in crate::recorder) fn interrupted_of(camera: CameraId, root: &Path, count: u32) -> (Run, PathBuf) {
        let run = Run {
            id: RunId(Uuid::now_v7()),
            camera,
            ordinal: 4,
            first_sequence: 1000,
            started_at: from_us(1_780_000_000_123_456),
            ended_at: None,
            end_reason: None,
            size: (640, 480),
            codec: "avc1.42C01E".into(),
            dated: Dated::default(),
        };
        let init = Init { bytes: made::init().into(), size: run.size, codec: run.codec.clone() };
        let mut writer = Writer::create(root, run.clone(), &init, || None).unwrap();
        for number in 0..count {
            writer.commit(&piece(number), Duration::from_secs(2)).unwrap();
        }
        let folder = root.join(run.folder());
        (run, folder)
    }

    fn piece(number: u32) -> Piece {
        let bytes = Bytes::from(made::fragment(number, number * 2000, &[1000, 1000], 100));
        Piece {
            bytes,
            number,
            start: Duration::from_secs(2) * number,
            duration: Duration::from_secs(2),
            to_last_picture: Duration::from_secs(1),
            pictures: 2,
        }
    }

    #[test]
    fn a_file_that_a_full_disk_left_empty_does_not_set_the_counts_back() {
        let root = tempfile::tempdir().unwrap();
        let (run, folder) = interrupted(root.path(), 30);
        let camera_folder = root.path().join(run.camera.to_string());
        let known = camera(&camera_folder, EndReason::HubDown).unwrap();
        fs::remove_file(camera_folder.join("ordinals.json")).unwrap();
        let next = run.started_at + Duration::from_secs(60);
        fs::write(folder.join(format!("{}{SEGMENT_SUFFIX}", next.as_microsecond())), b"").unwrap();
        assert_eq!(camera(&camera_folder, EndReason::HubDown).unwrap().ordinals, known.ordinals);
    }

    #[test]
    fn an_interrupted_run_is_ended_once_and_its_counts_go_on() {
        let root = tempfile::tempdir().unwrap();
        let (run, folder) = interrupted(root.path(), 45);
        let camera_folder = root.path().join(run.camera.to_string());
        let known = camera(&camera_folder, EndReason::HubDown).unwrap();
        assert_eq!(known.ordinals, Ordinals { next_run: 5, next_sequence: 1045 });
        let end = run.started_at + Duration::from_secs(90);
        assert_eq!(known.last_end, Some((end, EndReason::HubDown)));
        // The oldest segment goes; the counts stay.
        fs::remove_file(&segments::files(&folder).unwrap()[0].1).unwrap();
        fs::remove_file(camera_folder.join("ordinals.json")).unwrap();
        let again = camera(&camera_folder, EndReason::HubDown).unwrap();
        assert_eq!((again.ordinals, again.last_end), (known.ordinals, known.last_end));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_segment_cut_anywhere_keeps_every_whole_fragment(cut in 0u64..3000, garbage in proptest::collection::vec(any::<u8>(), 0..40)) {
            let root = tempfile::tempdir().unwrap();
            let (run, folder) = interrupted(root.path(), 10);
            let path = segments::files(&folder).unwrap()[0].1.clone();
            let mut bytes = fs::read(&path).unwrap();
            let size = u64::try_from(bytes.len()).unwrap() / 10;
            let cut = cut.min(size * 10);
            // What fills a cut fragment up to its very length can't be told from a picture.
            prop_assume!(usize::try_from(cut % size).unwrap() + garbage.len() < usize::try_from(size).unwrap());
            bytes.truncate(usize::try_from(cut).unwrap());
            bytes.extend(&garbage);
            fs::write(&path, &bytes).unwrap();
            let whole = cut / size;
            let known = camera(&root.path().join(run.camera.to_string()), EndReason::HubDown).unwrap();
            if whole == 0 {
                prop_assert_eq!(known.last_end, None);
            } else {
                prop_assert_eq!(fs::metadata(&path).unwrap().len(), whole * size);
                prop_assert_eq!(known.ordinals.next_sequence, 1000 + i64::try_from(whole).unwrap());
                prop_assert_eq!(known.last_end.unwrap().0, run.started_at + Duration::from_secs(2 * whole));
            }
        }
    }

    /// Numbers and places of what can be played.
    fn playable(on_disk: &RunOnDisk) -> Vec<(i64, u64)> {
        let mut found = Vec::new();
        for segment in segments::read(on_disk, None).unwrap() {
            let numbered = (segment.first_sequence..).zip(segment.fragments.fragments());
            found.extend(numbered.filter(|(_, found)| !found.is_damaged).map(|(number, found)| (number, found.offset)));
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// In whatever file of the run; also without the index, as a former release left it.
        #[test]
        fn whatever_is_whole_behind_a_flipped_byte_and_a_cut_stays_playable(
            file: prop::sample::Index, at: prop::sample::Index, flip in 1u8.., cut: prop::sample::Index,
            has_ended: bool, has_index: bool,
        ) {
            let root = tempfile::tempdir().unwrap();
            let (run, folder) = interrupted(root.path(), 65);
            let camera_folder = root.path().join(run.camera.to_string());
            if has_ended {
                camera(&camera_folder, EndReason::Stopped).unwrap();
            }
            let names = if has_index { vec![RUN_FILE, INIT_FILE, INDEX_FILE] } else { Vec::new() };
            if !has_index {
                fs::remove_file(folder.join(INDEX_FILE)).unwrap();
            }
            let media: Vec<PathBuf> = segments::files(&folder).unwrap().into_iter().map(|(_, path)| path).collect();
            let init = fs::read(folder.join(INIT_FILE)).unwrap();
            let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).chain(media.clone()).collect();
            let damaged = file.get(&files);
            let mut bytes = fs::read(damaged).unwrap();
            let flipped = at.index(bytes.len());
            bytes[flipped] ^= flip;
            fs::write(damaged, &bytes).unwrap();
            // A power cut takes what was written last, and of a run that has ended nothing.
            let last = media.last().unwrap();
            let length = fs::metadata(last).unwrap().len();
            let length = if has_ended { length } else { length - u64::try_from(cut.index(usize::try_from(length).unwrap())).unwrap() };
            fs::OpenOptions::new().write(true).open(last).unwrap().set_len(length).unwrap();

            let one = u64::try_from(piece(0).bytes.len()).unwrap();
            let mut whole = Vec::new();
            for number in 0..65u64 {
                let (path, offset) = (&media[usize::try_from(number / 30).unwrap()], number % 30 * one);
                let is_hit = path == damaged && u64::try_from(flipped).unwrap() / one == number % 30;
                let is_cut = path == last && offset + one > length;
                if !is_hit && !is_cut {
                    whole.push((1000 + i64::try_from(number).unwrap(), offset));
                }
            }
            camera(&camera_folder, EndReason::HubDown).unwrap();
            let runs = runs(&camera_folder, false).unwrap().known;
            prop_assert_eq!(runs.len(), 1);
            prop_assert!(runs[0].run.ended_at.is_some());
            let playable = playable(&runs[0]);
            for fragment in whole {
                prop_assert!(playable.contains(&fragment), "{fragment:?} is lost");
            }
            prop_assert_eq!(fs::read(folder.join(INIT_FILE)).unwrap(), init);
        }
    }

    #[test]
    fn what_a_crash_left_half_written_is_kept_beside_the_file() {
        let root = tempfile::tempdir().unwrap();
        let (_, folder) = interrupted(root.path(), 3);
        let (_, path) = segments::files(&folder).unwrap().remove(0);
        let mut bytes = fs::read(&path).unwrap();
        let whole = bytes.len();
        bytes.extend(b"half a fragment");
        fs::write(&path, &bytes).unwrap();
        let camera_folder = folder.parent().unwrap().parent().unwrap();
        camera(camera_folder, EndReason::HubDown).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes[..whole]);
        assert_eq!(fs::read(path.with_extension("cut")).unwrap(), bytes[whole..]);
        fs::remove_file(&path).unwrap();
        remove_run(&folder).unwrap();
    }

    #[test]
    fn a_closed_segment_is_never_cut() {
        let root = tempfile::tempdir().unwrap();
        let (_, folder) = interrupted(root.path(), 35);
        fs::remove_file(folder.join(INDEX_FILE)).unwrap();
        let (_, path) = segments::files(&folder).unwrap().remove(0);
        let mut bytes = fs::read(&path).unwrap();
        let one = bytes.len() / 30;
        bytes[20 * one + 6] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        let camera_folder = folder.parent().unwrap().parent().unwrap();
        camera(camera_folder, EndReason::HubDown).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        let on_disk = runs(camera_folder, false).unwrap().known.remove(0);
        assert_eq!(playable(&on_disk).len(), 34);
        assert_eq!(segments::read(&on_disk, None).unwrap()[0].fragments.damaged(), 1);
    }

    #[test]
    fn a_recording_of_a_newer_release_is_left_alone_until_a_hub_knows_it() {
        for (from, to) in [("\"version\": 1", "\"version\": 2"), ("\"hub_down\"", "\"solar_flare\"")] {
            let root = tempfile::tempdir().unwrap();
            let (run, folder) = interrupted(root.path(), 3);
            let camera_folder = root.path().join(run.camera.to_string());
            camera(&camera_folder, EndReason::HubDown).unwrap();
            let known = fs::read_to_string(folder.join(RUN_FILE)).unwrap();
            let text = known.replace(from, to);
            let crc = text.rfind(",\n  \"crc32c\"").unwrap();
            fs::write(folder.join(RUN_FILE), format!("{}\n}}", &text[..crc])).unwrap();
            let before = fs::read(folder.join(RUN_FILE)).unwrap();
            assert_eq!(camera(&camera_folder, EndReason::HubDown).unwrap().ordinals.next_run, 5);
            let found = runs(&camera_folder, true).unwrap();
            assert_eq!((found.known.len(), found.newer), (0, vec![run.id]));
            assert_eq!(fs::read(folder.join(RUN_FILE)).unwrap(), before);
            fs::write(folder.join(RUN_FILE), known).unwrap();
            assert_eq!(runs(&camera_folder, false).unwrap().known.len(), 1);
        }
    }

    #[test]
    fn what_cannot_be_read_is_put_aside_and_the_rest_is_found() {
        let root = tempfile::tempdir().unwrap();
        let (run, folder) = interrupted(root.path(), 3);
        let strange = folder.parent().unwrap().join("strange");
        fs::create_dir(&strange).unwrap();
        fs::write(strange.join(RUN_FILE), b"{").unwrap();
        let empty = folder.parent().unwrap().join("empty");
        fs::create_dir(&empty).unwrap();
        let camera_folder = root.path().join(run.camera.to_string());
        assert_eq!(camera(&camera_folder, EndReason::HubDown).unwrap().ordinals.next_run, 5);
        assert!(strange.with_extension(BROKEN).exists());
        assert!(!empty.exists());
        assert_eq!(runs(&camera_folder, false).unwrap().known.len(), 1);
    }
}
