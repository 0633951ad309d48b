//! `run.json`: what a run's folder says of the run, without the database.
//!
//! Besides the run itself: the ranges that are pinned, and what was deleted on purpose. It is read and
//! written whole by the recorder, by whoever pins, and by the sweep: one at a time.

use std::{
    fs, io,
    ops::Range,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::disk::{self, DiskError};
use crate::{
    clock::{BootMoment, from_us, is_plausible},
    recordings::{Dated, EndReason, Run, RunId},
};

/// The file's name.
pub(super) const RUN_FILE: &str = "run.json";
const VERSION: u32 = 1;

/// Held while one is read, changed and written.
static CHANGING: Mutex<()> = Mutex::new(());

/// What the file says besides the run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Notes {
    /// The camera's pins that reach into the run. `None`: not known, so all of it counts as pinned.
    pub(super) pins: Option<Vec<Range<Timestamp>>>,
    /// What was deleted on purpose: rows follow when they did not know, and no file in it comes back.
    pub(super) deleted: Vec<Range<Timestamp>>,
}

impl Notes {
    /// Whether a file with that range is certainly not pinned.
    pub(super) fn is_unpinned(&self, range: &Range<Timestamp>) -> bool {
        let holds = |pin: &Range<Timestamp>| pin.start < range.end && pin.end > range.start;
        self.pins.as_ref().is_some_and(|pins| !pins.iter().any(holds))
    }

    /// Whether the file that begins then was deleted on purpose.
    pub(super) fn is_deleted(&self, start: Timestamp) -> bool {
        self.deleted.iter().any(|range| range.contains(&start))
    }

    /// Adds what was deleted, to what it touches if it touches any.
    pub(super) fn delete(&mut self, range: Range<Timestamp>) {
        match self.deleted.iter_mut().find(|known| known.start <= range.end && range.start <= known.end) {
            Some(known) => *known = known.start.min(range.start)..known.end.max(range.end),
            None => self.deleted.push(range),
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct RunFile {
    version: u32,
    id: Uuid,
    camera: Uuid,
    ordinal: i64,
    first_sequence: i64,
    /// By the clock of that time, as are the folder's and the files' names, and the end.
    started_at_us: i64,
    width: u16,
    height: u16,
    codec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pins_us: Option<Vec<(i64, i64)>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deleted_us: Vec<(i64, i64)>,
    #[serde(flatten)]
    clock: ClockThen,
    /// Of the file without it; absent in one of a former release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crc32c: Option<u32>,
}

/// What is of a run's file in any release, so that one of a newer is told from one that is broken.
#[derive(Deserialize)]
struct AnyRunFile {
    version: u32,
    id: Uuid,
}

/// What a run's file is.
#[derive(Debug, PartialEq)]
pub(super) enum Look {
    /// A run's.
    Run(Run, Notes),
    /// Of a version, or with an end, that this release does not know.
    Newer(RunId),
    /// Nothing that can be believed.
    Broken,
}

/// What is known of the clock of that time. Absent in files of earlier releases.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct ClockThen {
    /// Whether it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_set: Option<bool>,
    /// The kernel's boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_id: Option<Uuid>,
    /// The run's start since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_us: Option<i64>,
    /// By how much later it was, once that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shift_us: Option<i64>,
}

impl ClockThen {
    fn of(dated: Dated, started_at: Timestamp) -> Self {
        // Of a clock that was not set, a date that is known was found out.
        let is_shifted = dated.shift_us != 0 || !is_plausible(started_at);
        Self {
            clock_set: dated.boot.map(|_| dated.is_known),
            boot_id: dated.boot.map(|boot| boot.id),
            boot_us: dated.boot.map(|boot| boot.us),
            shift_us: (dated.is_known && is_shifted).then_some(dated.shift_us),
        }
    }

    /// A run of an earlier release is believed, unless its date cannot be.
    fn dated(&self, started_at: Timestamp) -> Dated {
        let was_right = self.clock_set.unwrap_or(true) && is_plausible(started_at);
        Dated {
            is_known: was_right || self.shift_us.is_some(),
            shift_us: self.shift_us.unwrap_or_default(),
            boot: self.boot_id.zip(self.boot_us).map(|(id, us)| BootMoment { id, us }),
        }
    }
}

impl RunFile {
    fn new(run: &Run, notes: &Notes) -> Self {
        let to_us = |range: &Range<Timestamp>| (range.start.as_microsecond(), range.end.as_microsecond());
        let started_at = run.dated.named(run.started_at);
        Self {
            version: VERSION,
            id: run.id.0,
            camera: run.camera.0,
            ordinal: run.ordinal,
            first_sequence: run.first_sequence,
            started_at_us: started_at.as_microsecond(),
            width: run.size.0,
            height: run.size.1,
            codec: run.codec.clone(),
            ended_at_us: run.ended_at.map(|at| run.dated.named(at).as_microsecond()),
            end_reason: run.end_reason.map(|reason| reason.name().to_owned()),
            pins_us: notes.pins.as_ref().map(|pins| pins.iter().map(to_us).collect()),
            deleted_us: notes.deleted.iter().map(to_us).collect(),
            crc32c: None,
            clock: ClockThen::of(run.dated, started_at),
        }
    }

    fn text(mut self) -> serde_json::Result<Vec<u8>> {
        self.crc32c = None;
        self.crc32c = Some(crc32c::crc32c(&serde_json::to_vec(&self)?));
        serde_json::to_vec_pretty(&self)
    }

    fn is_sound(&self) -> bool {
        let Some(crc) = self.crc32c else { return true };
        let without = Self { crc32c: None, ..self.clone() };
        serde_json::to_vec(&without).is_ok_and(|text| crc32c::crc32c(&text) == crc)
    }

    fn parts(self) -> (Run, Notes) {
        let end_reason = self.end_reason.as_deref().and_then(EndReason::from_name);
        let ranges = |us: Vec<(i64, i64)>| us.into_iter().map(|(from, to)| from_us(from)..from_us(to)).collect();
        let started_at = from_us(self.started_at_us);
        let dated = self.clock.dated(started_at);
        let notes = Notes { pins: self.pins_us.map(ranges), deleted: ranges(self.deleted_us) };
        let run = Run {
            id: RunId(self.id),
            camera: CameraId(self.camera),
            ordinal: self.ordinal,
            first_sequence: self.first_sequence,
            started_at: dated.of_name(started_at),
            ended_at: self.ended_at_us.map(|us| dated.of_name(from_us(us))),
            end_reason,
            size: (self.width, self.height),
            codec: self.codec,
            dated,
        };
        (run, notes)
    }
}

/// Looks at a run's folder.
pub(super) fn look(folder: &Path) -> io::Result<Look> {
    Ok(parse(&fs::read(folder.join(RUN_FILE))?))
}

/// What such bytes are.
pub(super) fn parse(bytes: &[u8]) -> Look {
    let Ok(any) = serde_json::from_slice::<AnyRunFile>(bytes) else { return Look::Broken };
    let mut file = serde_json::from_slice::<RunFile>(bytes);
    if any.version > VERSION {
        // One of this version whose version was damaged is told by its checksum.
        let ours = file.as_ref().ok().map(|file| RunFile { version: VERSION, ..file.clone() });
        match ours.filter(|ours| ours.crc32c.is_some() && ours.is_sound()) {
            Some(ours) => file = Ok(ours),
            None => return Look::Newer(RunId(any.id)),
        }
    }
    match file {
        Ok(file) if file.version == VERSION && file.is_sound() => {
            if file.end_reason.as_deref().is_some_and(|name| EndReason::from_name(name).is_none()) {
                return Look::Newer(RunId(file.id));
            }
            let (run, notes) = file.parts();
            Look::Run(run, notes)
        }
        _ => Look::Broken,
    }
}

/// Reads a run's folder; `None` when the file is no run's that this release knows.
pub(super) fn read(folder: &Path) -> io::Result<Option<(Run, Notes)>> {
    Ok(match look(folder)? {
        Look::Run(run, notes) => Some((run, notes)),
        Look::Newer(_) | Look::Broken => None,
    })
}

/// The file of a run that begins, whose pins are not known.
pub(super) fn text(folder: &Path, run: &Run) -> Result<Vec<u8>, DiskError> {
    let text = RunFile::new(run, &Notes::default()).text();
    text.map_err(|error| DiskError::file(&folder.join(RUN_FILE))(error.into()))
}

/// Writes a new run's file. `pins` is asked at that very moment, so that no pin is set between the question and the file.
pub(super) fn create(
    folder: &Path,
    run: &Run,
    pins: impl FnOnce() -> Option<Vec<Range<Timestamp>>>,
) -> Result<(), DiskError> {
    let _changing = changing();
    write(folder, run, &Notes { pins: pins(), deleted: Vec::new() })
}

/// Writes a damaged file anew.
pub(super) fn restore(folder: &Path, run: &Run, notes: &Notes) -> Result<(), DiskError> {
    let _changing = changing();
    write(folder, run, notes)
}

/// Writes what a run is now; what else the file says stays, and whether its date is known by now.
pub(super) fn keep(folder: &Path, run: &Run) -> Result<(), DiskError> {
    let _changing = changing();
    match read(folder).ok().flatten() {
        Some((before, notes)) => write(folder, &Run { dated: before.dated, ..run.clone() }, &notes),
        None => write(folder, run, &Notes::default()),
    }
}

/// Dates a run anew: from now on it was so much later than its files are named. What is noted of it goes along.
pub(super) fn date(folder: &Path, shift_us: i64) -> Result<(), DiskError> {
    let _changing = changing();
    let Some((run, mut notes)) = read(folder).map_err(DiskError::file(&folder.join(RUN_FILE)))? else { return Ok(()) };
    let before = run.dated;
    let dated = Dated { is_known: true, shift_us, ..before };
    let moved = |at: Timestamp| dated.of_name(before.named(at));
    let end = run.ended_at.unwrap_or(Timestamp::MAX);
    let on_it = |range: &&mut Range<Timestamp>| range.start < end && range.end > run.started_at;
    for range in notes.pins.iter_mut().flatten().chain(&mut notes.deleted).filter(on_it) {
        *range = moved(range.start)..moved(range.end);
    }
    let dated = Run { started_at: moved(run.started_at), ended_at: run.ended_at.map(moved), dated, ..run };
    write(folder, &dated, &notes)
}

/// Changes what a run's file says besides the run; a run that is gone, and one that cannot be read, has nothing to
/// change.
pub(super) fn change(folder: &Path, change: impl FnOnce(&Run, &mut Notes)) -> Result<(), DiskError> {
    let _changing = changing();
    match read(folder) {
        Ok(Some((run, before))) => {
            let mut notes = before.clone();
            change(&run, &mut notes);
            if notes == before { Ok(()) } else { write(folder, &run, &notes) }
        }
        Ok(None) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DiskError::file(&folder.join(RUN_FILE))(error)),
    }
}

fn changing() -> MutexGuard<'static, ()> {
    CHANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(folder: &Path, run: &Run, notes: &Notes) -> Result<(), DiskError> {
    let path = folder.join(RUN_FILE);
    let bytes = RunFile::new(run, notes).text().map_err(|error| DiskError::file(&path)(error.into()))?;
    disk::replace(&path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        from_us(1_780_000_000_000_000 + seconds * 1_000_000)
    }

    fn run() -> Run {
        Run {
            id: RunId(Uuid::from_u128(7)),
            camera: CameraId(Uuid::from_u128(8)),
            ordinal: 3,
            first_sequence: 100,
            started_at: at(0),
            ended_at: None,
            end_reason: None,
            size: (640, 480),
            codec: "avc1.42C01E".into(),
            dated: Dated::default(),
        }
    }

    #[test]
    fn a_run_that_ends_keeps_its_pins() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), &run(), || Some(Vec::new())).unwrap();
        change(folder.path(), |_, notes| notes.pins.get_or_insert_default().push(at(5)..at(9))).unwrap();
        let ended = Run { ended_at: Some(at(60)), end_reason: Some(EndReason::Stalled), ..run() };
        keep(folder.path(), &ended).unwrap();
        change(folder.path(), |_, notes| notes.deleted.push(at(20)..at(30))).unwrap();
        let notes = Notes { pins: Some(vec![at(5)..at(9)]), deleted: vec![at(20)..at(30)] };
        assert_eq!(read(folder.path()).unwrap(), Some((ended, notes)));
    }

    #[test]
    fn a_run_of_a_wrong_clock_is_dated_once_with_what_is_noted_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |seconds: i64| from_us(seconds * 1_000_000);
        let boot = Some(BootMoment { id: Uuid::from_u128(5), us: 9_000_000 });
        let wrong = Dated { is_known: false, shift_us: 0, boot };
        let made = Run { started_at: at(10), dated: wrong, ..run() };
        create(folder.path(), &made, || Some(vec![at(15)..at(20)])).unwrap();
        assert_eq!(read(folder.path()).unwrap().unwrap().0, made);
        let ended = Run { ended_at: Some(at(70)), end_reason: Some(EndReason::ClockStepped), ..made };
        keep(folder.path(), &ended).unwrap();
        let shift_us = 1_780_000_000_000_000;
        for _ in 0..2 {
            date(folder.path(), shift_us).unwrap();
            let (run, notes) = read(folder.path()).unwrap().unwrap();
            assert_eq!(run.dated, Dated { is_known: true, shift_us, boot });
            assert_eq!(run.started_at, at(1_780_000_010));
            assert_eq!(run.ended_at, Some(at(1_780_000_070)));
            assert_eq!(run.folder(), ended.folder(), "its files stay where they are");
            assert_eq!(notes.pins, Some(vec![at(1_780_000_015)..at(1_780_000_020)]));
        }
    }

    #[test]
    fn a_clock_that_was_right_all_along_is_said_to_have_been() {
        let folder = tempfile::tempdir().unwrap();
        let boot = Some(BootMoment { id: Uuid::from_u128(5), us: 9_000_000 });
        let made = Run { dated: Dated { is_known: false, shift_us: 0, boot }, ..run() };
        create(folder.path(), &made, || None).unwrap();
        assert!(!read(folder.path()).unwrap().unwrap().0.dated.is_known);
        date(folder.path(), 0).unwrap();
        keep(folder.path(), &Run { ended_at: Some(at(60)), end_reason: Some(EndReason::Stopped), ..made }).unwrap();
        let (kept, _) = read(folder.path()).unwrap().unwrap();
        assert!(kept.dated.is_known, "also when the run ends behind it");
        assert_eq!(kept.ended_at, Some(at(60)));
    }

    #[test]
    fn a_file_of_an_earlier_release_knows_no_pins() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"version": 1, "id": "00000000-0000-0000-0000-000000000007",
            "camera": "00000000-0000-0000-0000-000000000008", "ordinal": 3, "first_sequence": 100,
            "started_at_us": 1780000000000000, "width": 640, "height": 480, "codec": "avc1.42C01E"}"#;
        fs::write(folder.path().join(RUN_FILE), text).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some((run(), Notes::default())));
        fs::write(folder.path().join(RUN_FILE), "{}").unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        change(folder.path(), |_, notes| notes.pins = Some(Vec::new())).unwrap();
        assert_eq!(fs::read(folder.path().join(RUN_FILE)).unwrap(), b"{}");
        change(&folder.path().join("gone"), |_, notes| notes.pins = Some(Vec::new())).unwrap();
    }
}
