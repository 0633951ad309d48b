//! The server process: started, or found running.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Child, time::Instant};
use tokio_postgres::NoTls;

use super::{Error, Layout, SOCKET, account::SETPRIV, install::open_log};
use crate::files;

/// Recovery after kill -9 takes seconds on a Pi's card; give up only well after that.
const START_WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// A server that answers a handshake at all does so within this.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long what is left of an earlier server may hold the data: the one of a killed hub is still ending, and the
/// sessions of a killed one notice that within a second.
const LEFTOVER_WAIT: Duration = Duration::from_secs(15);

/// A running server.
pub(super) struct Server {
    pid: Pid,
    /// Absent when it was adopted.
    child: Option<Child>,
}

impl Server {
    pub(super) async fn start_or_adopt(layout: &Layout) -> Result<Self, Error> {
        let end = Instant::now() + LEFTOVER_WAIT;
        // On the data and on the socket (PostgreSQL's `CreateDataDirLockFile` and `CreateSocketLockFile`).
        let locks = [layout.data.join("postmaster.pid"), layout.run.join(format!("{SOCKET}.lock"))];
        let mut is_first = true;
        loop {
            // Nor is one failure the last word: a server that a killed hub had just begun takes its lock only now, or let
            // go of it since ours looked.
            let leftover = std::mem::take(&mut is_first) || locks.iter().any(|lock| lock.exists());
            let mut server = match running(&layout.data) {
                Some(pid) => {
                    tracing::info!(db.pid = pid.as_raw_nonzero().get(), "adopting a PostgreSQL server that is running");
                    Self { pid, child: None }
                }
                None => {
                    for lock in &locks {
                        forget_stranger(lock, &layout.data)?;
                    }
                    Self::spawn(layout)?
                }
            };
            match server.wait_until_ready(layout).await {
                Ok(()) => return Ok(server),
                Err(error @ Error::Ended { .. }) if leftover && Instant::now() < end => {
                    tracing::debug!(cause = %error, "an earlier PostgreSQL server is not quite gone");
                    tokio::time::sleep(POLL * 10).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn spawn(layout: &Layout) -> Result<Self, Error> {
        let failed = |source| Error::Spawn { program: SETPRIV.into(), source };
        // A full or read-only disk is not setpriv's fault.
        let log = open_log(layout).map_err(|source| Error::File { path: layout.log.clone(), source })?;
        let mut command = layout.account.command("INT", &layout.bin.join("postgres"));
        command
            .arg("-D")
            .arg(&layout.data)
            .arg("-k")
            .arg(&layout.run)
            .process_group(0)
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
            if matches!(tokio::time::timeout(ANSWER_WAIT, config.connect(NoTls)).await, Ok(Ok(_))) {
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
            None => !is_alive(self.pid),
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

    /// Asks it to end its sessions and itself. `false` when it does not within `grace`; it is left to finish.
    pub(super) async fn stop(mut self, grace: Duration) -> bool {
        if let Err(error) = kill_process(self.pid, Signal::INT) {
            tracing::debug!(cause = %error, "PostgreSQL had ended already");
        }
        let ended = async {
            match &mut self.child {
                Some(child) => drop(child.wait().await),
                None => ended(self.pid).await,
            }
        };
        let in_time = tokio::time::timeout(grace, ended).await.is_ok();
        if !in_time {
            tracing::warn!(db.pid = self.pid.as_raw_nonzero().get(), "PostgreSQL is still writing; it ends by itself");
        }
        in_time
    }
}

/// Waits until a process is gone or a zombie. Cancel safe.
pub(super) async fn ended(pid: Pid) {
    while is_alive(pid) {
        tokio::time::sleep(POLL * 5).await;
    }
}

/// Whether a process is there and no zombie.
fn is_alive(pid: Pid) -> bool {
    // The state follows the last parenthesis (proc(5)).
    fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .is_ok_and(|text| text.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// Removes a lock of a server that is gone when another process has its number now, a dead one that nobody has buried
/// has it still, or it holds none: PostgreSQL would take that one for the server, or for one that is starting, and refuse
/// to start. Other stale locks it replaces itself, without a race against a server that is starting. A session that still
/// works in the data folder keeps the lock.
fn forget_stranger(lock: &Path, data: &Path) -> Result<(), Error> {
    let Ok(text) = fs::read_to_string(lock) else { return Ok(()) };
    let is_refused = holder(&text).is_none_or(|pid| Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists());
    if !is_refused || somebody_works_in(data) {
        return Ok(());
    }
    tracing::warn!(path = %lock.display(), "an earlier PostgreSQL server is gone, and its lock with it");
    files::remove(lock).map_err(|source| Error::File { path: lock.to_owned(), source })
}

/// Whose lock it is, by its first line.
fn holder(lock: &str) -> Option<Pid> {
    let number: u32 = lock.lines().next()?.trim().parse().ok()?;
    Pid::from_raw(number.try_into().ok()?)
}

/// A server and its sessions work in their data folder.
fn somebody_works_in(data: &Path) -> bool {
    let Ok(data) = fs::canonicalize(data) else { return false };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|process| process.path().join("cwd")).any(|cwd| fs::read_link(cwd).is_ok_and(|cwd| cwd == data))
}

/// The server that runs on this data folder, by its pid file and the folder it works in.
fn running(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = holder(&text)?;
    let works_in = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()?;
    (works_in == fs::canonicalize(data).ok()?).then_some(pid)
}

/// The last lines of the log.
fn tail(log: &Path) -> String {
    const LENGTH: u64 = 500;
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LENGTH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        // The first line is mostly cut.
        let whole = if length > LENGTH { text.split_once('\n').map_or("", |(_, whole)| whole) } else { &text };
        Ok(whole.trim().to_owned())
    };
    read().unwrap_or_default()
}
