//! Footage that no row speaks of: what there is of it, and taking it over into the database.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::sync::watch;

use super::{
    Recorder,
    collect::blocking,
    disk::{self, DiskError},
    marker, recover, segments,
    shared::Shared,
    sweep::{Sweep, SweepError},
};
use crate::{
    db, files,
    outcome::{Kind, Refusal, chain},
    parts::Trouble,
    recordings::EndReason,
};

/// Beside the cameras' folders: those that were removed on purpose, an id a line.
const REMOVED: &str = "removed";

/// The recordings folder, as its files tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Footage {
    /// Whose it is, when the hub does not record to it.
    pub foreign: Option<Foreign>,
    /// Cameras that have a folder, by id, also without a recording; removed ones are left out.
    pub cameras: Vec<FootageOf>,
}

/// Whose a folder is that is not this hub's and its database's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Foreign {
    /// Another hub recorded it.
    Hub,
    /// Its rows stand in another database.
    Database,
}

/// One camera's recordings, as their files tell.
#[derive(Clone, Debug, PartialEq)]
pub struct FootageOf {
    /// Whose.
    pub camera: CameraId,
    /// Its folder.
    pub folder: PathBuf,
    /// How many.
    pub recordings: u64,
    /// Start of the first.
    pub started_at: Option<Timestamp>,
    /// End of the last; its start, if it was interrupted.
    pub ended_at: Option<Timestamp>,
    /// UTC days on which one began.
    pub days: BTreeSet<String>,
    /// Of all segments.
    pub bytes: u64,
    /// Pixels of the last.
    pub size: Option<(u16, u16)>,
    /// Ranges that are pinned, as far as the recordings' own files say.
    pub pins: Vec<(Timestamp, Timestamp)>,
}

/// Why footage was not taken over; what was taken over already stays, and another try goes on.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// The folder is not there, or not what it was.
    #[error("{}", .0.detail)]
    Folder(Trouble),
    /// Rows could not be written.
    #[error("the database failed while footage was taken over")]
    Rows(#[from] db::Error),
    /// Files could not be read.
    #[error("the disk failed while footage was taken over")]
    Disk(#[from] DiskError),
}

impl From<SweepError> for AdoptError {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Rows(error) => Self::Rows(error),
            SweepError::Disk(error) => Self::Disk(error),
            SweepError::Away(detail) => Self::Folder(Trouble::new("away", detail)),
        }
    }
}

impl From<AdoptError> for Refusal {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Folder(trouble) => Self::new(Kind::FailedPrecondition, trouble.detail),
            AdoptError::Rows(error) => error.into(),
            AdoptError::Disk(_) => Self::internal(error),
        }
    }
}

/// Cameras that are not recorded while it lives: their footage is being taken over.
#[must_use]
pub struct Held {
    recorder: Recorder,
    cameras: Vec<CameraId>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.recorder.cameras().held.retain(|held| !self.cameras.contains(held));
        self.recorder.apply_again();
    }
}

impl Recorder {
    /// Looks what is in the recordings folder; of cameras that are `known` only when it is another's. Reads no media.
    ///
    /// # Errors
    /// When the folder is not there or can't be read.
    pub async fn footage(&self, known: HashSet<CameraId>) -> Result<Footage, AdoptError> {
        let shared = &self.0.shared;
        let foreign = match shared.check_folder().await {
            Ok(_) => None,
            Err(trouble) => Some(marker::foreign(&trouble).ok_or(AdoptError::Folder(trouble))?),
        };
        let (root, known) = (shared.root.clone(), if foreign.is_some() { HashSet::new() } else { known });
        let cameras = blocking(move || of_root(&root, &known)).await?;
        Ok(Footage { foreign, cameras })
    }

    /// Keeps cameras from being recorded, also those that come to be known meanwhile.
    pub fn hold(&self, cameras: Vec<CameraId>) -> Held {
        self.cameras().held.extend(&cameras);
        Held { recorder: self.clone(), cameras }
    }

    /// Writes rows for the footage of these cameras, which have theirs and are [held](Recorder::hold), and marks the folder
    /// as this hub's and its database's. `done` counts recordings. Whoever drops it can call it again.
    ///
    /// # Errors
    /// When the folder, the disk or the database fails.
    pub async fn adopt(&self, cameras: &[CameraId], done: watch::Sender<u64>) -> Result<(), AdoptError> {
        let shared = &self.0.shared;
        let owner = shared.owner();
        if owner.database.is_none() {
            return Err(db::Error::Unavailable("it is away".into()).into());
        }
        let root = shared.root.clone();
        let marker = blocking(move || marker::of(&root)).await.map_err(AdoptError::Folder)?;
        shared.store.bind_folder(marker.folder, false).await?;
        let mut sweep = Sweep::new(self.0.shared.state_folder().to_owned());
        for camera in cameras {
            let leaving = self.cameras().leaving.remove(camera);
            if let Some(leaving) = leaving {
                let _ = leaving.await;
            }
            // Others go on meanwhile, and may need room.
            let _upkeep = shared.upkeep.lock().await;
            let folder = shared.camera_folder(*camera);
            if let Err(error) = blocking(move || recover::camera(&folder, EndReason::HubDown)).await {
                tracing::error!(camera.id = %camera, error = chain(&error), "its footage cannot be read");
            }
            match sweep.adopt_all(shared, *camera, &done).await {
                // What can be read of the others must not wait for a disk that is half broken.
                Err(SweepError::Disk(error)) => {
                    tracing::error!(camera.id = %camera, error = chain(&error), "not all of its footage can be read");
                }
                swept => swept?,
            }
        }
        let root = shared.root.clone();
        blocking(move || marker::sign(&root, owner)).await.map_err(AdoptError::Folder)?;
        shared.set_unknown(0);
        // It may be recorded to from now on.
        let _ = shared.check_folder().await;
        shared.sweep.notify_one();
        Ok(())
    }

    /// Writes a file into a camera's folder, for its owner alone, unless it says the same already. `false`: not yet, because
    /// the folder and the rows were not compared, or nothing may be written there.
    ///
    /// # Errors
    /// When the disk would not.
    pub async fn keep_beside(&self, camera: CameraId, name: &'static str, bytes: Vec<u8>) -> Result<bool, DiskError> {
        let shared = Arc::clone(&self.0.shared);
        // Whoever removes the camera's folder holds it, too.
        let _upkeep = self.0.shared.upkeep.lock().await;
        if self.cameras().removed.contains(&camera) {
            return Ok(true);
        }
        if !shared.may_write_beside().await {
            return Ok(false);
        }
        blocking(move || {
            let folder = disk::make_folders(&shared.root, &camera.to_string())?;
            let path = folder.join(name);
            let keep = || {
                if files::read(&path)?.as_deref() != Some(&bytes) {
                    files::replace(&path, files::SECRET, &bytes)?;
                }
                Ok(())
            };
            keep().map(|()| true).map_err(DiskError::file(&path))
        })
        .await
    }

    /// Cameras that have a row are not removed, whatever is noted: a backup brought them back.
    pub async fn forget_removed(&self, there: HashSet<CameraId>) {
        let shared = &self.0.shared;
        let _upkeep = shared.upkeep.lock().await;
        if !shared.may_write_beside().await {
            return;
        }
        let root = shared.root.clone();
        let forgotten = blocking(move || {
            let before = removed(&root)?;
            let after: BTreeSet<String> =
                before.iter().filter(|id| id.parse().is_ok_and(|id| !there.contains(&id))).cloned().collect();
            if after == before { Ok(()) } else { keep_removed(&root, &after) }
        });
        if let Err(error) = forgotten.await {
            tracing::debug!(error = chain(&error), "cameras that came back are still noted as removed");
        }
    }
}

/// Notes that a camera was removed on purpose, and is not to come back with footage of it that is found elsewhere.
pub(super) async fn note_removed(shared: &Shared, camera: CameraId) {
    // An unmounted disk leaves an empty folder, in which the note would be of no use.
    if let Err(trouble) = shared.check_folder().await {
        tracing::warn!(camera.id = %camera, reason = trouble.detail, "footage of a camera that is removed may be left there");
        return;
    }
    let _upkeep = shared.upkeep.lock().await;
    let root = shared.root.clone();
    let noted = blocking(move || {
        let mut all = removed(&root)?;
        all.insert(camera.to_string());
        keep_removed(&root, &all)
    });
    if let Err(error) = noted.await {
        let error = chain(&error);
        tracing::warn!(camera.id = %camera, error, "it was not noted beside the recordings that the camera is removed");
    }
}

fn keep_removed(root: &Path, all: &BTreeSet<String>) -> Result<(), DiskError> {
    let path = root.join(REMOVED);
    let text: String = all.iter().map(|id| format!("{id}\n")).collect();
    files::replace(&path, files::PUBLIC, text.as_bytes()).map_err(DiskError::file(&path))
}

fn removed(root: &Path) -> Result<BTreeSet<String>, DiskError> {
    let path = root.join(REMOVED);
    let text = files::read(&path).map_err(DiskError::file(&path))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).lines().map(|line| line.trim().to_owned()).collect())
}

/// How many cameras' footage no row speaks of, because a database was lost or a disk came from elsewhere.
pub(super) async fn count_unknown(shared: &Shared) -> Result<usize, AdoptError> {
    let (known, root) = (shared.store.cameras().await?, shared.root.clone());
    let has_runs = |folder: &PathBuf| recover::run_folders(folder).is_ok_and(|runs| !runs.is_empty());
    let count = blocking(move || {
        Ok::<_, DiskError>(unknown(&root, &known)?.iter().filter(|(_, folder)| has_runs(folder)).count())
    });
    Ok(count.await?)
}

/// Folders of cameras that are not known and were not removed.
fn unknown(root: &Path, known: &HashSet<CameraId>) -> Result<Vec<(CameraId, PathBuf)>, DiskError> {
    let removed = removed(root)?;
    let mut found = Vec::new();
    for folder in recover::folders(root)? {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Ok(camera) = name.parse::<CameraId>() else { continue };
        if !removed.contains(&name) && !known.contains(&camera) {
            found.push((camera, folder));
        }
    }
    Ok(found)
}

fn of_root(root: &Path, known: &HashSet<CameraId>) -> Result<Vec<FootageOf>, DiskError> {
    unknown(root, known)?.into_iter().map(|(camera, folder)| of_camera(camera, folder)).collect()
}

fn of_camera(camera: CameraId, folder: PathBuf) -> Result<FootageOf, DiskError> {
    let runs = recover::runs(&folder, false)?.known;
    let mut bytes = 0;
    let mut days = BTreeSet::new();
    let mut pins = BTreeSet::new();
    for on_disk in &runs {
        let files = segments::files(&on_disk.folder)?;
        bytes += files.iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|file| file.len()).sum::<u64>();
        days.extend(on_disk.folder.parent().and_then(Path::file_name).map(|day| day.to_string_lossy().into_owned()));
        pins.extend(on_disk.notes.pins.iter().flatten().map(|pin| (pin.start, pin.end)));
    }
    let last = runs.last().map(|last| &last.run);
    Ok(FootageOf {
        camera,
        recordings: u64::try_from(runs.len()).unwrap_or(u64::MAX),
        started_at: runs.first().map(|first| first.run.started_at),
        ended_at: last.map(|last| last.ended_at.unwrap_or(last.started_at)),
        size: last.map(|last| last.size),
        pins: pins.into_iter().collect(),
        folder,
        days,
        bytes,
    })
}
