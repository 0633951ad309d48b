//! The database hangs or is away for long: live view, recording and authorisation go on, changes are refused at once,
//! nothing is deleted, and rows catch up.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use larder_proto::pb;
use rustix::process::Signal;
use tonic::Code;

use super::{Hanging, Heard, NEAR, Watched, check_run};
use crate::support::{Clients, Habits, Home, Server, get, get_with, processes_of, until};

/// A server that hangs is noticed within this, and whoever waits for it is answered; after that at once.
const NOTICED: Duration = Duration::from_secs(9);
const AT_ONCE: Duration = Duration::from_millis(700);

/// A hub whose PostgreSQL can be taken away.
struct Stage {
    home: Home,
    server: Server,
    /// While it hangs.
    hanging: Mutex<Option<Hanging>>,
}

impl Stage {
    fn new() -> Self {
        let mut home = Home::new(&[]);
        let server = Server::of(&mut home);
        Self { home, server, hanging: Mutex::default() }
    }

    fn hang(&self) {
        *self.hanging.lock().unwrap() = Some(Hanging::begin(self.home.state()));
    }

    fn go_on(&self) {
        self.hanging.lock().unwrap().take();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_database_that_hangs_all_but_changes_goes_on_and_rows_catch_up() {
    let stage = Stage::new();
    without_it(&stage, || stage.hang(), || stage.go_on()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_database_that_is_gone_all_but_changes_goes_on_and_rows_catch_up() {
    let stage = Stage::new();
    without_it(&stage, || stage.server.take_away(), || stage.server.bring_back()).await;
}

async fn without_it(stage: &Stage, away: impl Fn(), back: impl Fn()) {
    let home = &stage.home;
    let daemon = home.start();
    let clients = home.clients().await;
    let heard = Heard::listen(&clients).await;
    let mut watched = Watched::add(home, &clients, "fridge", Habits::default()).await;
    let request = pb::CreateTokenRequest { name: "tv".into(), role: pb::Role::Viewer.into(), valid_for: None };
    let token = clients.access.clone().create_token(request).await.unwrap().into_inner().secret;
    until("a fragment's row", || async {
        clients.recordings_of(watched.camera).await.first().filter(|row| row.fragments >= 1).map(|_| ())
    })
    .await;
    let files = segment_files(&watched, home);

    away();
    let asked = Instant::now();
    assert_eq!(change(&clients, "freezer").await, Code::Unavailable);
    assert!(asked.elapsed() < NOTICED, "refused after {:?}", asked.elapsed());
    until("it to be noticed", || std::future::ready(heard.has(pb::EventKind::DatabaseLost).then_some(()))).await;
    for (n, name) in ["one", "two", "three"].into_iter().enumerate() {
        let asked = Instant::now();
        assert_eq!(change(&clients, name).await, Code::Unavailable);
        assert!(asked.elapsed() < AT_ONCE, "{n} was refused after {:?}", asked.elapsed());
    }
    let before = recorded_bytes(&watched, home);
    for _ in 0..4 {
        look(home, &token).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    assert_eq!(get(home.http(), "/readyz").await.status, 503);
    assert!(recorded_bytes(&watched, home) > before + 1000, "recording goes on: {}", home.log());
    assert!(segment_files(&watched, home).is_superset(&files), "nothing is deleted");

    back();
    until("changes to be possible", || async { (change(&clients, "cellar").await == Code::Ok).then_some(()) }).await;
    assert!(heard.has(pb::EventKind::DatabaseBack));
    daemon.stop().await;
    let runs = watched.runs(home);
    assert_eq!(runs.len(), 1, "recording was not interrupted: {}", home.log());
    check_run(&runs[0], &watched.witness.stop().await, NEAR);
    let daemon = home.start();
    watched.check_rows(home, &home.clients().await).await;
    daemon.stop().await;
}

/// Tries to add a camera.
async fn change(clients: &Clients, name: &str) -> Code {
    let camera = pb::Camera { name: name.to_owned(), ..Default::default() };
    let request = pb::CreateCameraRequest { camera: Some(camera) };
    clients.cameras.clone().create_camera(request).await.map_or_else(|refusal| refusal.code(), |_| Code::Ok)
}

/// A picture for whoever has a token, and none for others.
async fn look(home: &Home, token: &str) {
    let bearer = format!("Bearer {token}");
    let path = "/cameras/fridge/snapshot.jpg";
    assert_eq!(get_with(home.http(), path, &[("authorization", &bearer)]).await.status, 200);
    assert_eq!(get_with(home.http(), path, &[("authorization", "Bearer lrd_x")]).await.status, 401);
}

fn segment_files(watched: &Watched, home: &Home) -> HashSet<PathBuf> {
    watched.runs(home).into_iter().flat_map(|run| run.segments).collect()
}

fn recorded_bytes(watched: &Watched, home: &Home) -> u64 {
    segment_files(watched, home).iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_stopped_while_its_database_hangs_ends_within_its_grace_period() {
    let stage = Stage::new();
    let mut daemon = stage.home.start();
    let clients = stage.home.clients().await;
    let mut watched = Watched::add(&stage.home, &clients, "fridge", Habits::default()).await;
    until("recording", || std::future::ready((!daemon.encoders().is_empty()).then_some(()))).await;
    stage.hang();
    let told = Instant::now();
    daemon.signal(Signal::TERM);
    daemon.ended().await;
    assert!(told.elapsed() < Duration::from_secs(21), "it took {:?}", told.elapsed());
    stage.go_on();
    until("the server to end", || std::future::ready(processes_of(stage.home.state()).is_empty().then_some(()))).await;
    watched.witness.stop().await;
    let runs = watched_runs(&stage.home);
    assert!(runs.iter().all(|reason| reason == "hub_stopped"), "{runs:?}");
}

/// Why the runs below a hub's folder ended, as their files say.
fn watched_runs(home: &Home) -> Vec<String> {
    let found = Command::new("find").arg(home.recordings()).args(["-name", "run.json"]).output().unwrap();
    let paths = String::from_utf8(found.stdout).unwrap();
    let about = |path: &str| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap();
    paths.lines().map(|path| about(path)["end_reason"].as_str().unwrap_or_default().to_owned()).collect()
}
