//! What a process has used, from `/proc` (proc(5)).

use std::{collections::HashMap, fs, io, path::Path, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Failure;

/// Clock ticks a second in `/proc` (USER_HZ), on every architecture that Debian has.
const USER_HZ: u32 = 100;

/// A running process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

impl Process {
    /// CPU time of its threads, to the nanosecond as the scheduler counts it. The time of a thread that has ended is lost:
    /// what is measured here keeps its threads.
    pub(super) fn cpu(self) -> Result<Duration, Failure> {
        let path = format!("/proc/{}/task", self.0);
        let failed = |source| Failure::file(&path, source);
        let mut used = Duration::ZERO;
        for thread in fs::read_dir(&path).map_err(failed)? {
            // One that ends meanwhile has no file any more.
            let Ok(text) = fs::read_to_string(thread.map_err(failed)?.path().join("schedstat")) else { continue };
            let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
            used += Duration::from_nanos(ns.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?);
        }
        Ok(used)
    }

    /// The most memory it ever held.
    pub(super) fn peak_rss(self) -> Result<u64, Failure> {
        self.memory("VmHWM:")
    }

    /// The memory it holds.
    pub(super) fn rss(self) -> Result<u64, Failure> {
        self.memory("VmRSS:")
    }

    fn memory(self, name: &str) -> Result<u64, Failure> {
        let path = format!("/proc/{}/status", self.0);
        let text = fs::read_to_string(&path).map_err(|source| Failure::file(&path, source))?;
        kib(&text, name).ok_or_else(|| Failure::file(&path, io::ErrorKind::InvalidData.into()))
    }
}

/// CPU time of a process and all that it started, directly or not, by the program's name, in steps of a clock tick
/// (10 ms) a process. What has ended already is not in it.
pub(super) fn family(root: Process) -> Result<HashMap<String, Duration>, Failure> {
    let proc = Path::new("/proc");
    let mut all = HashMap::new();
    for entry in fs::read_dir(proc).map_err(|source| Failure::file(proc, source))?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that ended meanwhile has no file any more.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        all.extend(stat(&text).map(|stat| (pid, stat)));
    }
    let mut used: HashMap<String, Duration> = HashMap::new();
    for (pid, stat) in &all {
        let ancestors = std::iter::successors(Some(*pid), |pid| all.get(pid).map(|stat| stat.parent));
        if ancestors.take(all.len()).any(|pid| pid == root.0) {
            *used.entry(stat.name.clone()).or_default() += Duration::from_secs(stat.ticks) / USER_HZ;
        }
    }
    Ok(used)
}

/// Lets this process and its children have so many files open, as far as the system allows. One that allows fewer shows
/// itself when viewers cannot connect.
pub(super) fn open_files(needed: usize) {
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        let current = Some(limit.maximum.map_or(needed, |most| most.min(needed)));
        let _refused = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    }
}

/// What is used of a line of `/proc/<pid>/stat`.
struct Stat {
    name: String,
    parent: u32,
    /// User and system time.
    ticks: u64,
}

fn stat(text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything, parentheses and spaces too.
    let (start, rest) = text.rsplit_once(')')?;
    let (_, name) = start.split_once('(')?;
    let number = |field: usize| rest.split_whitespace().nth(field - 3)?.parse::<u64>().ok();
    let parent = u32::try_from(number(4)?).ok()?;
    Some(Stat { name: name.to_owned(), parent, ticks: number(14)? + number(15)? })
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_hides_no_number() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194304 1 2 3 4 250 50 5 6 20 0 9 0 100 200 300";
        let found = stat(text).expect("numbers");
        assert_eq!((found.name.as_str(), found.parent, found.ticks), ("a) b (c)", 7, 300));
        assert!(stat("42 (a) S 7").is_none());
    }

    #[test]
    fn this_process_has_used_something() {
        let own = Process(std::process::id());
        assert!(own.cpu().is_ok());
        let family = family(own).expect("a family");
        assert!(!family.is_empty() && family.len() < 100, "{family:?}");
        let (rss, peak) = (own.rss().expect("memory"), own.peak_rss().expect("memory"));
        assert!(rss > 0 && peak >= rss);
        assert!(kib("VmRSS:\t  12 kB\n", "VmRSS:").is_some_and(|bytes| bytes == 12 * 1024));
    }
}
