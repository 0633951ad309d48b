//! Runs that were made before the clock was set, and when they really were: their files are dated anew by the kernel's
//! boot, rows follow. Files first, so that what was interrupted is finished by the next sweep.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use super::{
    by_files::Active,
    collect::blocking,
    disk::DiskError,
    gaps::OpenGap,
    recover::{RunOnDisk, run_folders},
    run_file, segments,
    shared::Shared,
};
use crate::{
    clock::{Clock, STEP},
    db,
    outcome::chain,
    recordings::{Dated, Run, RunId},
};

/// A run's segment files and their true starts, in order.
pub(super) fn segment_files(on_disk: &RunOnDisk) -> Result<Vec<(Timestamp, PathBuf)>, DiskError> {
    let dated = on_disk.run.dated;
    let named = segments::files(&on_disk.folder)?;
    Ok(named.into_iter().map(|(start, path)| (dated.of_name(start), path)).collect())
}

/// Whether a run can be dated once the clock is set, unless the machine is started again before.
pub(super) fn is_datable(dated: Dated) -> bool {
    !dated.is_known && dated.boot.is_some()
}

/// Dates the runs of this boot in their files, as soon as the clock is set.
pub(super) async fn files(shared: &Arc<Shared>) {
    if !shared.clock.is_set() || !shared.take_undated() {
        return;
    }
    let (mut dated, mut waits) = (0, false);
    for camera in shared.recovered_cameras() {
        let (folder, active, clock) = (shared.camera_folder(camera), shared.all_active(), shared.clock.clone());
        match blocking(move || date(&folder, &active, &clock)).await {
            Ok(done) => {
                dated += done.dated;
                waits |= done.waits;
            }
            Err(error) => {
                tracing::warn!(camera.id = %camera, error = chain(&error), "a run could not be dated anew yet");
                waits = true;
            }
        }
    }
    if waits {
        shared.set_undated();
    }
    if dated > 0 {
        tracing::info!(runs = dated, "the clock is set: runs that were made before are dated anew");
        shared.sweep.notify_one();
    }
}

#[derive(Default)]
struct Done {
    dated: u32,
    /// Whether one is not finished yet.
    waits: bool,
}

fn date(camera: &Path, active: &Active, clock: &Clock) -> Result<Done, DiskError> {
    let mut done = Done::default();
    for folder in run_folders(camera)? {
        let Ok(Some((run, _))) = run_file::read(&folder) else { continue };
        if !is_datable(run.dated) {
            continue;
        }
        let Some(shift_us) = shift(&run, clock) else { continue };
        // One that goes on has its times in memory; only that they are right can be said of it.
        if shift_us != 0 && (active.contains_key(&run.id) || run.ended_at.is_none()) {
            done.waits = true;
            continue;
        }
        run_file::date(&folder, shift_us)?;
        done.dated += 1;
    }
    Ok(done)
}

/// By how much later a run was than its files are named; 0 for less than what a clock follows without a step. `None` of
/// another boot.
fn shift(run: &Run, clock: &Clock) -> Option<i64> {
    let began = clock.told(run.dated.boot?)?;
    let shift_us = began.as_microsecond() - run.dated.named(run.started_at).as_microsecond();
    let is_step = u128::from(shift_us.unsigned_abs()) > STEP.as_micros();
    Some(if is_step { shift_us } else { 0 })
}

/// A file that was written anew from its copy has lost the date that its row knows: it gets that again.
pub(super) async fn files_from_rows(rows: &HashMap<RunId, Run>, on_disk: &mut [RunOnDisk]) -> Result<(), DiskError> {
    for on_disk in on_disk.iter_mut().filter(|on_disk| !on_disk.run.dated.is_known) {
        let Some(row) = rows.get(&on_disk.run.id).filter(|row| row.dated.is_known) else { continue };
        let (folder, shift_us) = (on_disk.folder.clone(), row.dated.shift_us);
        let dated = blocking(move || {
            run_file::date(&folder, shift_us)?;
            run_file::read(&folder).map_err(DiskError::folder(&folder))
        });
        if let Some((run, notes)) = dated.await? {
            (on_disk.run, on_disk.notes) = (run, notes);
        }
    }
    Ok(())
}

/// Makes a camera's rows say when its files say that runs were. `clock_was_set`: just now, so that gaps must be looked at
/// even if no row moves.
pub(super) async fn rows(
    shared: &Shared,
    camera: CameraId,
    rows: &mut HashMap<RunId, Run>,
    on_disk: &[RunOnDisk],
    clock_was_set: bool,
) -> Result<(), db::Error> {
    let stale =
        |on_disk: &&RunOnDisk| rows.get(&on_disk.run.id).is_some_and(|row| !on_disk.run.dated.is_same(row.dated));
    let moved: Vec<_> = on_disk.iter().filter(stale).map(|on_disk| (on_disk.run.id, on_disk.run.dated)).collect();
    if moved.is_empty() && !clock_was_set {
        return Ok(());
    }
    // Pins in files and rows move apart; nobody may change them meanwhile.
    let _changing = shared.pins.changing.lock().await;
    shared.store.redate(camera, &moved, shared.clock.now()).await?;
    for on_disk in on_disk {
        rows.entry(on_disk.run.id).and_modify(|row| {
            let run = &on_disk.run;
            *row = Run {
                dated: run.dated,
                started_at: run.started_at,
                ended_at: row.ended_at.and(run.ended_at),
                ..row.clone()
            };
        });
    }
    mend_gap(shared, camera, on_disk);
    Ok(())
}

/// An open gap that began by the clock of before began with the end of the newest run.
fn mend_gap(shared: &Shared, camera: CameraId, on_disk: &[RunOnDisk]) {
    let newest = on_disk.iter().rev().find(|on_disk| on_disk.run.dated.is_known);
    let (Some(open), Some(ended_at)) = (shared.open_gap(camera), newest.and_then(|newest| newest.run.ended_at)) else {
        return;
    };
    if open.since < ended_at || open.since > shared.clock.now() {
        shared.resume_gap(camera, OpenGap { since: ended_at, ..open });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        clock::{BootMoment, from_us, tests::Settable},
        recorder::recover::{self, tests::interrupted_of},
        recordings::EndReason,
    };

    const RIGHT: i64 = 1_780_000_000_000_000;

    /// A run of a camera with an ordinal and a first sequence that nobody ended; it began at a moment of the boot, ten
    /// seconds after 1970 as its clock said.
    pub(in crate::recorder) fn made(
        root: &Path,
        (camera, ordinal, first_sequence): (CameraId, i64, i64),
        fragments: u32,
        boot: BootMoment,
    ) -> (Run, PathBuf) {
        let (run, right) = interrupted_of(camera, root, fragments);
        let dated = Dated { is_known: false, shift_us: 0, boot: Some(boot) };
        let wrong = Run { ordinal, first_sequence, started_at: from_us(10_000_000), dated, ..run.clone() };
        let folder = root.join(wrong.folder());
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        std::fs::rename(right, &folder).unwrap();
        for (start, path) in segments::files(&folder).unwrap() {
            let us = start.duration_since(run.started_at).as_micros() + 10_000_000;
            std::fs::rename(path, folder.join(format!("{us}.m4s"))).unwrap();
        }
        std::fs::remove_file(folder.join(run_file::RUN_FILE)).unwrap();
        run_file::create(&folder, &wrong, || None).unwrap();
        (wrong, folder)
    }

    #[tokio::test(start_paused = true)]
    async fn runs_of_this_boot_are_dated_when_the_clock_is_set_and_others_never() {
        let root = tempfile::tempdir().unwrap();
        let machine = Settable::new(RIGHT);
        machine.pass(Duration::from_secs(100)).await;
        let clock = machine.clock();
        machine.set(RIGHT);
        clock.check();
        let of = |camera| (camera, 4, 1000);
        let (run, folder) =
            made(root.path(), of(CameraId::random()), 2, BootMoment { id: machine.boot, us: 40_000_000 });
        let strange = BootMoment { id: uuid::Uuid::from_u128(1), us: 40_000_000 };
        let (other, elsewhere) = made(root.path(), of(CameraId::random()), 2, strange);
        let camera = |run: &Run| root.path().join(run.camera.to_string());
        let none = Active::new();
        assert!(date(&camera(&run), &none, &clock).unwrap().waits, "it has no end yet");
        recover::camera(&camera(&run), EndReason::HubDown).unwrap();
        recover::camera(&camera(&other), EndReason::HubDown).unwrap();
        let active = Active::from([(run.id, None)]);
        assert!(date(&camera(&run), &active, &clock).unwrap().waits);
        for dated in [1, 0] {
            assert_eq!(date(&camera(&run), &none, &clock).unwrap().dated, dated);
            assert_eq!(date(&camera(&other), &none, &clock).unwrap().dated, 0);
        }
        let (dated, notes) = run_file::read(&folder).unwrap().unwrap();
        assert_eq!(dated.started_at, from_us(RIGHT - 60_000_000));
        assert_eq!(dated.ended_at, Some(from_us(RIGHT - 56_000_000)));
        let on_disk = RunOnDisk { run: dated.clone(), folder, notes };
        let segments = segments::read(&on_disk, Some(dated.started_at)).unwrap();
        assert_eq!(segments.len(), 1);
        assert_eq!((segments[0].started_at, segments[0].ended_at()), (dated.started_at, dated.ended_at.unwrap()));
        let (unknown, _) = run_file::read(&elsewhere).unwrap().unwrap();
        assert!(!unknown.dated.is_known);
        assert_eq!(unknown.started_at, from_us(10_000_000));
    }
}
