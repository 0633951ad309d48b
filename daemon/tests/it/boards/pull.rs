//! The hub fetches a board's pictures.

use bytes::Bytes;
use larder_ctl::simulate::{Dial, Link};
use larder_proto::pb::{self, camera_source::Kind};
use tonic_types::StatusExt as _;

use super::{
    House, mjpeg,
    script::{Answer, Board, chunked},
    websocket,
};
use crate::{
    ctl::larderctl,
    support::{Pictures, until},
};

const ESPRESSIF: &str = "123456789000000000000987654321";

fn three() -> Vec<Bytes> {
    let mut pictures = Pictures::new(160, 120);
    (0..3).map(|_| pictures.take()).collect()
}

fn counted(jpeg: &[u8], more: &str) -> String {
    format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n{more}\r\n", jpeg.len())
}

/// Espressif's CameraWebServer, and easytarget's like it: delimiter, header and picture, each a chunk.
fn camera_web_server(pictures: &[Bytes], with_times: bool) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={ESPRESSIF}\r\nTransfer-Encoding: chunked\r\n\
         Access-Control-Allow-Origin: *\r\nX-Framerate: 60\r\n\r\n"
    );
    let between = format!("\r\n--{ESPRESSIF}\r\n");
    let time = |index: usize| if with_times { format!("X-Timestamp: 31.{index:06}\r\n") } else { String::new() };
    let headers: Vec<String> = pictures.iter().enumerate().map(|(index, jpeg)| counted(jpeg, &time(index))).collect();
    let parts: Vec<&[u8]> = pictures
        .iter()
        .zip(&headers)
        .flat_map(|(jpeg, header)| [between.as_bytes(), header.as_bytes(), &jpeg[..]])
        .collect();
    chunked(&head, &parts)
}

/// ESPHome: HTTP/1.0, and the first delimiter before anything else.
fn esphome(pictures: &[Bytes]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.0 200 OK\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\
         Content-Type: multipart/x-mixed-replace;boundary={ESPRESSIF}\r\n\r\n--{ESPRESSIF}\r\n"
    )
    .into_bytes();
    for jpeg in pictures {
        bytes.extend(counted(jpeg, "").bytes());
        bytes.extend(jpeg);
        bytes.extend(format!("\r\n--{ESPRESSIF}\r\n").bytes());
    }
    bytes
}

/// Tasmota: HTTP/1.1 without a length and without chunks.
fn tasmota(pictures: &[Bytes]) -> Vec<u8> {
    let boundary = "e8b8c539-047d-4777-a985-fbba6edff11e";
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={boundary}\r\n\
         Access-Control-Allow-Origin: *\r\n\r\n"
    )
    .into_bytes();
    for jpeg in pictures {
        bytes.extend(format!("\r\n--{boundary}\r\n").bytes());
        bytes.extend(counted(jpeg, "").bytes());
        bytes.extend(jpeg);
    }
    bytes
}

/// No lengths, and a boundary in quotes with its dashes.
fn bare(pictures: &[Bytes]) -> Vec<u8> {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Type: Multipart/X-Mixed-Replace; boundary=\"--frame\"\r\n\r\n".to_vec();
    for jpeg in pictures {
        bytes.extend(b"--frame\nContent-Type: image/jpeg\n\n");
        bytes.extend(jpeg);
        bytes.extend(b"\n");
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_board_s_pictures_come_through_as_they_are() {
    let house = House::start().await;
    let pictures = three();
    let boards = [
        ("camera-web-server", "/stream", camera_web_server(&pictures, true)),
        ("easytarget", "/", camera_web_server(&pictures, false)),
        ("esphome", "/", esphome(&pictures)),
        ("tasmota", "/stream", tasmota(&pictures)),
        ("s60sc", "/sustain?video=1", camera_web_server(&pictures, false)),
        ("bare", "/mjpg", bare(&pictures)),
    ];
    let mut serving = Vec::new();
    for (name, path, bytes) in boards {
        let board = Board::steady(bytes).await;
        house.add(name, mjpeg(board.url(path))).await;
        serving.push((name, path, board));
    }
    for (name, path, board) in &serving {
        let status = house.received(name, 3).await;
        assert_eq!((status.frames_received, &status.frames_refused), (3, &[].into()), "{name}");
        assert_eq!(house.snapshot(name).await, pictures[2], "{name}");
        assert_eq!((status.presence(), status.address), (pb::Presence::Online, board.address.to_string()));
        let asked = board.asked();
        assert_eq!(asked.len(), 1, "{name}: the stream stands");
        assert!(asked[0].starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{}", asked[0]);
    }
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_counted_and_the_next_picture_is_taken() {
    let house = House::start().await;
    let pictures = three();
    let between = format!("\r\n--{ESPRESSIF}\r\n");
    let mut bytes = tasmota(&[]);
    bytes.truncate(bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4);
    let mut bytes =
        String::from_utf8(bytes).unwrap().replace("e8b8c539-047d-4777-a985-fbba6edff11e", ESPRESSIF).into_bytes();
    let mut part = |header: &str, body: &[u8]| {
        bytes.extend(between.bytes());
        bytes.extend(header.bytes());
        bytes.extend(b"\r\n");
        bytes.extend(body);
    };
    part("", &pictures[0]);
    part("", &pictures[1][..pictures[1].len() / 2]);
    part("Content-Length: 2000000\r\n", &vec![0x55; 2_000_000]);
    part("Content-Length: 11\r\n", b"hello, fool");
    part(&"X: y\r\n".repeat(1000), b"");
    part("Content-Length: many\r\nX-Timestamp: never\r\n", &pictures[2]);
    let board = Board::steady(bytes).await;
    house.add("fridge", mjpeg(board.url("/stream"))).await;

    let status = house.received("fridge", 2).await;
    assert_eq!(house.snapshot("fridge").await, pictures[2]);
    let refused = [("no-eoi", 1), ("too-large", 1), ("not-jpeg", 1), ("part-header", 1)];
    let expected = refused.map(|(reason, count)| (reason.to_owned(), count)).into();
    assert_eq!((status.frames_received, status.frames_refused), (2, expected));
    assert_eq!((board.asked().len(), board.open()), (1, 1), "the stream stands");
    assert_eq!(house.counter("larder_frames_refused_total{reason=\"too-large\"}").await, 1);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_hangs_up_refuses_or_talks_nonsense_is_asked_again() {
    let house = House::start().await;
    let pictures = three();
    let mut cut = tasmota(&pictures[..2]);
    cut.truncate(cut.len() - 200);
    let page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi".to_vec();
    let answers = [cut, b"what?\r\n\r\n".to_vec(), tasmota(&pictures)];
    let last = answers.len() - 1;
    let answers = answers.into_iter().enumerate();
    let board = Board::start(answers.map(|(index, bytes)| Answer { bytes, hangs_up: index < last }).collect()).await;
    house.add("fridge", mjpeg(board.url("/"))).await;
    house.received("fridge", 4).await;
    assert_eq!((board.asked().len(), house.snapshot("fridge").await), (3, pictures[2].clone()));
    assert_eq!(house.counter("larder_camera_sessions_ended_total{reason=\"cut\"}").await, 1);
    assert_eq!(house.counter("larder_board_pulls_failed_total{reason=\"http\"}").await, 1);

    let wrong = Board::start(vec![Answer { bytes: page, hangs_up: true }]).await;
    let locked = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec();
    let locked = Board::start(vec![Answer { bytes: locked, hangs_up: true }]).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (name, url, reason, told) in [
        ("page", wrong.url("/"), "content-type", "its answer is no stream of pictures"),
        ("locked", locked.url("/"), "unauthorized", "it wants another user and password (401 Unauthorized)"),
        ("gone", format!("http://{gone}/"), "connect", "it cannot be reached: Connection refused"),
    ] {
        house.add(name, mjpeg(url)).await;
        let series = format!("larder_board_pulls_failed_total{{reason=\"{reason}\"}}");
        until(&series, || async { (house.counter(&series).await > 0).then_some(()) }).await;
        assert_eq!(house.status(name).await.presence(), pb::Presence::Offline, "{name}");
        house.is_offline_for(name, told).await;
    }
    house.change("gone", Kind::CameraLink(pb::camera_source::CameraLink {})).await.unwrap();
    house.is_offline_for("gone", "").await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_sent_kept_over_a_restart_and_never_shown() {
    let house = House::start().await;
    let pictures = three();
    let board = Board::steady(tasmota(&pictures)).await;
    let url = format!("http://admin:hush%21@{}/stream", board.address);
    let state = house.hub.state().to_str().unwrap().to_owned();
    for json in [&[][..], &["--json"]] {
        let name = if json.is_empty() { "fridge" } else { "freezer" };
        let (ended, text) = larderctl(&state, &[&["camera", "add", name, "--mjpeg-url", &url], json].concat()).await;
        ended.unwrap();
        assert!(text.contains(&board.address.to_string()) && !text.contains("hush"), "{text}");
    }
    house.received("fridge", 3).await;
    let (_, shown) = larderctl(&state, &["camera", "show", "fridge"]).await;
    assert!(shown.contains(&format!("fetched from {}, with a user and password", board.url("/stream"))), "{shown}");

    let house = House::of(house.hub.restart().await).await;
    house.received("fridge", 3).await;
    for head in board.asked() {
        assert!(head.contains("\r\nauthorization: Basic YWRtaW46aHVzaCE=\r\n"), "admin:hush! in {head}");
    }
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_let_in_by_its_own_way_alone() {
    let house = House::start().await;
    let board = Board::steady(tasmota(&three())).await;
    let added = house.add("fridge", mjpeg(board.url("/"))).await;
    house.received("fridge", 3).await;
    let key = larder_ctl::simulate::key_from_hex(&added.key.unwrap().key_hex).unwrap();
    let camera = added.camera.unwrap().id.parse().unwrap();
    let dial = async || {
        let address = house.hub.addresses().camera_link.to_string();
        Link::connect(&address, &Dial::new(camera, key), 0).await
    };
    assert!(dial().await.err().unwrap().is_refusal());

    house.change("fridge", Kind::CameraLink(pb::camera_source::CameraLink {})).await.unwrap();
    house.is("fridge", pb::Presence::Offline).await;
    until("the hub to hang up", || async { (board.open() == 0).then_some(()) }).await;
    let link = dial().await.unwrap();
    house.is("fridge", pb::Presence::Online).await;

    house.change("fridge", mjpeg(board.url("/again"))).await.unwrap();
    house.received("fridge", 6).await;
    assert!(board.asked()[1].starts_with("GET /again "), "a changed address is taken at once");
    assert_eq!(house.status("fridge").await.offline_reason, "", "it is online");
    drop(link);
    let flash = pb::control_camera_request::Command::Flash(1);
    let request = pb::ControlCameraRequest { camera: "fridge".to_owned(), command: Some(flash) };
    let refused = house.hub.clients.cameras.clone().control_camera(request).await.unwrap_err();
    assert!(refused.message().contains("takes no commands"), "{}", refused.message());
    let request = pb::DeleteCameraRequest { camera: "fridge".to_owned() };
    house.hub.clients.cameras.clone().delete_camera(request).await.unwrap();
    until("the hub to hang up", || async { (board.open() == 0).then_some(()) }).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_sources_are_named_and_say_what_to_do() {
    let house = House::start().await;
    house.add("fridge", websocket(&["10.0.0.1"])).await;
    house.add("cellar", websocket(&[])).await;
    for (kind, field, word) in [
        (mjpeg(""), "mjpeg.url", "http://192.168.1.30:81/stream"),
        (mjpeg("https://u:secret@esp/"), "mjpeg.url", "does not begin with http://"),
        (websocket(&["esp.local"]), "websocket.addresses", "is no IP address"),
        (websocket(&["::ffff:10.0.0.1"]), "websocket.addresses", "is camera \"fridge\""),
        (
            websocket(&[
                "10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6", "10.1.0.7", "10.1.0.8",
                "10.1.0.9",
            ]),
            "websocket.addresses",
            "more than 8",
        ),
    ] {
        let refused = house.change("cellar", kind).await.unwrap_err();
        let violation = refused.get_details_bad_request().unwrap().field_violations.remove(0);
        assert_eq!(violation.field, format!("camera.source.{field}"));
        assert!(violation.description.contains(word), "{}", violation.description);
    }
    let kept = house.camera("cellar").await.source.unwrap().kind.unwrap();
    assert_eq!(kept, websocket(&[]));
    house.hub.stop().await;
}
