//! One connection of `larder/1`, from HELLO to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use larder_proto::wire::relay::{
    CloseCode, FRAME_HEADER_LEN, FrameHeader, Hello, HubMessage, Report, Status, VERSION, ViewerMessage, Welcome, Wish,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{
    clock::HubClock,
    dial::Dialer,
    ended::Ended,
    picture::{Order, Picture},
};

/// How often the hub's clock is asked for and told how the view looks. The hub takes five messages a second.
const TICK: Duration = Duration::from_secs(1);
/// The first answers come quicker, so that the first pictures have an age.
const FIRST_TICK: Duration = Duration::from_millis(300);
/// Most that is read of the control stream at once.
const CONTROL_READ: usize = 4096;

/// What a view tells whoever shows it.
#[derive(Debug)]
pub(crate) enum Event {
    /// The hub let the viewer in; pictures follow.
    Live(Welcome),
    /// A picture, newer than all before.
    Picture(Picture),
    /// The hub says how the view stands.
    Status(Status),
    /// How long a packet takes there and back.
    RoundTrip(Duration),
    /// Not connected, and why; when it is dialled again.
    Away(String, Duration),
}

/// Who looks at what.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Id or name.
    pub(crate) camera: String,
    /// What program this is, for people.
    pub(crate) client: String,
}

/// A connection that was let in.
pub(crate) struct Session {
    connection: Connection,
    to_hub: SendStream,
    from_hub: RecvStream,
    heard: BytesMut,
    welcome: Welcome,
    address: String,
    camera: String,
    clock: HubClock,
    order: Order,
    shown: u64,
    age: Option<Duration>,
    came: Arc<AtomicU64>,
}

impl Session {
    /// Dials, says hello and waits for the welcome. Cancel safe: a dropped call closes what it opened.
    pub(super) async fn open(dialer: &Dialer, asked: &Asked, wish: Wish) -> Result<Self, Ended> {
        let (address, camera) = (dialer.address(), asked.camera.clone());
        let secret = dialer.secret(&camera).await?;
        let connection = dialer.connect(&camera).await?;
        let greeted = greet(&connection, hello(asked, wish, secret)).await;
        let (to_hub, from_hub, heard, welcome) = match greeted {
            Ok(greeted) => greeted,
            Err(why) => return Err(broken(&connection, why, &address, &camera)),
        };
        let clock = HubClock::new(Instant::now());
        let (order, came) = (Order::default(), Arc::default());
        let (shown, age) = (0, None);
        Ok(Self { connection, to_hub, from_hub, heard, welcome, address, camera, clock, order, shown, age, came })
    }

    pub(super) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// How much came so far, messages and pictures. Packets do not count: a hub whose own packets were lost in a cut
    /// acknowledges ours at once, and sends nothing until its timer, which may be seconds away.
    pub(super) fn heard(&self) -> impl Fn() -> u64 + use<> {
        let came = Arc::clone(&self.came);
        move || came.load(Relaxed)
    }

    /// A handle that ends it from outside.
    pub(super) fn closer(&self) -> impl Fn() + use<> {
        let connection = self.connection.clone();
        move || connection.close(VarInt::from_u32(CloseCode::Done.code()), b"done")
    }

    /// Until it ends. `wishes` tells when the viewer wants something else.
    pub(super) async fn run(mut self, wishes: &mut watch::Receiver<Wish>, out: &mpsc::Sender<Event>) -> Ended {
        let why = self.talk(wishes, out).await;
        broken(&self.connection, why, &self.address, &self.camera)
    }

    async fn talk(&mut self, wishes: &mut watch::Receiver<Wish>, out: &mpsc::Sender<Event>) -> String {
        let mut reading: JoinSet<Option<(FrameHeader, Bytes)>> = JoinSet::new();
        let mut ticks = ticks();
        loop {
            let went = tokio::select! {
                biased;
                chunk = self.from_hub.read_chunk(CONTROL_READ, true) => match chunk {
                    Ok(Some(chunk)) => {
                        self.came.fetch_add(1, Relaxed);
                        self.heard.extend_from_slice(&chunk.bytes);
                        self.listen(out).await
                    }
                    Ok(None) => Err("the hub ended the control stream".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
                Some(done) = reading.join_next(), if !reading.is_empty() => self.take(done, out).await,
                stream = self.connection.accept_uni() => match stream {
                    Ok(stream) => {
                        reading.spawn(read(stream));
                        Ok(())
                    }
                    Err(error) => Err(error.to_string()),
                },
                changed = wishes.changed() => match changed {
                    Ok(()) => {
                        let wish = *wishes.borrow_and_update();
                        self.say(&ViewerMessage::Wish(wish)).await
                    }
                    Err(_gone) => Err("nobody looks any more".to_owned()),
                },
                _ = ticks.tick() => self.tick(out).await,
            };
            if let Err(why) = went {
                return why;
            }
        }
    }

    /// All messages that have come whole.
    async fn listen(&mut self, out: &mpsc::Sender<Event>) -> Result<(), String> {
        while let Some(message) = HubMessage::decode(&mut self.heard).map_err(|error| error.to_string())? {
            match message {
                HubMessage::Pong { echo, now_us } => self.clock.pong(echo, now_us, Instant::now()),
                HubMessage::Status(status) => tell(out, Event::Status(status)).await?,
                HubMessage::Welcome(_) => return Err("the hub said welcome twice".to_owned()),
            }
        }
        Ok(())
    }

    async fn take(
        &mut self,
        done: Result<Option<(FrameHeader, Bytes)>, JoinError>,
        out: &mpsc::Sender<Event>,
    ) -> Result<(), String> {
        let Ok(Some((header, jpeg))) = done else { return Ok(()) };
        self.came.fetch_add(1, Relaxed);
        if !self.order.takes(header.sequence) {
            return Ok(());
        }
        let arrived = Instant::now();
        self.age = self.clock.age(header.captured_at_us, arrived);
        self.shown += 1;
        tell(out, Event::Picture(Picture { header, jpeg, arrived, age: self.age })).await
    }

    async fn tick(&mut self, out: &mpsc::Sender<Event>) -> Result<(), String> {
        self.say(&ViewerMessage::Ping(self.clock.ping(Instant::now()))).await?;
        if self.shown > 0 {
            let report = Report { shown: self.shown, passed_over: self.order.passed_over(), age: self.age };
            self.say(&ViewerMessage::Report(report)).await?;
        }
        tell(out, Event::RoundTrip(self.connection.rtt())).await
    }

    async fn say(&mut self, message: &ViewerMessage) -> Result<(), String> {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        self.to_hub.write_all(&bytes).await.map_err(|error| error.to_string())
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(TICK);
    ticks.reset_after(FIRST_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tell(out: &mpsc::Sender<Event>, event: Event) -> Result<(), String> {
    out.send(event).await.map_err(|_gone| "nobody looks any more".to_owned())
}

fn hello(asked: &Asked, wish: Wish, secret: String) -> Hello {
    let (camera, client) = (asked.camera.clone(), asked.client.clone());
    Hello { version_min: VERSION, version_max: VERSION, secret, camera, wish, client }
}

/// HELLO and WELCOME, with what came behind it. The first ping goes with the hello.
async fn greet(connection: &Connection, hello: Hello) -> Result<(SendStream, RecvStream, BytesMut, Welcome), String> {
    let (mut to_hub, mut from_hub) = connection.open_bi().await.map_err(|error| error.to_string())?;
    let mut bytes = BytesMut::new();
    ViewerMessage::Hello(hello).encode(&mut bytes);
    to_hub.write_all(&bytes).await.map_err(|error| error.to_string())?;
    let mut heard = BytesMut::new();
    loop {
        match HubMessage::decode(&mut heard).map_err(|error| error.to_string())? {
            Some(HubMessage::Welcome(welcome)) => return Ok((to_hub, from_hub, heard, welcome)),
            Some(_) => return Err("the hub said something else than welcome".to_owned()),
            None => {}
        }
        match from_hub.read_chunk(CONTROL_READ, true).await.map_err(|error| error.to_string())? {
            Some(chunk) => heard.extend_from_slice(&chunk.bytes),
            None => return Err("the hub ended the control stream".to_owned()),
        }
    }
}

/// Why it ended: what the connection says, when it is closed; else what was seen here, which closes it.
fn broken(connection: &Connection, why: String, address: &str, camera: &str) -> Ended {
    if let Some(error) = connection.close_reason() {
        return Ended::of(&error, address, camera);
    }
    connection.close(VarInt::from_u32(CloseCode::Done.code()), b"");
    Ended::Lost(why)
}

/// A frame from its stream; `None` when the hub gave it up, or it is none.
async fn read(mut stream: RecvStream) -> Option<(FrameHeader, Bytes)> {
    let mut head = [0; FRAME_HEADER_LEN];
    stream.read_exact(&mut head).await.ok()?;
    let header = FrameHeader::decode(&head).ok()?;
    let length = usize::try_from(header.length).ok()?;
    let mut jpeg = BytesMut::zeroed(length);
    stream.read_exact(&mut jpeg).await.ok()?;
    // It ends here, else it is not what its header says.
    matches!(stream.read_chunk(1, true).await, Ok(None)).then(|| (header, jpeg.freeze()))
}
