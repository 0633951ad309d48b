//! A hub, a camera, and ways to ask.

mod broker;
mod camera;
mod daemon;
mod database;
mod far;
mod hub;
mod mail;
mod media;
#[cfg(feature = "moq")]
mod moq;
mod mounts;
mod receiver;
mod trusted;
mod web;
mod witness;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) use broker::{Broker, Listener};
pub(crate) use camera::{Pictures, session_clock, simulated};
pub(crate) use daemon::{Daemon, Home, children_of, free_port, signal};
pub(crate) use database::{Server, postmaster, server_processes};
pub(crate) use far::{Dialer, FarViewer, hello, tls};
pub(crate) use hub::{Clients, Hub, over_socket, state_config, state_folder};
pub(crate) use mail::MailServer;
pub(crate) use media::{RunFiles, frame_times, runs};
#[cfg(feature = "moq")]
pub(crate) use moq::MoqRelay;
pub(crate) use mounts::{Mounts, text};
pub(crate) use receiver::{Posted, Receiver};
pub(crate) use trusted::Trusted;
pub(crate) use web::{Answer, get, get_with};
pub(crate) use witness::{Habits, Sent, Witness, record};

/// Asks until the answer is `Some`; a minute is far beyond what anything here takes.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await.unwrap_or_else(|_| panic!("waited for: {what}"))
}

/// How often something is done: in long runs (`LARDER_LONG=1`) more.
pub(crate) fn times(usual: u32, long: u32) -> u32 {
    if std::env::var_os("LARDER_LONG").is_some_and(|set| set == "1") { long } else { usual }
}

/// Command lines that name the state folder: postgres does, and ffmpeg runs below the daemon.
pub(crate) fn processes_of(state: &Path) -> Vec<String> {
    processes(|_, line| line.contains(state.to_str().unwrap())).into_iter().map(|(_, line)| line).collect()
}

/// All processes that name the state folder or work in it, as initdb's children do.
pub(crate) fn all_processes_of(state: &Path) -> Vec<u32> {
    let works_in = |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(state));
    let found = processes(|process, line| line.contains(state.to_str().unwrap()) || works_in(process));
    found.into_iter().map(|(pid, _)| pid).collect()
}

fn processes(is_wanted: impl Fn(&Path, &str) -> bool) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if is_wanted(&entry.path(), &line) {
            found.push((pid, line));
        }
    }
    found
}

/// The folder of the newest PostgreSQL's programs.
pub(crate) fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let mut versions: Vec<u32> =
        versions.filter_map(|entry| entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok())).collect();
    versions.sort_unstable();
    Path::new("/usr/lib/postgresql").join(versions.last().unwrap().to_string()).join("bin")
}
