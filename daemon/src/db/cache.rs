//! What a hub must know to work without its database, kept beside it: rows of mirrors, sealed with the hub's key, a file
//! each in `<state>/cache`.
//!
//! It is read when a hub starts and the database does not answer. It says what rows said last, so whoever lost their
//! access must lose it here too: what can't be replaced is removed.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{files, repeats, secrets::HubKey};

/// In the state folder.
const FOLDER: &str = "cache";
/// How long a change waits until it is on the disk: who is answered knows it remembered, unless the disk hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The cache; clones share it.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    key: HubKey,
    /// Counts what is kept, so that a write that a disk held up does not come after a newer one.
    kept: AtomicU64,
    written: Mutex<HashMap<&'static str, Written>>,
}

/// What was written last by a name.
struct Written {
    number: u64,
    /// So that nothing is written twice; `None`: there is no file.
    hash: Option<blake3::Hash>,
}

impl Cache {
    /// The cache of a state folder. Nothing is touched yet.
    pub fn new(state: &Path, key: HubKey) -> Self {
        Self(Arc::new(Inner { folder: state.join(FOLDER), key, kept: AtomicU64::default(), written: Mutex::default() }))
    }

    /// Whether anything was ever kept here: the hub has worked with its database before.
    pub fn is_there(&self) -> bool {
        fs::read_dir(&self.0.folder).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Forgets everything in a state folder, for good.
    ///
    /// # Errors
    /// When a file stays.
    pub fn forget(state: &Path) -> io::Result<()> {
        match fs::remove_dir_all(state.join(FOLDER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => files::sync_folder(state),
        }
    }

    /// Keeps what rows say now. What fails is logged. A disk that hangs is waited for only so long: it is written then,
    /// too.
    pub(crate) async fn keep<T: Serialize + ?Sized>(&self, name: &'static str, rows: &T) {
        let text = match serde_json::to_vec(rows) {
            Ok(text) => text,
            Err(error) => return tracing::error!(%error, rows = name, "rows cannot be remembered"),
        };
        let (cache, number) = (self.clone(), self.0.kept.fetch_add(1, Ordering::Relaxed));
        // On a thread for it, so that it is not cancelled half done.
        let writing = tokio::task::spawn_blocking(move || cache.replace(name, number, &text));
        let kept = match timeout(PATIENCE, writing).await {
            Ok(written) => written.unwrap_or_else(|panic| Err(io::Error::other(panic))),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = kept {
            repeats::say!(warn, name, { rows = name, %error }, "rows cannot be remembered for a start without the database");
        }
    }

    fn replace(&self, name: &'static str, number: u64, text: &[u8]) -> io::Result<()> {
        let hash = blake3::hash(text);
        // Held while it is written: one after the other.
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = written.get_mut(name) {
            if last.number > number {
                return Ok(());
            }
            last.number = number;
            if last.hash == Some(hash) {
                return Ok(());
            }
        }
        let replaced = self.write(name, text);
        if replaced.is_err() {
            let _ = files::remove(&self.path(name));
        }
        written.insert(name, Written { number, hash: replaced.is_ok().then_some(hash) });
        replaced
    }

    fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0.folder)?;
        let sealed = self.0.key.seal(owner(name).as_bytes(), text).map_err(io::Error::other)?;
        files::replace(&self.path(name), files::SECRET, &sealed)
    }

    /// What rows said last; `None` when that is not known or can't be read.
    pub(crate) async fn recall<T: DeserializeOwned>(&self, name: &'static str) -> Option<T> {
        let cache = self.clone();
        let read = tokio::task::spawn_blocking(move || cache.read(name)).await;
        let text = read.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        let rows = text.and_then(|text| text.map(|text| serde_json::from_slice(&text)).transpose().map_err(Into::into));
        rows.unwrap_or_else(|error| {
            tracing::warn!(%error, rows = name, path = %self.path(name).display(), "what was remembered of rows cannot be read");
            None
        })
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(sealed) = files::read(&self.path(name))? else { return Ok(None) };
        self.0.key.open(owner(name).as_bytes(), &sealed).map(Some).map_err(io::Error::other)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.folder.join(name)
    }
}

/// What each is sealed for: one can't be put in the place of another.
fn owner(name: &str) -> String {
    format!("cache/{name}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn cache(state: &Path) -> Cache {
        Cache::new(state, HubKey::load_or_create(state).unwrap())
    }

    #[tokio::test]
    async fn what_rows_said_comes_back_and_stays_secret() {
        let state = tempfile::tempdir().unwrap();
        let before = cache(state.path());
        assert!(!before.is_there());
        assert_eq!(before.recall::<Vec<String>>("cameras").await, None);
        before.keep("cameras", &["fridge", "secret-key"]).await;
        let after = cache(state.path());
        assert!(after.is_there());
        assert_eq!(after.recall::<Vec<String>>("cameras").await.unwrap(), ["fridge", "secret-key"]);
        let file = state.path().join("cache/cameras");
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(10).any(|window| window == b"secret-key"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, files::SECRET);
    }

    #[tokio::test]
    async fn what_is_damaged_or_in_anothers_place_says_nothing() {
        let state = tempfile::tempdir().unwrap();
        let cache = cache(state.path());
        cache.keep("cameras", "x").await;
        fs::copy(state.path().join("cache/cameras"), state.path().join("cache/access")).unwrap();
        assert_eq!(cache.recall::<String>("access").await, None);
        fs::write(state.path().join("cache/cameras"), "x").unwrap();
        assert_eq!(cache.recall::<String>("cameras").await, None);
    }

    #[test]
    fn what_a_disk_held_up_does_not_come_after_what_is_newer() {
        let state = tempfile::tempdir().unwrap();
        let cache = cache(state.path());
        cache.replace("access", 2, b"newer").unwrap();
        cache.replace("access", 1, b"older").unwrap();
        cache.replace("access", 5, b"newer").unwrap();
        cache.replace("access", 4, b"between").unwrap();
        assert_eq!(cache.read("access").unwrap().unwrap(), b"newer");
    }

    #[tokio::test]
    async fn what_cannot_be_replaced_is_removed() {
        let state = tempfile::tempdir().unwrap();
        let cache = cache(state.path());
        cache.keep("access", "two sessions").await;
        // In the way of the new file.
        fs::create_dir(state.path().join("cache/access.part")).unwrap();
        cache.keep("access", "one session").await;
        assert!(!state.path().join("cache/access").exists());
        fs::remove_dir(state.path().join("cache/access.part")).unwrap();
        cache.keep("access", "one session").await;
        assert_eq!(cache.recall::<String>("access").await.unwrap(), "one session");
    }
}
