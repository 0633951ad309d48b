//! The database.

use std::{
    fs,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use super::{Scene, not_ready, ready, session};
use crate::support::{Home, Server, until};

/// As PostgreSQL has them.
const PAGE: usize = 8192;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_gone_is_missed_until_it_is_there_again() {
    let home = Home::new(&[]);
    let scene = Scene::begin(&home).await;
    let client = session(&home).await.unwrap();
    client.batch_execute("DROP TABLE pins").await.unwrap();
    let data = home.state().join("postgres/data");
    not_ready(&home, "database", "incomplete", &format!("Restore a backup of {}", data.display())).await;

    let schema =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/0002_recordings.sql")).unwrap();
    for part in
        schema.split_inclusive(";\n").filter(|part| ["TABLE pins", "ON pins"].iter().any(|about| part.contains(about)))
    {
        client.batch_execute(part).await.unwrap();
    }
    scene.end(&home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_the_hubs_changes_wait_for_is_named_until_it_is_gone() {
    let home = Home::new(&[]);
    let scene = Scene::begin(&home).await;
    let client = session(&home).await.unwrap();
    // Readers go on with the second: only those who write wait.
    for mode in ["ACCESS EXCLUSIVE", "SHARE"] {
        client.batch_execute(&format!("BEGIN; LOCK TABLE segments IN {mode} MODE")).await.unwrap();
        not_ready(&home, "database", "locked", "pg_locks").await;
        client.batch_execute("ROLLBACK").await.unwrap();
        ready(&home).await;
    }
    scene.end(&home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_connections_are_used_up_is_busy_until_some_are_free() {
    let home = Home::new(&[]);
    let scene = Scene::begin(&home).await;
    let mut sessions = Vec::new();
    while let Ok(client) = session(&home).await {
        sessions.push(client);
    }
    let settings = home.state().join("postgres/data/postgresql.conf");
    not_ready(&home, "database", "busy", &format!("max_connections in {}", settings.display())).await;
    drop(sessions);
    scene.end(&home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_page_is_named_until_it_is_whole_again() {
    let mut home = Home::new(&[]);
    let server = Server::of(&mut home);
    let scene = Scene::begin(&home).await;
    let client = session(&home).await.unwrap();
    let file: String = client.query_one("SELECT pg_relation_filepath('cameras')", &[]).await.unwrap().get(0);
    drop(client);
    server.shut_down().await;
    let mut file =
        fs::File::options().read(true).write(true).open(home.state().join("postgres/data").join(file)).unwrap();
    let mut whole = [0; PAGE];
    file.read_exact(&mut whole).unwrap();
    let mut write = |page: &[u8; PAGE]| {
        file.rewind().unwrap();
        file.write_all(page).unwrap();
    };
    write(&[0xff; PAGE]);
    server.bring_back();
    let log = home.state().join("postgres/postgres.log");
    not_ready(&home, "database", "damaged", log.to_str().unwrap()).await;
    // A statement of the hub may have met it before the probe, which says when it is over.
    until("the probe to see it", || {
        std::future::ready(home.log().contains("the database does not work").then_some(()))
    })
    .await;
    write(&whole);
    scene.end(&home).await;
}
