//! The recorder whole, with a real ffmpeg and a real PostgreSQL.

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
        self.recorder.set_wanted(vec![Wanted { camera: self.camera, mode, max_age: None, max_bytes: None }]);
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
        for (_, path) in recover::segment_files(&folder).unwrap() {
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

#[tokio::test(flavor = "multi_thread")]
async fn irregular_pictures_keep_their_times_and_seven_silent_seconds_are_a_gap() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for at in 0..70 {
        bed.send(us, false);
        us += 31_700 + (at * 7919) % 613_000;
    }
    let last_before = *bed.sent.last().unwrap();
    us = last_before + 7_000_000;
    let before = bed.sent.len();
    for _ in 0..30 {
        bed.send(us, false);
        us += 333_333;
    }
    bed.fragments_of_the_newest(1, 4).await;
    bed.stop_recording().await;

    let runs = bed.runs().await;
    let [first, second] = &runs[..] else { panic!("{runs:?}") };
    let started = bed.sent.iter().position(|us| *us == first.run.started_at.as_microsecond()).expect("a sent time");
    assert_times(&bed.presented(first), &bed.sent[started..before]);
    assert_times(&bed.presented(second), &bed.sent[before..]);
    assert_eq!((first.run.ordinal, second.run.ordinal), (0, 1));
    assert_eq!(second.run.first_sequence, i64::try_from(first.fragments).unwrap());
    assert_eq!(first.run.end_reason, Some(EndReason::Stalled));
    assert_eq!(second.run.end_reason, Some(EndReason::Stopped));
    assert!(first.fragments >= 8, "a fragment about every two seconds: {first:?}");
    let ended = first.run.ended_at.unwrap();
    assert!(ended.as_microsecond() > last_before && ended.as_microsecond() - last_before < 700_000);
    let gaps = bed.gaps(ended..second.run.started_at).await;
    assert!(gaps.contains(&(ended, Some(second.run.started_at), GapReason::Stalled)), "{gaps:?}");
    for run in &runs {
        let files = recover::segment_files(&bed.root().join(run.run.folder())).unwrap();
        let bytes: u64 = files.iter().map(|(_, path)| std::fs::metadata(path).unwrap().len()).sum();
        assert_eq!((run.size_bytes, run.segments), (bytes, u64::try_from(files.len()).unwrap()));
    }
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_size_begins_another_run_at_once_and_a_restart_goes_on() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..30 {
        bed.send(us, false);
        us += 100_000;
    }
    let change = bed.sent.len();
    for _ in 0..30 {
        bed.send(us, true);
        us += 100_000;
    }
    bed.fragments_of_the_newest(1, 1).await;
    bed.restart().await;
    bed.want(Mode::Continuous);
    us = bed.begin(us + 3_000_000).await;
    bed.send(us, false);
    bed.stop_recording().await;

    let runs = bed.runs().await;
    let [small, large, after] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((small.run.size, large.run.size), ((320, 240), (640, 480)));
    assert_eq!(small.run.end_reason, Some(EndReason::SizeChanged));
    assert_eq!(large.run.started_at, from_us(bed.sent[change]));
    assert_times(&bed.presented(large), &bed.sent[change..change + 30]);
    assert_eq!(bed.gaps(small.run.ended_at.unwrap()..large.run.started_at).await, []);
    assert_eq!(large.run.end_reason, Some(EndReason::HubStopped));
    assert_eq!(after.run.ordinal, 2);
    assert_eq!(after.run.first_sequence, i64::try_from(small.fragments + large.fragments).unwrap());
    let ended = large.run.ended_at.unwrap();
    let gaps = bed.gaps(ended..after.run.started_at).await;
    assert!(gaps.contains(&(ended, Some(after.run.started_at), GapReason::HubDown)), "{gaps:?}");
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_encoder_costs_its_open_fragment_and_leaves_a_gap() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..60 {
        bed.send(us, false);
        us += 100_000;
    }
    bed.fragments_of_the_newest(0, 2).await;
    kill(&bed.state.path().join("ffmpeg"));
    us = bed.begin_again(us).await;
    bed.send(us, false);
    bed.stop_recording().await;

    let runs = bed.runs().await;
    let [killed, after] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!(killed.run.end_reason, Some(EndReason::EncoderFailed));
    assert!(killed.fragments >= 2);
    let ended = killed.run.ended_at.unwrap();
    let gaps = bed.gaps(ended..after.run.started_at).await;
    assert!(gaps.contains(&(ended, Some(after.run.started_at), GapReason::EncoderFailed)), "{gaps:?}");
    bed.end().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn manual_recording_is_on_disk_when_stop_answers() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Manual);
    assert!(matches!(bed.recorder.start_manual(CameraId::random()), Err(ManualError::NoSuchCamera(_))));
    bed.recorder.start_manual(bed.camera).unwrap();
    let us = bed.begin(START).await;
    bed.send(us, false);
    bed.recorder.stop_manual(bed.camera).await.unwrap();
    let runs = bed.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].fragments, runs[0].run.end_reason), (1, Some(EndReason::Stopped)));
    bed.want(Mode::Continuous);
    assert!(matches!(bed.recorder.start_manual(bed.camera), Err(ManualError::NotManual)));
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_without_a_database_is_written_down_when_it_is_there() {
    let mut bed = Bed::start().await;
    let other = Bench::start().await;
    let insert = "INSERT INTO cameras (id, name, sealed_key, width, height, quality, active_fps, idle_fps,
                                       recording_mode) VALUES ($1, 'fridge', '', 640, 480, 12, 10, 1, 'continuous')";
    other.db.client().await.unwrap().execute(insert, &[&bed.camera.0]).await.unwrap();
    bed.bench.db.close(Duration::from_secs(20)).await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..25 {
        bed.send(us, false);
        us += 100_000;
    }
    bed.send(us + 9_000_000, false);
    let folder = bed.root().join(bed.camera.to_string());
    eventually("the second run is on disk", async || recover::runs(&folder, false).is_ok_and(|runs| runs.len() == 2))
        .await;
    assert!(bed.recorder.close(Duration::from_secs(20)).await);

    bed.bench.store = other.store.clone();
    bed.recorder = start(&bed.bench.store, &bed.hub, &bed.clock, &bed.tasks, bed.state.path());
    bed.want(Mode::Continuous);
    let (store, camera) = (other.store.clone(), bed.camera);
    eventually("both runs are adopted", async || {
        store.runs(Some(camera), None, None, 10).await.unwrap().iter().filter(|run| run.run.ended_at.is_some()).count()
            == 2
    })
    .await;
    let runs = bed.runs().await;
    assert_eq!(runs[0].run.end_reason, Some(EndReason::Stalled));
    assert_eq!(runs[1].run.first_sequence, i64::try_from(runs[0].fragments).unwrap());
    let files = recover::segment_files(&bed.root().join(runs[0].run.folder())).unwrap();
    assert_eq!(runs[0].size_bytes, std::fs::metadata(&files[0].1).unwrap().len());
    let (ended, next) = (runs[0].run.ended_at.unwrap(), runs[1].run.started_at);
    assert!(bed.gaps(ended..next).await.contains(&(ended, Some(next), GapReason::Stalled)));
    bed.end().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_take_the_oldest_leave_what_is_pinned_and_finish_what_was_interrupted() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    // Four minutes: four segments of thirty fragments.
    let (run, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 120);
    bed.want(Mode::Off);
    let store = &bed.bench.store;
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 4)).await;
    assert_eq!(bed.runs().await[0].run.end_reason, Some(EndReason::HubDown));
    let shared = &bed.recorder.0.shared;
    let upkeep = shared.upkeep.lock().await;
    let all = store.bytes(None).await.unwrap();
    let wanted = |max_age, max_bytes| [Wanted { camera: bed.camera, mode: Mode::Off, max_age, max_bytes }];

    store.pin(bed.camera, &(run.started_at..run.started_at + Duration::from_secs(10)), "").await.unwrap();
    let limits = wanted(None, Some(all - 1));
    let deleted = retention::limits(shared, &limits, &bed.clock, false).await.unwrap();
    assert_eq!((deleted.segments, deleted.bytes), (1, all / 4));
    let left =
        |folder: &Path| recover::segment_files(folder).unwrap().into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    let minute = |at: u64| run.started_at + Duration::from_secs(60 * at);
    assert_eq!(left(&folder), [minute(0), minute(2), minute(3)]);

    // A deletion that ended after the row was marked.
    let third = store.segment(run.id, minute(2)).await.unwrap().unwrap().0;
    assert_eq!(store.mark_deleting(&[third.id]).await.unwrap().len(), 1);
    retention::interrupted(shared).await.unwrap();
    assert_eq!(left(&folder), [minute(0), minute(3)]);

    // Age counts only when the clock is believed; a pin holds in any case.
    let old = wanted(Some(Duration::from_secs(1)), None);
    assert_eq!(retention::limits(shared, &old, &bed.clock, false).await.unwrap(), Deleted::default());
    assert_eq!(retention::limits(shared, &old, &bed.clock, true).await.unwrap().segments, 1);
    assert_eq!(left(&folder), [minute(0)]);
    let pins = store.pins(bed.camera, &(minute(0)..minute(1))).await.unwrap();
    assert!(store.unpin(pins[0].id).await.unwrap());
    assert_eq!(retention::limits(shared, &old, &bed.clock, true).await.unwrap().segments, 1);
    assert!(!folder.exists());
    let ordinals = Ordinals::read(&shared.camera_folder(bed.camera)).unwrap();
    assert_eq!((ordinals.next_run, ordinals.next_sequence), (5, 1120));
    drop(upkeep);
    bed.end().await;
}

/// A file system that says how much is free, or nothing.
#[derive(Clone)]
struct Gauge(Arc<Mutex<Option<u64>>>);

impl Gauge {
    fn set(&self, free_bytes: Option<u64>) {
        *self.0.lock().unwrap() = free_bytes;
    }

    fn probe(&self) -> disk::Probe {
        let free = Arc::clone(&self.0);
        Box::new(move |_| {
            let free_bytes = free.lock().unwrap().ok_or(std::io::ErrorKind::NotConnected)?;
            Ok(Space { total_bytes: 1 << 40, free_bytes })
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_floor_old_recordings_go_then_recording_stops_until_there_is_room() {
    let mut bed = Bed::start().await;
    assert!(bed.recorder.close(Duration::from_secs(10)).await);
    let config = Config { ffmpeg: bed.state.path().join("ffmpeg"), free_mib: 100, ..Config::default() };
    let floor = config.floor_bytes();
    let gauge = Gauge(Arc::new(Mutex::new(Some(floor))));
    let deps = deps(&bed.bench.store, &bed.hub, &bed.clock, &bed.tasks, bed.state.path());
    bed.recorder = Recorder::start_with(&config, deps, gauge.probe());
    eventually("the floor itself is room enough", async || bed.recorder.status().trouble.is_none()).await;
    let (run, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 120);
    bed.want(Mode::Off);
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 4)).await;
    let left = |folder: &Path| recover::segment_files(folder).unwrap().len();
    let shared = Arc::clone(&bed.recorder.0.shared);

    // Nobody knows how full it is: nothing is deleted, and nothing is begun.
    gauge.set(None);
    shared.make_room.notify_one();
    eventually("recording stops", async || bed.recorder.status().trouble.is_some()).await;
    assert!(!shared.has_room().await);
    assert_eq!(left(&folder), 4);

    let first_minute = run.started_at..run.started_at + Duration::from_secs(10);
    bed.bench.store.pin(bed.camera, &first_minute, "").await.unwrap();
    gauge.set(Some(floor - 1));
    shared.make_room.notify_one();
    eventually("all but what is pinned is gone", async || left(&folder) == 1).await;
    let status = bed.recorder.status();
    assert_eq!(status.trouble.as_ref().map(|trouble| trouble.reason), Some("disk_full"));
    bed.want(Mode::Continuous);
    bed.send(START, false);
    eventually("the gap has its reason", async || {
        let gap = bed.bench.store.gap_open(bed.camera).await.unwrap();
        gap.is_some_and(|gap| gap.reason == GapReason::DiskFull)
    })
    .await;

    gauge.set(Some(floor));
    shared.make_room.notify_one();
    eventually("there is room", async || bed.recorder.status().trouble.is_none()).await;
    bed.begin(START + 1_000_000).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_goes_away_during_a_sweep_costs_no_rows() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    recover::tests::interrupted_of(bed.camera, &bed.root(), 40);
    bed.want(Mode::Off);
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 2)).await;
    let shared = &bed.recorder.0.shared;
    let upkeep = shared.upkeep.lock().await;
    std::fs::rename(bed.root(), bed.state.path().join("away")).unwrap();
    std::fs::create_dir(bed.root()).unwrap();
    let swept = sweep::Sweep::new(bed.state.path().to_owned()).run(shared).await;
    assert!(matches!(swept, Err(sweep::SweepError::Away(_))), "{swept:?}");
    assert_eq!(bed.runs().await[0].segments, 2);
    drop(upkeep);
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_cannot_be_swept_keeps_no_other_from_it() {
    let bed = Bed::start().await;
    let other = bed.bench.camera("larder").await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    // Its ordinal is another run's, so that it can have no row.
    recover::tests::interrupted_of(bed.camera, &bed.root(), 1);
    let stranger = crate::recordings::testing::run(bed.camera, 4, 0, 0);
    bed.bench.store.insert_run(&stranger).await.unwrap();
    recover::tests::interrupted_of(other, &bed.root(), 1);
    let wanted = |camera| Wanted { camera, mode: Mode::Off, max_age: None, max_bytes: None };
    bed.recorder.set_wanted(vec![wanted(bed.camera)]);
    let shared = &bed.recorder.0.shared;
    eventually("the first is swept first", async || shared.recovered_cameras() == [bed.camera]).await;
    bed.recorder.set_wanted(vec![wanted(bed.camera), wanted(other)]);
    eventually("the second is adopted", async || {
        bed.bench.store.runs(Some(other), None, None, 10).await.unwrap().len() == 1
    })
    .await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_being_removed_is_not_recorded_again_while_it_is_still_named() {
    let bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let removal = bed.recorder.remove_camera(bed.camera).await.unwrap();
    bed.want(Mode::Continuous);
    assert!(bed.recorder.cameras().tasks.is_empty());
    // Its row could not be deleted: it is still there, and recorded.
    drop(removal);
    assert!(bed.recorder.cameras().tasks.contains_key(&bed.camera));
    bed.recorder.remove_camera(bed.camera).await.unwrap().confirm();
    bed.want(Mode::Continuous);
    assert!(bed.recorder.cameras().tasks.is_empty());
    bed.recorder.set_wanted(Vec::new());
    bed.want(Mode::Continuous);
    assert!(bed.recorder.cameras().tasks.contains_key(&bed.camera));
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_hides_nothing_that_was_recorded_after_it() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    let (broken, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 1);
    // Reading a folder as a file is an error of the disk as any other.
    std::fs::create_dir(folder.join("1790000000000000.m4s")).unwrap();
    let (mut later, later_folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 1);
    later.ordinal = broken.ordinal + 1;
    commit::keep_run(&later_folder, &later).unwrap();
    bed.want(Mode::Off);
    eventually("the later one is adopted", async || bed.runs().await.iter().any(|run| run.run.id == later.id)).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_collector_died_is_ended_and_its_counts_are_not_used_again() {
    let mut bed = Bed::start().await;
    assert!(bed.recorder.close(Duration::from_secs(10)).await);
    let deps = deps(&bed.bench.store, &bed.hub, &bed.clock, &bed.tasks, bed.state.path());
    let config = Config { ffmpeg: bed.state.path().join("ffmpeg"), free_mib: 0, ..Config::default() };
    // Dies in the very place where the collector asks for room for the second segment.
    let deadly = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let dies = Arc::clone(&deadly);
    let probe: disk::Probe = Box::new(move |_| {
        let now = dies.swap(false, std::sync::atomic::Ordering::SeqCst);
        assert!(!now, "the collector dies");
        Ok(Space { total_bytes: 1 << 40, free_bytes: 1 << 40 })
    });
    bed.recorder = Recorder::start_with(&config, deps, probe);
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..40 {
        bed.send(us, false);
        us += 100_000;
    }
    bed.fragments_of_the_newest(0, 2).await;
    // Nobody else asks meanwhile.
    let shared = Arc::clone(&bed.recorder.0.shared);
    let upkeep = shared.upkeep.lock().await;
    deadly.store(true, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..620 {
        bed.send(us, false);
        us += 100_000;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(upkeep);
    eventually("it is ended", async || {
        bed.runs().await.first().is_some_and(|run| run.run.end_reason == Some(EndReason::EncoderFailed))
    })
    .await;
    let first = bed.runs().await[0].clone();
    for _ in 0..1_000 {
        bed.send(us, false);
        us += 100_000;
        tokio::time::sleep(Duration::from_millis(20)).await;
        if bed.runs().await.len() == 2 {
            break;
        }
    }
    let second = bed.runs().await[1].run.clone();
    assert_eq!(second.ordinal, first.run.ordinal + 1);
    assert_eq!(second.first_sequence, first.run.first_sequence + i64::try_from(first.fragments).unwrap());
    bed.end().await;
}
