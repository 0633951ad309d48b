//! Cameras as broadcasts of a relay elsewhere.

use std::{fs, time::Duration};

use larder_proto::{pb, wire::jpeg};
use moq_net::track;

use crate::support::{Hub, MoqRelay, Trusted, simulated, until};

const TOKEN: &str = "let-me-in";

/// What makes a hub publish there.
fn settings(port: u16, trusted: &Trusted, token: &str) -> Vec<String> {
    let file = trusted.authority.with_file_name("moq.token");
    fs::write(&file, format!("{token}\n")).unwrap();
    vec![
        format!("moq.url=https://localhost:{port}"),
        format!("moq.token_file={}", file.display()),
        format!("moq.ca_file={}", trusted.authority.display()),
        "moq.prefix=house/larder".to_owned(),
    ]
}

async fn start(settings: &[String]) -> Hub {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Hub::start_with(&settings).await
}

/// The next picture of a track. One that was given up for a newer one before it was read is passed over.
async fn picture(track: &mut track::Subscriber) -> moq_net::frame::Frame {
    let next = async {
        loop {
            let mut group = track.recv_group().await.unwrap().unwrap();
            match group.read_frame().await {
                Err(moq_net::Error::Old) => {}
                read => return read.unwrap().unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), next).await.unwrap()
}

/// How many watch live, as the hub sees it.
async fn viewers(hub: &Hub) -> u32 {
    hub.clients.system.clone().get_status(pb::GetStatusRequest {}).await.unwrap().into_inner().viewers
}

/// Why the relay is no use, as the hub tells it; everything else works meanwhile.
async fn reason(hub: &Hub) -> String {
    let status = hub.clients.system.clone().get_status(pb::GetStatusRequest {}).await.unwrap().into_inner();
    assert!(status.parts.iter().all(|part| part.ready), "{:?}", status.parts);
    status.parts.into_iter().find(|part| part.name == "moq").unwrap().reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_a_broadcast_whose_tracks_are_fed_while_somebody_watches() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = Trusted::new(folder.path());
    let relay = MoqRelay::start(0, &trusted, TOKEN).await;
    let hub = start(&settings(relay.port(), &trusted, TOKEN)).await;
    let (camera, key) = hub.add_named("fridge").await;
    let (_stop, _task) = simulated(&hub, camera, key, |_| {});

    let path = "house/larder/fridge";
    let catalog = picture(&mut relay.track(path, "catalog.json").await).await.payload;
    let catalog: serde_json::Value = serde_json::from_slice(&catalog).unwrap();
    for name in ["jpeg", "jpeg-5", "jpeg-1"] {
        assert_eq!(catalog["binary"]["tracks"][name]["mode"], "snapshot", "{catalog}");
    }
    assert_eq!(viewers(&hub).await, 0, "a catalogue is no reason to look into the fridge");

    let mut every = relay.track(path, "jpeg").await;
    let mut slow = relay.track(path, "jpeg-1").await;
    let (first, second) = (picture(&mut slow).await, picture(&mut slow).await);
    let apart = second.timestamp.as_millis() - first.timestamp.as_millis();
    assert!((500..3000).contains(&apart), "{apart} ms from one picture to the next");
    for _ in 0..5 {
        let frame = picture(&mut every).await;
        let kept = jpeg::check(&frame.payload).unwrap();
        assert_eq!(kept.len, frame.payload.len(), "a whole picture and nothing after it");
    }
    until("one viewer a track", || async { (viewers(&hub).await == 2).then_some(()) }).await;
    let request = pb::ListViewersRequest::default();
    let listed = hub.clients.viewers.clone().list_viewers(request).await.unwrap().into_inner().viewers;
    let mut tracks: Vec<_> = listed.iter().map(|viewer| viewer.client.as_str()).collect();
    tracks.sort_unstable();
    assert_eq!(tracks, ["track jpeg", "track jpeg-1"]);
    assert!(listed.iter().all(|viewer| viewer.protocol() == pb::viewer::Protocol::Moq), "{listed:?}");
    drop((every, slow));
    until("nobody watches any more", || async { (viewers(&hub).await == 0).then_some(()) }).await;

    let broadcast = relay.broadcast(path).await;
    let request = pb::DeleteCameraRequest { camera: "fridge".to_owned() };
    hub.clients.cameras.clone().delete_camera(request).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), broadcast.closed()).await.expect("its broadcast ends");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_comes_back_is_found_again_and_one_that_refuses_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = Trusted::new(folder.path());
    let relay = MoqRelay::start(0, &trusted, TOKEN).await;
    let port = relay.port();
    let hub = start(&settings(port, &trusted, TOKEN)).await;
    let (camera, key) = hub.add_named("fridge").await;
    let (_stop, _task) = simulated(&hub, camera, key, |_| {});
    picture(&mut relay.track("house/larder/fridge", "jpeg-5").await).await;

    drop(relay);
    until("the relay is missed", || async { (reason(&hub).await == "away").then_some(()) }).await;
    let relay = MoqRelay::start(port, &trusted, TOKEN).await;
    picture(&mut relay.track("house/larder/fridge", "jpeg-5").await).await;
    assert_eq!(reason(&hub).await, "");
    hub.stop().await;

    let stranger = start(&settings(port, &trusted, "let-them-in")).await;
    assert_eq!(reason(&stranger).await, "away");
    stranger.stop().await;
}
