//! Boards push their pictures over WebSocket.

use std::net::Ipv4Addr;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use larder_proto::pb::{self, sensor_source::Source};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

use super::{House, websocket};
use crate::{
    ctl::larderctl,
    support::{Hub, Pictures, until},
};

type Socket = WebSocketStream<TcpStream>;

/// Connects from an address of this machine; 127.0.0.0/8 has many.
async fn connect(house: &House, from: [u8; 4], path: &str) -> Result<Socket, Error> {
    let address = house.hub.addresses().boards.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::from(from), 0).into()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    Ok(client_async(format!("ws://{address}{path}"), stream).await?.0)
}

async fn refused(house: &House, from: [u8; 4], path: &str) -> String {
    match connect(house, from, path).await {
        Err(Error::Http(answer)) => {
            assert_eq!(answer.status(), 403);
            String::from_utf8(answer.into_body().unwrap_or_default()).unwrap().trim().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

/// Reads until the hub closes; its reason.
async fn closed(mut socket: Socket) -> String {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return frame.reason.to_string(),
            Some(Ok(_)) => {}
            other => return format!("{other:?}"),
        }
    }
}

const HOME: [u8; 4] = [127, 0, 0, 1];
const BOARD: [u8; 4] = [127, 9, 9, 9];

#[tokio::test(flavor = "multi_thread")]
async fn pictures_in_every_form_and_a_status_come_through() {
    let house = House::start().await;
    let path = house.add("fridge", websocket(&[])).await.key.unwrap().websocket_path;
    let id = house.camera("fridge").await.id;
    let probe = pb::sensor_source::CameraProbe { camera_id: id, index: 0 };
    let source = Some(pb::SensorSource { source: Some(Source::Probe(probe)) });
    let sensor = pb::Sensor { name: "shelf".to_owned(), source, ..pb::Sensor::default() };
    let mut sensors = house.hub.clients.temperatures.clone();
    sensors.create_sensor(pb::CreateSensorRequest { sensor: Some(sensor) }).await.unwrap();

    let mut socket = connect(&house, HOME, &path).await.unwrap();
    house.is("fridge", pb::Presence::Online).await;
    let mut pictures = Pictures::new(160, 120);
    let (bare, numbered) = (pictures.take(), pictures.take());
    socket.send(Message::Text("ESP32-CAM client".into())).await.unwrap();
    socket.send(Message::Binary(bare.clone())).await.unwrap();
    house.received("fridge", 1).await;
    assert_eq!(house.snapshot("fridge").await, bare);
    socket.send(Message::Binary([b"IMG:1", &numbered[..]].concat().into())).await.unwrap();
    house.received("fridge", 2).await;
    assert_eq!(house.snapshot("fridge").await, numbered);

    let status = r#"JSN:{"host_ident":"1","freeHeap":123456,"freePsram":3000000,"rssi":-58,"chipTempC":51.5,"dallasTempC":4.25}"#;
    socket.send(Message::Text(status.into())).await.unwrap();
    let telemetry = until("its status", || async { house.status("fridge").await.telemetry }).await;
    assert_eq!((telemetry.heap_free_bytes, telemetry.rssi_dbm, telemetry.chip_celsius), (123_456, -58, Some(51.5)));
    until("the shelf's temperature", || async {
        let request = pb::GetSensorRequest { sensor: "shelf".to_owned() };
        let sensor = house.hub.clients.temperatures.clone().get_sensor(request).await.unwrap().into_inner();
        sensor.latest.filter(|reading| reading.celsius == Some(4.25))
    })
    .await;
    assert_eq!(house.counter("larder_camera_messages_passed_over_total").await, 1, "its greeting");
    socket.close(None).await.unwrap();
    house.is("fridge", pb::Presence::Offline).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_neither_listed_nor_shows_the_path_is_refused() {
    let house = House::start().await;
    let path = house.add("fridge", websocket(&["127.9.9.9"])).await.key.unwrap().websocket_path;
    let other = house.hub.add_named("other").await;
    assert_eq!(refused(&house, HOME, "/").await, "unlisted-address");
    assert_eq!(refused(&house, HOME, "/favicon.ico").await, "unlisted-address");
    assert_eq!(refused(&house, BOARD, &format!("/{}", "0".repeat(32))).await, "wrong-token", "listed or not");
    let foreign = larder_daemon::cameras::Key(other.1).websocket_path(other.0);
    assert_eq!(refused(&house, HOME, &foreign).await, "wrong-token", "that camera dials the link");
    assert_eq!(house.counter("larder_camera_connections_refused_total{reason=\"wrong-token\"}").await, 2);
    assert_eq!(house.counter("larder_camera_connections_refused_total{reason=\"unlisted-address\"}").await, 2);

    let by_address = connect(&house, BOARD, "/").await.unwrap();
    house.is("fridge", pb::Presence::Online).await;
    let by_path = connect(&house, HOME, &path.to_uppercase()).await.unwrap();
    assert_eq!(closed(by_address).await, "replaced", "the newer one is the camera");
    let rotate = pb::RotateCameraKeyRequest { camera: "fridge".to_owned() };
    let key = house.hub.clients.cameras.clone().rotate_camera_key(rotate).await.unwrap().into_inner().key.unwrap();
    assert_eq!(closed(by_path).await, "key-changed");
    assert_eq!(refused(&house, HOME, &path).await, "wrong-token");
    let _socket = connect(&house, HOME, &key.websocket_path).await.unwrap();
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_thinned_and_what_is_too_large_ends_it() {
    let house = House::start().await;
    house.add("fridge", websocket(&["127.9.9.9"])).await;
    let mut socket = connect(&house, BOARD, "/").await.unwrap();
    let picture = Pictures::new(160, 120).take();
    for _ in 0..280 {
        socket.send(Message::Binary(picture.clone())).await.unwrap();
    }
    let status = until("a flood", || async {
        let status = house.status("fridge").await;
        (status.frames_received + status.frames_refused.values().sum::<u64>() == 280).then_some(status)
    })
    .await;
    assert!(status.frames_refused["too-fast"] > 50 && status.frames_received >= 120, "{status:?}");
    socket.send(Message::Binary(Bytes::from_static(b"IMG:1\xff\xd8\xff"))).await.unwrap();
    socket.send(Message::Binary(vec![0xff; (1 << 20) + 9].into())).await.unwrap();
    assert_eq!(closed(socket).await, "malformed");
    let refused = house.status("fridge").await.frames_refused;
    assert_eq!(refused["too-large"], 1);
    assert!(house.hub.addresses().boards.is_some());
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_unless_told_to_and_whoever_adds_a_board_is_told_so() {
    let added = async |hub: &Hub| {
        let (ended, text) = larderctl(hub.state().to_str().unwrap(), &["camera", "add", "porch", "--websocket"]).await;
        ended.unwrap();
        text
    };
    let hub = Hub::start().await;
    assert_eq!(hub.addresses().boards, None);
    let text = added(&hub).await;
    assert!(text.contains("does not listen for it yet: set boards.websocket_address"), "{text}");
    hub.stop().await;

    let house = House::start().await;
    let text = added(&house.hub).await;
    let port = house.hub.addresses().boards.unwrap().port();
    assert!(text.contains(&format!("let it connect to ws://HUB:{port}/")), "{text}");
    house.hub.stop().await;
}
