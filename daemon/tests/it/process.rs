//! `larderd` as a process: started, stopped, killed.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use larder_ctl::simulate::{self, Options};
use larder_proto::pb;
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::support::{Clients, children_of, free_port, over_socket, processes_of, until};

struct Daemon(Child);

/// Hears what systemd would; reads at once, for a full queue would make the daemon wait.
struct Systemd(Arc<Mutex<String>>);

impl Systemd {
    fn listen(state: &Path) -> Self {
        let socket = UnixDatagram::bind(state.join("notify")).unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        // Ends with the process of this test.
        std::thread::spawn(move || {
            let mut buffer = [0; 256];
            while let Ok(length) = socket.recv(&mut buffer) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
                heard.push('\n');
            }
        });
        Self(said)
    }

    fn heard(&self, what: &str) -> bool {
        self.0.lock().unwrap().lines().any(|line| line == what)
    }
}

impl Daemon {
    fn start(state: &Path, link_port: u16) -> Self {
        let log = fs::OpenOptions::new().append(true).create(true).open(state.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_larderd"));
        command.arg("--state").arg(state).args(["--set", "recordings.free_mib=16"]);
        command.env("NOTIFY_SOCKET", state.join("notify")).env("WATCHDOG_USEC", "400000");
        for key in ["http.address", "http.https_address", "grpc.address", "thermometers.address"] {
            command.arg("--set").arg(format!("{key}=127.0.0.1:0"));
        }
        command.arg("--set").arg(format!("camera_link.address=127.0.0.1:{link_port}"));
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        while status.is_none() {
            status = self.0.try_wait().unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        status.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn clients(state: &Path) -> Clients {
    let socket = state.join("larder.sock");
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

async fn fragments(clients: &Clients) -> u32 {
    let request = pb::ListRecordingsRequest { camera: "fridge".to_owned(), ..Default::default() };
    let all = clients.recordings.clone().list_recordings(request).await.unwrap().into_inner().recordings;
    all.iter().map(|recording| recording.fragments).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_registers_the_last_fragment_and_leaves_no_child_and_kill_costs_a_few_seconds_at_most() {
    let state = tempfile::tempdir().unwrap();
    let port = free_port();
    let systemd = Systemd::listen(state.path());
    let mut daemon = Daemon::start(state.path(), port);
    let hub = clients(state.path()).await;
    let camera = pb::Camera { name: "fridge".to_owned(), ..Default::default() };
    let request = pb::CreateCameraRequest { camera: Some(camera) };
    let added = hub.cameras.clone().create_camera(request).await.unwrap().into_inner();
    let key = simulate::key_from_hex(&added.key.unwrap().key_hex).unwrap();
    let options = Options::new(format!("127.0.0.1:{port}"), added.camera.unwrap().id.parse().unwrap(), key);
    let stop = CancellationToken::new();
    let camera = tokio::spawn(simulate::run(options, stop.clone(), |_| {}));
    until("fragments", || async { (fragments(&hub).await >= 2).then_some(()) }).await;
    let children = children_of(daemon.0.id());
    assert!(children.iter().any(|(_, name)| name == "ffmpeg"), "{children:?}");
    assert!(children.iter().any(|(_, name)| name == "postgres"), "{children:?}");

    assert!(systemd.heard("READY=1") && systemd.heard("WATCHDOG=1") && !systemd.heard("STOPPING=1"));

    daemon.signal(Signal::TERM);
    assert!(daemon.ended().await.success());
    until("systemd to hear of it", || std::future::ready(systemd.heard("STOPPING=1").then_some(()))).await;
    assert_eq!(processes_of(state.path()), Vec::<String>::new());
    assert!(children.iter().all(|(pid, _)| !Path::new(&format!("/proc/{pid}")).exists()), "{children:?}");
    assert!(!state.path().join("larder.sock").exists());

    // The same port again: the camera finds its hub by itself.
    let mut daemon = Daemon::start(state.path(), port);
    let hub = clients(state.path()).await;
    let before = fragments(&hub).await;
    assert!(before >= 2);
    until("the camera to be recorded again", || async { (fragments(&hub).await >= before + 2).then_some(()) }).await;
    let before = fragments(&hub).await;
    let children = children_of(daemon.0.id());

    daemon.signal(Signal::KILL);
    daemon.ended().await;
    until("its children to end with it", || {
        let alive = children.iter().any(|(pid, _)| Path::new(&format!("/proc/{pid}")).exists());
        std::future::ready((!alive).then_some(()))
    })
    .await;
    let mut daemon = Daemon::start(state.path(), port);
    let hub = clients(state.path()).await;
    assert!(fragments(&hub).await >= before, "what was registered stays");
    stop.cancel();
    camera.await.unwrap().unwrap();
    daemon.signal(Signal::INT);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting_before_anything_starts() {
    let state = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_larderd"))
        .arg("--state")
        .arg(state.path())
        .args(["--set", &format!("http.address={address}")])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(log.contains(&address.port().to_string()) && log.contains("http.address"), "{log}");
    assert!(!state.path().join("postgres").exists());
}

#[test]
fn a_wrong_configuration_is_refused_with_every_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        let arguments = ["--check-config", "--config", file.to_str().unwrap()];
        Command::new(env!("CARGO_BIN_EXE_larderd")).args(arguments).output().unwrap()
    };
    assert!(check("[recordings]\ncrf = 30\n").status.success());
    let wrong = check("[recordings]\ncrf = 99\n[grpc]\ncalls = 0\n");
    let log = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success() && log.contains("recordings.crf") && log.contains("grpc.calls"), "{log}");
    let version = Command::new(env!("CARGO_BIN_EXE_larderd")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(version.stdout).unwrap().trim(), format!("larderd {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn migrate_makes_the_schema_and_is_done() {
    let state = tempfile::tempdir().unwrap();
    let migrate = || {
        Command::new(env!("CARGO_BIN_EXE_larderd")).arg("--state").arg(state.path()).arg("migrate").output().unwrap()
    };
    let first = migrate();
    let log = String::from_utf8_lossy(&first.stderr);
    assert!(first.status.success() && log.contains("V1__cameras"), "{log}");
    let second = migrate();
    assert!(String::from_utf8_lossy(&second.stderr).contains("up to date"));
    assert_eq!(processes_of(state.path()), Vec::<String>::new());
}
