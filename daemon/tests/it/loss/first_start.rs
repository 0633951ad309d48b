//! The hub's first start, interrupted: the next one works, whatever was half done.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use larder_proto::pb;
use rustix::process::Signal;

use super::{Chance, faults};
use crate::support::{Clients, Home, all_processes_of, postgres_programs, postmaster, signal, times, until};

/// Each change of a file or folder by a hub that is started and by its children, counted and stopped at.
struct Steps {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Steps {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { library: faults(folder.path()), folder }
    }

    /// Starts a hub in a new home until the step of that number, kills it there with all that it started, and gives back
    /// the home; `None` when it had made all its steps before.
    async fn until(&self, last: u64) -> Option<Home> {
        let steps = self.folder.path().join("steps");
        fs::write(&steps, "").unwrap();
        // PostgreSQL's programs run as another user when this runs as root.
        fs::set_permissions(&steps, fs::Permissions::from_mode(0o666)).unwrap();
        let home = Home::without_cluster(&[]);
        let number = last.to_string();
        let daemon = home.start_with(&[
            ("LD_PRELOAD", self.library.as_os_str()),
            ("LARDER_STEPS", steps.as_os_str()),
            ("LARDER_LAST_STEP", OsStr::new(&number)),
        ]);
        let reached = until("the step, or the hub", || async {
            let made = fs::metadata(&steps).unwrap().len();
            if made >= last { Some(true) } else { home.log().contains("larderd is ready").then_some(false) }
        })
        .await;
        daemon.kill().await;
        all_processes_of(home.state()).into_iter().for_each(|pid| signal(pid, Signal::KILL));
        reached.then_some(home)
    }

    /// How many steps a first start has.
    async fn count(&self) -> u64 {
        self.until(u64::MAX).await;
        fs::metadata(self.folder.path().join("steps")).unwrap().len()
    }
}

/// It starts, keeps what it is told, and nobody can reach its database over TCP.
async fn works(home: &Home) {
    let daemon = home.start();
    let clients = home.clients().await;
    clients.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
    let shown = setting(home.state(), "listen_addresses").await;
    assert_eq!(shown, "");
    let left: Vec<_> =
        fs::read_dir(home.state().join("postgres")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("data.new")), "{left:?}");
    daemon.stop().await;
}

async fn setting(state: &Path, name: &str) -> String {
    let mut config = tokio_postgres::Config::new();
    config.host_path(state.join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    let value = client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0);
    drop(client);
    driven.await.unwrap().unwrap();
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_at_any_step_is_followed_by_one_that_works() {
    let steps = Steps::new();
    let all = steps.count().await;
    assert!(all > 500, "initdb's own are among them: {all}");
    let mut chance = Chance::new();
    let every = u64::from(times(0, 1)) == 1;
    let chosen: Vec<u64> = if every { (1..=all).collect() } else { (0..12).map(|_| 1 + chance.below(all)).collect() };
    for step in chosen {
        // Steps of threads beside each other are not the same number at each start.
        if let Some(home) = steps.until(step).await {
            works(&home).await;
        }
    }
}

/// What a start of an earlier version left, which made its cluster in place.
#[tokio::test]
async fn what_earlier_versions_left_half_made_is_made_anew() {
    let home = Home::without_cluster(&[]);
    let data = home.state().join("postgres/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "15\n").unwrap();
    works(&home).await;

    let home = Home::without_cluster(&[]);
    // initdb was through, and its settings were not written: a server on it would listen on TCP.
    let data = home.state().join("postgres/data");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    initdb(&data);
    works(&home).await;
}

/// As whoever runs the hub's cluster.
fn initdb(data: &Path) {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(data.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg(postgres_programs().join("initdb")).args(["--username=larder", "--auth=peer", "--no-sync", "-D"]);
    let made = command.arg(data).current_dir("/").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn variables_of_another_server_and_a_stale_lock_keep_no_hub_from_starting() {
    let home = Home::without_cluster(&[]);
    let foreign: Vec<(&str, &OsStr)> =
        [("PGPORT", "6543"), ("PGDATA", "/nowhere"), ("PGHOST", "/nowhere"), ("PGUSER", "x")]
            .map(|(name, value)| (name, OsStr::new(value)))
            .to_vec();
    let daemon = home.start_with(&foreign);
    home.clients().await;
    let dead = postmaster(home.state()).unwrap();
    daemon.kill().await;
    until("the server to end", || async { (!Path::new(&format!("/proc/{dead}")).exists()).then_some(()) }).await;

    // Its number is now that of another process of the same user.
    let mut stranger = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        stranger.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    let mut stranger = stranger.args(["sleep", "600"]).current_dir("/").spawn().unwrap();
    let lock = home.state().join("postgres/data/postmaster.pid");
    let socket = home.state().join("postgres/run");
    fs::write(
        &lock,
        format!("{}\n{}\n0\n5432\n{}\n", stranger.id(), lock.parent().unwrap().display(), socket.display()),
    )
    .unwrap();
    let daemon = home.start_with(&foreign);
    let clients: Clients = home.clients().await;
    clients.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
    daemon.stop().await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
