//! A hub after a backup of its database was restored.

use std::{
    fs,
    process::{Command, Output},
};

use larder_proto::pb;

use super::{add, back_up, cameras, done, names, opens, token};
use crate::support::{Clients, Habits, Home, Witness, get, get_with, runs, until};

/// A person who signs in with a password; the cookie of the session.
async fn signed_up(clients: &Clients) -> String {
    let link = clients.access.clone().create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner();
    let request = pb::CreateFirstAdminRequest { name: "ada".into(), password: "correct horse".into(), code: link.code };
    let made = clients.access.clone().create_first_admin(request).await.unwrap();
    let cookie = made.metadata().get("set-cookie").unwrap().to_str().unwrap().to_owned();
    cookie.split(';').next().unwrap().to_owned()
}

async fn sign_in(clients: &Clients, request: pb::SignInRequest) -> Result<(), tonic::Status> {
    clients.access.clone().sign_in(request).await.map(drop)
}

async fn is_ready(home: &Home) {
    until("every part to be ready", || async { (get(home.http(), "/readyz").await.status == 200).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_hub_knows_what_it_knew_lets_nobody_in_by_old_secrets_and_works_on() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    is_ready(&home).await;
    add(&clients, "fridge").await;
    let cookie = signed_up(&clients).await;
    let old = token(&clients, "tv").await;
    let name = back_up(home.state()).await;

    add(&clients, "cellar").await;
    let new = token(&clients, "phone").await;
    let link = pb::CreatePlayUrlRequest { camera: "fridge".to_owned(), range: None, valid_for: None };
    let link = clients.recordings.clone().create_play_url(link).await.unwrap().into_inner().path;
    let code = clients.access.clone().create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner();
    let session = async || get_with(home.http(), "/metrics", &[("cookie", &cookie)]).await.status.as_u16();
    assert_eq!((session().await, get(home.http(), &link).await.status.as_u16()), (200, 404));
    assert!(opens(home.http(), &old).await && opens(home.http(), &new).await);
    let marker = fs::read(home.recordings().join(".larder-recordings")).unwrap();

    let told = done(home.state(), &["backup", "restore", &name, "--yes"]).await;
    let words = format!("restored {name}\nto take it back: larderctl backup restore before-restore-");
    assert!(told.starts_with(&words) && told.contains("larderctl sign-in-link"), "{told}");
    let clients = home.clients().await;
    assert_eq!(cameras(&clients).await, ["fridge"]);
    assert_eq!((session().await, get(home.http(), &link).await.status.as_u16()), (401, 401));
    assert!(!opens(home.http(), &old).await && !opens(home.http(), &new).await);
    let by_code = pb::SignInRequest { credentials: Some(pb::sign_in_request::Credentials::Code(code.code)) };
    assert!(sign_in(&clients, by_code).await.is_err());
    let password = pb::sign_in_request::Password { name: "ada".into(), password: "correct horse".into() };
    let by_password = pb::SignInRequest { credentials: Some(pb::sign_in_request::Credentials::Password(password)) };
    sign_in(&clients, by_password).await.unwrap();

    is_ready(&home).await;
    assert_eq!(fs::read(home.recordings().join(".larder-recordings")).unwrap(), marker, "{}", home.log());
    add(&clients, "shed").await;
    let before = names(&clients).await.into_iter().find(|name| name.starts_with("before-restore-")).unwrap();
    done(home.state(), &["backup", "restore", &before, "--yes"]).await;
    let clients = home.clients().await;
    assert_eq!(cameras(&clients).await, ["cellar", "fridge"]);
    assert!(!opens(home.http(), &new).await, "what is taken back lets nobody in either");
    daemon.stop().await;
}

fn larderd(home: &Home, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larderd"));
    command.arg("--state").arg(home.state()).args(arguments).env_remove("LARDER_LOG").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A card died; the disk with the recordings is left.
#[tokio::test(flavor = "multi_thread")]
async fn another_machine_gets_all_of_it_from_the_recordings_disk() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    let (camera, key) = clients.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
    let mut witness = Witness::start(home.link(), camera, key, Habits::default());
    until("a fragment's row", || async {
        clients.recordings_of(camera).await.last().filter(|row| row.fragments >= 1).map(|_| ())
    })
    .await;
    witness.stop().await;
    let name = back_up(home.state()).await;
    daemon.stop().await;

    let other = Home::new(&[]);
    fs::rename(home.recordings(), other.recordings()).unwrap();
    let words = ["restore", &name, "--take-over"];
    let unasked = larderd(&other, &words);
    assert!(!unasked.status.success() && said(&unasked).contains("nothing was changed"), "{}", said(&unasked));
    let foreign = larderd(&other, &["restore", &name, "--yes"]);
    assert!(!foreign.status.success() && said(&foreign).contains("--take-over"), "{}", said(&foreign));
    let restored = larderd(&other, &[&words[..], &["--yes"]].concat());
    assert!(restored.status.success(), "{}", said(&restored));

    let daemon = other.start();
    let clients = other.clients().await;
    until("the recorder to be ready", || async {
        let answer = get(other.http(), "/readyz").await;
        answer.text().contains("recorder: ready").then_some(())
    })
    .await;
    let rows = clients.recordings_of(camera).await;
    let recorded = runs(&other.recordings(), &camera.to_string());
    assert_eq!((rows.len(), &rows[0].id.as_str()), (1, &recorded[0].id()), "{}", other.log());
    daemon.stop().await;
}
