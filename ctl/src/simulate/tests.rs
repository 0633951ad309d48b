//! A simulated camera against the hub's role of the wire, over real TCP.

use std::sync::Mutex;

use bytes::{Bytes, BytesMut};
use larder_proto::wire::camera::{
    ByeReason, Command, Control, FrameMac, HubHandshake, Kind, Limits, Message, Packet, Received, ReceivedFrame,
    Session, Welcome, decode,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::*;

const KEY: [u8; KEY_LEN] = [7; KEY_LEN];

const WELCOME: Welcome = Welcome {
    size: Size { width: 160, height: 120 },
    quality: 12,
    active_fps: 30,
    idle_fps: 30,
    frame_mac: FrameMac(3),
    ping_interval: Duration::from_secs(5),
    telemetry_interval: Duration::from_secs(30),
    largest_frame_bytes: 512 * 1024,
};

struct Hub(TcpListener);

/// One accepted camera.
struct Peer {
    stream: TcpStream,
    session: Session,
    input: BytesMut,
    boot: u32,
}

impl Hub {
    async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn options(&self) -> Options {
        Options::new(self.0.local_addr().unwrap().to_string(), CameraId::random(), KEY)
    }

    async fn accept(&self, key: [u8; KEY_LEN]) -> Option<Peer> {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
        let handshake = HubHandshake::open(&read(&mut stream, &mut input).await?).unwrap();
        let boot = handshake.hello().boot;
        let challenged = handshake.challenge(&key, [9; 16], 1_000_000, &mut out);
        stream.write_all(&out).await.unwrap();
        // A camera that does not trust the hub says BYE instead.
        let mut session = challenged.auth(&read(&mut stream, &mut input).await?, WELCOME.frame_mac).ok()?;
        out.clear();
        session.outgoing.message(&Message::Welcome(WELCOME), 0, &mut out);
        stream.write_all(&out).await.unwrap();
        Some(Peer { stream, session, input, boot })
    }
}

async fn read(stream: &mut TcpStream, input: &mut BytesMut) -> Option<Packet> {
    loop {
        if let Some(packet) = decode(input, &Limits::SESSION).unwrap() {
            return Some(packet);
        }
        if stream.read_buf(input).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

impl Peer {
    async fn next(&mut self) -> Option<Message> {
        let packet = read(&mut self.stream, &mut self.input).await?;
        match self.session.incoming.receive(&packet).unwrap() {
            Received::Message(message) => Some(message),
            other => panic!("{other:?}"),
        }
    }

    async fn frame(&mut self) -> ReceivedFrame {
        loop {
            match self.next().await.expect("a frame, not the end") {
                Message::Frame(frame) => return frame,
                Message::Bye(reason) => panic!("{reason}"),
                _ => {}
            }
        }
    }

    async fn rest(&mut self) -> (usize, Option<ByeReason>) {
        let mut frames = 0;
        loop {
            match self.next().await {
                Some(Message::Bye(reason)) => return (frames, Some(reason)),
                Some(message) => frames += usize::from(message.kind() == Kind::Frame),
                None => return (frames, None),
            }
        }
    }

    async fn command(&mut self, id: u32, command: Command) -> AckResult {
        let mut out = BytesMut::new();
        self.session.outgoing.message(&Message::Control(Control { id, command }), 0, &mut out);
        self.stream.write_all(&out).await.unwrap();
        loop {
            match self.next().await.expect("an ack, not the end") {
                Message::Ack(ack) if ack.id == id => return ack.result,
                _ => {}
            }
        }
    }
}

fn quiet(_: Progress) {}

#[tokio::test]
async fn frames_arrive_byte_for_byte_with_the_capture_times_given() {
    let hub = Hub::listen().await;
    let options = hub.options();
    let dial = Dial::new(options.camera, KEY);
    let pictures: Vec<Bytes> = (0..4_u8)
        .map(|grey| jpeg::encode(&[[grey * 50, 128, 128]; 256], (16, 16), Default::default()).into())
        .collect();
    let times = [0, 33_333, 40_000, 7_040_000];
    let camera = async {
        let mut link = Link::connect(&options.hub, &dial, 0).await.unwrap();
        assert_eq!(*link.welcome(), WELCOME);
        for (picture, t_us) in pictures.iter().zip(times) {
            link.send_frame(picture.clone(), t_us).await.unwrap();
        }
        link.goodbye(ByeReason::Done, 8_000_000).await.unwrap();
    };
    let ((), frames) = tokio::join!(camera, async {
        let mut peer = hub.accept(KEY).await.unwrap();
        let mut frames = Vec::new();
        while frames.len() < 4 {
            frames.push(peer.frame().await);
        }
        assert_eq!(peer.rest().await, (0, Some(ByeReason::Done)));
        frames
    });
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!((frame.t_us, &frame.jpeg), (times[number], &pictures[number]));
        assert_eq!((frame.info.size, frame.info.quality), (Size { width: 16, height: 16 }, 12));
        assert_eq!(usize::try_from(frame.info.number).unwrap(), number);
    }
}

#[tokio::test]
async fn a_camera_sends_as_many_pictures_as_wanted_and_says_goodbye() {
    let hub = Hub::listen().await;
    let options = Options { frames: Some(5), ..hub.options() };
    let log = Mutex::new(Vec::new());
    let camera = run(options, CancellationToken::new(), |progress| log.lock().unwrap().push(progress));
    let (report, (frames, bye)) = tokio::join!(camera, async { hub.accept(KEY).await.unwrap().rest().await });
    let report = report.unwrap();
    assert_eq!((report.frames, report.sessions, frames, bye), (5, 1, 5, Some(ByeReason::Done)));
    let log = log.into_inner().unwrap();
    assert!(matches!(log[0], Progress::Connected { fps: 30, .. }));
    assert_eq!(log[5], Progress::Sent { frames: 5, bytes: report.bytes });
}

#[tokio::test]
async fn a_camera_obeys_and_refuses_what_no_sensor_does() {
    let hub = Hub::listen().await;
    let stop = CancellationToken::new();
    let camera = run(hub.options(), stop.clone(), quiet);
    let (report, ()) = tokio::join!(camera, async {
        let mut peer = hub.accept(KEY).await.unwrap();
        let size = Size { width: 320, height: 240 };
        assert_eq!(peer.frame().await.info.size, WELCOME.size);
        assert_eq!(peer.command(1, Command::Size(size)).await, AckResult::Done);
        assert_eq!(peer.command(2, Command::Quality(40)).await, AckResult::Done);
        assert_eq!(peer.command(3, Command::Quality(2)).await, AckResult::OutOfRange);
        assert_eq!(peer.command(4, Command::Size(Size { width: 9, height: 9 })).await, AckResult::OutOfRange);
        assert_eq!(peer.command(5, Command::PanTilt { pan_degrees: 1, tilt_degrees: 1 }).await, AckResult::Unsupported);
        // One picture may still be on its way in the old size.
        peer.frame().await;
        let frame = peer.frame().await;
        assert_eq!((jpeg::size(&frame.jpeg), jpeg::quality(&frame.jpeg)), (Some(size), Some(40)));
        stop.cancel();
        assert_eq!(peer.rest().await.1, Some(ByeReason::Done));
    });
    assert_eq!(report.unwrap().sessions, 1);
}

#[tokio::test]
async fn a_reboot_is_acknowledged_before_it_happens() {
    let hub = Hub::listen().await;
    let stop = CancellationToken::new();
    let log = Mutex::new(Vec::new());
    let camera = run(hub.options(), stop.clone(), |progress| {
        if matches!(progress, Progress::Disconnected { .. }) {
            log.lock().unwrap().push(progress);
            stop.cancel();
        }
    });
    let (report, ()) = tokio::join!(camera, async {
        let mut peer = hub.accept(KEY).await.unwrap();
        assert_eq!(peer.command(1, Command::Reboot).await, AckResult::Done);
        assert_eq!(peer.rest().await.1, Some(ByeReason::Restarting));
    });
    assert_eq!((report.unwrap().sessions, log.into_inner().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_lost_link_is_dialled_again_and_counted() {
    let hub = Hub::listen().await;
    let stop = CancellationToken::new();
    let camera = run(hub.options(), stop.clone(), quiet);
    let (report, ()) = tokio::join!(camera, async {
        let mut first = hub.accept(KEY).await.unwrap();
        first.frame().await;
        drop(first);
        let mut second = hub.accept(KEY).await.unwrap();
        let telemetry = loop {
            if let Some(Message::Telemetry(telemetry)) = second.next().await {
                break telemetry;
            }
        };
        assert_eq!((second.boot, telemetry.reconnects), (1, 1));
        stop.cancel();
        second.rest().await;
    });
    assert_eq!(report.unwrap().sessions, 2);
}

#[tokio::test]
async fn a_hub_with_another_key_is_not_trusted() {
    let hub = Hub::listen().await;
    let camera = run(hub.options(), CancellationToken::new(), quiet);
    let (result, peer) = tokio::join!(camera, hub.accept([8; KEY_LEN]));
    assert!(peer.is_none(), "the camera hung up before it proved anything");
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Link(link) if link.is_refusal()), "{error}");
}

#[tokio::test]
async fn pictures_cut_short_are_still_whole_messages() {
    let hub = Hub::listen().await;
    let faults = Faults { truncate: 1.0, ..Faults::default() };
    let options = Options { frames: Some(2), faults, ..hub.options() };
    let camera = run(options, CancellationToken::new(), quiet);
    let (report, ()) = tokio::join!(camera, async {
        let mut peer = hub.accept(KEY).await.unwrap();
        for _ in 0..2 {
            assert!(!peer.frame().await.jpeg.ends_with(&[0xff, 0xd9]));
        }
        assert_eq!(peer.rest().await.1, Some(ByeReason::Done));
    });
    assert_eq!(report.unwrap().damaged, 2);
}

#[tokio::test]
async fn a_dropped_connection_ends_in_the_middle_of_a_picture() {
    let hub = Hub::listen().await;
    let faults = Faults { drop_every: Some(Duration::from_millis(1)), ..Faults::default() };
    let options = Options { faults, reconnect: false, ..hub.options() };
    let camera = run(options, CancellationToken::new(), quiet);
    let (report, left) = tokio::join!(camera, async {
        let mut peer = hub.accept(KEY).await.unwrap();
        assert_eq!(peer.rest().await.1, None);
        peer.input.len()
    });
    assert!(left > 100, "{left} bytes of a picture without its end");
    assert_eq!(report.unwrap().frames, 0);
}
