//! `larderd` as a child of this program, for commands that bring their own hub.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use larder_proto::{
    pb::{GetStatusRequest, SystemStatus},
    wire::camera::PORT,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    Failure,
    client::{Hub, quick},
    target::Target,
};

/// `larderd` makes a database cluster at its first start; a Raspberry Pi with a slow card needs its time.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two looks at whether it is up.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than the daemon's own grace period.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);
/// Ends `larderd` when this program is killed; a part of util-linux, which every Debian has.
const SETPRIV: &str = "/usr/bin/setpriv";

/// `larderd` as a child.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts `larderd`, else the one beside this program, else the one in PATH. It is in a process group of its own:
    /// Ctrl-C in the terminal is for this program, which decides what stops first.
    pub(crate) fn start(larderd: Option<PathBuf>, state: &Path, options: &[String]) -> Result<Self, Failure> {
        let larderd = larderd.unwrap_or_else(beside);
        let mut command = if Path::new(SETPRIV).exists() {
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "TERM", "--"]).arg(&larderd);
            command
        } else {
            Command::new(&larderd)
        };
        command.arg("--state").arg(state).args(options).process_group(0).kill_on_drop(true);
        if std::env::var_os("LARDER_LOG").is_none() {
            // What goes well is not to push what this program says off the screen.
            command.env("LARDER_LOG", "warn");
        }
        command.spawn().map(Self).map_err(|source| Failure::file(larderd, source))
    }

    /// Its process; `None` when it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.0.id()
    }

    /// When it ends by itself.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Asks it to stop and waits; one that overruns is killed when this is dropped.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        let Some(pid) = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else {
            return Ok(());
        };
        kill_process(pid, Signal::TERM).map_err(|error| Failure::Other(format!("cannot stop larderd: {error}")))?;
        match timeout(STOP_TIMEOUT, self.0.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => Err(gone(status)),
            Err(_elapsed) => {
                let seconds = STOP_TIMEOUT.as_secs();
                Err(Failure::Other(format!("larderd did not stop within {seconds} s and is killed")))
            }
        }
    }
}

pub(crate) fn gone(status: io::Result<ExitStatus>) -> Failure {
    match status {
        Ok(status) => Failure::Other(format!("larderd ended by itself ({status}); its reason stands above")),
        Err(error) => Failure::Other(format!("larderd cannot be waited for: {error}")),
    }
}

/// The daemon that was built or installed together with this program.
fn beside() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name("larderd"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from("larderd"))
}

/// Waits until the hub answers with its database.
pub(crate) async fn up(socket: Target) -> Result<Hub, Failure> {
    let began = Instant::now();
    loop {
        let ready = async {
            let hub = Hub::connect(socket.clone()).await?;
            let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
            Ok::<_, Failure>((hub, waiting_for(&status)))
        };
        let missing = match ready.await {
            Ok((hub, None)) => return Ok(hub),
            Ok((_, Some(missing))) => Failure::Other(missing),
            Err(failure) => failure,
        };
        if began.elapsed() > START_TIMEOUT {
            return Err(missing);
        }
        sleep(LOOK).await;
    }
}

fn waiting_for(status: &SystemStatus) -> Option<String> {
    let part = status.parts.iter().find(|part| !part.ready)?;
    Some(format!("the {} is not ready: {}", part.name, part.detail))
}

/// Where to dial a listener on this machine: one that takes every address is dialled at the loopback, the IPv4 one, which
/// the hub's listeners take in any case.
pub(crate) fn here(address: &str) -> String {
    let Ok(mut address) = address.parse::<SocketAddr>() else { return format!("127.0.0.1:{PORT}") };
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_for_all_addresses_is_dialled_at_home() {
        assert_eq!(here("0.0.0.0:7440"), "127.0.0.1:7440");
        assert_eq!(here("[::]:99"), "127.0.0.1:99");
        assert_eq!(here("10.0.0.2:7440"), "10.0.0.2:7440");
        assert_eq!(here(""), "127.0.0.1:7440");
    }
}
