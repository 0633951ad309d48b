//! What is lost when something dies, hangs or fills up, with real processes: never more than was promised.

mod absent;
mod database;
mod disk;
mod drift;
mod first_start;
mod killed;
mod room;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use larder_proto::{Words as _, pb, wire::CameraId};
use rustix::process::Signal;

use crate::support::{
    Clients, Habits, Home, RunFiles, Sent, Witness, frame_times, runs, server_processes, signal, until,
};

/// What a kill may cost: the fragment that was open and one more. A fragment ends with the first picture two seconds
/// after its key frame; on a busy machine the encoder is a few pictures behind.
const LOSS: SignedDuration = SignedDuration::from_millis(2 * 2_200 + 700);
/// Pictures of these tests are at least 80 ms apart, and unevenly: one that is missing shows as more than this. On a
/// busy machine a line's delay just after the hub's start may be taken for longer than it is by tens of milliseconds.
const NEAR: Duration = Duration::from_millis(50);

/// A camera that is recorded, and what it sent.
pub(crate) struct Watched {
    camera: CameraId,
    witness: Witness,
    /// Runs that were found in order, with a hash of their files: nothing may touch them any more.
    checked: HashMap<String, u64>,
}

impl Watched {
    /// Adds a camera to a hub and starts it.
    async fn add(home: &Home, clients: &Clients, name: &str, habits: Habits) -> Self {
        let (camera, key) = clients.add(pb::Camera { name: name.to_owned(), ..Default::default() }).await;
        let witness = Witness::start(home.link(), camera, key, habits);
        Self { camera, witness, checked: HashMap::new() }
    }

    /// Its runs on disk.
    fn runs(&self, home: &Home) -> Vec<RunFiles> {
        runs(&home.recordings(), &self.camera.to_string())
    }

    /// Which of them have no end.
    fn open_runs(&self, home: &Home) -> Vec<String> {
        let runs = self.runs(home);
        runs.iter().filter(|run| run.end_reason().is_none()).map(|run| run.id().to_owned()).collect()
    }

    /// Checks the runs that have ended since the last look: they play, and hold every picture from their first to
    /// their last.
    fn check(&mut self, home: &Home) {
        let sent = self.witness.sent();
        for run in self.runs(home).iter().filter(|run| run.end_reason().is_some()) {
            let hash = hash(run);
            let before = self.checked.insert(run.id().to_owned(), hash);
            assert!(before.is_none_or(|before| before == hash), "a run that had ended was changed: {run:?}");
            if before.is_none() {
                check_run(run, &sent, NEAR);
            }
        }
    }

    /// What a kill at that moment cost: everything older than [`LOSS`] that the hub had been sent must be there. Nothing when
    /// nothing could be lost.
    fn check_loss(&self, home: &Home, killed_at: Timestamp) -> Option<Duration> {
        let sent: Vec<Sent> = self.witness.sent().into_iter().filter(|sent| sent.at < killed_at).collect();
        let last = sent.last()?;
        let session: Vec<&Sent> = sent.iter().filter(|sent| sent.session == last.session).collect();
        let kept = self.runs(home).iter().filter_map(|run| run.bounds().1).filter(|end| *end < killed_at).max();
        // Before its first picture of this life nothing can be lost.
        let kept = kept.map_or(session[0].at, |kept| kept.max(session[0].at));
        let lost = last.at.duration_since(kept);
        assert!(lost < LOSS, "{lost:?} were lost: {:?}\n{}", self.runs(home), home.log());
        Some(Duration::try_from(lost).unwrap_or_default())
    }

    /// Rows come to say what the files say, and nothing was numbered twice. The camera must have stopped.
    async fn check_rows(&self, home: &Home, clients: &Clients) {
        let difference = Mutex::new(String::new());
        let checking = until("rows to be as files are", || async {
            let different = self.difference(home, &clients.recordings_of(self.camera).await);
            *difference.lock().unwrap() = different.clone().unwrap_or_default();
            different.is_none().then_some(())
        });
        let in_time = tokio::time::timeout(Duration::from_secs(30), checking).await;
        assert!(in_time.is_ok(), "{}\n{}", difference.lock().unwrap(), home.log());
    }

    fn difference(&self, home: &Home, rows: &[pb::Recording]) -> Option<String> {
        let files = self.runs(home);
        let of_files: Vec<_> = files.iter().map(RunFiles::id).collect();
        let of_rows: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        if of_files != of_rows {
            return Some(format!("{of_files:?} are on disk, {of_rows:?} have rows"));
        }
        let mut next = (0, 0);
        for (run, row) in files.iter().zip(rows) {
            let number = |key: &str| run.about[key].as_i64().unwrap();
            let bytes: u64 = run.segments.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
            let word = row.end_reason().word();
            let reason = Some(word.as_str()).filter(|reason| !reason.is_empty());
            if (number("ordinal"), number("first_sequence")) != next
                || row.size_bytes != bytes
                || reason != run.end_reason()
            {
                return Some(format!("{next:?} {bytes} {row:?} {run:?}"));
            }
            next = (next.0 + 1, next.1 + i64::from(row.fragments));
        }
        None
    }
}

/// A run holds the pictures that were sent, each once and at its time, from its first to its last.
fn check_run(run: &RunFiles, sent: &[Sent], near: Duration) -> usize {
    let times = frame_times(run);
    let started_at = run.bounds().0;
    let distance = |sent: &Sent| sent.at.duration_since(started_at).unsigned_abs();
    let nearest = (0..sent.len()).min_by_key(|n| distance(&sent[*n])).unwrap();
    let off = |first: usize| {
        let expected = sent.get(first..first + times.len())?;
        let apart = |(time, sent): (&Duration, &Sent)| (*time - times[0]).abs_diff(sent.taken - expected[0].taken);
        times.iter().zip(expected).map(apart).max()
    };
    let candidates = nearest.saturating_sub(1)..=nearest + 1;
    let best = candidates.filter_map(|first| Some((off(first)?, first))).min();
    let (worst, first) = best.unwrap_or_else(|| panic!("more pictures than were sent: {run:?}"));
    assert!(worst <= near, "a picture is missing or {worst:?} off: {run:?}\n{times:?}\n{:?}", &sent[first..]);
    first + times.len()
}

fn hash(run: &RunFiles) -> u64 {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    for file in &run.segments {
        hasher.write(&fs::read(file).unwrap());
    }
    // Pins come and go.
    let mut about = run.about.clone();
    about.as_object_mut().unwrap().remove("pins_us");
    hasher.write(about.to_string().as_bytes());
    hasher.finish()
}

/// The library whose faults are preloaded into a hub (`faults.c`), in a folder of its own that every user may enter.
pub(crate) fn faults(folder: &Path) -> PathBuf {
    let library = folder.join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/loss/faults.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.unwrap().success());
    library
}

/// Chance that can be repeated: `LARDER_KILL_SEED`, which a failed test names.
struct Chance(u64);

impl Chance {
    #[expect(clippy::print_stdout, reason = "a failed test shows it")]
    fn new() -> Self {
        let given = std::env::var("LARDER_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        println!("LARDER_KILL_SEED={seed}");
        Self(seed | 1)
    }

    /// Less than `end` (xorshift64).
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// The processes of a hub's database that were stopped; dropped, they go on, so that they can end after a failed test.
struct Hanging(Vec<u32>);

impl Hanging {
    /// Stops the server and all its sessions: whoever asks gets no answer, and no error.
    fn begin(state: &Path) -> Self {
        let server = server_processes(state);
        server.iter().for_each(|pid| signal(*pid, Signal::STOP));
        Self(server)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| signal(*pid, Signal::CONT));
    }
}

/// The kinds of everything that a hub told while it was listened to.
struct Heard(Arc<Mutex<Vec<pb::EventKind>>>);

impl Heard {
    /// Listens until the hub ends.
    async fn listen(clients: &Clients) -> Self {
        let request = pb::WatchEventsRequest::default();
        let mut events = clients.system.clone().watch_events(request).await.unwrap().into_inner();
        let kinds = Arc::<Mutex<Vec<pb::EventKind>>>::default();
        let heard = Arc::clone(&kinds);
        tokio::spawn(async move {
            while let Ok(Some(event)) = events.message().await {
                heard.lock().unwrap().push(event.kind());
            }
        });
        Self(kinds)
    }

    fn has(&self, kind: pb::EventKind) -> bool {
        self.0.lock().unwrap().contains(&kind)
    }
}
