//! Somebody else fills the disk: only what may go goes, it is said who takes it, and with PostgreSQL on the same disk room
//! is made without it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use larder_proto::pb;
use serde_json::json;
use uuid::{NoContext, Uuid};

use super::Watched;
use crate::support::{Clients, Daemon, Habits, Home, Mounts, RunFiles, Server, text, until};

const MIB: u64 = 1 << 20;
/// Between copied runs, which are shorter.
const APART: SignedDuration = SignedDuration::from_secs(60);

/// A hub whose recordings lie on a small disk, and its cluster as well if it is asked for.
struct Stage {
    home: Home,
    mounts: Mounts,
    disk: PathBuf,
}

impl Stage {
    fn new(size_mib: u64, with_the_database: bool) -> Self {
        let mounts = Mounts::new();
        let mut home = Home::new(&["recordings.free_mib=6"]).wrapped(mounts.for_the_hub());
        let (disk, recordings) = (home.state().join("disk"), home.recordings());
        fs::create_dir(&disk).unwrap();
        fs::create_dir(&recordings).unwrap();
        mounts.run(&["mount", "-t", "tmpfs", "-o", &format!("size={size_mib}m,mode=0755"), "larder", &text(&disk)]);
        home.see_recordings_at(mounts.inside(&recordings));
        let bind = |folder: &Path| {
            let on_disk = disk.join(folder.file_name().unwrap());
            mounts.run(&["cp", "-a", &text(folder), &text(&on_disk)]);
            mounts.run(&["mount", "--bind", &text(&on_disk), &text(folder)]);
        };
        bind(&recordings);
        if with_the_database {
            bind(&home.state().join("postgres"));
        }
        Self { home, mounts, disk }
    }

    /// Fills the disk to its last byte, and takes whatever becomes free until it is dropped.
    fn fill(&self) -> Filler {
        let path = self.mounts.inside(&self.disk).join("ballast");
        let stop = Arc::<AtomicBool>::default();
        let (stopped, mut file) = (Arc::clone(&stop), fs::File::create(&path).unwrap());
        let task = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if file.write_all(&[0; 4096]).is_err() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Filler { path, stop, task: Some(task) }
    }

    fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.mounts.inside(&self.disk)).unwrap();
        stat.f_bavail * stat.f_frsize
    }
}

/// Somebody else's program.
struct Filler {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Filler {
    /// Takes no more; what it took stays.
    fn rest(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(task) = self.task.take() {
            task.join().unwrap();
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.rest();
        let _ = fs::remove_file(&self.path);
    }
}

/// A hub with footage: some that is older than a day, some that is not.
struct Scene {
    daemon: Daemon,
    clients: Clients,
    watched: Watched,
    old: Vec<RunFiles>,
    young: Vec<RunFiles>,
}

impl Scene {
    async fn begin(stage: &Stage, old_bytes: u64, young_bytes: u64) -> Self {
        let home = &stage.home;
        let daemon = home.start();
        let habits = Habits { interval_ms: (30, 60), ..Habits::default() };
        let watched = Watched::add(home, &home.clients().await, "fridge", habits).await;
        until("footage to copy", || {
            std::future::ready(watched.runs(home).first().filter(|run| bytes(run) > 100_000).map(drop))
        })
        .await;
        daemon.stop().await;
        let run = watched.runs(home)[0].clone();
        let count = |wanted: u64| i64::try_from(wanted / bytes(&run)).unwrap();
        let now = Timestamp::now();
        let (old, young) = (now - SignedDuration::from_hours(72), now - SignedDuration::from_hours(2));
        let camera = folder(&run).parent().unwrap().parent().unwrap().to_owned();
        (0..count(old_bytes)).for_each(|n| copy(&run, &camera, 1 + n, old + APART * i32::try_from(n).unwrap()));
        let young_runs = count(young_bytes);
        (0..young_runs)
            .for_each(|n| copy(&run, &camera, 1 + count(old_bytes) + n, young + APART * i32::try_from(n).unwrap()));

        let daemon = home.start();
        let clients = home.clients().await;
        // The run that the others are copies of was made before them, and is dated after: it goes first.
        let is_copy = |run: &RunFiles| run.about["ordinal"] != 0;
        let ended = watched.runs(home).into_iter().filter(|run| run.end_reason().is_some() && is_copy(run));
        let is_old = |run: &RunFiles| run.bounds().0 < now - SignedDuration::from_hours(48);
        let (old, young): (Vec<_>, Vec<_>) = ended.partition(is_old);
        until("rows of all footage", || async {
            (clients.recordings_of(watched.camera).await.len() > old.len() + young.len()).then_some(())
        })
        .await;
        Self { daemon, clients, watched, old, young }
    }

    async fn pin(&self, run: &RunFiles) {
        let (from, to) = run.bounds();
        let at = |time: Timestamp| Some(prost_types::Timestamp { seconds: time.as_second(), nanos: 0 });
        let range = pb::TimeRange { from: at(from + SignedDuration::from_secs(1)), to: at(to.unwrap()) };
        let pin = pb::PinRangeRequest { camera: "fridge".to_owned(), range: Some(range), note: String::new() };
        self.clients.recordings.clone().pin_range(pin).await.unwrap();
    }

    async fn status(&self) -> (pb::system_status::Disk, Option<pb::system_status::Part>) {
        let status = self.clients.system.clone().get_status(pb::GetStatusRequest {}).await.unwrap().into_inner();
        let recorder = status.parts.into_iter().find(|part| part.name == "recorder" && !part.ready);
        (status.disk.unwrap(), recorder)
    }

    /// Footage that is there and has no row, and the other way round.
    async fn dangling(&self, home: &Home) -> Vec<String> {
        let rows = self.clients.recordings_of(self.watched.camera).await;
        let rows: Vec<_> = rows.iter().map(|row| (row.id.clone(), row.size_bytes)).collect();
        let runs = self.watched.runs(home);
        let files: Vec<_> = runs.iter().map(|run| (run.id().to_owned(), bytes(run))).collect();
        let without_row = files.iter().filter(|file| !rows.contains(file));
        let without_file = rows.iter().filter(|row| !files.contains(row));
        without_row.chain(without_file).map(|(id, bytes)| format!("{id}: {bytes}")).collect()
    }
}

/// One more run with the same pictures, recorded at another time.
fn copy(run: &RunFiles, camera: &Path, ordinal: i64, started_at: Timestamp) {
    let (from, to) = run.bounds();
    let later = |at: Timestamp| started_at + at.duration_since(from);
    let seconds = u64::try_from(started_at.as_second()).unwrap();
    let id = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, 0));
    let copied = camera.join(started_at.strftime("%Y-%m-%d").to_string()).join(id.to_string());
    fs::create_dir_all(&copied).unwrap();
    fs::copy(folder(run).join("init.mp4"), copied.join("init.mp4")).unwrap();
    for segment in &run.segments {
        let us: i64 = segment.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let us = later(Timestamp::from_microsecond(us).unwrap()).as_microsecond();
        fs::copy(segment, copied.join(format!("{us}.m4s"))).unwrap();
    }
    let mut about = run.about.clone();
    about["id"] = json!(id.to_string());
    about["ordinal"] = json!(ordinal);
    about["first_sequence"] = json!(ordinal * 1000);
    about["started_at_us"] = json!(started_at.as_microsecond());
    about["ended_at_us"] = json!(later(to.unwrap()).as_microsecond());
    // As a former release wrote it, which had no checksum.
    about.as_object_mut().unwrap().remove("crc32c");
    fs::write(copied.join("run.json"), about.to_string()).unwrap();
}

fn folder(run: &RunFiles) -> &Path {
    run.segments[0].parent().unwrap()
}

fn bytes(run: &RunFiles) -> u64 {
    run.segments.iter().map(|file| fs::metadata(file).map_or(0, |file| file.len())).sum()
}

fn there(runs: &[RunFiles]) -> usize {
    runs.iter().filter(|run| run.segments.iter().all(|file| file.exists())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fills_the_disk_is_named_and_costs_neither_pinned_nor_new_footage() {
    let stage = Stage::new(64, false);
    let home = &stage.home;
    let scene = Scene::begin(&stage, 4 * MIB, 4 * MIB).await;
    let pinned = scene.old[1].clone();
    scene.pin(&pinned).await;

    let filler = stage.fill();
    until("all to go that may", || std::future::ready((there(&scene.old) == 1).then_some(()))).await;
    let (disk, recorder) = until("it to be said who takes the disk", || async {
        let (disk, recorder) = scene.status().await;
        let recorder = recorder.filter(|part| part.reason == "disk_full" && part.detail.contains("other files: "));
        (stage.free_bytes() == 0 && disk.other_bytes? > 50 * MIB).then_some((disk, recorder?))
    })
    .await;
    assert!(recorder.detail.contains("growing by "), "{}", recorder.detail);
    assert!(disk.other_growth_bytes_per_minute > 40 * MIB, "{disk:?}");
    assert_eq!(there(&[pinned]), 1, "it is pinned");
    assert_eq!(there(&scene.young), scene.young.len(), "what is newer than a day stays: {}", home.log());
    assert_eq!(home.log().matches("the disk is full, and").count(), 1, "{}", home.log());

    drop(filler);
    // A new run, or more of one that the disk's short fill did not end.
    let newest = async || {
        let rows = scene.clients.recordings_of(scene.watched.camera).await;
        rows.last().filter(|row| row.fragments >= 1).map(|row| (row.id.clone(), row.fragments))
    };
    let before = newest().await;
    until("recording to go on", || async { newest().await.filter(|now| Some(now) != before.as_ref()).map(drop) }).await;
    scene.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_postgresql_on_the_full_disk_room_is_made_first_and_rows_follow() {
    let mut stage = Stage::new(112, true);
    let server = Server::of(&mut stage.home).seen_in(stage.mounts.inside(stage.home.state()));
    let home = &stage.home;
    let scene = Scene::begin(&stage, 12 * MIB, 2 * MIB).await;
    let pinned = scene.old[1].clone();
    scene.pin(&pinned).await;

    server.take_away();
    let mut filler = stage.fill();
    until("the disk to be full", || std::future::ready((stage.free_bytes() == 0).then_some(()))).await;
    filler.rest();
    until("room to be made", || std::future::ready((stage.free_bytes() > 6 * MIB).then_some(()))).await;
    assert!(there(&scene.old) < scene.old.len());
    server.bring_back();
    until("rows to follow", || async {
        let request = pb::ListRecordingsRequest { camera: "fridge".to_owned(), ..Default::default() };
        scene.clients.recordings.clone().list_recordings(request).await.ok()?;
        scene.dangling(home).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(there(&[pinned]), 1, "it is pinned");
    assert_eq!(there(&scene.young), scene.young.len(), "what is newer than a day stays: {}", home.log());
    let log = home.log();
    assert!(log.contains("without the database"), "{log}");
    assert!(!log.contains("recorded files are gone"), "{log}");
    until("everything to be well", || async { scene.status().await.1.is_none().then_some(()) }).await;
    scene.daemon.stop().await;
}
