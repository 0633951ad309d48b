//! `larderctl` against a real hub.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use clap::Parser as _;
use larder_ctl::{Cli, Failure, Out, run};
use larder_proto::pb;
use tokio_util::sync::CancellationToken;

use crate::support::{Clients, Hub, over_socket, processes_of, simulated, until};

/// What a command wrote.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `larderctl` with these words on a hub's state folder.
pub(crate) async fn larderctl(state: &str, words: &[&str]) -> (Result<(), Failure>, String) {
    let written = Written::default();
    let mut arguments = vec!["larderctl", "--state", state];
    arguments.extend(words);
    let cli = Cli::try_parse_from(arguments).unwrap();
    let mut out = Out::fixed(written.clone(), words.contains(&"--json"), jiff::Timestamp::now());
    let ended = Box::pin(run(cli, &mut out, CancellationToken::new())).await;
    (ended, written.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_adds_a_camera_looks_at_it_and_removes_it() {
    let hub = Hub::start().await;
    let state = hub.state().to_str().unwrap().to_owned();
    let done = async |words: &[&str]| {
        let (ended, text) = larderctl(&state, words).await;
        ended.unwrap_or_else(|failure| panic!("{words:?}: {failure}"));
        text
    };
    let added = done(&["camera", "add", "fridge", "--json"]).await;
    let added: serde_json::Value = serde_json::from_str(&added).unwrap();
    let key = added.to_string();
    let key = key.split(|c: char| !c.is_ascii_hexdigit()).find(|word| word.len() == 64).unwrap();
    let id = pb::GetCameraRequest { camera: "fridge".to_owned() };
    let id = hub.clients.cameras.clone().get_camera(id).await.unwrap().into_inner().id;
    let key = larder_ctl::simulate::key_from_hex(key).unwrap();
    let (stop, task) = simulated(&hub, id.parse().unwrap(), key, |_| {});

    until("the camera in the list", || async {
        let text = larderctl(&state, &["camera", "list"]).await.1;
        (text.contains("fridge") && text.contains("online")).then_some(())
    })
    .await;
    let picture = hub.state().join("picture.jpg");
    until("a picture", || async {
        let words = ["camera", "snapshot", "fridge", "--output", picture.to_str().unwrap()];
        larderctl(&state, &words).await.0.is_ok().then_some(())
    })
    .await;
    assert!(std::fs::read(&picture).unwrap().starts_with(&[0xff, 0xd8]));
    let status = done(&["status"]).await;
    assert!(status.contains("fridge") || status.contains("1 of 1") || status.contains("online"), "{status}");
    until("a recording in the list", || async {
        let text = larderctl(&state, &["recording", "list", "--json"]).await.1;
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        (!list.as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    let url = done(&["recording", "play-url", "fridge"]).await;
    assert!(url.contains("/hls/") && url.contains("grant="), "{url}");
    stop.cancel();
    task.await.unwrap();
    done(&["camera", "remove", "fridge", "--yes"]).await;
    assert_eq!(done(&["camera", "list", "--json"]).await.trim(), "[]");
    assert!(!hub.recordings().join(&id).exists(), "its files went with it");

    let (missing, _) = larderctl(&state, &["camera", "show", "fridge"]).await;
    assert!(missing.unwrap_err().to_string().contains("fridge"));
    hub.stop().await;
    let (away, _) = larderctl(&state, &["status"]).await;
    assert!(away.unwrap_err().to_string().contains("not running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_a_camera_prints_what_to_do_and_stops_whole() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().to_str().unwrap().to_owned();
    let larderd = env!("CARGO_BIN_EXE_larderd");
    let mut words = vec!["larderctl", "--state", &folder, "demo", "--larderd", larderd, "--"];
    for setting in ["http.address", "http.https_address", "grpc.address", "camera_link.address", "relay.address"] {
        words.push("--set");
        words.push(Box::leak(format!("{setting}=127.0.0.1:0").into_boxed_str()));
    }
    // As most hubs listen: at every address, from which the demo has to find the one that its freezer is known by.
    let everywhere = if std::net::UdpSocket::bind("[::]:0").is_ok() { "[::]:0" } else { "0.0.0.0:0" };
    words.extend(["--set", Box::leak(format!("thermometers.address={everywhere}").into_boxed_str())]);
    words.extend(["--set", "recordings.free_mib=16"]);
    for round in 1..=2 {
        let cli = Cli::try_parse_from(&words).unwrap();
        let (written, stop) = (Written::default(), CancellationToken::new());
        let mut out = Out::fixed(written.clone(), false, jiff::Timestamp::now());
        let demo = run(cli, &mut out, stop.clone());
        let socket = state.path().join("larder.sock");
        let look = async {
            until("recordings", || async {
                tokio::net::UnixStream::connect(&socket).await.ok()?;
                let mut recordings = Clients::new(over_socket(&socket).await).recordings;
                let all = recordings.list_recordings(pb::ListRecordingsRequest::default()).await.ok()?.into_inner();
                // The second round finds the first one's.
                (all.recordings.iter().filter(|one| one.fragments > 0).count() >= round).then_some(())
            })
            .await;
            let clients = Clients::new(over_socket(&socket).await);
            until("temperatures of the camera and of the freezer", || async {
                let request = pb::ListSensorsRequest::default();
                let sensors = clients.temperatures.clone().list_sensors(request).await.ok()?.into_inner().sensors;
                let fresh = sensors.iter().filter(|sensor| sensor.state() == pb::SensorState::Fresh);
                (fresh.map(|sensor| sensor.name.as_str()).eq(["freezer", "fridge"])).then_some(())
            })
            .await;
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(demo, look);
        ended.unwrap();
        let text = written.text();
        assert!(text.contains("/sign-in#code="), "{text}");
        assert!(text.matches(&format!("--state {folder} ")).count() >= 3, "three commands to try: {text}");
        assert_eq!(processes_of(state.path()), Vec::<String>::new());
    }
}
