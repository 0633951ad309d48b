//! Mounts that only a hub sees. Without root they are made in a user namespace, which Debian allows to everyone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{getegid, geteuid};

/// A mount namespace, as long as a process sleeps in it.
pub(crate) struct Mounts {
    holder: Child,
}

impl Mounts {
    pub(crate) fn new() -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private"]);
        if !geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let holder = command.args(["--", "sleep", "600"]).stdout(Stdio::null()).spawn().unwrap();
        let mounts = Self { holder };
        // It is there when the sleep has begun.
        let name = format!("/proc/{}/comm", mounts.holder.id());
        for _ in 0..200 {
            if fs::read_to_string(&name).is_ok_and(|name| name.trim() == "sleep") {
                return mounts;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("no mount namespace: be root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)")
    }

    /// What stands before a command that sees these mounts, as root of their namespace.
    fn entered(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), format!("--target={}", self.holder.id()), "--mount".to_owned()];
        if !geteuid().is_root() {
            words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words.push("--".to_owned());
        words
    }

    /// And as whoever runs the test.
    pub(crate) fn for_the_hub(&self) -> Vec<String> {
        let mut words = self.entered();
        if !geteuid().is_root() {
            let (user, group) = (geteuid().as_raw(), getegid().as_raw());
            words.extend(["unshare", "--user"].map(str::to_owned));
            words.extend([format!("--map-user={user}"), format!("--map-group={group}"), "--".to_owned()]);
        }
        words
    }

    pub(crate) fn run(&self, words: &[&str]) {
        let entered = self.entered();
        let output = Command::new(&entered[0]).args(&entered[1..]).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A path as it is seen in there.
    pub(crate) fn inside(&self, path: &Path) -> PathBuf {
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(path.strip_prefix("/").unwrap())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A path as a word of a command.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
