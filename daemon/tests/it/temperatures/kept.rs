//! What was heard becomes a row once: with the database away, after kill -9, and when somebody repeats it.

use std::fs;

use larder_proto::pb;

use super::{counted, exported, probe::Probe, rows, sensor};
use crate::support::{Clients, Daemon, Home, Server, until};

/// Bytes of a reading that waits.
const RECORD: u64 = 40;

/// A hub with one sensor, whose PostgreSQL can be taken away.
struct Stage {
    home: Home,
    server: Server,
    probe: Probe,
}

impl Stage {
    async fn new() -> (Self, Daemon, Clients) {
        let mut home = Home::new(&[]);
        let server = Server::of(&mut home);
        let daemon = home.start();
        let clients = home.clients().await;
        let (camera, key) = clients.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
        sensor(&clients, "top", camera).await;
        let probe = Probe::new(camera, key, home.thermometers()).await;
        (Self { home, server, probe }, daemon, clients)
    }

    /// Readings on the disk that wait for the database.
    async fn waiting(&self, count: u64) {
        until("readings to wait on the disk", || {
            let files = fs::read_dir(self.home.state().join("readings")).unwrap();
            let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
            std::future::ready((bytes == count * RECORD).then_some(()))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_outlive_a_database_that_is_away_and_a_hub_that_is_killed_and_become_rows_once() {
    let (mut stage, daemon, clients) = Stage::new().await;
    stage.probe.send(5).await;
    rows(&clients, 5).await;

    stage.server.take_away();
    stage.probe.send(60).await;
    // An outage opens no replay.
    stage.probe.replay().await;
    stage.waiting(60).await;
    daemon.kill().await;
    stage.server.bring_back();
    let daemon = stage.home.start();
    let clients = stage.home.clients().await;
    rows(&clients, 65).await;
    stage.probe.send(5).await;
    rows(&clients, 70).await;
    stage.probe.replay().await;
    stage.probe.send(1).await;
    rows(&clients, 71).await;
    assert_eq!(exported(&clients).await, (1..=71).collect::<Vec<_>>(), "each once and in order");
    daemon.stop().await;

    let daemon = stage.home.start();
    let clients = stage.home.clients().await;
    assert_eq!((counted(&clients).await, exported(&clients).await.len()), (Some(71), 71), "a restart repeats nothing");
    stage.waiting(0).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_readings_are_told_and_become_rows_when_it_is_back() {
    let (mut stage, daemon, clients) = Stage::new().await;
    let request = pb::WatchReadingsRequest { sensors: vec!["top".to_owned()] };
    let mut told = clients.temperatures.clone().watch_readings(request).await.unwrap().into_inner();
    stage.server.take_away();
    stage.probe.send(40).await;
    for number in 1..=40 {
        let reading = told.message().await.unwrap().unwrap();
        assert_eq!(reading.celsius, Some(f64::from(number) / 1000.0));
    }
    stage.waiting(40).await;
    let request = pb::GetSensorRequest { sensor: "top".to_owned() };
    let sensor = clients.temperatures.clone().get_sensor(request).await.unwrap().into_inner();
    assert_eq!(sensor.state(), pb::SensorState::Fresh);
    assert_eq!(sensor.latest.unwrap().celsius, Some(0.04), "the newest is known without a database");
    stage.server.bring_back();
    rows(&clients, 40).await;
    assert_eq!(exported(&clients).await, (1..=40).collect::<Vec<_>>());
    stage.waiting(0).await;
    daemon.stop().await;
}
