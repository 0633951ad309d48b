//! Which account runs the cluster: PostgreSQL refuses root, so root runs it as `postgres`.

use std::{fs, io, path::Path, process::Stdio};

use tokio::process::Command;

use super::Error;

/// Of util-linux.
pub(super) const SETPRIV: &str = "/usr/bin/setpriv";

/// The account that runs the cluster and owns its files.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) name: String,
    /// User and group, when they are not ours.
    pub(super) other: Option<(u32, u32)>,
}

impl Account {
    pub(super) fn of_the_cluster() -> Result<Self, Error> {
        let uid = rustix::process::geteuid();
        if uid.is_root() {
            let (_, uid, gid) = passwd(|name, _| name == "postgres").ok_or(Error::NoUser)?;
            return Ok(Self { name: "postgres".to_owned(), other: Some((uid, gid)) });
        }
        let name = passwd(|_, id| id == uid.as_raw()).map_or_else(|| uid.as_raw().to_string(), |(name, ..)| name);
        Ok(Self { name, other: None })
    }

    /// Ours, which needs no name here.
    pub(super) fn ours() -> Self {
        Self { name: String::new(), other: None }
    }

    /// Gives a file or folder to this account.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        let Some((uid, gid)) = self.other else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
    }

    /// Runs a program of PostgreSQL as this account, in the root folder and without input. It gets `signal` when the hub
    /// is killed: `setpriv --pdeathsig` sees to that; `Command` can do it only with unsafe code.
    pub(super) fn command(&self, signal: &str, program: &Path) -> Command {
        let mut command = Command::new(SETPRIV);
        if let Some((uid, gid)) = self.other {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        }
        command.args(["--pdeathsig", signal, "--"]).arg(program).current_dir("/").stdin(Stdio::null());
        // They read dozens of variables (`PGPORT`, `PGDATA`, ...), which are meant for somebody else's server.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
    }
}

fn passwd(wanted: impl Fn(&str, u32) -> bool) -> Option<(String, u32, u32)> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        wanted(name, uid).then(|| (name.to_owned(), uid, gid))
    })
}
