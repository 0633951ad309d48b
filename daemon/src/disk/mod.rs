//! Whether the disks that the hub writes to take what is written: a small file in each folder, every few seconds.
//!
//! One thread a folder, and of its own: a disk that hangs holds whoever writes to it, for minutes or for ever, and must
//! not hold anybody else. It cannot be joined then; it ends when the last [`Disk`] is dropped and the disk answers.

mod check;

use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::parts::Trouble;

/// Between two looks. Each costs a flash card some pages.
const PAUSE: Duration = Duration::from_secs(10);
/// And while something is wrong.
const PAUSE_IN_TROUBLE: Duration = Duration::from_secs(2);
/// Longer than a card takes that is being trimmed.
const DEADLINE: Duration = Duration::from_secs(10);

/// A folder that is written to.
#[derive(Clone, Debug)]
pub struct Place {
    /// Nothing is said of one that is not there.
    pub folder: PathBuf,
    /// Only while this is there: a folder whose disk is not mounted is another disk's.
    pub only_with: Option<PathBuf>,
}

/// The handle; clones share it.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    watched: Vec<Watched>,
    /// Dropped, the threads end.
    _stop: Vec<mpsc::Sender<Infallible>>,
}

#[derive(Clone)]
struct Watched {
    place: Place,
    seen: Arc<Mutex<Seen>>,
}

/// What is known of a place.
#[derive(Default)]
struct Seen {
    /// When the look began that goes on.
    since: Option<Instant>,
    trouble: Option<Trouble>,
    /// The file system's number.
    device: Option<u64>,
}

impl Disk {
    /// Begins to look at these folders. One on the file system of another before it is not written to.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(places: Vec<Place>) -> io::Result<Self> {
        let watched: Vec<Watched> = places.into_iter().map(|place| Watched { place, seen: Arc::default() }).collect();
        let mut stop = Vec::new();
        for (at, one) in watched.iter().enumerate() {
            let (sender, stopped) = mpsc::channel();
            stop.push(sender);
            let (one, before) = (one.clone(), watched[..at].to_vec());
            thread::Builder::new().name("disk".to_owned()).spawn(move || one.watch(&before, &stopped))?;
        }
        Ok(Self(Arc::new(Inner { watched, _stop: stop })))
    }

    /// What is wrong, if something is. Never waits for a disk.
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.watched.iter().find_map(Watched::trouble)
    }
}

impl Watched {
    fn watch(&self, before: &[Self], stopped: &mpsc::Receiver<Infallible>) {
        loop {
            self.seen().since = Some(Instant::now());
            let found = self.look(before);
            let pause = if found.is_ok() { PAUSE } else { PAUSE_IN_TROUBLE };
            self.found(found.err());
            if matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Disconnected)) {
                return;
            }
        }
    }

    fn look(&self, before: &[Self]) -> Result<(), Trouble> {
        let Place { folder, only_with } = &self.place;
        let device = match fs::metadata(folder) {
            Ok(metadata) => metadata.dev(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(check::trouble(folder, &error)),
        };
        self.seen().device = Some(device);
        let is_looked_at = before.iter().any(|other| other.seen().device == Some(device));
        if is_looked_at || only_with.as_ref().is_some_and(|path| !path.exists()) {
            return Ok(());
        }
        check::write_and_read(folder).map_err(|error| check::trouble(folder, &error))
    }

    /// Notes how a look ended, and logs when it is otherwise than before.
    fn found(&self, trouble: Option<Trouble>) {
        let mut seen = self.seen();
        seen.since = None;
        let before = std::mem::replace(&mut seen.trouble, trouble.clone());
        drop(seen);
        match (before, trouble) {
            (before, Some(trouble)) if before.as_ref() != Some(&trouble) => {
                tracing::error!(reason = trouble.reason, detail = trouble.detail, "the disk does not work");
            }
            (Some(_), None) => tracing::info!(path = %self.place.folder.display(), "the disk works again"),
            _ => {}
        }
    }

    fn trouble(&self) -> Option<Trouble> {
        let seen = self.seen();
        if seen.since.is_some_and(|since| since.elapsed() >= DEADLINE) {
            return Some(hung(&self.place.folder));
        }
        seen.trouble.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hung(folder: &Path) -> Trouble {
    let (folder, seconds) = (folder.display(), DEADLINE.as_secs());
    let detail = format!(
        "{folder} has taken nothing for more than {seconds} s. Look at its disk, its cable and its power, or at the \
         server of a network share; dmesg says more"
    );
    Trouble::new("hung", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eventually(what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < end, "waited in vain until {what}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_folder_is_written_to_only_with_its_marker_and_not_twice_on_one_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let (marker, state) = (folder.path().join("marker"), folder.path().join("state"));
        fs::create_dir(&state).unwrap();
        let places = vec![
            Place { folder: folder.path().to_owned(), only_with: Some(marker) },
            Place { folder: state.clone(), only_with: None },
        ];
        // A folder in the file's place is an error to whoever writes it.
        fs::create_dir(folder.path().join(check::NAME)).unwrap();
        let disk = Disk::start(places).unwrap();
        let device = |at: usize| disk.0.watched[at].seen().device.is_some();
        eventually("both were looked at", || device(0) && device(1));
        assert_eq!(disk.trouble(), None, "without its marker it is another disk's folder");
        drop(disk);

        let only = vec![Place { folder: folder.path().to_owned(), only_with: None }];
        let disk = Disk::start(only).unwrap();
        eventually("it is told", || disk.trouble().is_some_and(|trouble| trouble.reason == "unwritable"));
        fs::remove_dir(folder.path().join(check::NAME)).unwrap();
        eventually("it is over", || disk.trouble().is_none());
    }
}
