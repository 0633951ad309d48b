//! The camera link against a real camera's side, over TCP on this machine.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use larder_ctl::simulate::{Dial, Link, LinkError};
use larder_proto::wire::camera::{
    AckResult, CameraHandshake, CameraState, Capabilities, Hello, Kind, Limits, MAGIC, Message, MilliCelsius,
    NONCE_LEN, Reading, ReadingMark, ResetReason, Telemetry, VERSION, decode,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    thermometer::{Probes, testing::Heap},
    *,
};
use crate::{
    events,
    hub::{Presence, Snapshot, Viewer},
    temperatures::Source,
};

/// Cameras that a test changes as it likes.
#[derive(Default)]
struct List {
    known: Mutex<HashMap<CameraId, ([u8; 32], Wanted)>>,
    version: watch::Sender<u64>,
}

impl List {
    fn set(&self, camera: CameraId, key: [u8; 32], wanted: Wanted) {
        self.change(|known| {
            known.insert(camera, (key, wanted));
        });
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<CameraId, ([u8; 32], Wanted)>)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
        self.version.send_modify(|version| *version += 1);
    }
}

impl Cameras for List {
    fn key(&self, camera: CameraId) -> Option<[u8; 32]> {
        self.known.lock().unwrap().get(&camera).map(|(key, _)| *key)
    }

    fn wanted(&self, camera: CameraId) -> Option<Wanted> {
        self.known.lock().unwrap().get(&camera).map(|(_, wanted)| *wanted)
    }

    fn boards(&self) -> Vec<(CameraId, cameras::Source)> {
        Vec::new()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

const KEY: [u8; 32] = [7; 32];
const WANTED: Wanted = Wanted { size: Size { width: 640, height: 480 }, quality: 12, active_fps: 10, idle_fps: 2 };

struct Bench {
    ingest: Ingest,
    hub: Hub,
    cameras: Arc<List>,
    camera: CameraId,
    heap: Arc<Heap>,
    events: Events,
    tasks: Tasks,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let clock = Clock::new();
        let events = Events::new(clock.clone());
        let hub = Hub::new(clock.clone(), events.clone());
        let (cameras, camera, tasks) = (Arc::<List>::default(), CameraId::random(), Tasks::new());
        let heap = Arc::<Heap>::default();
        cameras.set(camera, KEY, WANTED);
        let deps = Deps {
            boards: boards::Config::default(),
            hub: hub.clone(),
            cameras: Arc::clone(&cameras) as Arc<dyn Cameras>,
            probes: Probes::new(Arc::<Heap>::clone(&heap), clock.clone(), HashMap::new()),
            clock,
            events: events.clone(),
            host: "test".to_owned(),
            tasks: tasks.clone(),
        };
        let config = Config { address: ([127, 0, 0, 1], 0).into(), ..config };
        let ingest = start(config, deps).await.expect("listens");
        Self { ingest, hub, cameras, camera, heap, events, tasks }
    }

    async fn dial(&self, key: [u8; 32]) -> Result<Link, LinkError> {
        Link::connect(&self.ingest.address().to_string(), &Dial::new(self.camera, key), 0).await
    }

    async fn connect(&self) -> Link {
        self.dial(KEY).await.expect("a session")
    }

    async fn stranger(&self) -> TcpStream {
        TcpStream::connect(self.ingest.address()).await.expect("connects")
    }

    fn viewer(&self) -> Viewer {
        self.hub.ensure(self.camera).viewer()
    }

    fn snapshot(&self) -> Snapshot {
        self.hub.ensure(self.camera).snapshot()
    }

    /// Waits until the camera's state is as told.
    async fn until(&self, what: &str, is_so: impl Fn(&Snapshot) -> bool) {
        let waiting = async {
            while !is_so(&self.snapshot()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
}

/// A small picture of the right shape, padded after its end.
fn picture(fill: u8) -> Bytes {
    let mut data = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0x01, 0xe0, 0x02, 0x80, 1, 1, 0x21, 0];
    data.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    data.extend([fill; 20_000]);
    data.extend([0xff, 0xd9, 0, 0, 0]);
    data.into()
}

async fn ending(link: &mut Link) -> LinkError {
    loop {
        match tokio::time::timeout(Duration::from_secs(20), link.receive()).await.expect("the session ends") {
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

/// The reason in the BYE that a stranger is sent.
async fn early_end(mut stream: TcpStream) -> ByeReason {
    let mut buffer = BytesMut::new();
    loop {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_buf(&mut buffer)).await;
        assert_ne!(read.expect("ends").expect("is not reset"), 0, "closed without a word");
        while let Some(packet) = decode(&mut buffer, &Limits::HANDSHAKE).expect("is a message") {
            if packet.header.kind == Kind::Bye {
                return ByeReason::from_code(packet.payload[0]);
            }
        }
    }
}

fn hello(camera: CameraId) -> BytesMut {
    let hello = Hello {
        version_min: VERSION,
        version_max: VERSION,
        camera,
        nonce: [3; NONCE_LEN],
        boot: 1,
        reading_mark: ReadingMark::default(),
        capabilities: Capabilities::default(),
        reset_reason: ResetReason::default(),
        camera_state: CameraState::default(),
        firmware_version: "test".to_owned(),
    };
    let mut out = BytesMut::new();
    CameraHandshake::start(&KEY, &hello, 0, &mut out);
    out
}

fn header(kind: u8, length: u32) -> Vec<u8> {
    [&MAGIC.to_be_bytes()[..], &[kind, 0, 0, 0], &[0; 12], &length.to_be_bytes()].concat()
}

#[tokio::test]
async fn frames_reach_the_hub_cut_at_their_end_with_the_cameras_spacing() {
    let bench = Bench::new().await;
    let mut viewer = bench.viewer();
    let mut link = bench.connect().await;
    assert_eq!((link.welcome().size, link.welcome().idle_fps), (WANTED.size, 2));
    let mut captured = Vec::new();
    // Microseconds apart, so that each comes later than the one before by more than its distance to it.
    for (number, t_us) in [(1, 1_000_000), (2, 1_000_010), (3, 1_000_030)] {
        link.send_frame(picture(number), t_us).await.unwrap();
        let frame = viewer.next().await.expect("a frame").frame;
        assert_eq!((frame.width, frame.height), (640, 480));
        assert_eq!(frame.jpeg, picture(number).slice(..picture(number).len() - 3));
        assert!(frame.captured_at <= frame.received_at);
        captured.push(frame.captured_at.as_microsecond());
    }
    assert_eq!([captured[1] - captured[0], captured[2] - captured[1]], [10, 20]);
    assert_eq!(bench.snapshot().frames_received, 3);
}

#[tokio::test]
async fn refused_frames_are_counted_by_reason_and_the_session_goes_on() {
    let bench = Bench::new().await;
    let mut viewer = bench.viewer();
    let mut link = bench.connect().await;
    link.send_frame(Bytes::from_static(b"not a picture"), 1).await.unwrap();
    link.send_frame(picture(1).slice(..10_000), 2).await.unwrap();
    link.send_frame(picture(2).slice(..10_000), 3).await.unwrap();
    link.send_frame(picture(3), 4).await.unwrap();
    assert_eq!(viewer.next().await.expect("a frame").frame.jpeg[100], 3);
    let refused: Vec<_> =
        bench.snapshot().frames_refused.into_iter().filter(|(name, _)| *name != "undecodable").collect();
    assert_eq!(refused, [("no-eoi", 2), ("not-jpeg", 1)]);
}

#[tokio::test]
async fn a_sampled_picture_that_no_decoder_takes_is_counted() {
    let bench = Bench::new().await;
    let mut link = bench.connect().await;
    // Right by its structure, and without a single table.
    link.send_frame(picture(9), 1).await.unwrap();
    bench.until("counted as undecodable", |now| now.frames_refused.get("undecodable") == Some(&1)).await;
    assert_eq!(bench.snapshot().frames_received, 1, "it was shown: the sample is looked at later");
}

#[tokio::test]
async fn a_second_session_takes_the_first_ones_place_and_the_camera_stays_online() {
    let bench = Bench::new().await;
    let mut viewer = bench.viewer();
    let mut first = bench.connect().await;
    let mut second = bench.connect().await;
    assert!(matches!(ending(&mut first).await, LinkError::Bye(ByeReason::Replaced)));
    second.send_frame(picture(2), 1).await.unwrap();
    assert_eq!(viewer.next().await.expect("a frame").frame.jpeg[100], 2);
    assert_eq!(bench.snapshot().presence.presence, Presence::Online);
    drop(second);
    bench.until("offline", |now| now.presence.presence == Presence::Offline).await;
}

#[tokio::test]
async fn telemetry_and_the_round_trip_are_kept() {
    let bench = Bench::new().await;
    let mut link = bench.connect().await;
    let telemetry = Telemetry { heap_free_bytes: 81_920, rssi_dbm: -61, ..Telemetry::default() };
    link.send_telemetry(telemetry.clone(), 5).await.unwrap();
    let Message::Ping(echo) = link.receive().await.unwrap() else { panic!("a PING comes first") };
    link.send(&Message::Pong([9; 8]), 6).await.unwrap();
    link.send(&Message::Pong(echo), 7).await.unwrap();
    bench.until("both are known", |now| now.telemetry.is_some() && now.round_trip.is_some()).await;
    let now = bench.snapshot();
    assert_eq!(now.telemetry.expect("telemetry").1, telemetry);
    assert!(now.round_trip.expect("a round trip") < Duration::from_secs(5));
    assert!(now.session.expect("a session").firmware_version.starts_with("simulated-"));
    link.send(&Message::Ping([4; 8]), 8).await.unwrap();
    assert_eq!(link.receive().await.unwrap(), Message::Pong([4; 8]));
}

#[tokio::test]
async fn a_command_comes_back_with_the_cameras_answer() {
    let bench = Bench::new().await;
    assert_eq!(bench.ingest.control(bench.camera, Command::Reboot).await, Err(ControlError::Offline));
    let mut link = bench.connect().await;
    let control = || bench.ingest.control(bench.camera, Command::Flash(9));
    let camera = async |link: &mut Link, result, remark| {
        let control = link.next_control().await.unwrap();
        assert_eq!(control.command, Command::Flash(9));
        link.acknowledge(control.id, result, remark, 1).await.unwrap();
    };
    let (done, ()) = tokio::join!(control(), camera(&mut link, AckResult::Done, "lit"));
    assert_eq!(done.expect("done").remark, "lit");
    let (refused, ()) = tokio::join!(control(), camera(&mut link, AckResult::Unsupported, "no lamp"));
    assert_eq!(refused, Err(ControlError::Refused("unsupported, no lamp".to_owned())));
    let dropped = async {
        link.next_control().await.unwrap();
        drop(link);
    };
    let (offline, ()) = tokio::join!(control(), dropped);
    assert_eq!(offline, Err(ControlError::Offline), "an answer can't come any more");
}

#[tokio::test]
async fn changed_settings_are_sent_and_a_changed_key_or_a_removed_camera_ends_the_session() {
    let bench = Bench::new().await;
    let mut link = bench.connect().await;
    let wanted = Wanted { quality: 20, idle_fps: 5, ..WANTED };
    bench.cameras.set(bench.camera, KEY, wanted);
    for expected in [Command::Quality(20), Command::Rate { active_fps: 10, idle_fps: 5 }] {
        let control = link.next_control().await.unwrap();
        assert_eq!(control.command, expected);
        link.acknowledge(control.id, AckResult::Done, "", 1).await.unwrap();
    }

    let new_key = [8; 32];
    bench.cameras.set(bench.camera, new_key, wanted);
    assert!(matches!(ending(&mut link).await, LinkError::Bye(ByeReason::KeyChanged)));
    let mut link = bench.dial(new_key).await.expect("the new key works");
    bench.cameras.change(HashMap::clear);
    assert!(matches!(ending(&mut link).await, LinkError::Bye(ByeReason::CameraRemoved)));
    bench.until("offline", |now| now.presence.presence == Presence::Offline).await;
}

#[tokio::test]
async fn a_camera_with_another_key_is_refused_and_told_about_once() {
    let bench = Bench::new().await;
    let mut watch = bench.events.watch();
    let refused = bench.dial([1; 32]).await.map(|_| ()).unwrap_err();
    assert!(refused.is_refusal(), "{refused}");

    // One that goes on although the hub did not prove itself to it.
    let mut stream = bench.stranger().await;
    stream.write_all(&hello(bench.camera)).await.unwrap();
    let mut auth = header(3, 32);
    auth[11] = 1;
    auth.extend([0; 32]);
    stream.write_all(&auth).await.unwrap();
    assert_eq!(early_end(stream).await, ByeReason::Unproven);
    let (event, _) = watch.next().await.expect("an event");
    assert_eq!((event.kind, event.camera), (events::Kind::CameraRefused, Some(bench.camera)));
    assert!(bench.snapshot().session.is_none());
}

#[tokio::test]
async fn strangers_are_sent_away_with_the_reason() {
    let bench = Bench::new().await;
    for (bytes, expected) in [
        (b"GET / HTTP/1.1\r\nHost: larder\r\n\r\n".to_vec(), ByeReason::Malformed),
        (header(1, 257), ByeReason::TooLarge),
        (header(1, u32::MAX), ByeReason::TooLarge),
        (header(16, 1), ByeReason::TooLarge),
        (header(17, 0), ByeReason::Unexpected),
        (header(40, 0), ByeReason::UnknownType),
        ([header(1, 3), vec![1, 1, 0]].concat(), ByeReason::Malformed),
        (hello(CameraId::random()).to_vec(), ByeReason::UnknownCamera),
        ([&hello(bench.camera)[..], &hello(bench.camera)].concat(), ByeReason::Unexpected),
    ] {
        let mut stream = bench.stranger().await;
        stream.write_all(&bytes).await.unwrap();
        // More than is ever read, so that the reason must survive unread bytes.
        let _ = stream.write_all(&[0; 4000]).await;
        assert_eq!(early_end(stream).await, expected, "{:02x?}", &bytes[..24]);
    }
}

#[tokio::test]
async fn a_broken_rule_ends_the_session_with_its_reason() {
    let bench = Bench::new().await;
    let sealed = |seq: u8, kind: u8, length: u32| {
        let mut bytes = header(kind, length);
        bytes[11] = seq;
        bytes.extend(vec![0; usize::try_from(length.min(2000)).unwrap()]);
        bytes
    };
    for (bytes, expected) in [
        (sealed(3, 48, 8), ByeReason::OutOfSequence),
        (sealed(1, 48, 8), ByeReason::OutOfSequence),
        (sealed(2, 48, 8), ByeReason::BadMac),
        (sealed(2, 16, 100), ByeReason::BadMac),
        (sealed(2, 200, 8), ByeReason::BadMac),
        (sealed(2, 17, 1025), ByeReason::TooLarge),
        (sealed(2, 16, 512 * 1024 + 1), ByeReason::TooLarge),
        (b"LRD2....................".to_vec(), ByeReason::Malformed),
    ] {
        let mut link = bench.connect().await;
        link.send_raw(&bytes).await.unwrap();
        let ended = ending(&mut link).await;
        assert!(matches!(ended, LinkError::Bye(reason) if reason == expected), "{expected}: {ended}");
    }
    let mut link = bench.connect().await;
    link.send(&Message::Welcome(*link.welcome()), 1).await.unwrap();
    assert!(matches!(ending(&mut link).await, LinkError::Bye(ByeReason::Unexpected)));
}

#[tokio::test]
async fn one_address_cannot_take_all_the_room_before_it_is_proven() {
    let bench = Bench::with(Config { max_unproven_per_address: 2, ..Config::default() }).await;
    let held = [bench.stranger().await, bench.stranger().await];
    assert_eq!(early_end(bench.stranger().await).await, ByeReason::Busy);
    drop(held);
    let waiting = async {
        while bench.dial(KEY).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("room again once they are gone");
}

#[tokio::test]
async fn a_stopping_hub_says_goodbye_to_every_camera() {
    let bench = Bench::new().await;
    let mut link = bench.connect().await;
    let stopping = bench.tasks.stop(Duration::from_secs(5));
    let (stopped, ended) = tokio::join!(stopping, async {
        let ended = ending(&mut link).await;
        drop(link);
        ended
    });
    assert!(stopped, "every task ended");
    assert!(matches!(ended, LinkError::Bye(ByeReason::HubStopping)));
    assert!(TcpStream::connect(bench.ingest.address()).await.is_err(), "nobody listens any more");
}

/// Time that passes when nothing happens: sockets of this machine answer within a real moment of it.
async fn timed(what: impl Future) -> Duration {
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    what.await;
    let elapsed = began.elapsed();
    tokio::time::resume();
    elapsed
}

#[tokio::test]
async fn a_stranger_that_says_nothing_or_too_little_has_five_seconds() {
    let bench = Bench::new().await;
    for said in [0, 23, 24, 40] {
        let mut stream = bench.stranger().await;
        stream.write_all(&hello(bench.camera)[..said]).await.unwrap();
        let mut reason = ByeReason::Done;
        let elapsed = timed(async { reason = early_end(stream).await }).await;
        assert_eq!(reason, ByeReason::HandshakeTooSlow);
        assert!((4_900..6_000).contains(&elapsed.as_millis()), "{elapsed:?} after {said} bytes");
    }
}

#[tokio::test]
async fn a_silent_session_ends_and_a_ping_keeps_it_alive() {
    let bench = Bench::new().await;
    let mut link = bench.connect().await;
    let mut pings = 0;
    let mut ended = None;
    let elapsed = timed(async {
        while ended.is_none() {
            match link.receive().await {
                Ok(Message::Ping(echo)) if pings < 6 => {
                    pings += 1;
                    link.send(&Message::Pong(echo), 1).await.unwrap();
                }
                Ok(_) => {}
                Err(error) => ended = Some(error),
            }
        }
    })
    .await;
    assert!(matches!(ended, Some(LinkError::Bye(ByeReason::Idle))), "{ended:?}");
    // PINGs at 0, 5 .. 25 s were answered; 15 s later it was over.
    assert!((39_000..42_000).contains(&elapsed.as_millis()), "{elapsed:?}");
}

#[tokio::test]
async fn readings_of_telemetry_are_dated_by_the_sessions_clock_and_come_once() {
    let bench = Bench::new().await;
    let mut link = bench.connect().await;
    let reading = |seq: u32, t_us| Reading { index: 2, seq, t_us, value: Some(MilliCelsius(4_500)), error_count: 0 };
    let telemetry = |sensors| Telemetry { sensors, ..Telemetry::default() };
    let before = Clock::new().now();
    for (sensors, t_us) in [(vec![reading(1, 1_000_000)], 3_000_000), (vec![reading(1, 1_000_000)], 3_000_100)] {
        link.send_telemetry(telemetry(sensors), t_us).await.unwrap();
    }
    link.send_telemetry(telemetry(vec![reading(2, 3_000_200)]), 3_000_200).await.unwrap();
    let mut heard = Vec::new();
    let both = async {
        while heard.len() < 2 {
            heard.extend(bench.heap.take());
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("two readings");
    assert_eq!(heard[0].source, Source::Probe { camera: bench.camera, index: 2 });
    let apart = heard[1].captured_at.duration_since(heard[0].captured_at).as_micros();
    assert!((1_900_000..2_100_000).contains(&apart), "captured {apart} µs apart");
    assert!(heard[0].captured_at < before, "two seconds before it was sent");
}
