//! `larderctl bench ingest`: what it costs to take in and record many cameras at once, and how many fit.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use clap::Args;
use larder_proto::pb::RecordingMode;
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Common,
    camera::{Reel, film},
    fragments,
    hub::{Added, BenchHub, State},
    pictures,
    process::{Process, family},
    samples::round,
    stamp::{Epoch, STAMP_LEN},
};
use crate::{Failure, Out, output::table, progress::Progress, units::show_bytes};

/// Until every camera's first fragment is written.
const WARM_UP: Duration = Duration::from_secs(5);

/// How many cameras, how fast, for how long.
#[derive(Args, Clone, Debug)]
pub struct IngestArgs {
    #[command(flatten)]
    common: Common,
    /// How many cameras are recorded at once, a measurement for each
    #[arg(long, value_delimiter = ',', default_value = "4,8,16", value_parser = clap::value_parser!(u32).range(1..=64))]
    cameras: Vec<u32>,
    /// Pictures a second of each
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=30))]
    fps: u32,
    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
}

/// So many cameras.
#[derive(Debug, Serialize)]
struct Row {
    case: &'static str,
    cameras: u32,
    fps: u32,
    seconds: u32,
    frame_bytes: usize,
    /// What the cameras sent of what they wanted to send, in percent: less than 100 says that the machine was too slow
    /// for the cameras of this benchmark, which share it.
    sent_percent: f64,
    /// Pictures sent, from the first to the last.
    sent: u64,
    /// Pictures in the recordings.
    recorded: u64,
    lost: u64,
    /// Of one core each.
    larderd_percent: f64,
    ffmpeg_percent: f64,
    postgres_percent: f64,
    cameras_percent: f64,
    /// larderd's CPU for each of ffmpeg's.
    larderd_to_ffmpeg: f64,
    larderd_us_per_frame: f64,
    peak_rss_bytes: u64,
}

/// What was seen while it ran.
struct Seen {
    sent: u64,
    filmed: Duration,
    /// CPU by program in the measured time.
    cpu: HashMap<String, Duration>,
    own: Duration,
    measured: Duration,
    peak_rss_bytes: u64,
}

pub(super) async fn run(args: IngestArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let pictures = pictures::make(args.fps);
    let frame_bytes = pictures::mean_bytes(&pictures) + STAMP_LEN;
    let reel = Reel { pictures: Arc::new(pictures), fps: args.fps, epoch: Epoch::new() };
    let progress = Progress::new(out, args.cameras.len());
    let mut rows = Vec::new();
    for cameras in &args.cameras {
        progress.at(format!("{cameras} cameras"));
        let state = State::new()?;
        let hub = BenchHub::start(args.common.larderd.clone(), &state, stop).await?;
        let seen = hub.during(stop, async |hub| record(hub, *cameras, &args, &reel).await).await?;
        // Stopped in order: the last fragments are on the disk.
        let row = row(*cameras, &args, frame_bytes, &seen, count(state.path())?);
        if out.is_json() {
            out.json_line(&row)?;
        }
        rows.push(row);
        progress.step();
    }
    drop(progress);
    report(out, &args, frame_bytes, &rows)
}

/// Records for the wanted time, and tells all that was sent.
async fn record(hub: &BenchHub, cameras: u32, args: &IngestArgs, reel: &Reel) -> Result<Seen, Failure> {
    let link = hub.address("camera_link")?;
    let mut added: Vec<Added> = Vec::new();
    for number in 1..=cameras {
        added.push(hub.add_camera(&format!("bench-{number}"), args.fps, RecordingMode::Continuous).await?);
    }
    let stop = CancellationToken::new();
    let mut filming = JoinSet::new();
    let began = Instant::now();
    for camera in added {
        filming.spawn(film(link, camera, reel.clone(), stop.clone()));
    }
    sleep(WARM_UP).await;
    let own = Process(std::process::id());
    let (before, own_before, measured) = (family(hub.process())?, own.cpu()?, Instant::now());
    sleep(Duration::from_secs(args.seconds.into())).await;
    let mut cpu = family(hub.process())?;
    let (own, measured) = (own.cpu()?.saturating_sub(own_before), measured.elapsed());
    for (program, used) in &mut cpu {
        *used = used.saturating_sub(before.get(program).copied().unwrap_or_default());
    }
    let peak_rss_bytes = hub.process().peak_rss()?;
    stop.cancel();
    let filmed = began.elapsed();
    let mut sent = 0;
    while let Some(ended) = filming.join_next().await {
        let gave_up = |error: &dyn std::fmt::Display| Failure::Other(format!("a camera gave up: {error}"));
        sent += ended.map_err(|error| gave_up(&error))?.map_err(|error| gave_up(&error))?;
    }
    Ok(Seen { sent, filmed, cpu, own, measured, peak_rss_bytes })
}

/// Pictures in all recordings below a state folder.
fn count(state: &Path) -> Result<u64, Failure> {
    let mut folders = vec![state.join("recordings")];
    let mut recorded = 0;
    while let Some(folder) = folders.pop() {
        let failed = |source| Failure::file(&folder, source);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "m4s") {
                let bytes = std::fs::read(&path).map_err(|source| Failure::file(&path, source))?;
                let samples = fragments::samples(&bytes);
                recorded += samples.ok_or_else(|| Failure::Other(format!("{} is no segment", path.display())))?;
            }
        }
    }
    Ok(recorded)
}

fn row(cameras: u32, args: &IngestArgs, frame_bytes: usize, seen: &Seen, recorded: u64) -> Row {
    let percent = |used: Duration| round(used.as_secs_f64() * 100.0 / seen.measured.as_secs_f64());
    let of = |program: &str| seen.cpu.get(program).copied().unwrap_or_default();
    let (larderd, ffmpeg) = (of("larderd"), of("ffmpeg"));
    let wanted = f64::from(cameras * args.fps) * seen.filmed.as_secs_f64();
    let in_measured = seen.sent as f64 * seen.measured.as_secs_f64() / seen.filmed.as_secs_f64();
    Row {
        case: "ingest",
        cameras,
        fps: args.fps,
        seconds: args.seconds,
        frame_bytes,
        sent_percent: round(seen.sent as f64 * 100.0 / wanted).min(100.0),
        sent: seen.sent,
        recorded,
        lost: seen.sent.saturating_sub(recorded),
        larderd_percent: percent(larderd),
        ffmpeg_percent: percent(ffmpeg),
        postgres_percent: percent(of("postgres")),
        cameras_percent: percent(seen.own),
        larderd_to_ffmpeg: round(larderd.as_secs_f64() / ffmpeg.as_secs_f64()),
        larderd_us_per_frame: round(larderd.as_secs_f64() * 1e6 / in_measured),
        peak_rss_bytes: seen.peak_rss_bytes,
    }
}

fn report(out: &mut Out, args: &IngestArgs, frame_bytes: usize, rows: &[Row]) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(());
    }
    let fps = args.fps;
    out.line(&format!("Cameras at {fps} frames a second of 640x480, {frame_bytes} bytes each, all recorded\n"))?;
    let headers = [
        "CAMERAS",
        "SENT",
        "RECORDED",
        "LOST",
        "LARDERD",
        "FFMPEG",
        "RATIO",
        "POSTGRES",
        "CAMERAS' OWN",
        "OF WANTED",
        "PEAK MEMORY",
    ];
    let cells = rows.iter().map(|row| {
        vec![
            row.cameras.to_string(),
            row.sent.to_string(),
            row.recorded.to_string(),
            row.lost.to_string(),
            format!("{:.1} %", row.larderd_percent),
            format!("{:.1} %", row.ffmpeg_percent),
            format!("{:.2}", row.larderd_to_ffmpeg),
            format!("{:.1} %", row.postgres_percent),
            format!("{:.1} %", row.cameras_percent),
            format!("{:.1} %", row.sent_percent),
            show_bytes(row.peak_rss_bytes),
        ]
    });
    out.line(&table(&headers, cells))
}
