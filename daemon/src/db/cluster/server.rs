//! The server process: started, or found running.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::{
    process::{Child, Command},
    time::Instant,
};
use tokio_postgres::NoTls;

use super::{Error, Layout, install::open_log};

/// Recovery after kill -9 takes seconds on a Pi's card; give up only well after that.
const START_WAIT: Duration = Duration::from_secs(60);
const STOP_WAIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A running server.
pub(super) struct Server {
    pid: Pid,
    /// Absent when it was adopted.
    child: Option<Child>,
}

impl Server {
    pub(super) async fn start_or_adopt(layout: &Layout) -> Result<Self, Error> {
        if let Some(pid) = running(&layout.data) {
            tracing::info!(db.pid = pid.as_raw_nonzero().get(), "adopting a PostgreSQL server that is running");
            let mut adopted = Self { pid, child: None };
            match adopted.wait_until_ready(layout).await {
                // A killed hub takes its server along: this one was on its way out already.
                Err(Error::Ended { .. }) => tracing::info!("it was ending; starting another"),
                ready => return ready.map(|()| adopted),
            }
        }
        let mut server = Self::spawn(layout)?;
        server.wait_until_ready(layout).await?;
        Ok(server)
    }

    fn spawn(layout: &Layout) -> Result<Self, Error> {
        // `setpriv --pdeathsig` ends the server with a killed hub; `Command` can do that only with unsafe code.
        let program = Path::new("/usr/bin/setpriv");
        let failed = |source| Error::Spawn { program: program.to_owned(), source };
        let log = open_log(layout).map_err(failed)?;
        let mut command = Command::new(program);
        if let Some((uid, gid)) = layout.account.other {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        }
        command
            .args(["--pdeathsig", "INT", "--"])
            .arg(layout.bin.join("postgres"))
            .arg("-D")
            .arg(&layout.data)
            .arg("-k")
            .arg(&layout.run)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        let child = command.spawn().map_err(failed)?;
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = raw.and_then(Pid::from_raw).ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        Ok(Self { pid, child: Some(child) })
    }

    async fn wait_until_ready(&mut self, layout: &Layout) -> Result<(), Error> {
        let end = Instant::now() + START_WAIT;
        let config = layout.connection();
        loop {
            // Only the handshake matters: the connection is dropped at once.
            if config.connect(NoTls).await.is_ok() {
                return Ok(());
            }
            if self.has_ended() {
                return Err(Error::Ended { log: layout.log.clone(), tail: tail(&layout.log) });
            }
            if Instant::now() > end {
                return Err(Error::Silent { log: layout.log.clone(), seconds: START_WAIT.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn has_ended(&mut self) -> bool {
        match &mut self.child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => test_kill_process(self.pid).is_err(),
        }
    }

    /// Takes the exit status of an ended child: as a zombie it would still hold its pid file.
    pub(super) async fn reap(&mut self) {
        if let Some(child) = &mut self.child {
            // It was our child, so the only thing that can be wrong is that it was reaped before.
            let _ = child.wait().await;
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Asks it to end its sessions and itself; a server that does not within the time is left to finish.
    pub(super) async fn stop(mut self) {
        if let Err(error) = kill_process(self.pid, Signal::INT) {
            tracing::debug!(cause = %error, "PostgreSQL had ended already");
        }
        let ended = async {
            match &mut self.child {
                Some(child) => drop(child.wait().await),
                None => ended(self.pid).await,
            }
        };
        if tokio::time::timeout(STOP_WAIT, ended).await.is_err() {
            tracing::warn!(db.pid = self.pid.as_raw_nonzero().get(), "PostgreSQL is still writing; it ends by itself");
        }
    }
}

/// Waits until a process is gone or a zombie. Cancel safe.
pub(super) async fn ended(pid: Pid) {
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    loop {
        // The state follows the last parenthesis (proc(5)).
        let alive = fs::read_to_string(&stat)
            .is_ok_and(|text| text.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])));
        if !alive {
            return;
        }
        tokio::time::sleep(POLL * 5).await;
    }
}

/// The server that runs on this data folder, by its pid file and the folder it works in.
fn running(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    let works_in = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()?;
    (works_in == fs::canonicalize(data).ok()?).then_some(pid)
}

/// The last lines of the log.
fn tail(log: &Path) -> String {
    const LENGTH: u64 = 1_000;
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LENGTH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_default()
}
