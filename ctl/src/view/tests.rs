//! The viewer's side against a relay that is real QUIC and says what each test wants.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::BytesMut;
use larder_proto::wire::{
    CameraId,
    relay::{
        ALPN, CloseCode, FrameHeader, Hello, HubMessage, LimitedBy, Presence, Status, ViewerMessage, Welcome, Wish,
    },
};
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, VarInt, crypto::rustls::QuicServerConfig};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::*;
use crate::{
    bench::impair::{Conditions, DatagramProxy, Link},
    dial::tests::Authority,
    target::{Remote, Secret, Target, Trust},
};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of the hub's clock, which is not ours.
const HUB_US: i64 = 1_000_000_000;

struct Relay {
    authority: Authority,
    endpoint: Endpoint,
}

/// The hub's end of one view.
struct Seat {
    connection: Connection,
    to_viewer: SendStream,
    from_viewer: RecvStream,
    heard: BytesMut,
    hello: Hello,
}

impl Relay {
    fn start() -> Self {
        let authority = Authority::new();
        let mut tls = authority.config("127.0.0.1");
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let quic = QuicServerConfig::try_from(tls).unwrap();
        let config = ServerConfig::with_crypto(Arc::new(quic));
        let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { authority, endpoint }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    async fn dialer(&self, at: SocketAddr, trusted: &Authority) -> Arc<Dialer> {
        let remote = Remote {
            host: "127.0.0.1".to_owned(),
            port: 7442,
            trust: Trust::Pinned(vec![trusted.certificate()]),
            token: Some(Secret::from("lrd_token".to_owned())),
        };
        Arc::new(Dialer::new(Target::Remote(remote), Some((at.ip().to_string(), at.port()))).await.unwrap())
    }

    /// The next viewer's hello.
    async fn meet(&self) -> Seat {
        let incoming = timeout(PATIENCE, self.endpoint.accept()).await.unwrap().unwrap();
        let connection = incoming.await.unwrap();
        let (to_viewer, from_viewer) = connection.accept_bi().await.unwrap();
        let wish = Wish::default();
        let none = String::new;
        let hello = Hello { version_min: 0, version_max: 0, secret: none(), camera: none(), wish, client: none() };
        let mut seat = Seat { connection, to_viewer, from_viewer, heard: BytesMut::new(), hello };
        let ViewerMessage::Hello(hello) = seat.hear().await.unwrap() else { panic!("no hello") };
        seat.hello = hello;
        seat
    }

    /// The next viewer, let in.
    async fn welcome(&self) -> Seat {
        let mut seat = self.meet().await;
        let (viewer, camera) = (Uuid::from_u128(7), CameraId(Uuid::from_u128(9)));
        seat.say(&HubMessage::Welcome(Welcome { version: 1, viewer, camera, name: "fridge".to_owned() })).await;
        seat
    }
}

impl Seat {
    async fn say(&mut self, message: &HubMessage) {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        self.to_viewer.write_all(&bytes).await.unwrap();
    }

    async fn hear(&mut self) -> Option<ViewerMessage> {
        loop {
            if let Some(message) = ViewerMessage::decode(&mut self.heard).unwrap() {
                return Some(message);
            }
            let chunk = self.from_viewer.read_chunk(1024, true).await.ok()??;
            self.heard.extend_from_slice(&chunk.bytes);
        }
    }

    async fn show(&self, sequence: u64, captured_at_us: i64) -> SendStream {
        let jpeg = [0xff, 0xd8, 0xff, 0xd9];
        let header = FrameHeader {
            is_scaled: false,
            skipped: 0,
            sequence,
            captured_at_us,
            sent_at_us: captured_at_us,
            width: 2,
            height: 2,
            length: 4,
        };
        let mut stream = self.connection.open_uni().await.unwrap();
        stream.write_all(&header.encode()).await.unwrap();
        stream.write_all(&jpeg).await.unwrap();
        stream
    }

    fn close(&self, code: CloseCode) {
        self.connection.close(VarInt::from_u32(code.code()), b"");
    }
}

struct Looking {
    events: mpsc::Receiver<Event>,
    wishes: watch::Sender<Wish>,
    keeping: JoinSet<Result<(), Failure>>,
}

impl Looking {
    fn start(dialer: Arc<Dialer>) -> Self {
        let (out, events) = mpsc::channel(EVENTS);
        let (wishes, wished) = watch::channel(Wish::default());
        let asked = Asked { camera: "fridge".to_owned(), client: "test".to_owned() };
        let mut keeping = JoinSet::new();
        keeping.spawn(Keeper { dialer, asked, wishes: wished, out }.run());
        Self { events, wishes, keeping }
    }

    async fn next(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap()
    }

    async fn picture(&mut self) -> picture::Picture {
        loop {
            if let Event::Picture(picture) = self.next().await {
                return picture;
            }
        }
    }

    async fn refused(mut self) -> Failure {
        timeout(PATIENCE, self.keeping.join_next()).await.unwrap().unwrap().unwrap().unwrap_err()
    }
}

#[test]
fn a_relay_is_named_with_its_port() {
    assert_eq!(place("pi.local:7443"), Ok(("pi.local".to_owned(), 7443)));
    assert_eq!(place("[fe80::1]:99"), Ok(("fe80::1".to_owned(), 99)));
    for wrong in ["pi.local", "pi.local:0", ":7443", "pi.local:x"] {
        assert!(place(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_in_order_with_their_age_and_wishes_go_to_the_hub() {
    let relay = Relay::start();
    let mut looking = Looking::start(relay.dialer(relay.address(), &relay.authority).await);
    let mut seat = relay.welcome().await;
    assert_eq!((seat.hello.camera.as_str(), seat.hello.secret.as_str()), ("fridge", "lrd_token"));
    assert!(matches!(looking.next().await, Event::Live(welcome) if welcome.name == "fridge"));
    // The clock first, then a picture of a second ago on the hub's clock.
    let began = Instant::now();
    let now_us = || HUB_US + i64::try_from(began.elapsed().as_micros()).unwrap();
    let Some(ViewerMessage::Ping(echo)) = seat.hear().await else { panic!("no ping") };
    seat.say(&HubMessage::Pong { echo, now_us: now_us() }).await;
    // Behind a status, so that the answer has been read when it comes.
    let (presence, limited_by) = (Presence::Online, LimitedBy::Nothing);
    let limits = Wish::default();
    seat.say(&HubMessage::Status(Status { presence, delivered: 0, skipped: 0, window: 2, limits, limited_by })).await;
    while !matches!(looking.next().await, Event::Status(_)) {}
    let mut older = seat.show(4, now_us() - 1_000_000).await;
    let mut newer = seat.show(5, now_us() - 1_000_000).await;
    newer.finish().unwrap();
    let picture = looking.picture().await;
    assert_eq!((picture.header.sequence, &picture.jpeg[..]), (5, &[0xff, 0xd8, 0xff, 0xd9][..]));
    let age = picture.age.unwrap();
    assert!((1.0..3.0).contains(&age.as_secs_f64()), "{age:?}");
    // Overtaken, given up, cut short: none of these is shown.
    older.finish().unwrap();
    seat.show(6, now_us()).await.reset(VarInt::from_u32(1)).unwrap();
    drop(seat.connection.open_uni().await.unwrap());
    seat.show(7, now_us()).await.finish().unwrap();
    assert_eq!(looking.picture().await.header.sequence, 7);
    let wish = Wish { width: Some(320), ..Wish::default() };
    looking.wishes.send_replace(wish);
    let asked = async {
        loop {
            match seat.hear().await.unwrap() {
                ViewerMessage::Wish(asked) => return asked,
                ViewerMessage::Report(report) => assert_eq!(report.passed_over, 1),
                _ => {}
            }
        }
    };
    assert_eq!(timeout(PATIENCE, asked).await.unwrap(), wish);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_stops_is_dialled_again_and_one_that_refuses_is_not() {
    let relay = Relay::start();
    let mut looking = Looking::start(relay.dialer(relay.address(), &relay.authority).await);
    let seat = relay.welcome().await;
    assert!(matches!(looking.next().await, Event::Live(_)));
    seat.close(CloseCode::HubStopping);
    let away = loop {
        match looking.next().await {
            Event::Away(why, again) => break (why, again),
            Event::RoundTrip(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(away.0, "the hub stops");
    assert!(away.1 <= Duration::from_millis(500));
    let seat = relay.welcome().await;
    assert!(matches!(looking.next().await, Event::Live(_)));
    seat.close(CloseCode::Revoked);
    assert_eq!(looking.refused().await.to_string(), "the token was revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_is_refused_ends_the_view_with_what_to_do() {
    let relay = Relay::start();
    let looking = Looking::start(relay.dialer(relay.address(), &relay.authority).await);
    relay.meet().await.close(CloseCode::Unauthenticated);
    let failure = looking.refused().await;
    assert_eq!(failure.exit_code(), 4);
    assert!(failure.explain().contains("larderctl login"), "{}", failure.explain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_of_another_authority_is_not_asked_again() {
    let relay = Relay::start();
    let looking = Looking::start(relay.dialer(relay.address(), &Authority::new()).await);
    let met = async { relay.endpoint.accept().await.unwrap().await.map(|_| ()) };
    let (met, failure) = tokio::join!(met, looking.refused());
    assert_eq!(failure.exit_code(), 3);
    assert!(failure.to_string().contains("another authority"), "{failure}");
    assert!(met.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_line_gets_a_rival_that_is_there_as_soon_as_the_line_is_back() {
    let relay = Relay::start();
    let link = Link::new(Conditions::PERFECT, 1);
    let proxy = DatagramProxy::start(&link, relay.address()).await.unwrap();
    let mut looking = Looking::start(relay.dialer(proxy.address(), &relay.authority).await);
    let first = relay.welcome().await;
    assert!(matches!(looking.next().await, Event::Live(_)));
    link.cut();
    // What the hub sends into the cut keeps it from sending anything else: QUIC waits for acknowledgements.
    let mut lost = first.connection.open_uni().await.unwrap();
    lost.write_all(&vec![0; 500_000]).await.unwrap();
    // Longer than the silence after which rivals are sent: QUIC's own timers are seconds apart by then.
    tokio::time::sleep(Duration::from_millis(4000)).await;
    link.mend();
    let mended = Instant::now();
    let second = relay.welcome().await;
    let again = async { while !matches!(looking.next().await, Event::Live(_)) {} };
    timeout(PATIENCE, again).await.unwrap();
    assert!(mended.elapsed() < Duration::from_secs(3), "{:?}", mended.elapsed());
    second.show(1, 0).await.finish().unwrap();
    assert_eq!(looking.picture().await.header.sequence, 1);
    // The hub is told that the first one is over.
    timeout(PATIENCE, first.connection.closed()).await.unwrap();
}
