//! A hub's own PostgreSQL, taken away and brought back.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use super::{Home, children_of, postgres_programs, signal, until};

/// The server's programs, by links that can be taken away.
pub(crate) struct Server {
    state: PathBuf,
    programs: PathBuf,
}

impl Server {
    /// Sets a home up so that its hub finds them there.
    pub(crate) fn of(home: &mut Home) -> Self {
        let programs = home.state().join("programs");
        fs::create_dir(&programs).unwrap();
        for program in ["initdb", "postgres"] {
            symlink(postgres_programs().join(program), programs.join(program)).unwrap();
        }
        home.set(format!("database.bin_dir={}", programs.display()));
        Self { state: home.state().to_owned(), programs }
    }

    /// Its cluster is seen in another place from here.
    pub(crate) fn seen_in(mut self, state: PathBuf) -> Self {
        self.state = state;
        self
    }

    /// Kills it so that it cannot be started again. Its sessions too: they would answer a little longer.
    pub(crate) fn take_away(&self) {
        self.take_away_programs();
        server_processes(&self.state).into_iter().for_each(|pid| signal(pid, Signal::KILL));
    }

    /// So that it cannot be started.
    pub(crate) fn take_away_programs(&self) {
        fs::rename(self.programs.join("postgres"), self.programs.join("gone")).unwrap();
    }

    /// Ends it in order, so that its files are whole and nothing is left to recover; it cannot be started again.
    pub(crate) async fn shut_down(&self) {
        self.take_away_programs();
        signal(postmaster(&self.state).unwrap(), Signal::INT);
        until("the server to end", || std::future::ready(postmaster(&self.state).is_none().then_some(()))).await;
    }

    pub(crate) fn bring_back(&self) {
        fs::rename(self.programs.join("gone"), self.programs.join("postgres")).unwrap();
    }
}

/// The cluster's first process.
pub(crate) fn postmaster(state: &Path) -> Option<u32> {
    let text = fs::read_to_string(state.join("postgres/data/postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// That one, then all its sessions.
pub(crate) fn server_processes(state: &Path) -> Vec<u32> {
    let first = postmaster(state).unwrap();
    let sessions = children_of(first).into_iter().map(|(pid, _)| pid);
    [first].into_iter().chain(sessions).collect()
}
