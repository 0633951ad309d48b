//! A hub starts although its database is gone, damaged, or cannot write: cameras, tokens and recording are there at once,
//! what needs the database says why, and rows catch up when it is back.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use larder_proto::pb::{self, alarm_condition};
use tonic::Code;

use super::Watched;
use crate::support::{Clients, Habits, Home, Mounts, Server, get, get_with, text, until};

/// A hub that worked with its database, was stopped in order, and whose camera goes on sending.
struct Stage {
    home: Home,
    watched: Watched,
    token: String,
}

impl Stage {
    async fn of(home: Home) -> Self {
        let daemon = home.start();
        let clients = home.clients().await;
        let watched = Watched::add(&home, &clients, "fridge", Habits::default()).await;
        let request = pb::CreateTokenRequest { name: "tv".into(), role: pb::Role::Viewer.into(), valid_for: None };
        let token = clients.access.clone().create_token(request).await.unwrap().into_inner().secret;
        let condition = alarm_condition::Condition::DiskFloor(alarm_condition::DiskFloor::default());
        let rule = pb::AlarmRule {
            name: "disk".to_owned(),
            condition: Some(pb::AlarmCondition { condition: Some(condition) }),
            ..Default::default()
        };
        clients.alarms.clone().create_alarm_rule(pb::CreateAlarmRuleRequest { rule: Some(rule) }).await.unwrap();
        until("a fragment's row", || async {
            clients.recordings_of(watched.camera).await.first().filter(|row| row.fragments >= 1).map(|_| ())
        })
        .await;
        daemon.stop().await;
        Self { home, watched, token }
    }

    /// Starts the hub without its database: everything that does not need it works, and what does says why; then it is
    /// brought `back`, and rows catch up.
    async fn works_without(mut self, reason: &str, back: impl FnOnce()) {
        let home = &self.home;
        let before = recorded_bytes(&self.watched, home);
        let daemon = home.start();
        let clients = home.clients().await;
        self.is_live().await;
        until("recording to go on", || {
            std::future::ready((recorded_bytes(&self.watched, home) > before + 1000).then_some(()))
        })
        .await;
        let request = pb::ListCamerasRequest::default();
        let cameras = clients.cameras.clone().list_cameras(request).await.unwrap().into_inner().cameras;
        assert_eq!(cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>(), ["fridge"]);
        assert_eq!(change(&clients, "freezer").await, Code::Unavailable);
        let answer = get(home.http(), "/readyz").await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 503, "{text}");
        assert!(text.contains(&format!("database: not ready ({reason})")), "{text}");
        assert!(text.contains("alarms: not ready (database_away)"), "{text}");

        back();
        until("all to be ready", || async { (get(home.http(), "/readyz").await.status == 200).then_some(()) }).await;
        assert_eq!(change(&clients, "freezer").await, Code::Ok);
        let rules = clients.alarms.clone().list_alarm_rules(pb::ListAlarmRulesRequest::default()).await.unwrap();
        assert_eq!(rules.into_inner().rules.len(), 1);
        self.watched.witness.stop().await;
        daemon.stop().await;
        let daemon = home.start();
        self.watched.check_rows(home, &home.clients().await).await;
        daemon.stop().await;
        self.watched.check(home);
    }

    /// A picture for whoever has a token, and none for others.
    async fn is_live(&self) {
        let bearer = format!("Bearer {}", self.token);
        let path = "/cameras/fridge/snapshot.jpg";
        until("a picture", || async {
            (get_with(self.home.http(), path, &[("authorization", &bearer)]).await.status == 200).then_some(())
        })
        .await;
        assert_eq!(get_with(self.home.http(), path, &[("authorization", "Bearer lrd_x")]).await.status, 401);
    }
}

async fn change(clients: &Clients, name: &str) -> Code {
    let camera = pb::Camera { name: name.to_owned(), ..Default::default() };
    let request = pb::CreateCameraRequest { camera: Some(camera) };
    clients.cameras.clone().create_camera(request).await.map_or_else(|refusal| refusal.code(), |_| Code::Ok)
}

fn recorded_bytes(watched: &Watched, home: &Home) -> u64 {
    let length = |file: &PathBuf| fs::metadata(file).unwrap().len();
    watched.runs(home).iter().flat_map(|run| &run.segments).map(length).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_starts_without_its_postgresql_and_takes_it_when_it_is_there() {
    let mut home = Home::new(&[]);
    let server = Server::of(&mut home);
    let stage = Stage::of(home).await;
    server.take_away_programs();
    stage.works_without("not_started", || server.bring_back()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_starts_with_a_damaged_database_and_takes_it_when_it_is_restored() {
    let stage = Stage::of(Home::new(&[])).await;
    let control = stage.home.state().join("postgres/data/global/pg_control");
    let whole = fs::read(&control).unwrap();
    fs::write(&control, vec![0xAA; whole.len()]).unwrap();
    stage.works_without("not_started", || fs::write(&control, &whole).unwrap()).await;
}

/// A home whose database is on a disk of its own; where that is mounted.
fn on_a_disk(mounts: &Mounts) -> (Home, PathBuf) {
    let home = Home::new(&[]).wrapped(mounts.for_the_hub());
    let (disk, database) = (home.state().join("disk"), home.state().join("postgres"));
    fs::create_dir(&disk).unwrap();
    let (at, from) = (text(&disk), text(&database));
    mounts.run(&["mount", "-t", "tmpfs", "-o", "size=160m,mode=0755", "larder", &at]);
    mounts.run(&["cp", "-a", &format!("{from}/."), &at]);
    mounts.run(&["mount", "--bind", &at, &from]);
    (home, database)
}

/// Takes what is left of a disk, to its last byte.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_starts_with_its_database_on_a_full_disk_and_takes_it_when_there_is_room() {
    let mounts = Mounts::new();
    let (home, database) = on_a_disk(&mounts);
    let stage = Stage::of(home).await;
    let ballast = mounts.inside(&database).join("ballast");
    fill(&ballast);
    stage.works_without("not_started", || fs::remove_file(&ballast).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_starts_with_its_database_on_a_read_only_disk_and_takes_it_when_it_can_write() {
    let mounts = Mounts::new();
    let (home, database) = on_a_disk(&mounts);
    let stage = Stage::of(home).await;
    let at = text(&database);
    mounts.run(&["mount", "-o", "remount,bind,ro", &at]);
    stage.works_without("not_started", || mounts.run(&["mount", "-o", "remount,bind,rw", &at])).await;
}

/// A revoked token does not come back with the database away.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_their_access_has_none_without_the_database() {
    let mut home = Home::new(&[]);
    let server = Server::of(&mut home);
    let mut stage = Stage::of(home).await;
    let daemon = stage.home.start();
    let clients = stage.home.clients().await;
    let request = pb::RevokeTokenRequest { token: "tv".to_owned() };
    clients.access.clone().revoke_token(request).await.unwrap();
    stage.watched.witness.stop().await;
    daemon.kill().await;
    server.take_away_programs();
    let daemon = stage.home.start();
    stage.home.clients().await;
    let bearer = format!("Bearer {}", stage.token);
    let answer = get_with(stage.home.http(), "/cameras/fridge/snapshot.jpg", &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 401);
    let ended = tokio::time::timeout(Duration::from_secs(21), daemon.stop()).await;
    assert!(ended.is_ok(), "it ends in time without a database");
}
