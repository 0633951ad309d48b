//! One database belongs to one hub, one recordings folder to one hub and one database: what does not match is told, and
//! nothing is deleted for it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use larder_proto::{pb, wire::CameraId};

use crate::support::{Clients, Home, RunFiles, get, get_with, record, runs, until};

/// A hub that has recorded a camera and holds a pin on all of it.
struct Recorded {
    home: Home,
    camera: CameraId,
    runs: Vec<RunFiles>,
}

impl Recorded {
    async fn new() -> Self {
        Self::with(Home::new(&[]), true).await
    }

    async fn with(home: Home, pinned: bool) -> Self {
        let daemon = home.start();
        let clients = home.clients().await;
        let camera = record(&home, &clients, "fridge", 1).await.0;
        if pinned {
            clients.pin_around_now("fridge").await;
        }
        daemon.stop().await;
        let runs = runs(&home.recordings(), &camera.to_string());
        assert_eq!(runs.len(), 1);
        Self { home, camera, runs }
    }

    /// Rows, pin and files are all there.
    async fn expect_all(&self, clients: &Clients) {
        let rows = clients.recordings_of(self.camera).await;
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, self.runs.iter().map(RunFiles::id).collect::<Vec<_>>());
        assert!(rows.iter().all(|row| row.pinned), "{rows:?}");
        assert!(self.runs.iter().flat_map(|run| &run.segments).all(|file| file.exists()));
    }
}

/// A server on a socket in the state folder of another hub.
fn database_of(home: &Home) -> String {
    let run = home.state().join("postgres/run");
    format!("database.url=postgresql://larder@{}/postgres", run.to_str().unwrap().replace('/', "%2F"))
}

fn larderd(home: &Home, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larderd"))
        .arg("--state")
        .arg(home.state())
        .args(arguments)
        .env_remove("LARDER_LOG")
        .output()
        .unwrap()
}

/// What `/readyz` says to whoever is known.
async fn readiness(home: &Home, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let answer = get_with(home.http(), "/readyz", &[("authorization", &bearer)]).await;
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

async fn token(clients: &Clients) -> String {
    let request = pb::CreateTokenRequest { name: "tv".into(), role: pb::Role::Viewer.into(), valid_for: None };
    clients.access.clone().create_token(request).await.unwrap().into_inner().secret
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hub_on_a_database_that_is_in_use_touches_nothing_and_says_so() {
    let first = Recorded::new().await;
    let daemon = first.home.start();
    let clients = first.home.clients().await;

    // One that never had a database of its own.
    let stranger = Home::new(&[&database_of(&first.home)]);
    let mut refused = stranger.start();
    assert!(!refused.ended().await.success());
    assert!(
        stranger.log().contains("another hub works with this database (on the same machine since"),
        "{}",
        stranger.log()
    );

    // And one that goes on with what it remembers of its own.
    let mut second = Home::new(&[]);
    let own = second.start();
    let of_second = second.clients().await;
    of_second.add(pb::Camera { name: "cellar".to_owned(), ..Default::default() }).await;
    let known = token(&of_second).await;
    own.stop().await;
    second.set(database_of(&first.home));
    let other = second.start();
    let of_second = second.clients().await;
    let (status, text) = readiness(&second, &known).await;
    assert_eq!(status, 503);
    assert!(text.contains("database: not ready (in_use): another hub works with this database"), "{text}");
    let cameras = of_second.cameras.clone().list_cameras(pb::ListCamerasRequest::default()).await.unwrap().into_inner();
    assert_eq!(cameras.cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>(), ["cellar"]);
    other.stop().await;

    first.expect_all(&clients).await;
    assert_eq!(get(first.home.http(), "/readyz").await.status, 200);
    daemon.stop().await;
}

/// The state folder is lost but for the database and the recordings, which another hub gets.
#[tokio::test(flavor = "multi_thread")]
async fn another_hubs_database_and_folder_are_taken_over_by_a_command_alone() {
    let Recorded { home: before, camera, .. } = Recorded::new().await;
    let home = Home::without_cluster(&[]);
    for folder in ["postgres", "recordings"] {
        fs::rename(before.state().join(folder), home.state().join(folder)).unwrap();
    }
    let mut refused = home.start();
    assert!(!refused.ended().await.success());
    assert!(
        home.log().contains("this database is another hub's") && home.log().contains("take-over"),
        "{}",
        home.log()
    );

    let asked = larderd(&home, &["take-over"]);
    assert!(!asked.status.success());
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(said.contains("that of the hub on") && said.contains("--yes"), "{said}");
    let taken = larderd(&home, &["take-over", "--yes"]);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));

    let runs = runs(&home.recordings(), &camera.to_string());
    assert_eq!(runs.len(), 1);
    let recorded = Recorded { home, camera, runs };
    let daemon = recorded.home.start();
    let clients = recorded.home.clients().await;
    swept(&recorded.home).await;
    recorded.expect_all(&clients).await;
    daemon.stop().await;
}

/// The recorder has compared rows and files: it is ready after that alone.
async fn swept(home: &Home) {
    until("the recorder to be ready", || async {
        let answer = get(home.http(), "/readyz").await;
        String::from_utf8_lossy(&answer.body).contains("recorder: ready").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_in_a_folder_that_is_not_there_any_more_stays_listed_and_plays_when_it_is_back() {
    let Recorded { home, camera, runs } = Recorded::with(Home::new(&[]), false).await;
    let away = home.state().join("away");
    let begin_anew = |folder: &Path, other: &Path| {
        fs::rename(home.recordings(), other).unwrap();
        if folder.exists() {
            fs::rename(folder, home.recordings()).unwrap();
        }
        fs::remove_file(home.state().join("recordings.id")).unwrap();
    };
    begin_anew(&home.state().join("none"), &away);
    let daemon = home.start();
    let clients = home.clients().await;
    let known = token(&clients).await;
    record(&home, &clients, "cellar", 1).await;
    until("what is elsewhere to be told", || async {
        readiness(&home, &known).await.1.contains("recorder: ready, with a warning (elsewhere)").then_some(())
    })
    .await;
    let listed = clients.recordings_of(camera).await;
    assert_eq!(listed.len(), 1, "rows of the folder that is away stay: {}", home.log());
    let media =
        format!("/hls/fridge/runs/{}/{}", listed[0].id, runs[0].segments[0].file_name().unwrap().to_str().unwrap());
    let bearer = format!("Bearer {known}");
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(get_with(home.http(), &media, &headers).await.status, 503);
    daemon.stop().await;

    begin_anew(&away, &home.state().join("cellars"));
    let daemon = home.start();
    let clients = home.clients().await;
    until("it to play again", || async { (get_with(home.http(), &media, &headers).await.status == 200).then_some(()) })
        .await;
    let everything = pb::ListRecordingsRequest { page_size: 10, ..Default::default() };
    let listed = clients.recordings.clone().list_recordings(everything).await.unwrap().into_inner().recordings;
    assert_eq!(listed.len(), 2, "what was recorded meanwhile is elsewhere now: {}", home.log());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_keeps_its_row_although_its_files_are_gone() {
    let recorded = Recorded::new().await;
    let (home, run) = (&recorded.home, &recorded.runs[0]);
    let folder = run.segments[0].parent().unwrap();
    let kept = home.state().join("kept");
    fs::rename(folder, &kept).unwrap();
    let daemon = home.start();
    let clients = home.clients().await;
    until("it to be noticed", || {
        std::future::ready(home.log().contains("files of pinned recordings are missing").then_some(()))
    })
    .await;
    let rows = clients.recordings_of(recorded.camera).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0].pinned);
    daemon.stop().await;
    fs::rename(&kept, folder).unwrap();
    let daemon = home.start();
    let clients = home.clients().await;
    let bearer = format!("Bearer {}", token(&clients).await);
    let name = run.segments[0].file_name().unwrap().to_str().unwrap();
    let media = format!("/hls/fridge/runs/{}/{name}", run.id());
    until("it to play again", || async {
        (get_with(home.http(), &media, &[("authorization", &bearer)]).await.status == 200).then_some(())
    })
    .await;
    recorded.expect_all(&clients).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_is_told_with_the_cameras_that_need_new_ones() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    for name in ["fridge", "cellar"] {
        clients.add(pb::Camera { name: name.to_owned(), ..Default::default() }).await;
    }
    let known = token(&clients).await;
    daemon.stop().await;
    let key = home.state().join("secrets/hub.key");
    fs::remove_file(&key).unwrap();

    let daemon = home.start();
    let clients = home.clients().await;
    let (_, text) = readiness(&home, &known).await;
    assert!(
        text.contains("cameras: ready, with a warning (keys_lost): the keys of cellar, fridge do not open"),
        "{text}"
    );
    assert!(text.contains("larderctl camera key NAME"), "{text}");
    for camera in ["fridge", "cellar"] {
        let request = pb::RotateCameraKeyRequest { camera: camera.to_owned() };
        clients.cameras.clone().rotate_camera_key(request).await.unwrap();
    }
    let (_, text) = readiness(&home, &known).await;
    assert!(text.contains("cameras: ready\n"), "{text}");
    daemon.stop().await;
}

/// Two causes are two gaps: the camera was gone before the hub was, whether that was stopped or killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_while_a_camera_is_away_makes_a_gap_of_its_own() {
    for is_killed in [false, true] {
        let home = Home::new(&[]);
        let daemon = home.start();
        let clients = home.clients().await;
        let camera = record(&home, &clients, "fridge", 1).await.0;
        until("the camera's absence", || async {
            (reasons(&clients, camera).await == [pb::GapReason::CameraOffline]).then_some(())
        })
        .await;
        if is_killed {
            until("a later sign of life", || is_alive_in_a_gap(&home)).await;
            daemon.kill().await;
        } else {
            daemon.stop().await;
        }
        let daemon = home.start();
        let clients = home.clients().await;
        until("both causes", || async {
            (reasons(&clients, camera).await == [pb::GapReason::CameraOffline, pb::GapReason::HubDown]).then_some(())
        })
        .await;
        daemon.stop().await;
    }
}

async fn reasons(clients: &Clients, camera: CameraId) -> Vec<pb::GapReason> {
    clients.gaps_of(camera).await.iter().map(|gap| gap.reason()).collect()
}

/// Whether the database was written to since the gap began.
async fn is_alive_in_a_gap(home: &Home) -> Option<()> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(home.state().join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    let sql = "SELECT written_at > (SELECT max(started_at) FROM gaps) FROM database_probe";
    let is_later: bool = client.query_one(sql, &[]).await.unwrap().get(0);
    drop(client);
    driven.await.unwrap().unwrap();
    is_later.then_some(())
}
