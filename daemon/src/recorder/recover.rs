//! What is on disk of a camera, and repairing what a crash left: no database is needed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    commit::{INIT_FILE, SEGMENT_SUFFIX, remove_run},
    dating,
    disk::{DiskError, sync_folder},
    fragments::{Part, Piece, Splitter},
    mp4::Mp4Error,
    ordinals::Ordinals,
    run_file::{self, Notes, RUN_FILE},
};
use crate::{
    clock::from_us,
    outcome::chain,
    recordings::{EndReason, FragmentIndex, Run, Segment},
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
    let mut runs = runs(folder, true)?;
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
        let count = count(newest)?;
        known.ordinals = known
            .ordinals
            .max(Ordinals { next_run: run.ordinal + 1, next_sequence: run.first_sequence + i64::from(count) });
        known.ordinals.keep(folder)?;
    }
    Ok(known)
}

/// Every run in a camera's folder, by ordinal. With `tidy`, runs that cannot be read are put aside and those that were
/// never finished being made are removed: only while nothing is recorded there, for one being made looks the same.
pub(super) fn runs(camera: &Path, tidy: bool) -> Result<Vec<RunOnDisk>, DiskError> {
    let mut runs = Vec::new();
    for folder in run_folders(camera)? {
        match run_file::read(&folder) {
            Ok(Some((run, notes))) => runs.push(RunOnDisk { run, folder, notes }),
            Ok(None) if tidy => put_aside(&folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound && tidy => abandoned(&folder),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DiskError::file(&folder.join(RUN_FILE))(error)),
        }
    }
    runs.sort_by_key(|on_disk| on_disk.run.ordinal);
    Ok(runs)
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
    let known = |name: &std::ffi::OsStr| name == RUN_FILE || name == INIT_FILE;
    let only_known = fs::read_dir(folder).is_ok_and(|entries| entries.flatten().all(|entry| known(&entry.file_name())));
    if only_known && remove_run(folder).is_ok() {
        tracing::info!(path = %folder.display(), "a run without a fragment is removed");
    } else if folder.exists() {
        put_aside(folder);
    }
}

/// A folder without `run.json` was being made or removed; no fragment was ever in it, unless somebody put one there.
fn abandoned(folder: &Path) {
    if segment_files(folder).is_ok_and(|files| files.is_empty()) {
        let _ = fs::remove_file(folder.join(RUN_FILE).with_extension("part"));
        let _ = fs::remove_file(folder.join(INIT_FILE).with_extension("part"));
        if remove_run(folder).is_ok() {
            return;
        }
    }
    put_aside(folder);
}

fn put_aside(path: &Path) {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(BROKEN);
    let done = fs::rename(path, &name).is_ok();
    tracing::error!(path = %path.display(), done, "what is recorded there cannot be read; it is put aside");
}

/// Ends a run that was open when the hub died: segments are cut to their last whole fragment, the end is written. A
/// run without a fragment is removed.
pub(super) fn end(on_disk: &mut RunOnDisk, reason: EndReason) -> Result<(), DiskError> {
    let segments = segments(on_disk, None, true)?;
    let Some(last) = segments.last() else {
        remove_or_put_aside(&on_disk.folder);
        return Ok(());
    };
    on_disk.run.ended_at = Some(last.ended_at());
    on_disk.run.end_reason = Some(reason);
    tracing::info!(run.id = %on_disk.run.id.0, "a run that was interrupted is ended");
    run_file::keep(&on_disk.folder, &on_disk.run)
}

/// A run's segment files and the starts that they are named by, in order.
pub(super) fn segment_files(folder: &Path) -> Result<Vec<(Timestamp, PathBuf)>, DiskError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(DiskError::folder(folder))? {
        let entry = entry.map_err(DiskError::folder(folder))?;
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(SEGMENT_SUFFIX));
        if let Some(us) = stem.and_then(|stem| stem.parse().ok()) {
            files.push((from_us(us), entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// Fragments of a run up to its newest, also those that were deleted before it.
fn count(on_disk: &RunOnDisk) -> Result<u32, DiskError> {
    // A full disk leaves a file without a whole fragment behind: it does not count, and those before it do.
    for (start, _) in dating::segment_files(on_disk)?.into_iter().rev() {
        if let Some(newest) = segments(on_disk, Some(start), false)?.last() {
            let before = u32::try_from(newest.first_sequence - on_disk.run.first_sequence).unwrap_or_default();
            return Ok(before + u32::try_from(newest.fragments.len()).unwrap_or(u32::MAX));
        }
    }
    Ok(0)
}

/// Reads a run's segments from `from` on, all closed. With `repair`, what follows the last whole fragment is cut off,
/// and files without one are put aside; without, files are not touched and such are left out.
pub(super) fn segments(on_disk: &RunOnDisk, from: Option<Timestamp>, repair: bool) -> Result<Vec<Segment>, DiskError> {
    let files: Vec<_> = dating::segment_files(on_disk)?
        .into_iter()
        .filter(|(start, _)| from.is_none_or(|from| *start >= from))
        .collect();
    let Some(timescale) = timescale(&on_disk.folder)? else {
        if repair {
            put_aside(&on_disk.folder);
        }
        return Ok(Vec::new());
    };
    let mut segments = Vec::with_capacity(files.len());
    for (start, path) in files {
        if let Some(segment) = segment(on_disk, (start, &path), timescale, repair)? {
            segments.push(segment);
        }
    }
    if let (Some(last), Some(ended_at)) = (segments.last_mut(), on_disk.run.ended_at) {
        shorten(last, ended_at);
    }
    Ok(segments)
}

/// The run's end tells how long its last picture was shown better than the encoder's guess does.
fn shorten(last: &mut Segment, ended_at: Timestamp) {
    let end = Duration::try_from(ended_at.duration_since(last.started_at)).unwrap_or_default();
    let mut index = FragmentIndex::default();
    let fragments = last.fragments.fragments();
    for (at, fragment) in fragments.iter().enumerate() {
        let duration = if at + 1 == fragments.len() && end > fragment.start {
            end.saturating_sub(fragment.start)
        } else {
            fragment.duration
        };
        index.push(fragment.start, Duration::from_millis(millis(duration)), fragment.size);
    }
    last.fragments = index;
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn timescale(folder: &Path) -> Result<Option<u32>, DiskError> {
    let path = folder.join(INIT_FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            let mut splitter = Splitter::default();
            splitter.push(&bytes);
            Ok(splitter.next_part().ok().flatten().and_then(|_init| splitter.timescale()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DiskError::file(&path)(error)),
    }
}

fn segment(
    on_disk: &RunOnDisk,
    (start, path): (Timestamp, &Path),
    timescale: u32,
    repair: bool,
) -> Result<Option<Segment>, DiskError> {
    let (pieces, whole) = read_pieces(path, timescale).map_err(DiskError::file(path))?;
    let length = fs::metadata(path).map_err(DiskError::file(path))?.len();
    let Some(first) = pieces.first() else {
        if repair {
            if length == 0 {
                fs::remove_file(path).map_err(DiskError::file(path))?;
            } else {
                put_aside(path);
            }
            sync_folder(&on_disk.folder)?;
        }
        return Ok(None);
    };
    if repair && length > whole {
        tracing::info!(path = %path.display(), bytes = length - whole, "half a fragment is cut off");
        let cut = || {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(whole)?;
            file.sync_all()
        };
        cut().map_err(DiskError::file(path))?;
    }
    let mut fragments = FragmentIndex::default();
    for piece in &pieces {
        fragments.push(piece.start.saturating_sub(first.start), piece.duration, piece.size);
    }
    Ok(Some(Segment {
        run: on_disk.run.id,
        camera: on_disk.run.camera,
        first_sequence: on_disk.run.first_sequence + i64::from(first.number),
        started_at: start,
        fragments,
        closed: true,
    }))
}

/// A fragment without its bytes.
struct Seen {
    number: u32,
    start: Duration,
    duration: Duration,
    size: u64,
}

impl From<Piece> for Seen {
    fn from(piece: Piece) -> Self {
        let size = u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX);
        Self { number: piece.number, start: piece.start, duration: piece.duration, size }
    }
}

/// The whole fragments at the front of a file that count on from each other, and how many bytes they are.
fn read_pieces(path: &Path, timescale: u32) -> io::Result<(Vec<Seen>, u64)> {
    let mut file = File::open(path)?;
    let mut splitter = Splitter::after_init(timescale);
    let mut buffer = vec![0; 256 * 1024];
    let (mut pieces, mut whole): (Vec<Seen>, u64) = (Vec::new(), 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((pieces, whole));
        }
        splitter.push(&buffer[..read]);
        loop {
            match splitter.next_part() {
                Ok(Some(Part::Piece(piece))) if follows(&pieces, &piece) => {
                    pieces.push(piece.into());
                    whole = splitter.consumed();
                }
                Ok(None) => break,
                // Half-written bytes may read as anything: what came before them counts.
                Ok(Some(_)) | Err(Mp4Error::BoxSize { .. } | Mp4Error::Missing(_) | Mp4Error::Unexpected(_)) => {
                    return Ok((pieces, whole));
                }
            }
        }
    }
}

fn follows(pieces: &[Seen], piece: &Piece) -> bool {
    pieces.last().is_none_or(|last| piece.number == last.number + 1 && piece.start > last.start)
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use larder_proto::wire::CameraId;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        recorder::{commit::Writer, fragments::Init, made},
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
        fs::remove_file(&segment_files(&folder).unwrap()[0].1).unwrap();
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
            let path = segment_files(&folder).unwrap()[0].1.clone();
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
        assert_eq!(runs(&camera_folder, false).unwrap().len(), 1);
    }
}
