//! Ready means that it works: each way in which a disk or the database stops doing what it is asked shows in `/readyz`
//! and in `larderctl status`, with a reason of its own, and goes by itself with its cause.

mod database;
mod disk;

use std::time::Duration;

use larder_ctl::Failure;
use larder_proto::pb;
use serde_json::Value;
use tokio_postgres::Client;

use crate::{
    ctl::larderctl,
    support::{Daemon, Habits, Home, Witness, get_with, until},
};

/// The slowest to be noticed is a disk that hangs: ten seconds until it is looked at, and ten more.
const NOTICED: Duration = Duration::from_secs(40);

/// A hub with a camera that is recorded, and all is well.
struct Scene {
    daemon: Daemon,
    witness: Witness,
}

impl Scene {
    async fn begin(home: &Home) -> Self {
        let daemon = home.start();
        let clients = home.clients().await;
        let (camera, key) = clients.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
        let witness = Witness::start(home.link(), camera, key, Habits::default());
        until("a recording", || async { (!clients.recordings_of(camera).await.is_empty()).then_some(()) }).await;
        ready(home).await;
        Self { daemon, witness }
    }

    async fn end(mut self, home: &Home) {
        ready(home).await;
        // What was recorded late is, for a moment.
        until("all to be well", || async { status(home).await.1.contains("All is well").then_some(()) }).await;
        self.witness.stop().await;
        self.daemon.stop().await;
    }
}

/// What `/readyz` says: whether it is ready, and of each part.
async fn asked(home: &Home) -> (u16, Vec<Value>) {
    let answer = get_with(home.http(), "/readyz", &[("accept", "application/json")]).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status.as_u16(), body["parts"].as_array().unwrap().clone())
}

async fn ready(home: &Home) {
    let ready = until("it to be ready", || async { (asked(home).await.0 == 200).then_some(()) });
    if tokio::time::timeout(NOTICED, ready).await.is_err() {
        panic!("{:?}\n{}", asked(home).await, home.log());
    }
}

/// Waits until the part is not ready for that reason, and checks that whoever looks after the hub reads it, with
/// `helps` among what to do.
async fn not_ready(home: &Home, part: &str, reason: &str, helps: &str) {
    let said = until("the part to be not ready", || async {
        let (status, parts) = asked(home).await;
        let is_it = |one: &&Value| one["name"] == part && one["ready"] == false && one["reason"] == reason;
        (status == 503 && parts.iter().any(|one| is_it(&one))).then_some(())
    });
    if tokio::time::timeout(NOTICED, said).await.is_err() {
        panic!("{part} is not {reason}: {:?}\n{}", asked(home).await, home.log());
    }
    let (ended, text) = status(home).await;
    assert!(matches!(ended, Err(Failure::NotReady)), "{ended:?}: {text}");
    assert!(!text.contains("All is well"), "{text}");
    let line = text.lines().find(|line| line.contains("x not ready") && line.contains(&format!("{part}: ")));
    assert!(line.is_some_and(|line| line.contains(helps)), "{helps} helps with {part}: {text}");
}

async fn status(home: &Home) -> (Result<(), Failure>, String) {
    larderctl(home.state().to_str().unwrap(), &["status"]).await
}

/// Somebody else's session in the hub's database.
async fn session(home: &Home) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(home.state().join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
