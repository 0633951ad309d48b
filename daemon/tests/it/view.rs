//! `larderctl view` against a real hub: into files and players, over the local socket and with a token from afar.

use std::{path::Path, process::Command};

use clap::Parser as _;
use larder_ctl::{Cli, Failure, Out, run};
use larder_proto::{pb, wire::camera::Size};
use tokio_util::sync::CancellationToken;

use crate::{
    ctl::{Written, larderctl},
    support::{Hub, free_port, get, simulated, until},
};

/// What ffprobe says of a file's pictures: how many it decodes, and the times of the first and the last.
fn probed(file: &Path, format: &str) -> (usize, Vec<f64>) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-f", format, "-show_entries", "frame=pts_time,width", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("320")).collect();
    let times = lines.iter().flat_map(|line| line.split(',')).filter(|field| field.contains('.'));
    (lines.len(), times.filter_map(|time| time.parse().ok()).collect())
}

/// Words that reach the hub as somebody far away does: by its address, its authority and a token.
fn from_afar(hub: &Hub, token: &str) -> Vec<String> {
    let state = hub.state().to_str().unwrap();
    let (grpc, relay) = (hub.addresses().grpc, hub.addresses().relay);
    ["--hub", &format!("https://{grpc}"), "--ca", &format!("{state}/certs/ca.crt"), "--token", token]
        .into_iter()
        .chain(["--relay", &relay.to_string()])
        .map(str::to_owned)
        .collect()
}

async fn viewed(words: &[&str], more: &[String], stop: CancellationToken) -> (Result<(), Failure>, String) {
    let written = Written::default();
    let words = ["larderctl", "--json", "view"].iter().copied().chain(words.iter().copied());
    let cli = Cli::try_parse_from(words.chain(more.iter().map(String::as_str))).unwrap();
    let mut out = Out::fixed(written.clone(), true, jiff::Timestamp::now());
    let ended = Box::pin(run(cli, &mut out, stop)).await;
    (ended, written.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_camera_comes_into_a_file_a_recording_and_a_player_at_once() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let token = hub.token("far", pb::Role::Viewer).await;
    let (stop, task) = simulated(&hub, camera, key, |options| options.size = Some(Size { width: 320, height: 240 }));
    let folder = tempfile::tempdir().unwrap();
    let (mjpeg, mkv) = (folder.path().join("fridge.mjpeg"), folder.path().join("fridge.mkv"));
    let server = format!("127.0.0.1:{}", free_port());
    let words = ["fridge", "--output", mjpeg.to_str().unwrap(), "--record", mkv.to_str().unwrap(), "--serve", &server];
    let enough = CancellationToken::new();
    let player = async {
        until("a picture at the player", || async {
            tokio::net::TcpStream::connect(&server).await.ok()?;
            let snapshot = get(server.parse().unwrap(), "/snapshot.jpg").await;
            (snapshot.status == 200 && snapshot.body.starts_with(&[0xff, 0xd8])).then_some(())
        })
        .await;
        until("two seconds of pictures", || async {
            (std::fs::metadata(&mkv).map_or(0, |file| file.len()) > 300_000).then_some(())
        })
        .await;
        enough.cancel();
    };
    let more = from_afar(&hub, &token);
    let ((ended, text), ()) = tokio::join!(viewed(&words, &more, enough.clone()), player);
    ended.unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["state"], &last["not_recorded"], &last["connects"]), (&"ended".into(), &0.into(), &1.into()));
    let frames = last["frames"].as_u64().unwrap();
    assert!(last["age_p50_ms"].as_u64().unwrap() < 5_000, "{last}");
    let (shown, _) = probed(&mjpeg, "mjpeg");
    let (kept, times) = probed(&mkv, "matroska");
    assert_eq!(kept as u64, frames, "all that came is kept");
    assert!(shown >= 5 && shown <= kept, "{shown} of {kept}");
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_hub_itself_no_token_is_needed_and_a_camera_that_is_none_is_told() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    let state = hub.state().to_str().unwrap().to_owned();
    let words = ["--json", "view", "fridge", "--max-fps", "2", "--duration", "4s"];
    let (ended, text) = larderctl(&state, &words).await;
    ended.unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let frames = last["frames"].as_u64().unwrap();
    assert!((2..=9).contains(&frames), "{last}");
    assert!(last["skipped"].as_u64().unwrap() > 0, "{last}");

    let (ended, _) = larderctl(&state, &["--json", "view", "cellar", "--duration", "20s"]).await;
    let failure = ended.unwrap_err();
    assert!(failure.to_string().contains("cellar"), "{failure}");
    let wrong = from_afar(&hub, "lrd_wrong");
    let (ended, _) = viewed(&["fridge", "--duration", "20s"], &wrong, CancellationToken::new()).await;
    assert_eq!(ended.unwrap_err().exit_code(), 4);
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_outlives_its_hub_and_goes_on_when_the_hub_is_back() {
    let relay = free_port();
    let hub = Hub::start_with(&[&format!("relay.address=127.0.0.1:{relay}")]).await;
    let (camera, key) = hub.add_named("fridge").await;
    let token = hub.token("far", pb::Role::Viewer).await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let mkv = folder.path().join("fridge.mkv");
    let more = from_afar(&hub, &token);
    let enough = CancellationToken::new();
    let size = || std::fs::metadata(&mkv).map_or(0, |file| file.len());
    let life = async {
        until("pictures", || async { (size() > 0).then_some(()) }).await;
        stop.cancel();
        task.await.unwrap();
        let hub = hub.restart().await;
        let before = size();
        let (stop, task) = simulated(&hub, camera, key, |_| {});
        until("pictures again", || async { (size() > before).then_some(()) }).await;
        enough.cancel();
        stop.cancel();
        task.await.unwrap();
        hub.stop().await;
    };
    let words = ["fridge", "--record", mkv.to_str().unwrap()];
    let ((ended, text), ()) = tokio::join!(viewed(&words, &more, enough.clone()), life);
    ended.unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(last["connects"].as_u64().unwrap() >= 2, "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_shows_a_view_that_moves_and_one_that_is_cut() {
    let words = ["bench", "relay", "--parts", "cut,move", "--warm-up", "1", "--cut", "3", "--json"];
    let larderd = ["--larderd", env!("CARGO_BIN_EXE_larderd")];
    let (ended, text) = larderctl("unused", &[&words[..], &larderd].concat()).await;
    ended.unwrap_or_else(|failure| panic!("{}: {text}", failure.explain()));
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cases: Vec<_> = lines.iter().map(|line| line["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["cut", "cut", "moved"]);
    assert_eq!((&lines[0]["protocol"], lines[0]["current_after_ms"].is_number()), (&"relay".into(), true), "{text}");
    assert_eq!(lines[2]["connects"], 1, "it is the same connection: {text}");
    assert!(lines[2]["frames"].as_u64().unwrap() > 0, "and it goes on: {text}");
}
