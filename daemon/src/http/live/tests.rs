//! Live pictures over real sockets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::Extension;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, ClientRequestBuilder, Message},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    access::{Caller, Role, Via},
    clock::from_us,
    events::Events,
    http::listen::{Limits, Serve, bind_tcp},
    hub::{Frame, Publisher, SessionInfo},
    parts::Recent,
};

mod rounds;

const GRACE: Duration = Duration::from_secs(20);

/// A hub with one camera, `fridge`, served over plain HTTP to a caller who may look.
struct Fixture {
    hub: Hub,
    camera: CameraId,
    known: Arc<AtomicBool>,
    publisher: Publisher,
    address: SocketAddr,
    revoked: CancellationToken,
    viewers: Viewers,
    tasks: Tasks,
}

impl Fixture {
    fn new() -> Self {
        let clock = Clock::new();
        let hub = Hub::new(clock.clone(), Events::new(clock.clone()));
        let camera = CameraId::random();
        let publisher = hub.ensure(camera).publisher(SessionInfo::default());
        let known = Arc::new(AtomicBool::new(true));
        let knows = Arc::clone(&known);
        let find: Find = Arc::new(move |name| {
            let named = name == "fridge" || name == camera.to_string();
            (named && knows.load(Ordering::Relaxed)).then_some(camera)
        });
        let (tasks, revoked) = (Tasks::new(), CancellationToken::new());
        let caller = Caller { name: "me".into(), role: Role::Viewer, via: Via::Token, revoked: revoked.clone() };
        let viewers = Viewers::new(clock.clone());
        let live = Live { hub: hub.clone(), find, viewers: viewers.clone(), clock, tasks: tasks.clone() };
        let router = routes(live).layer(Extension(caller));
        let bound = bind_tcp((Ipv4Addr::LOCALHOST, 0).into(), "http.address").expect("a port");
        let address = bound.address().expect("an address");
        let limits = Limits { max_connections: 16, max_per_address: 16 };
        bound.serve(Serve {
            name: "test",
            router,
            tls: None,
            limits,
            tasks: tasks.clone(),
            trouble: Recent::default(),
        });
        Self { hub, camera, known, publisher, address, revoked, viewers, tasks }
    }

    fn publish(&self, us: i64, jpeg: Bytes) {
        let at = from_us(us);
        let frame =
            Frame { sequence: 0, captured_at: at, received_at: at, clock_epoch: 0, width: 640, height: 480, jpeg };
        assert!(self.publisher.publish(frame));
    }

    async fn look(&self) -> Look {
        self.look_at("fridge", None).await.expect("a live view")
    }

    async fn look_at(&self, camera: &str, origin: Option<&str>) -> Result<Look, u16> {
        let uri = format!("ws://{}/cameras/{camera}/live", self.address).parse().expect("an address");
        let mut request = ClientRequestBuilder::new(uri);
        if let Some(origin) = origin {
            request = request.with_header("origin", origin);
        }
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Look(socket)),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn get(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        self.ask(&mut stream, path).await;
        stream
    }

    async fn ask(&self, stream: &mut TcpStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.expect("written");
    }
}

/// A viewer that acknowledges only when told to.
struct Look(WebSocketStream<TcpStream>);

#[derive(Debug, Eq, PartialEq)]
struct Shown {
    skipped: u32,
    sequence: u64,
    captured_us: i64,
    jpeg: Vec<u8>,
}

impl Look {
    /// The next message that is not a ping.
    async fn next(&mut self) -> Message {
        loop {
            match self.0.next().await.expect("a message").expect("no error") {
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    async fn frame(&mut self) -> Shown {
        let Message::Binary(message) = self.next().await else { panic!("not a frame") };
        let (header, jpeg) = message.split_at(wire::HEADER_LEN);
        let number = |from: usize| u64::from_be_bytes(header[from..from + 8].try_into().expect("8 bytes"));
        assert_eq!((header[0], &header[2..4]), (wire::VERSION, &[0, 0][..]));
        assert!(number(24) > 1_700_000_000_000_000, "sent now");
        Shown {
            skipped: u32::from_be_bytes(header[4..8].try_into().expect("4 bytes")),
            sequence: number(8),
            captured_us: number(16).cast_signed(),
            jpeg: jpeg.to_vec(),
        }
    }

    async fn acknowledge(&mut self, sequence: u64) {
        self.0.send(Message::binary(sequence.to_be_bytes().to_vec())).await.expect("sent");
    }

    /// The code of the hub's close.
    async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Message::Close(Some(close)) => return close.code.into(),
                Message::Binary(_) => {}
                message => panic!("{message:?}"),
            }
        }
    }
}

fn picture(byte: u8) -> Bytes {
    Bytes::from(vec![byte; 50_000])
}

#[tokio::test]
async fn a_viewer_sees_each_frame_it_keeps_up_with() {
    let fixture = Fixture::new();
    fixture.publish(1_000, picture(1));
    let mut look = fixture.look().await;
    for sequence in 1..=20 {
        let captured_us = i64::try_from(sequence).expect("small") * 1_000;
        let byte = u8::try_from(sequence).expect("small");
        assert_eq!(look.frame().await, Shown { skipped: 0, sequence, captured_us, jpeg: picture(byte).to_vec() });
        look.acknowledge(sequence).await;
        fixture.publish(captured_us + 1_000, picture(byte + 1));
    }
    assert_eq!(fixture.hub.ensure(fixture.camera).snapshot().viewers, 1);
    drop(look);
    assert!(fixture.tasks.stop(GRACE).await);
    assert_eq!(fixture.hub.ensure(fixture.camera).snapshot().viewers, 0);
}

#[tokio::test]
async fn a_viewer_that_lags_has_four_frames_on_the_way_and_then_the_newest() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    for us in 1..=4 {
        fixture.publish(us, picture(0));
        assert_eq!(look.frame().await.sequence, us.unsigned_abs());
    }
    for us in 5..=30 {
        fixture.publish(us, picture(0));
        tokio::task::yield_now().await;
    }
    let early = tokio::time::timeout(Duration::from_millis(100), look.frame()).await;
    assert!(early.is_err(), "the window is full: {early:?}");
    look.acknowledge(2).await;
    let newest = look.frame().await;
    assert_eq!((newest.sequence, newest.skipped), (30, 25));
}

#[tokio::test]
async fn a_viewer_that_acknowledges_nothing_is_closed_as_too_slow() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    for us in 1..=4 {
        fixture.publish(us, picture(0));
        look.frame().await;
    }
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert_eq!(look.closed().await, 4001);
    assert!(start.elapsed() <= window::ACK_TIMEOUT + Duration::from_secs(3));
}

#[tokio::test]
async fn a_quiet_view_is_pinged_and_goes_on_while_pongs_come() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    fixture.publish(1, picture(0));
    look.frame().await;
    look.acknowledge(1).await;
    tokio::time::pause();
    for _ in 0..6 {
        // Reading answers it with a pong.
        let ping = look.0.next().await.expect("a message").expect("no error");
        assert!(matches!(ping, Message::Ping(_)), "{ping:?}");
    }
    tokio::time::resume();
    fixture.publish(2, picture(0));
    assert_eq!(look.frame().await.sequence, 2);
}

#[tokio::test]
async fn a_removed_camera_ends_its_views() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    fixture.known.store(false, Ordering::Relaxed);
    fixture.hub.remove(fixture.camera);
    assert_eq!(look.closed().await, 4004);
    assert_eq!(fixture.look_at("fridge", None).await.err(), Some(404));
}

#[tokio::test]
async fn a_revoked_caller_sees_no_more() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    fixture.publish(1, picture(0));
    let mut stream = fixture.get("/cameras/fridge/stream.mjpeg").await;
    let mut some = [0; 1024];
    assert!(stream.read(&mut some).await.expect("bytes") > 0);
    fixture.revoked.cancel();
    assert_eq!(look.closed().await, 4003);
    stream.read_to_end(&mut Vec::new()).await.expect("an end");
}

#[tokio::test]
async fn a_view_that_is_disconnected_is_told_so_and_others_go_on() {
    let fixture = Fixture::new();
    let (mut look, mut other) = (fixture.look().await, fixture.look().await);
    fixture.publish(1, picture(0));
    let mut stream = fixture.get("/cameras/fridge/stream.mjpeg").await;
    let mut some = [0; 1024];
    assert!(stream.read(&mut some).await.expect("bytes") > 0);
    let all = fixture.viewers.all();
    let protocols: Vec<_> = all.iter().map(|one| one.entry.protocol).collect();
    assert_eq!(protocols, [Protocol::WebSocket, Protocol::WebSocket, Protocol::Mjpeg]);
    assert!(all.iter().all(|one| one.entry.camera == fixture.camera && &*one.entry.user == "me"));
    for index in [0, 2] {
        assert!(fixture.viewers.disconnect(all[index].id).is_some());
    }
    assert_eq!(look.closed().await, 4005);
    stream.read_to_end(&mut Vec::new()).await.expect("an end");
    assert!(matches!(other.next().await, Message::Binary(_)));
    let left: Vec<_> = fixture.viewers.all().into_iter().map(|one| one.id).collect();
    assert!(left.contains(&all[1].id) && !left.contains(&all[2].id));
}

#[tokio::test]
async fn the_end_of_the_hub_is_told_to_every_view() {
    let fixture = Fixture::new();
    let mut early = fixture.look().await;
    fixture.hub.close();
    assert_eq!(early.closed().await, 1001, "the hub's readers end first");

    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    fixture.publish(1, picture(0));
    let mut stream = fixture.get("/cameras/fridge/stream.mjpeg").await;
    let mut some = [0; 1024];
    assert!(stream.read(&mut some).await.expect("bytes") > 0);
    let (stopped, code, _) =
        tokio::join!(fixture.tasks.stop(GRACE), look.closed(), async { stream.read_to_end(&mut Vec::new()).await });
    assert_eq!((stopped, code), (true, 1001));
}

#[tokio::test]
async fn what_is_not_an_acknowledgement_ends_the_view() {
    let fixture = Fixture::new();
    for message in [Message::text("hello"), Message::binary(vec![0; 9]), Message::binary(Vec::new())] {
        let mut look = fixture.look().await;
        look.0.send(message).await.expect("sent");
        assert_eq!(look.closed().await, 1003);
    }
}

#[tokio::test]
async fn what_breaks_the_web_socket_protocol_ends_the_view_with_its_code() {
    let fixture = Fixture::new();
    let too_long = [&[0x82, 0xfe, 0xff, 0xff][..], &[0; 100]].concat();
    for (bytes, code) in [(vec![0x82, 0x08, 0, 0, 0, 0, 0, 0, 0, 1], 1002), (vec![0x80, 0x80], 1002), (too_long, 1009)]
    {
        let mut look = fixture.look().await;
        look.0.get_mut().write_all(&bytes).await.expect("written");
        assert_eq!(look.closed().await, code);
    }
}

#[tokio::test]
async fn a_viewer_is_heard_while_frames_flow_and_while_none_do() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    look.0.send(Message::Ping("quiet".into())).await.expect("sent");
    assert_eq!(look.0.next().await.expect("a message").expect("no error"), Message::Pong("quiet".into()));
    fixture.publish(1, picture(1));
    look.frame().await;
    // What is said now is read when the next frame is sent, or soon after; in pieces too.
    look.0.send(Message::Ping("busy".into())).await.expect("sent");
    let (mask, sequence) = ([0; 4], 1u64.to_be_bytes());
    let pieces = [&[0x02, 0x83][..], &mask, &sequence[..3], &[0x80, 0x85], &mask, &sequence[3..]].concat();
    look.0.get_mut().write_all(&pieces).await.expect("written");
    fixture.publish(2, picture(2));
    let first = look.next().await;
    let second = look.next().await;
    let (pong, frame) = if first.is_pong() { (first, second) } else { (second, first) };
    assert_eq!((pong, frame.is_binary()), (Message::Pong("busy".into()), true));
    for us in 3..=5 {
        fixture.publish(us, picture(0));
        assert_eq!(look.frame().await.sequence, us.unsigned_abs(), "the pieces were an acknowledgement");
    }
}

#[tokio::test]
async fn a_viewer_that_closes_is_answered_and_no_longer_counted() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    fixture.publish(1, picture(1));
    look.frame().await;
    let goodbye = tungstenite::protocol::CloseFrame { code: 4321.into(), reason: "bye".into() };
    look.0.send(Message::Close(Some(goodbye.clone()))).await.expect("sent");
    assert_eq!(look.next().await, Message::Close(Some(goodbye)));
    while fixture.hub.ensure(fixture.camera).snapshot().viewers > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_close_does_not_break_into_a_picture_that_is_half_sent() {
    let fixture = Fixture::new();
    let mut look = fixture.look().await;
    // More than the sockets' buffers hold: the hub is in the middle of it when its caller is revoked.
    let large = Bytes::from(vec![7; 12 << 20]);
    fixture.publish(1, large.clone());
    let mut some = [0; 1];
    look.0.get_mut().peek(&mut some).await.expect("the beginning");
    fixture.revoked.cancel();
    let Message::Binary(message) = look.next().await else { panic!("not a frame") };
    assert_eq!(message[wire::HEADER_LEN..], large);
    assert_eq!(look.closed().await, 4003);
}

#[tokio::test]
async fn a_page_of_another_site_may_not_look_and_ids_do_as_well_as_names() {
    let fixture = Fixture::new();
    assert_eq!(fixture.look_at("fridge", Some("https://evil.example")).await.err(), Some(403));
    assert_eq!(fixture.look_at("cellar", None).await.err(), Some(404));
    let own = format!("http://{}", fixture.address);
    let id = fixture.camera.to_string();
    assert!(fixture.look_at(&id, Some(&own)).await.is_ok());
}

#[tokio::test]
async fn a_snapshot_is_the_newest_frame_with_its_time() {
    let fixture = Fixture::new();
    let mut answer = String::new();
    fixture.get("/cameras/fridge/snapshot.jpg").await.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("camera \"fridge\" has sent no picture since the hub started\n"), "{answer}");

    fixture.publish(1_780_272_000_123_456, Bytes::from_static(b"old"));
    fixture.publish(1_780_272_001_123_456, Bytes::from_static(b"newest"));
    let mut answer = String::new();
    fixture.get("/cameras/fridge/snapshot.jpg").await.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-captured-at: 2026-06-01T00:00:01.123456Z\r\n"), "{answer}");
    assert!(answer.contains("content-type: image/jpeg\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nnewest"), "{answer}");
}

/// Takes an HTTP/1.1 answer in chunks apart: head and body.
fn dechunked(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("text");
    let (mut rest, mut body) = (&answer[end + 4..], Vec::new());
    while let Some(end) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("text"), 16).expect("a length");
        body.extend_from_slice(&rest[end + 2..end + 2 + len]);
        rest = &rest[end + 2 + len + 2..];
    }
    (head, body)
}

/// The pictures of a multipart body, by their stated lengths.
fn pictures(body: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = body.strip_prefix(b"--larder\r\n").expect("a boundary first");
    let mut pictures = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let head = std::str::from_utf8(&rest[..end]).expect("text");
        let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let (picture, after) = rest[end + 4..].split_at(len.parse().expect("a number"));
        pictures.push(picture.to_vec());
        rest = after.strip_prefix(b"\r\n--larder\r\n").expect("a boundary after");
    }
    pictures
}

/// Reads until `count` parts have come, each with the boundary after it.
async fn read_parts(stream: &mut TcpStream, answer: &mut Vec<u8>, count: usize) {
    let boundary = b"--larder\r\n";
    while answer.windows(boundary.len()).filter(|bytes| bytes == boundary).count() < count + 1 {
        assert!(stream.read_buf(answer).await.expect("bytes") > 0);
    }
}

/// What the pictures of an answer are filled with.
fn bytes_of(answer: &[u8]) -> Vec<u8> {
    let pictures = pictures(&dechunked(answer).1);
    assert!(pictures.iter().all(|found| *found == picture(found[0])), "a picture is not whole");
    pictures.iter().map(|picture| picture[0]).collect()
}

#[tokio::test]
async fn an_mjpeg_player_gets_parts_with_lengths_and_the_boundary_at_once() {
    let fixture = Fixture::new();
    let mut stream = fixture.get("/cameras/fridge/stream.mjpeg").await;
    let mut answer = Vec::new();
    for byte in 1..=3 {
        fixture.publish(byte.into(), picture(byte));
        // A frame is shown when its closing boundary has come: it does not wait for the next frame.
        read_parts(&mut stream, &mut answer, byte.into()).await;
    }
    fixture.hub.close();
    stream.read_to_end(&mut answer).await.expect("an end");
    let (head, _) = dechunked(&answer);
    assert!(head.contains("content-type: multipart/x-mixed-replace; boundary=larder"), "{head}");
    assert_eq!(bytes_of(&answer), [1, 2, 3]);
}

#[tokio::test]
async fn an_mjpeg_player_that_reads_slowly_skips_to_the_newest_frame() {
    let fixture = Fixture::new();
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(64 * 1024).expect("a size");
    let mut stream = socket.connect(fixture.address).await.expect("a connection");
    fixture.ask(&mut stream, "/cameras/fridge/stream.mjpeg").await;
    let total: u16 = 400;
    for us in 1..=total {
        fixture.publish(us.into(), Bytes::from(us.to_be_bytes().repeat(25_000)));
        // Lets the server do all that it can do now.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let mut answer = Vec::new();
    let newest = total.to_be_bytes().repeat(25_000);
    while !answer.windows(2).rev().take(100).any(|bytes| bytes == total.to_be_bytes()) {
        assert!(stream.read_buf(&mut answer).await.expect("bytes") > 0);
    }
    let got = answer.len() / newest.len();
    assert!(got < 60, "{got} of {total} frames were queued for a viewer that was not reading");
    fixture.hub.close();
    stream.read_to_end(&mut answer).await.expect("an end");
    let (_, body) = dechunked(&answer);
    let pictures = pictures(&body);
    assert!(pictures.last() == Some(&newest), "the last is not the newest");
}

#[tokio::test]
async fn an_mjpeg_player_gets_no_more_frames_than_it_asked_for() {
    let fixture = Fixture::new();
    let mut answer = String::new();
    fixture.get("/cameras/fridge/stream.mjpeg?fps=0").await.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("fps: 0 is not between 0.1 and 60\n"), "{answer}");

    fixture.publish(1, picture(1));
    let mut stream = fixture.get("/cameras/fridge/stream.mjpeg?fps=0.1").await;
    let mut answer = Vec::new();
    read_parts(&mut stream, &mut answer, 1).await;
    fixture.publish(2, picture(2));
    fixture.publish(3, picture(3));
    let early = tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(early.is_err(), "ten seconds are not over");
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    answer.push(stream.read_u8().await.expect("the newest"));
    assert!(start.elapsed() > Duration::from_secs(9));
    fixture.hub.close();
    stream.read_to_end(&mut answer).await.expect("an end");
    assert_eq!(bytes_of(&answer), [1, 3]);
}
