//! Which account runs the cluster: PostgreSQL refuses root, so root runs it as `postgres`.

use std::fs;

use tokio::process::Command;

use super::Error;

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

    /// Runs `command` as this account. The standard library drops root's supplementary groups with the user.
    pub(super) fn run_as(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.other {
            command.uid(uid).gid(gid);
        }
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
