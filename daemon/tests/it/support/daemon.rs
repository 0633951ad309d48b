//! A hub as a process of its own, which can be killed.

use std::{
    ffi::{OsStr, OsString},
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use larder_proto::{pb, wire::CameraId};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Clients, get, over_socket, state_folder, until};

/// Where a hub lives: outlives the process, as a disk does.
pub(crate) struct Home {
    state: TempDir,
    link: u16,
    http: u16,
    thermometers: u16,
    settings: Vec<String>,
    /// What stands before `larderd` on the command line.
    wrap: Vec<String>,
    environment: Vec<(String, OsString)>,
    /// Where its recordings are seen from here.
    recordings: Option<PathBuf>,
}

impl Home {
    /// With settings as `--set` takes them.
    pub(crate) fn new(settings: &[&str]) -> Self {
        let mut all = vec!["recordings.free_mib=16".to_owned(), "backups.keep=0".to_owned()];
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        Self {
            state: state_folder(settings),
            link: free_port(),
            http: free_port(),
            thermometers: free_port(),
            settings: all,
            wrap: Vec::new(),
            environment: Vec::new(),
            recordings: None,
        }
    }

    /// Without a cluster: its first start makes one.
    pub(crate) fn without_cluster(settings: &[&str]) -> Self {
        Self { state: tempfile::tempdir().unwrap(), ..Self::new(settings) }
    }

    /// Started by this command line.
    pub(crate) fn wrapped(mut self, wrap: Vec<String>) -> Self {
        self.wrap = wrap;
        self
    }

    /// Started with this variable.
    pub(crate) fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// One more setting.
    pub(crate) fn set(&mut self, setting: String) {
        self.settings.push(setting);
    }

    /// Says where its recordings are seen from here, when they are on a mount of its own.
    pub(crate) fn see_recordings_at(&mut self, path: PathBuf) {
        self.recordings = Some(path);
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    pub(crate) fn recordings(&self) -> PathBuf {
        self.recordings.clone().unwrap_or_else(|| self.state().join("recordings"))
    }

    /// Where cameras dial, the same at every start.
    pub(crate) fn link(&self) -> String {
        format!("127.0.0.1:{}", self.link)
    }

    pub(crate) fn http(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.http).into()
    }

    /// Where thermometers send, the same at every start.
    pub(crate) fn thermometers(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.thermometers).into()
    }

    /// What the hub has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.state().join("log")).unwrap_or_default()
    }

    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// With these variables, this time.
    pub(crate) fn start_with(&self, variables: &[(&str, &OsStr)]) -> Daemon {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.state().join("log")).unwrap();
        let mut words = self.wrap.clone();
        words.push(env!("CARGO_BIN_EXE_larderd").to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("--state").arg(self.state());
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        for key in ["http.https_address", "grpc.address", "relay.address"] {
            command.arg("--set").arg(format!("{key}=127.0.0.1:0"));
        }
        command.arg("--set").arg(format!("http.address=127.0.0.1:{}", self.http));
        command.arg("--set").arg(format!("camera_link.address=127.0.0.1:{}", self.link));
        command.arg("--set").arg(format!("thermometers.address={}", self.thermometers()));
        command.env_remove("LARDER_LOG").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(variables.iter().copied());
        Daemon(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// As the admin, once the hub answers.
    pub(crate) async fn clients(&self) -> Clients {
        let socket = self.state().join("larder.sock");
        until("the hub to answer", || {
            let socket = socket.clone();
            async move {
                tokio::net::UnixStream::connect(&socket).await.ok()?;
                let clients = Clients::new(over_socket(&socket).await);
                clients.system.clone().get_version(pb::GetVersionRequest {}).await.ok()?;
                Some(clients)
            }
        })
        .await
    }
}

/// A running hub; dropping it kills it.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self::signal(self.id(), signal);
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        while status.is_none() {
            status = self.0.try_wait().unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        status.unwrap()
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// Ends it in order.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(self.ended().await.success());
    }

    /// The encoders that run.
    pub(crate) fn encoders(&self) -> Vec<u32> {
        children_of(self.id()).into_iter().filter(|(_, name)| name == "ffmpeg").map(|(pid, _)| pid).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Clients {
    /// Adds a camera; its id and key.
    pub(crate) async fn add(&self, camera: pb::Camera) -> (CameraId, [u8; 32]) {
        let request = pb::CreateCameraRequest { camera: Some(camera) };
        let added = self.cameras.clone().create_camera(request).await.unwrap().into_inner();
        let key = larder_ctl::simulate::key_from_hex(&added.key.unwrap().key_hex).unwrap();
        (added.camera.unwrap().id.parse().unwrap(), key)
    }

    /// Everything recorded of a camera, the oldest first.
    pub(crate) async fn recordings_of(&self, camera: CameraId) -> Vec<pb::Recording> {
        let request = pb::ListRecordingsRequest { camera: camera.to_string(), page_size: 1000, ..Default::default() };
        let mut all = self.recordings.clone().list_recordings(request).await.unwrap().into_inner().recordings;
        all.reverse();
        all
    }

    /// Pins an hour in front of now and one behind it.
    pub(crate) async fn pin_around_now(&self, camera: &str) {
        let now = jiff::Timestamp::now().as_second();
        let at = |seconds| Some(prost_types::Timestamp { seconds: now + seconds, nanos: 0 });
        let range = pb::TimeRange { from: at(-3600), to: at(3600) };
        let pin = pb::PinRangeRequest { camera: camera.to_owned(), range: Some(range), note: "keep".to_owned() };
        self.recordings.clone().pin_range(pin).await.unwrap();
    }

    /// The media that the playlist of a range names, of which each is there; the last hour's, if no range is given.
    pub(crate) async fn media(&self, http: SocketAddr, camera: &str, range: Option<pb::TimeRange>) -> Vec<String> {
        let now = jiff::Timestamp::now().as_second();
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let range = range.unwrap_or_else(|| pb::TimeRange { from: at(now - 3600), to: at(now + 60) });
        let request = pb::CreatePlayUrlRequest { camera: camera.to_owned(), range: Some(range), valid_for: None };
        let path = self.recordings.clone().create_play_url(request).await.unwrap().into_inner().path;
        let playlist = get(http, &path).await;
        assert_eq!(playlist.status, 200);
        let text = String::from_utf8(playlist.body.to_vec()).unwrap();
        // They are named from the folder of the range, which is the camera's.
        let base = path.split('/').take(3).collect::<Vec<_>>().join("/");
        let named = text.lines().filter_map(|line| line.strip_prefix("../"));
        let media: Vec<_> = named.map(|name| format!("{base}/{name}")).collect();
        for uri in &media {
            assert!(get(http, uri).await.status.is_success(), "{uri}\n{text}");
        }
        media
    }

    /// The gaps of the last hour.
    pub(crate) async fn gaps_of(&self, camera: CameraId) -> Vec<pb::Gap> {
        let now = jiff::Timestamp::now();
        let at = |time: jiff::Timestamp| Some(prost_types::Timestamp { seconds: time.as_second(), nanos: 0 });
        let range = pb::TimeRange {
            from: at(now - jiff::SignedDuration::from_hours(1)),
            to: at(now + jiff::SignedDuration::from_mins(5)),
        };
        let request = pb::GetTimelineRequest { camera: camera.to_string(), range: Some(range) };
        self.recordings.clone().get_timeline(request).await.unwrap().into_inner().gaps
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    // One that ended meanwhile is as good as signalled.
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal);
}

/// Child processes of a process, by name.
pub(crate) fn children_of(pid: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let (head, rest) = stat.rsplit_once(") ").unwrap();
        if rest.split(' ').nth(1).and_then(|parent| parent.parse().ok()) == Some(pid) {
            let (id, name) = head.split_once(" (").unwrap();
            found.push((id.parse().unwrap(), name.to_owned()));
        }
    }
    found
}

/// A port below those that the kernel gives to whoever asks for any: nobody takes it while its owner is down.
pub(crate) fn free_port() -> u16 {
    let ports = 20_000_u16..32_000;
    loop {
        let [high, low, ..] = *uuid::Uuid::new_v4().as_bytes();
        let port = ports.start + u16::from_be_bytes([high, low]) % (ports.end - ports.start);
        let free = |port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
                && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        };
        if free(port) {
            return port;
        }
    }
}
