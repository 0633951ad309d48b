//! What a clock reads of its machine: the wall clock, the kernel's boot, and whether a time service has set it.

use std::{fs, path::Path, time::SystemTime};

use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// A moment of one boot of the kernel, which no setting of the wall clock moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BootMoment {
    /// The boot: `/proc/sys/kernel/random/boot_id`.
    pub id: Uuid,
    /// Microseconds since the kernel began, suspended time included (`CLOCK_BOOTTIME`). Negative before it.
    pub us: i64,
}

/// Where a clock reads; tests bring their own.
pub struct Machine {
    /// The wall clock.
    pub wall: Box<dyn Fn() -> SystemTime + Send + Sync>,
    /// Now, by the kernel's boot; `None` where it is not told.
    pub boot: Box<dyn Fn() -> Option<BootMoment> + Send + Sync>,
    /// Whether the wall clock was set since the boot, as far as anybody tells. Asked several times a second until it
    /// says so: it must not block.
    pub is_synchronised: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Machine {
    /// This one.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn new() -> Self {
        let id = boot_id();
        Self {
            wall: Box::new(SystemTime::now),
            boot: Box::new(move || Some(BootMoment { id: id?, us: since_boot_us() })),
            is_synchronised: Box::new(|| is_synchronised(Path::new("/run/systemd/timesync"))),
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

fn boot_id() -> Option<Uuid> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Uuid::try_parse(text.trim()).ok()
}

fn since_boot_us() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1000)
}

/// Whether the time service that keeps this folder says that the clock is set (systemd-timesyncd.service(8)); where there
/// is none, the clock is believed. The folder is in memory, so this does not block.
fn is_synchronised(service: &Path) -> bool {
    !service.exists() || service.join("synchronized").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_service_that_has_not_set_the_clock_is_heard() {
        let run = tempfile::tempdir().unwrap();
        let service = run.path().join("timesync");
        assert!(is_synchronised(&service), "nobody tells");
        fs::create_dir(&service).unwrap();
        assert!(!is_synchronised(&service));
        fs::write(service.join("synchronized"), b"").unwrap();
        assert!(is_synchronised(&service));
    }

    #[test]
    fn the_kernel_tells_its_boot() {
        let boot = (Machine::new().boot)().expect("Linux has one");
        assert_eq!((Machine::new().boot)().unwrap().id, boot.id);
        assert!(boot.us > 0);
    }
}
