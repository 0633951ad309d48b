//! A PostgreSQL server that is not the hub's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use larder_daemon::{
    app::App,
    certs::{self, Certs},
    clock::Clock,
    tasks::Tasks,
};
use larder_proto::pb;

use crate::{
    backups::{add, back_up, cameras, done, opens, token},
    support::{Home, Hub, postgres_programs, state_config, until},
};

/// A server on TCP that takes TLS connections alone. PostgreSQL refuses root, so root runs it as `postgres`.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        fs::write(&password, "hunter22").unwrap();
        // The hub's own authority makes a leaf for localhost, which serves as well for a database.
        let tasks = Tasks::new();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Certs::start(&certs::Config::default(), folder.path(), Clock::new(), &tasks).unwrap();
        tasks.stop(Duration::from_secs(5)).await;
        for name in ["leaf.pem", "password"] {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        own(folder.path());
        let initdb = Self::run("initdb", &["--username=larder", "--auth=scram-sha-256", "-D"])
            .arg(&data)
            .arg("--pwfile")
            .arg(&password)
            .output()
            .unwrap();
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let leaf = folder.path().join("leaf.pem");
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", leaf.display()),
            format!("ssl_key_file={}", leaf.display()),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("port={port}"),
            "fsync=off".to_owned(),
        ];
        let mut command = Self::run("postgres", &["-D"]);
        command.arg(&data);
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the server to listen", || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() })
            .await;
        Self { child, folder, port }
    }

    fn run(program: &str, arguments: &[&str]) -> Command {
        let program = postgres_programs().join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir("/");
        command
    }

    /// As its superuser.
    fn execute(&self, sql: &str) {
        let mut psql = Command::new(postgres_programs().join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--command", sql, "host=localhost user=larder dbname=postgres"]);
        psql.env("PGPORT", self.port.to_string()).env("PGPASSWORD", "hunter22").env("PGSSLMODE", "require");
        let done = psql.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn setting(&self) -> String {
        format!("database.url=postgresql://larder:hunter22@localhost:{}/postgres?sslmode=require", self.port)
    }

    fn authority(&self) -> String {
        format!("database.ca_file={}", self.folder.path().join("ca.crt").display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a folder and all in it to the account that runs the server.
fn own(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let done = Command::new("chown").arg("-R").arg("postgres:postgres").arg(folder).status().unwrap();
        assert!(done.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_used_over_tls_and_one_with_another_authority_is_not_trusted() {
    let server = Server::start().await;
    let hub = Hub::start_with(&[&server.setting(), &server.authority()]).await;
    hub.add_named("fridge").await;
    assert!(!hub.state().join("postgres").exists(), "no cluster of its own");
    let hub = hub.restart().await;
    let listed = hub.clients.cameras.clone().list_cameras(pb::ListCamerasRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().cameras.len(), 1);
    hub.stop().await;

    let state = tempfile::tempdir().unwrap();
    // Trusting the system's authorities alone, it gets no connection: nothing falls back to plain text.
    let config = state_config(state.path(), &[server.setting()]);
    let refused = tokio::time::timeout(Duration::from_secs(8), App::start(config)).await;
    assert!(!matches!(refused, Ok(Ok(_))), "it must not connect");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_backed_up_and_restored_by_one_who_owns_the_database_alone() {
    let server = Server::start().await;
    server.execute("CREATE ROLE fridge LOGIN PASSWORD 'an apple'");
    server.execute("CREATE DATABASE fridge OWNER fridge");
    let port = server.port;
    let url = format!("database.url=postgresql://fridge:an%20apple@localhost:{port}/fridge?sslmode=require");
    let home = Home::new(&[&url, &server.authority()]);
    let daemon = home.start();
    let clients = home.clients().await;
    add(&clients, "fridge").await;
    let name = back_up(home.state()).await;
    add(&clients, "cellar").await;
    let secret = token(&clients, "tv").await;
    done(home.state(), &["backup", "restore", &name, "--yes"]).await;
    assert_eq!(cameras(&home.clients().await).await, ["fridge"]);
    assert!(!opens(home.http(), &secret).await);
    daemon.stop().await;
}
