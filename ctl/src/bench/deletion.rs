//! `larderctl bench deletion`: how long a hub needs to delete many recordings, and how long others wait meanwhile.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use larder_proto::{
    pb::{
        DeleteRecordingsRequest, ListRecordingsRequest, RecordingMode, TimeRange,
        delete_recordings_request::{CameraRange, What},
    },
    wire::CameraId,
};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Common,
    hub::{Added, BenchHub, State},
    samples::{Samples, millis, round},
    seed,
};
use crate::{Failure, Out, client::quick, job, output::table, progress::Progress, when};

/// Between two recordings' starts.
const APART: SignedDuration = SignedDuration::from_mins(5);
/// Bytes of a segment: what is measured is the number of files.
const SEGMENT: usize = 4096;

/// How much is deleted.
#[derive(Args, Clone, Debug)]
pub struct DeletionArgs {
    #[command(flatten)]
    common: Common,
    /// Recordings of one segment each
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    recordings: u32,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Row {
    recordings: u32,
    seconds: f64,
    recordings_per_second: f64,
    /// Unlinking as many files, with their folders synced, by a bare program in the same run.
    floor_seconds: f64,
    ratio_to_floor: f64,
    /// A page of recordings of another camera, asked for again and again meanwhile.
    list_p50_ms: f64,
    list_p99_ms: f64,
    list_max_ms: f64,
}

/// One recording that is made.
struct Made {
    id: Uuid,
    started_at: Timestamp,
}

impl Made {
    fn folder(&self, root: &Path, camera: CameraId) -> PathBuf {
        let day = self.started_at.strftime("%Y-%m-%d").to_string();
        root.join(camera.to_string()).join(day).join(self.id.to_string())
    }

    fn file(&self) -> String {
        format!("{}.m4s", self.started_at.as_microsecond())
    }
}

pub(super) async fn run(args: DeletionArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let state = State::new()?;
    let progress = Progress::new(out, 3);
    progress.at("starting a hub");
    let hub = BenchHub::start(args.common.larderd.clone(), &state, stop).await?;
    let measured = async |hub: &BenchHub| {
        let camera = hub.add_camera("bench", 15, RecordingMode::Off).await?;
        let other = hub.add_camera("other", 15, RecordingMode::Off).await?;
        progress.at(format!("making {} recordings", args.recordings));
        let made = recordings(args.recordings);
        insert(&state, camera.id, &made).await?;
        files(&state.path().join("recordings"), camera.id, &made)?;
        progress.step();
        progress.at("deleting them");
        let (seconds, waits) = delete(hub, &camera, &other, stop).await?;
        check(&state, camera.id, hub).await?;
        progress.step();
        progress.at("unlinking as many");
        let floor_seconds = floor(&state.path().join("floor"), camera.id, &made)?;
        Ok(row(args.recordings, seconds, floor_seconds, waits))
    };
    let row = hub.during(stop, measured).await?;
    drop(progress);
    report(out, &row)
}

/// So many, up to a day ago.
fn recordings(count: u32) -> Vec<Made> {
    let now = crate::clock::now() - SignedDuration::from_hours(24);
    // Rows hold whole microseconds, and files are named by them.
    let end = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    let made = |ago: u32| {
        let before = APART.checked_mul(i32::try_from(ago).unwrap_or(i32::MAX)).unwrap_or_default();
        Made { id: Uuid::new_v4(), started_at: end - before }
    };
    (1..=count).rev().map(made).collect()
}

async fn insert(state: &State, camera: CameraId, made: &[Made]) -> Result<(), Failure> {
    let mut sql =
        String::from("CREATE TEMP TABLE made (ordinal bigint, id uuid, at timestamptz);\nCOPY made FROM STDIN;\n");
    for (ordinal, made) in made.iter().enumerate() {
        sql.push_str(&format!("{ordinal}\t{}\t{}\n", made.id, made.started_at));
    }
    sql.push_str("\\.\n");
    sql.push_str(&format!(
        "INSERT INTO runs (id, camera_id, ordinal, first_sequence, started_at, ended_at, placed_at, end_reason, width, height, codec)
         SELECT id, '{camera}', ordinal, ordinal, at, at + interval '2 s', at, 'stopped', 640, 480, 'avc1.42c01e' FROM made;
         INSERT INTO segments (run_id, camera_id, first_sequence, started_at, ended_at, size_bytes, fragments,
                               fragment_index, closed)
         SELECT id, '{camera}', ordinal, at, at + interval '2 s', {SEGMENT}, 1, decode('0100d00f8020', 'hex'), true FROM made;
         ANALYZE runs, segments;\n"
    ));
    seed::run(state, &sql).await.map(drop)
}

/// Each with its init section, as the recorder leaves them.
fn files(root: &Path, camera: CameraId, made: &[Made]) -> Result<(), Failure> {
    let content = [0; SEGMENT];
    for made in made {
        let folder = made.folder(root, camera);
        let failed = |source| Failure::file(&folder, source);
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(folder.join("init.mp4"), [0; 774]).map_err(failed)?;
        fs::write(folder.join("run.json"), "{}").map_err(failed)?;
        fs::write(folder.join(made.file()), content).map_err(failed)?;
    }
    Ok(())
}

/// Seconds, and how long others waited.
async fn delete(
    hub: &BenchHub,
    camera: &Added,
    other: &Added,
    stop: &CancellationToken,
) -> Result<(f64, Samples), Failure> {
    let range =
        TimeRange { from: Some(prost_types::Timestamp::default()), to: Some(when::to_wire(crate::clock::now())) };
    let what = What::CameraRange(CameraRange { camera: camera.name.clone(), range: Some(range) });
    let began = Instant::now();
    let request = quick(DeleteRecordingsRequest { what: Some(what) });
    let answer = hub.client().recordings().delete_recordings(request).await?.into_inner();
    let id =
        answer.job.map(|job| job.id).ok_or_else(|| Failure::Other("the hub found nothing to delete".to_owned()))?;
    let mut waits = Samples::default();
    let mut quiet = Out::fixed(std::io::sink(), false, crate::clock::now());
    let finished = job::follow(hub.client(), &id, &mut quiet, stop, |_, _| Ok(()));
    let mut finished = std::pin::pin!(finished);
    let view = loop {
        tokio::select! {
            biased;
            view = &mut finished => break view?.ok_or(Failure::Interrupted)?,
            wait = list(hub, other) => waits.add(wait?),
        }
    };
    job::check(&view)?;
    Ok((began.elapsed().as_secs_f64(), waits))
}

async fn list(hub: &BenchHub, camera: &Added) -> Result<std::time::Duration, Failure> {
    let asked = Instant::now();
    let request = ListRecordingsRequest { camera: camera.name.clone(), ..Default::default() };
    hub.client().recordings().list_recordings(quick(request)).await?;
    Ok(asked.elapsed())
}

/// Neither rows nor files are left.
async fn check(state: &State, camera: CameraId, hub: &BenchHub) -> Result<(), Failure> {
    let rows = seed::run(state, "SELECT (SELECT count(*) FROM segments) + (SELECT count(*) FROM runs)").await?;
    let folder = state.path().join("recordings").join(camera.to_string());
    let days = fs::read_dir(&folder).map_err(|source| Failure::file(&folder, source))?.flatten();
    let left = days.filter_map(|day| fs::read_dir(day.path()).ok()).flatten().count();
    if rows.trim() != "0" || left != 0 {
        let process = hub.process().0;
        return Err(Failure::Other(format!("{} rows and {left} folders are left by larderd ({process})", rows.trim())));
    }
    Ok(())
}

/// Seconds for the same files: unlinked, their folder synced and removed, one after the other.
fn floor(root: &Path, camera: CameraId, made: &[Made]) -> Result<f64, Failure> {
    files(root, camera, made)?;
    let began = Instant::now();
    for made in made {
        let folder = made.folder(root, camera);
        let failed = |source| Failure::file(&folder, source);
        fs::remove_file(folder.join(made.file())).map_err(failed)?;
        fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    Ok(began.elapsed().as_secs_f64())
}

fn row(recordings: u32, seconds: f64, floor_seconds: f64, mut waits: Samples) -> Row {
    Row {
        recordings,
        seconds: round(seconds),
        recordings_per_second: round(f64::from(recordings) / seconds),
        floor_seconds: round(floor_seconds),
        ratio_to_floor: round(seconds / floor_seconds),
        list_p50_ms: millis(waits.percentile(50)),
        list_p99_ms: millis(waits.percentile(99)),
        list_max_ms: millis(waits.max()),
    }
}

fn report(out: &mut Out, row: &Row) -> Result<(), Failure> {
    if out.is_json() {
        return out.json_line(row);
    }
    let headers = ["RECORDINGS", "TIME", "A SECOND", "FLOOR", "RATIO", "LIST P50", "P99", "MAX"];
    let cells = vec![
        row.recordings.to_string(),
        format!("{:.1} s", row.seconds),
        format!("{:.0}", row.recordings_per_second),
        format!("{:.1} s", row.floor_seconds),
        format!("x{:.2}", row.ratio_to_floor),
        format!("{:.1} ms", row.list_p50_ms),
        format!("{:.1} ms", row.list_p99_ms),
        format!("{:.1} ms", row.list_max_ms),
    ];
    out.line(&table(&headers, std::iter::once(cells)))
}
