//! `larderd` as a process: started, stopped, killed.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use larder_ctl::simulate::{self, Options};
use larder_proto::pb;
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::support::{Clients, Home, children_of, processes_of, until};

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

async fn fragments(clients: &Clients) -> u32 {
    let request = pb::ListRecordingsRequest { camera: "fridge".to_owned(), ..Default::default() };
    let all = clients.recordings.clone().list_recordings(request).await.unwrap().into_inner().recordings;
    all.iter().map(|recording| recording.fragments).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_registers_the_last_fragment_and_leaves_no_child_and_kill_costs_a_few_seconds_at_most() {
    let home = Home::new(&[]);
    let notify = home.state().join("notify");
    let home = home.with_variable("NOTIFY_SOCKET", notify).with_variable("WATCHDOG_USEC", "400000");
    let systemd = Systemd::listen(home.state());
    let daemon = home.start();
    let hub = home.clients().await;
    let (camera, key) = hub.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
    let options = Options::new(home.link(), camera, key);
    let stop = CancellationToken::new();
    let camera = tokio::spawn(simulate::run(options, stop.clone(), |_| {}));
    until("fragments", || async { (fragments(&hub).await >= 2).then_some(()) }).await;
    let children = children_of(daemon.id());
    assert!(children.iter().any(|(_, name)| name == "ffmpeg"), "{children:?}");
    assert!(children.iter().any(|(_, name)| name == "postgres"), "{children:?}");

    assert!(systemd.heard("READY=1") && systemd.heard("WATCHDOG=1") && !systemd.heard("STOPPING=1"));

    daemon.stop().await;
    until("systemd to hear of it", || std::future::ready(systemd.heard("STOPPING=1").then_some(()))).await;
    assert_eq!(processes_of(home.state()), Vec::<String>::new());
    assert!(children.iter().all(|(pid, _)| !Path::new(&format!("/proc/{pid}")).exists()), "{children:?}");
    assert!(!home.state().join("larder.sock").exists());

    // The same port again: the camera finds its hub by itself.
    let daemon = home.start();
    let hub = home.clients().await;
    let before = fragments(&hub).await;
    assert!(before >= 2);
    until("the camera to be recorded again", || async { (fragments(&hub).await >= before + 2).then_some(()) }).await;
    let before = fragments(&hub).await;
    let children = children_of(daemon.id());

    daemon.kill().await;
    until("its children to end with it", || {
        let alive = children.iter().any(|(pid, _)| Path::new(&format!("/proc/{pid}")).exists());
        std::future::ready((!alive).then_some(()))
    })
    .await;
    let mut daemon = home.start();
    let hub = home.clients().await;
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

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused_in_words_and_left_alone() {
    let home = Home::new(&[]);
    let daemon = home.start();
    home.clients().await;
    let mut config = tokio_postgres::Config::new();
    config.host_path(home.state().join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    let newer = "INSERT INTO refinery_schema_history SELECT 99, 'future', applied_on, checksum \
                 FROM refinery_schema_history WHERE version = 1";
    client.execute(newer, &[]).await.unwrap();
    drop(client);
    driven.await.unwrap().unwrap();
    daemon.stop().await;

    let why = "the database was made by a newer Larder: it has V99__future";
    let mut daemon = home.start();
    assert!(!daemon.ended().await.success());
    assert!(home.log().contains(why), "{}", home.log());
    let migrate =
        Command::new(env!("CARGO_BIN_EXE_larderd")).arg("--state").arg(home.state()).arg("migrate").output().unwrap();
    assert!(!migrate.status.success() && String::from_utf8_lossy(&migrate.stderr).contains(why));
}
