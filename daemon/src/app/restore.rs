//! Restoring a backup while the hub is stopped: by `larderd restore`, or between two starts of a hub that was asked for it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{prepare_state, recordings_folder};
use crate::{
    access::Links,
    backups::{self, Folders, Kind, Name, Order, Outcome},
    clock::Clock,
    config::Config,
    db::{self, Cache, Restore, Restored},
    identity::Identity,
    outcome::chain,
    recorder,
};

/// Which backup, and how.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name, or the path of a file elsewhere.
    pub backup: String,
    /// Whether another hub's becomes this one's.
    pub take_over: bool,
    /// Whether what the database holds now may be lost.
    pub discard: bool,
}

impl Wanted {
    /// A name is looked for beside the recordings and in the state folder, anything else is a path.
    fn file(&self, root: &Path, state: &Path) -> PathBuf {
        match self.backup.parse::<Name>() {
            Ok(name) => Folders::new(root, state).path(name),
            Err(_no_name) => PathBuf::from(&self.backup),
        }
    }
}

/// Replaces everything in the database by a backup and ends. Not within a runtime.
///
/// # Errors
/// When a hub works with this state folder or the database, or the backup is not whole or not for this hub: then the
/// database is what it was.
pub fn restore(config: &Config, wanted: &Wanted) -> anyhow::Result<Option<Name>> {
    let state = config.state();
    let _lock = prepare_state(&state)?;
    let root = recordings_folder(config, &state);
    let (name, keep) = backups::before_restore(&root, &state, Clock::new().now()).context("making a folder")?;
    let restore = Restore {
        file: wanted.file(&root, &state),
        keep: (!wanted.discard).then_some(keep),
        take_over: wanted.take_over,
    };
    let void = || Cache::forget(&state).and_then(|()| Links::end_all(&state));
    let Restored { contents, kept } = db::restore_and_end(&config.database, &state, &restore, void)?;
    let hub = Identity::load_or_create(&state)?;
    // What is in the folder stands in this database now; another hub's is left alone unless it was meant.
    let signed = recorder::restored(&root, hub.id, contents.database, wanted.take_over);
    if let Err(why) = signed {
        tracing::warn!(cause = why, "the recordings folder could not be marked; `larderd take-over` does it");
    }
    if let Err(error) = Folders::new(&root, &state).prune(Kind::BeforeRestore, 0) {
        tracing::warn!(%error, "an old backup of before a restore stays");
    }
    Ok(kept.map(|_| name))
}

/// Does what a stopped hub was asked for. Not within a runtime.
pub fn carry_out(config: &Config, order: Order) -> Outcome {
    let Order { name, take_over, discard, .. } = order;
    let result = restore(config, &Wanted { backup: name.to_string(), take_over, discard });
    let result = result.map_err(|error| chain(error.as_ref()));
    match &result {
        Ok(_) => tracing::warn!(backup.name = %name, "the database was restored; all sessions, tokens and links ended"),
        Err(cause) => tracing::error!(backup.name = %name, cause, "the backup could not be restored"),
    }
    Outcome { order, at: Clock::new().now(), result }
}
