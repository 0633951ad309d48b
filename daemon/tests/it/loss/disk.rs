//! The recordings' disk is full, read-only, unmounted, slow or failing: recording stops with a reason, live view goes
//! on, and it all goes on by itself when the disk is back.
//!
//! Disks are tmpfs mounts in a mount namespace of the hub's own. A failing fsync is made by a library that is preloaded
//! (`faults.c`): no block device with faults can be had without the device mapper.

use std::{fs, io::Write as _, path::PathBuf, time::Duration};

use larder_proto::{Words as _, pb};
use rustix::process::Signal;

use super::{Hanging, Heard, NEAR, Watched, check_run, faults};
use crate::support::{Clients, Daemon, Habits, Home, Mounts, get, get_with, signal, text, until};

/// A hub that records to a disk of its own.
struct Stage {
    home: Home,
    mounts: Mounts,
    /// Where its disk is always mounted.
    disk: PathBuf,
    /// The folder that is recorded to, where the disk is mounted as well.
    folder: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let mounts = Mounts::new();
        // New footage may go as well: the tests have no other.
        let mut home = Home::new(&["recordings.keep_hours=0"]).wrapped(mounts.for_the_hub());
        let (disk, folder) = (home.state().join("disk"), home.recordings());
        fs::create_dir(&disk).unwrap();
        fs::create_dir(&folder).unwrap();
        home.see_recordings_at(mounts.inside(&disk));
        let stage = Self { home, mounts, disk, folder };
        stage.mounts.run(&["mount", "-t", "tmpfs", "-o", "size=40m,mode=0755", "larder", &text(&stage.disk)]);
        stage.mount();
        stage
    }

    /// Fills the disk to its last byte, with a file that can be removed.
    fn fill(&self) -> PathBuf {
        let ballast = self.mounts.inside(&self.disk).join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        ballast
    }

    fn mount(&self) {
        self.mounts.run(&["mount", "--bind", &text(&self.disk), &text(&self.folder)]);
    }

    /// Also while files are open.
    fn unmount(&self) {
        self.mounts.run(&["umount", "--lazy", &text(&self.folder)]);
    }

    fn make_read_only(&self) {
        self.mount();
        self.mounts.run(&["mount", "-o", "remount,bind,ro", &text(&self.folder)]);
    }
}

/// A hub with a camera that is recorded and watched.
struct Scene {
    daemon: Daemon,
    clients: Clients,
    heard: Heard,
    watched: Watched,
    token: String,
}

impl Scene {
    async fn begin(home: &Home) -> Self {
        let daemon = home.start();
        let clients = home.clients().await;
        let heard = Heard::listen(&clients).await;
        let watched = Watched::add(home, &clients, "fridge", Habits::default()).await;
        let request = pb::CreateTokenRequest { name: "tv".into(), role: pb::Role::Viewer.into(), valid_for: None };
        let token = clients.access.clone().create_token(request).await.unwrap().into_inner().secret;
        let scene = Self { daemon, clients, heard, watched, token };
        scene.recorded(1).await;
        scene
    }

    /// Waits until so many runs have a fragment's row.
    async fn recorded(&self, runs: usize) {
        until("a run with a fragment", || async {
            let rows = self.clients.recordings_of(self.watched.camera).await;
            (rows.len() >= runs && rows.last().is_some_and(|row| row.fragments >= 1)).then_some(())
        })
        .await;
    }

    /// Waits until recording has stopped with that reason in the run's row and in an open gap; live view goes on.
    async fn stopped_because(&self, home: &Home, reason: &str) {
        until("the run's end and its reason", || async {
            let rows = self.clients.recordings_of(self.watched.camera).await;
            rows.iter().any(|row| row.end_reason().word() == reason).then_some(())
        })
        .await;
        until("a gap with its reason", || async {
            let gaps = self.clients.gaps_of(self.watched.camera).await;
            gaps.iter().any(|gap| gap.reason().word() == reason && gap.ended_at.is_none()).then_some(())
        })
        .await;
        until("it to be said", || async { (get(home.http(), "/readyz").await.status == 503).then_some(()) }).await;
        self.live(home).await;
    }

    async fn live(&self, home: &Home) {
        let bearer = format!("Bearer {}", self.token);
        let sent = self.watched.witness.sent().len();
        until("pictures to go on", || std::future::ready((self.watched.witness.sent().len() > sent + 3).then_some(())))
            .await;
        let headers = [("authorization", bearer.as_str())];
        assert_eq!(get_with(home.http(), "/cameras/fridge/snapshot.jpg", &headers).await.status, 200);
    }

    /// Ends the hub, starts it again, and checks that files and rows are in order.
    async fn end(mut self, home: &Home) {
        self.watched.witness.stop().await;
        self.daemon.stop().await;
        let daemon = home.start();
        self.watched.check_rows(home, &home.clients().await).await;
        daemon.stop().await;
        self.watched.check(home);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_really_full_stops_recording_until_there_is_room() {
    let stage = Stage::new();
    let home = &stage.home;
    let scene = Scene::begin(home).await;
    // Pinned, so that nothing can be deleted to make room.
    let now = jiff::Timestamp::now();
    let at = |seconds: i64| Some(prost_types::Timestamp { seconds: now.as_second() + seconds, nanos: 0 });
    let range = pb::TimeRange { from: at(-3600), to: at(3600) };
    let pin = pb::PinRangeRequest { camera: "fridge".to_owned(), range: Some(range), note: String::new() };
    scene.clients.recordings.clone().pin_range(pin).await.unwrap();
    let ballast = stage.fill();

    scene.stopped_because(home, "disk_full").await;
    assert!(scene.heard.has(pb::EventKind::DiskFull), "{}", home.log());
    assert_eq!(scene.watched.runs(home).len(), 1, "nothing is begun, and nothing that is pinned is deleted");
    fs::remove_file(&ballast).unwrap();
    scene.recorded(2).await;
    scene.end(home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_nothing_is_deleted_to_make_room_and_afterwards_it_is() {
    let stage = Stage::new();
    let home = &stage.home;
    let mut scene = Scene::begin(home).await;
    // A run that has ended, which nobody has pinned: the first to go.
    scene.daemon.encoders().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    scene.recorded(2).await;
    let old = scene.watched.runs(home)[0].clone();
    assert_eq!(old.end_reason(), Some("encoder_failed"));

    let hanging = Hanging::begin(home.state());
    let ballast = stage.fill();
    // Why is told later: no file can say it now, and no row.
    until("recording to stop", || std::future::ready(scene.daemon.encoders().is_empty().then_some(()))).await;
    until("room to be looked for", || std::future::ready(home.log().contains("no room could be made").then_some(())))
        .await;
    scene.live(home).await;
    assert!(old.segments.iter().all(|file| file.exists()), "pins cannot be asked for, so nothing goes");

    drop(hanging);
    until("the oldest to go", || std::future::ready((!old.segments.iter().any(|file| file.exists())).then_some(())))
        .await;
    fs::remove_file(&ballast).unwrap();
    until("recording to go on", || {
        let runs = scene.watched.runs(home);
        let newest = runs.last().filter(|run| run.end_reason().is_none() && !run.segments.is_empty());
        std::future::ready(newest.map(|_| ()))
    })
    .await;
    scene.watched.witness.stop().await;
    scene.daemon.stop().await;
    scene.watched.check(home);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_or_is_unmounted_stops_recording_until_it_is_back() {
    let stage = Stage::new();
    let home = &stage.home;
    let scene = Scene::begin(home).await;

    stage.make_read_only();
    scene.stopped_because(home, "disk_failed").await;
    assert!(scene.heard.has(pb::EventKind::RecordingFailed), "{}", home.log());
    stage.unmount();
    scene.recorded(2).await;

    stage.unmount();
    scene.stopped_because(home, "disk_failed").await;
    let left: Vec<_> = fs::read_dir(&stage.folder).unwrap().collect();
    assert!(left.is_empty(), "nothing is written into the empty mount point: {left:?}");
    assert!(scene.clients.recordings_of(scene.watched.camera).await.len() >= 2, "no row is taken for gone");
    stage.mount();
    scene.recorded(3).await;
    assert!(fs::read_dir(&stage.folder).unwrap().next().is_none());
    scene.end(home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_whose_fsync_is_slow_or_fails_is_named_and_costs_no_more_than_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let library = faults(folder.path());
    let home = Home::new(&[]);
    let recordings = home.recordings();
    let home = home
        .with_variable("LD_PRELOAD", library)
        .with_variable("LARDER_FAULTS", folder.path())
        .with_variable("LARDER_FAULTS_BELOW", recordings);
    let fault = |name: &str| folder.path().join(name);
    let scene = Scene::begin(&home).await;

    // Eight seconds for one fragment: the encoder is not to blame, and every picture waits for its turn.
    fs::write(fault("slow"), "").unwrap();
    let until_slow = scene.watched.witness.sent().len();
    let before = scene.clients.recordings_of(scene.watched.camera).await[0].fragments;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    fs::remove_file(fault("slow")).unwrap();
    until("fragments of ten seconds behind it", || async {
        let rows = scene.clients.recordings_of(scene.watched.camera).await;
        (rows[0].fragments >= before + 5).then_some(())
    })
    .await;
    assert_eq!(scene.watched.runs(&home).len(), 1, "the run goes on: {}", home.log());

    // A file's error ends its run.
    fs::write(fault("file"), "").unwrap();
    until("the run to end", || async {
        let rows = scene.clients.recordings_of(scene.watched.camera).await;
        rows.iter().any(|row| row.end_reason() == pb::EndReason::DiskFailed).then_some(())
    })
    .await;
    scene.live(&home).await;
    fs::remove_file(fault("file")).unwrap();
    scene.recorded(2).await;
    let first = &scene.watched.runs(&home)[0];
    let held = check_run(first, &scene.watched.witness.sent(), NEAR);
    assert!(held > until_slow + 40, "{held} pictures, {until_slow} of them before it was slow");

    // A folder's error stops recording; a run that begins meets it.
    fs::write(fault("folder"), "").unwrap();
    scene.daemon.encoders().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    until("a gap", || async {
        let gaps = scene.clients.gaps_of(scene.watched.camera).await;
        gaps.iter().any(|gap| gap.reason() == pb::GapReason::DiskFailed && gap.ended_at.is_none()).then_some(())
    })
    .await;
    until("it to be said", || async { (get(home.http(), "/readyz").await.status == 503).then_some(()) }).await;
    scene.live(&home).await;
    fs::remove_file(fault("folder")).unwrap();
    scene.recorded(3).await;
    scene.end(&home).await;
}
