//! What the tests stand on: a database cluster that is made once and copied for each hub.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::Command,
    time::SystemTime,
};

use rustix::fs::FlockOperation;

use crate::{app, config::Config};

/// What a copy begins with; the hub makes the rest.
const CLUSTER: &str = "postgres";

/// Gives a state folder a cluster whose schema is that of today, as the hub's first start makes it, in a fraction of the
/// time. The first test of a program makes it, beside the program; it is made anew when the program is newer.
///
/// # Panics
/// When it can't be made or copied, with the reason.
#[expect(clippy::expect_used, clippy::panic, reason = "only tests call it")]
pub fn prepare_cluster(state: &Path) {
    let program = std::env::current_exe().expect("a program's own path");
    let template = program.with_extension("cluster");
    let lock = File::create(program.with_extension("cluster.lock")).expect("a lock beside the program");
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).expect("the lock");
    if changed(&template).is_none_or(|made| changed(&program).is_some_and(|program| made < program)) {
        make(&template).unwrap_or_else(|error| panic!("making {}: {error}", template.display()));
    }
    // Whoever copies needs no other to wait.
    rustix::fs::flock(&lock, FlockOperation::LockShared).expect("the lock");
    copy(&template, &state.join(CLUSTER)).unwrap_or_else(|error| panic!("copying to {}: {error}", state.display()));
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Where every user gets in: PostgreSQL runs as another than root.
fn make(template: &Path) -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("larder-cluster-{}", std::process::id()));
    let made = make_in(&folder, template);
    fs::remove_dir_all(folder)?;
    made
}

fn make_in(folder: &Path, template: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    let state = folder.to_owned();
    // A test has a runtime, and migrations are made without.
    let made = std::thread::spawn(move || {
        let config = Config { state: Some(state), ..Config::default() };
        app::migrate(&config).map_err(|error| format!("{error:#}"))
    });
    let made = made.join().unwrap_or_else(|_panic| Err("it broke".to_owned()));
    made.map_err(io::Error::other)?;
    // Put in its place at once: a test that is killed meanwhile must not leave half of it for the others.
    let new = template.with_extension("new");
    for old in [template, &new].into_iter().filter(|old| old.exists()) {
        fs::remove_dir_all(old)?;
    }
    copy(&folder.join(CLUSTER), &new)?;
    fs::rename(new, template)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).output()?;
    if copied.status.success() { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&copied.stderr))) }
}
