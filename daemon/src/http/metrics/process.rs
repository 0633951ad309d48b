//! What the kernel says of this process, under the names that Prometheus' own libraries give it.

use std::{fmt::Write as _, fs};

use rustix::process::{Resource, getrlimit};

use super::catalogue;

/// The kernel's unit of processor time towards programs, the same on every machine Larder runs on (`USER_HZ`, time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// All metrics of the process. Reads a few files below `/proc`, which takes microseconds; what can't be read is left
/// out.
pub(super) fn render() -> String {
    let mut text = String::new();
    for (name, value) in look() {
        if let Some(value) = value {
            text.push_str(&catalogue::declaration(name));
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} {value}");
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as Prometheus itself")]
fn look() -> [(&'static str, Option<f64>); 7] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let system = fs::read_to_string("/proc/stat").unwrap_or_default();
    let bytes = |name| field(&status, name).map(|kib| kib * 1024.0);
    let fds = fs::read_dir("/proc/self/fd").ok().and_then(|entries| u32::try_from(entries.count()).ok());
    // The 14th and 15th field, user and system, and the 22nd, ticks from the machine's start (proc_pid_stat(5)).
    let cpu = ticks(&stat, 14).zip(ticks(&stat, 15)).map(|(user, system)| user + system);
    let started = field(&system, "btime ").zip(ticks(&stat, 22)).map(|(booted, after)| booted + after);
    [
        ("process_cpu_seconds_total", cpu),
        ("process_resident_memory_bytes", bytes("VmRSS:")),
        ("process_virtual_memory_bytes", bytes("VmSize:")),
        // One is the folder that is being read.
        ("process_open_fds", fds.map(|count| f64::from(count.saturating_sub(1)))),
        ("process_max_fds", getrlimit(Resource::Nofile).current.map(|most| most as f64)),
        ("process_threads", field(&status, "Threads:")),
        ("process_start_time_seconds", started),
    ]
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of `/proc/self/stat` in seconds. The second field, the name, may hold spaces and parentheses.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: f64 = after_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let found = look();
        let value = |name: &str| found.iter().find(|(found, _)| *found == name).and_then(|(_, value)| *value).unwrap();
        assert!(value("process_resident_memory_bytes") > 1_048_576.0, "{found:?}");
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"), "{found:?}");
        assert!(value("process_threads") >= 1.0 && value("process_open_fds") >= 3.0, "{found:?}");
        assert!(value("process_max_fds") >= value("process_open_fds"), "{found:?}");
        assert!(value("process_start_time_seconds") > 1.7e9, "{found:?}");
        assert_eq!(render().lines().filter(|line| !line.starts_with('#')).count(), found.len());
    }

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 99 0 0 0 250 50 3 4 20 0 9 0 8800 99 100";
        assert_eq!((ticks(stat, 14), ticks(stat, 15), ticks(stat, 22)), (Some(2.5), Some(0.5), Some(88.0)));
        assert_eq!(ticks("nonsense", 14), None);
    }
}
