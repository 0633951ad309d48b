//! The recorder whole, with a real ffmpeg and a real PostgreSQL.

mod adopted;
mod dated;
mod followed;
mod room;
mod runs;
mod trouble;
mod verified;

use std::{
    ops::Range,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

use super::{ordinals::Ordinals, *};
use crate::{
    clock::from_us,
    hub::{Frame, Publisher, SessionInfo},
    recordings::{EndReason, GapReason, RunSummary, testing::Bench},
};

/// Everything a recorder needs, and a camera that sends drawn pictures.
struct Bed {
    bench: Bench,
    camera: CameraId,
    hub: Hub,
    publisher: Publisher,
    clock: Clock,
    recorder: Recorder,
    tasks: Tasks,
    state: TempDir,
    /// Capture times of all pictures sent, in microseconds.
    sent: Vec<i64>,
    small: Vec<Bytes>,
    large: Vec<Bytes>,
}

impl Bed {
    async fn start() -> Self {
        let bench = Bench::start().await;
        let camera = bench.camera("fridge").await;
        let state = tempfile::tempdir().unwrap();
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink(which("ffmpeg"), state.path().join("ffmpeg")).unwrap();
        let clock = Clock::new();
        let hub = Hub::new(clock.clone(), Events::new(clock.clone()));
        let publisher = hub.ensure(camera).publisher(SessionInfo::default());
        let tasks = Tasks::new();
        let (small, large) = (pictures(state.path(), "320x240"), pictures(state.path(), "640x480"));
        let recorder = start(&bench.store, &hub, &clock, &tasks, state.path());
        Self { bench, camera, hub, publisher, clock, recorder, tasks, state, sent: Vec::new(), small, large }
    }

    fn want(&self, mode: Mode) {
        self.recorder.set_wanted(vec![Wanted {
            camera: self.camera,
            name: "fridge".to_owned(),
            mode,
            max_age: None,
            max_bytes: None,
        }]);
    }

    fn send(&mut self, us: i64, large: bool) {
        let pictures = if large { &self.large } else { &self.small };
        let (width, height) = if large { (640, 480) } else { (320, 240) };
        let at = from_us(us);
        let jpeg = pictures[self.sent.len() % pictures.len()].clone();
        let frame = Frame { sequence: 0, captured_at: at, received_at: at, clock_epoch: 0, width, height, jpeg };
        assert!(self.publisher.publish(frame));
        self.sent.push(us);
    }

    /// Sends small pictures, a tenth of a second apart from `us` on, until one is recorded. Gives the next moment.
    async fn begin(&mut self, mut us: i64) -> i64 {
        loop {
            self.send(us, false);
            us += 100_000;
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.recorder.status().recording == 1 {
                return us;
            }
        }
    }

    async fn stop_recording(&self) {
        self.want(Mode::Off);
        eventually("no run goes on", async || self.recorder.status().recording == 0).await;
        self.recorder.0.shared.rows.flush().await;
    }

    async fn runs(&self) -> Vec<RunSummary> {
        let mut runs = self.bench.store.runs(Some(self.camera), None, None, 100).await.unwrap();
        runs.sort_by_key(|run| run.run.ordinal);
        runs
    }

    /// Waits until the run with this ordinal has at least so many fragments.
    async fn fragments_of_the_newest(&self, ordinal: i64, least: u64) {
        eventually("fragments are written down", async || {
            let runs = self.runs().await;
            runs.last().is_some_and(|run| run.run.ordinal == ordinal && run.fragments >= least)
        })
        .await;
    }

    async fn gaps(&self, range: Range<Timestamp>) -> Vec<(Timestamp, Option<Timestamp>, GapReason)> {
        let timeline = self.bench.store.timeline(self.camera, &range).await.unwrap();
        timeline.gaps.into_iter().map(|gap| (gap.started_at, gap.ended_at, gap.reason)).collect()
    }

    fn root(&self) -> std::path::PathBuf {
        self.state.path().join("recordings")
    }

    /// Capture times in microseconds as an independent reader sees them in a run's files.
    fn presented(&self, run: &RunSummary) -> Vec<i64> {
        let folder = self.root().join(run.run.folder());
        let mut whole = std::fs::read(folder.join("init.mp4")).unwrap();
        for (_, path) in segments::files(&folder).unwrap() {
            whole.extend(std::fs::read(path).unwrap());
        }
        let path = self.state.path().join("whole.mp4");
        std::fs::write(&path, whole).unwrap();
        let probe = Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&probe.stderr), "");
        let output = ["-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-f", "null", "-"];
        let decoded = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&path).args(output).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&decoded.stderr), "");
        let lines = String::from_utf8(probe.stdout).unwrap();
        let start = run.run.started_at.as_microsecond();
        let us = |line: &str| {
            let (seconds, rest) = line.trim_end_matches(',').split_once('.').unwrap();
            start + seconds.parse::<i64>().unwrap() * 1_000_000 + rest.parse::<i64>().unwrap()
        };
        lines.lines().map(us).collect()
    }

    async fn restart(&mut self) {
        assert!(self.recorder.close(Duration::from_secs(10)).await);
        self.recorder = start(&self.bench.store, &self.hub, &self.clock, &self.tasks, self.state.path());
    }

    async fn end(self) {
        assert!(self.recorder.close(Duration::from_secs(10)).await);
        assert!(self.tasks.stop(Duration::from_secs(10)).await);
        self.bench.stop().await;
    }
}

fn start(store: &Store, hub: &Hub, clock: &Clock, tasks: &Tasks, state: &Path) -> Recorder {
    // A name of its own, so that this test's ffmpeg is found among others.
    let config = Config { ffmpeg: state.join("ffmpeg"), free_mib: 0, ..Config::default() };
    Recorder::start(&config, deps(store, hub, clock, tasks, state))
}

fn deps(store: &Store, hub: &Hub, clock: &Clock, tasks: &Tasks, state: &Path) -> Deps {
    Deps {
        hub: hub.clone(),
        clock: clock.clone(),
        events: Events::new(clock.clone()),
        tasks: tasks.clone(),
        recordings: store.clone(),
        root: state.join("recordings"),
        state: state.to_owned(),
    }
}

fn which(program: &str) -> std::path::PathBuf {
    let paths = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&paths).map(|path| path.join(program)).find(|path| path.exists()).unwrap()
}

fn pictures(folder: &Path, size: &str) -> Vec<Bytes> {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=10"), "-frames:v", "20"])
        .arg(folder.join(format!("{size}-%02d.jpg")))
        .status()
        .unwrap();
    assert!(status.success());
    (1..=20).map(|at| std::fs::read(folder.join(format!("{size}-{at:02}.jpg"))).unwrap().into()).collect()
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < until, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const START: i64 = 1_780_000_000_123_400;

/// Every picture of the run has a capture time that was sent, none is missing in between, none is 5 ms off.
fn assert_times(presented: &[i64], sent: &[i64]) {
    assert_eq!(presented.len(), sent.len());
    for (presented, sent) in presented.iter().zip(sent) {
        assert!((presented - sent).abs() <= 5_000, "{presented} is not {sent}");
    }
}

impl Bed {
    /// Waits until the run is over, then until another one goes on.
    async fn begin_again(&mut self, us: i64) -> i64 {
        eventually("the run has ended", async || self.recorder.status().recording == 0).await;
        self.begin(us).await
    }
}

/// Kills the process that was started as `program`, as nobody else is.
fn kill(program: &Path) {
    let program = program.as_os_str().as_encoded_bytes();
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if command.split(|byte| *byte == 0).next() == Some(program) {
            let process = rustix::process::Pid::from_raw(process).unwrap();
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
            killed += 1;
        }
    }
    assert_eq!(killed, 1);
}
