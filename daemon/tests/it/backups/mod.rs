//! Backups of the database: made, kept, refused when they are not whole, restored, and killed meanwhile.

mod killed;
mod made;
mod restored;

use std::{fs, path::Path};

use larder_proto::pb;
use serde_json::Value;

use crate::{
    ctl::larderctl,
    support::{Clients, get_with},
};

/// What `larderctl` says with these words.
pub(crate) async fn done(state: &Path, words: &[&str]) -> String {
    let (ended, text) = larderctl(state.to_str().unwrap(), words).await;
    ended.unwrap_or_else(|failure| panic!("{words:?}: {}", failure.explain()));
    text
}

/// Names of backups, the newest first.
async fn names(clients: &Clients) -> Vec<String> {
    let answer = clients.backups.clone().list_backups(pb::ListBackupsRequest {}).await.unwrap().into_inner();
    answer.backups.into_iter().map(|backup| backup.name).collect()
}

/// Makes a backup; its name.
pub(crate) async fn back_up(state: &Path) -> String {
    let told = done(state, &["backup", "now"]).await;
    assert!(told.starts_with("backed up the database: "), "{told}");
    let listed: Value = serde_json::from_str(&done(state, &["backup", "list", "--json"]).await).unwrap();
    let regular = listed.as_array().unwrap().iter().find(|backup| backup["kind"] == "regular").unwrap();
    regular["name"].as_str().unwrap().to_owned()
}

pub(crate) async fn cameras(clients: &Clients) -> Vec<String> {
    let request = pb::ListCamerasRequest::default();
    let listed = clients.cameras.clone().list_cameras(request).await.unwrap().into_inner().cameras;
    listed.into_iter().map(|camera| camera.name).collect()
}

pub(crate) async fn add(clients: &Clients, name: &str) {
    clients.add(pb::Camera { name: name.to_owned(), ..Default::default() }).await;
}

pub(crate) async fn token(clients: &Clients, name: &str) -> String {
    let request = pb::CreateTokenRequest { name: name.to_owned(), role: pb::Role::Viewer.into(), valid_for: None };
    clients.access.clone().create_token(request).await.unwrap().into_inner().secret
}

/// Whether a token opens something.
pub(crate) async fn opens(http: std::net::SocketAddr, token: &str) -> bool {
    get_with(http, "/metrics", &[("authorization", &format!("Bearer {token}"))]).await.status == 200
}

/// Files in a folder; none where there is no folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
