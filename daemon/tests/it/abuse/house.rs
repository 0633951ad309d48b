//! A hub as a process, and the camera that must not notice anything.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use larder_ctl::simulate::{self, Dial, Link, LinkError, Options, Progress};
use larder_proto::{pb, wire::CameraId};
use tokio::{
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Clients, Daemon, Home, until};

pub(super) struct House {
    // Before its home, so that it is gone when its folder goes.
    hub: Daemon,
    home: Home,
    clients: Clients,
    pub(super) link: String,
    quiet: Quiet,
}

/// The camera that goes on.
struct Quiet {
    camera: CameraId,
    sent: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<simulate::Report>,
}

impl House {
    /// A hub with these settings, and a camera that is being watched.
    pub(super) async fn start(settings: &[&str]) -> Self {
        let home = Home::new(settings);
        let hub = home.start();
        let clients = home.clients().await;
        let link = home.link();
        let (camera, key) = add(&clients, "quiet").await;
        let quiet = Quiet::start(&link, camera, key);
        let house = Self { hub, home, clients, link, quiet };
        house.goes_on().await;
        house
    }

    /// A new camera that is not recorded.
    pub(super) async fn add(&self, name: &str) -> Dial {
        let (camera, key) = add(&self.clients, name).await;
        Dial::new(camera, key)
    }

    pub(super) async fn dial(&self, dial: &Dial) -> Result<Link, LinkError> {
        Link::connect(&self.link, dial, 0).await
    }

    pub(super) async fn stranger(&self) -> TcpStream {
        TcpStream::connect(&self.link).await.unwrap()
    }

    /// A number of `/metrics`, by its name and labels; 0 while there is none.
    pub(super) async fn metric(&self, name: &str) -> u64 {
        let stream = UnixStream::connect(self.home.state().join("larder.sock")).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = http::Request::get("/metrics").header("host", "local").body(Empty::<Bytes>::new()).unwrap();
        let body = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        driver.abort();
        let text = std::str::from_utf8(&body).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a number of `/metrics` is this one.
    pub(super) async fn counts(&self, name: &str, expected: u64) {
        let what = format!("{name} to be {expected}");
        until(&what, || async { (self.metric(name).await == expected).then_some(()) }).await;
    }

    pub(super) async fn refused(&self, reason: &str, expected: u64) {
        self.counts(&format!("larder_camera_connections_refused_total{{reason=\"{reason}\"}}"), expected).await;
    }

    pub(super) async fn ended(&self, reason: &str, expected: u64) {
        self.counts(&format!("larder_camera_sessions_ended_total{{reason=\"{reason}\"}}"), expected).await;
    }

    /// Pictures of a camera that the hub took.
    pub(super) async fn pictures(&self, camera: CameraId) -> u64 {
        self.metric(&format!("larder_camera_frames_total{{camera=\"{camera}\"}}")).await
    }

    /// The lines of the log that hold all of these.
    pub(super) fn log(&self, parts: &[&str]) -> Vec<String> {
        self.home.log().lines().filter(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned).collect()
    }

    /// Asserts that exactly one line of the log holds all of these.
    #[track_caller]
    pub(super) fn said_once(&self, parts: &[&str]) {
        let lines = self.log(parts);
        assert_eq!(lines.len(), 1, "{parts:?}: {lines:#?}");
    }

    /// File descriptors the hub has open.
    pub(super) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.hub.id())).unwrap().count()
    }

    /// Waits until the watched camera has sent some more.
    pub(super) async fn goes_on(&self) {
        let before = self.quiet.sent.load(Ordering::Relaxed);
        until("the quiet camera to go on", || async {
            (self.quiet.sent.load(Ordering::Relaxed) >= before + 3).then_some(())
        })
        .await;
    }

    /// The end of every test: the watched camera never noticed, nothing of it was lost, and the hub ends in order.
    pub(super) async fn end_undisturbed(mut self) {
        self.goes_on().await;
        let camera = self.quiet.camera;
        // The same as before, for its session goes on until it is stopped.
        self.said_once(&["a camera is connected", &camera.to_string()]);
        self.quiet.stop.cancel();
        let report = (&mut self.quiet.task).await.unwrap();
        assert_eq!(report.sessions, 1, "it had to dial again");
        self.counts(&format!("larder_camera_frames_total{{camera=\"{camera}\"}}"), report.frames).await;
        self.counts(&format!("larder_camera_frames_refused_total{{camera=\"{camera}\"}}"), 0).await;
        assert_eq!(self.log(&["panicked"]), Vec::<String>::new());
        self.hub.stop().await;
    }
}

impl Quiet {
    fn start(link: &str, camera: CameraId, key: [u8; 32]) -> Self {
        let (stop, sent) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let mut options = Options::new(link, camera, key);
        options.fps = Some(5);
        let (token, count) = (stop.clone(), Arc::clone(&sent));
        let progress = move |progress: Progress| {
            if let Progress::Sent { frames, .. } = progress {
                count.store(frames, Ordering::Relaxed);
            }
        };
        let task = tokio::spawn(async move { simulate::run(options, token, progress).await.unwrap() });
        Self { camera, sent, stop, task }
    }
}

async fn add(clients: &Clients, name: &str) -> (CameraId, [u8; 32]) {
    let recording = pb::RecordingSettings { mode: pb::RecordingMode::Off.into(), ..Default::default() };
    let camera = pb::Camera { name: name.to_owned(), recording: Some(recording), ..Default::default() };
    let request = pb::CreateCameraRequest { camera: Some(camera) };
    let added = clients.cameras.clone().create_camera(request).await.unwrap().into_inner();
    let key = simulate::key_from_hex(&added.key.unwrap().key_hex).unwrap();
    (added.camera.unwrap().id.parse().unwrap(), key)
}
