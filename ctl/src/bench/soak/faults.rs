//! What goes wrong around the hub: its encoders and its database are killed, as the dice fall.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::super::process::Process;
use crate::simulate::Dice;

/// Between two of the first faults, which a short storm consists of.
const FIRST_PAUSES: (u32, u32) = (2, 8);
/// How many they are.
const FIRST: u32 = 6;
/// Between two faults later: an encoder that is killed more often than that is tried again more and more rarely, and
/// what is not recorded can't go wrong.
const PAUSES: (u32, u32) = (10, 50);
/// One in so many faults is the database's, which takes seconds to come back.
const DATABASE_ONE_IN: u32 = 8;
/// The database is left alone near the end, and for so long after it was killed.
const DATABASE_PAUSE: Duration = Duration::from_secs(30);

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Done {
    pub(super) encoders_killed: u32,
    pub(super) databases_killed: u32,
    pub(super) databases_restarted: u32,
}

pub(super) struct Storm {
    larderd: Process,
    /// Where the hub's PostgreSQL writes who it is.
    postmaster: PathBuf,
    dice: Dice,
    done: Done,
}

impl Storm {
    pub(super) fn new(larderd: Process, state: &Path, dice: Dice) -> Self {
        Self { larderd, postmaster: state.join("postgres/data/postmaster.pid"), dice, done: Done::default() }
    }

    /// Blows for so long. The first fault is an encoder's and the second the database's, so that a short storm has both.
    pub(super) async fn blow(mut self, length: Duration) -> Done {
        let end = Instant::now() + length;
        let mut database_at = Instant::now();
        let mut number = 0;
        loop {
            let (least, most) = if number < FIRST { FIRST_PAUSES } else { PAUSES };
            let pause = Duration::from_secs(u64::from(least + self.dice.throw() % (most - least)));
            if Instant::now() + pause >= end {
                tokio::time::sleep_until(end).await;
                return self.done;
            }
            sleep(pause).await;
            number += 1;
            let now = Instant::now();
            let may = now >= database_at && (number == 2 || end.duration_since(now) > DATABASE_PAUSE);
            if may && (number == 2 || self.dice.throw().is_multiple_of(DATABASE_ONE_IN)) {
                self.database();
                database_at = now + DATABASE_PAUSE;
            } else {
                self.encoder();
            }
        }
    }

    /// Kills one of the hub's ffmpeg.
    fn encoder(&mut self) {
        let encoders = children(self.larderd.0, "ffmpeg");
        let Some(count) = u32::try_from(encoders.len()).ok().filter(|count| *count > 0) else { return };
        let which = usize::try_from(self.dice.throw() % count).unwrap_or_default();
        if encoders.get(which).is_some_and(|pid| kill_process(*pid, Signal::KILL).is_ok()) {
            self.done.encoders_killed += 1;
        }
    }

    /// Kills the hub's PostgreSQL, or tells it to end at once.
    fn database(&mut self) {
        let text = fs::read_to_string(&self.postmaster).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return };
        let crash = self.dice.throw().is_multiple_of(2);
        if kill_process(pid, if crash { Signal::KILL } else { Signal::INT }).is_ok() {
            *(if crash { &mut self.done.databases_killed } else { &mut self.done.databases_restarted }) += 1;
        }
    }
}

/// A process's children of that name.
fn children(parent: u32, name: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_parent = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // pid (name) state parent: the name may hold anything.
        let Some((head, rest)) = stat.rsplit_once(')') else { return false };
        let found = head.split_once('(').is_some_and(|(_, found)| found == name);
        found && rest.split_whitespace().nth(1).and_then(|field| field.parse().ok()) == Some(parent)
    };
    pids.filter(of_parent).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_children_of_that_name_are_found() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let found = children(own, "sleep");
        assert!(found.iter().any(|pid| u32::try_from(pid.as_raw_nonzero().get()) == Ok(child.id())), "{found:?}");
        assert_eq!(children(own, "ffmpeg"), []);
        assert_eq!(children(child.id(), "sleep"), []);
        child.kill().and_then(|()| child.wait()).expect("ended");
    }
}
