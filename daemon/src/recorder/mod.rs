//! The recorder: from a camera's tap to segments on disk and their rows.
//!
//! ```text
//! hub::Tap ─▶ camera ─▶ run ─ matroska ─▶ ffmpeg ─▶ collect ─ fragments ─▶ commit (files) ─▶ rows (PostgreSQL)
//!             recover, sweep: what files say after a crash      retention: what goes, and when
//! ```
//! One task a camera, one that looks after the folder ([`upkeep`]), one that writes rows. Files are the truth:
//! recording goes on while the database is away, and the sweep writes down what it missed.

mod behind;
mod by_files;
mod camera;
mod collect;
mod commit;
mod config;
mod dating;
mod disk;
#[cfg(test)]
mod ebml;
mod ffmpeg;
mod footage;
mod fragments;
mod gaps;
mod index_file;
#[cfg(test)]
mod made;
mod marker;
mod matroska;
mod mp4;
mod order;
mod ordinals;
mod others;
mod pace;
mod pins;
mod recover;
mod retention;
mod room;
mod rows;
mod run;
mod run_file;
mod scan;
mod segments;
mod shared;
mod sweep;
mod taken;
mod upkeep;
mod usage;
mod verify;
mod wish;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

pub use config::{Config, Encoder, Preset};
pub use disk::{DiskError, Space};
pub use footage::{AdoptError, Footage, FootageOf, Foreign, Held};
pub use pins::PinFailed;
pub use retention::{DeleteError, Deleted};
pub use taken::Taken;
pub use verify::VerifyError;
pub use wish::{Mode, Wanted};

use crate::{
    clock::Clock,
    db::{self, jobs::Failed},
    events::Events,
    hub::Hub,
    outcome::{Kind, Refusal, chain},
    parts::Trouble,
    recordings::{Commands, Damage, Elsewhere, Future, Pin, Store, Verified},
    tasks::Tasks,
};
use behind::Look;
use camera::{CameraTask, State};
use shared::{Ingredients, Shared};
use wish::Wish;

/// The file by which a recordings folder is known: without it, nothing is written there.
pub fn marker_of(root: &Path) -> PathBuf {
    root.join(marker::MARKER)
}

/// Given to a run's end when the hub stops without calling [`Recorder::close`].
const GRACE: Duration = Duration::from_secs(10);

/// A camera whose files are gone. Unless it is confirmed that the camera is gone too, it is recorded again.
#[must_use]
pub struct Removal {
    recorder: Recorder,
    camera: CameraId,
    confirmed: bool,
}

impl Removal {
    /// The camera itself is gone, also should footage of it come back.
    pub fn confirm(mut self) {
        self.confirmed = true;
        let (shared, camera) = (Arc::clone(&self.recorder.0.shared), self.camera);
        self.recorder.0.shared.tasks.spawn(async move { footage::note_removed(&shared, camera).await });
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if !self.confirmed {
            self.recorder.cameras().removed.remove(&self.camera);
            self.recorder.apply_again();
        }
    }
}

/// What the recorder needs.
pub struct Deps {
    /// Where pictures come from.
    pub hub: Hub,
    /// The hub's time.
    pub clock: Clock,
    /// Where it tells of starts and ends.
    pub events: Events,
    /// When these stop, the recorder closes itself.
    pub tasks: Tasks,
    /// Where rows go.
    pub recordings: Store,
    /// The recordings folder; made when it is not there.
    pub root: PathBuf,
    /// The state folder; remembers which recordings folder is the right one.
    pub state: PathBuf,
}

/// Why manual recording did not start or stop.
#[derive(Debug, Error)]
pub enum ManualError {
    /// It is not known.
    #[error("no such camera {0}")]
    NoSuchCamera(CameraId),
    /// It is recorded all the time, or never.
    #[error("the camera is not in manual mode")]
    NotManual,
}

impl From<ManualError> for Refusal {
    fn from(error: ManualError) -> Self {
        let kind = match error {
            ManualError::NoSuchCamera(_) => Kind::NotFound,
            ManualError::NotManual => Kind::FailedPrecondition,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DeleteError> for Refusal {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Rows(error) => error.into(),
            DeleteError::Disk(_) => Self::internal(error),
        }
    }
}

impl From<PinFailed> for Refusal {
    fn from(error: PinFailed) -> Self {
        match error {
            PinFailed::Row(error) => error.into(),
            PinFailed::Disk(_) | PinFailed::Away(_) => Self::new(Kind::Unavailable, chain(&error)),
        }
    }
}

/// How the recorder is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// What keeps it from recording what is wanted.
    pub trouble: Option<Trouble>,
    /// The recordings folder.
    pub root: PathBuf,
    /// Its file system, as it was looked at seconds ago.
    pub space: Space,
    /// Bytes that stay free; below, recording stops.
    pub floor_bytes: u64,
    /// Who takes it; recordings are counted once a minute.
    pub taken: Taken,
    /// Bytes that are recorded a day, by the last one; absent in the first ten minutes.
    pub bytes_per_day: Option<u64>,
    /// Cameras that are being recorded.
    pub recording: usize,
    /// Rows that wait to be written to the database.
    pub rows_pending: usize,
    /// Tasks that are alive.
    pub tasks: usize,
}

/// Room of the recordings' file system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// What may still be taken.
    pub free_bytes: u64,
    /// What stays free.
    pub floor_bytes: u64,
}

/// The handle; clones share the recorder.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    cameras: Mutex<Cameras>,
    wanted: watch::Sender<Vec<Wanted>>,
}

#[derive(Default)]
struct Cameras {
    tasks: HashMap<CameraId, Handle>,
    /// Tasks that were told to leave: joined before the camera gets another, loses its files, or the recorder ends.
    leaving: HashMap<CameraId, JoinHandle<()>>,
    /// Whose files are being deleted or are gone: not recorded, also while they are still named.
    removed: HashSet<CameraId>,
    /// Whose footage is being taken over: not recorded until it is.
    held: HashSet<CameraId>,
    closed: bool,
}

struct Handle {
    name: String,
    wish: watch::Sender<Wish>,
    /// When the wish changed last.
    wished_at: Instant,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Handle {
    /// Changes the wish; `change` says whether it did.
    fn change(&mut self, change: impl FnOnce(&mut Wish) -> bool) {
        if self.wish.send_if_modified(change) {
            self.wished_at = Instant::now();
        }
    }
}

impl Recorder {
    /// Starts it. Never fails: what is wrong shows in [`Recorder::status`] and is tried again.
    pub fn start(config: &Config, deps: Deps) -> Self {
        Self::start_with(config, deps, Box::new(disk::space))
    }

    fn start_with(config: &Config, deps: Deps, probe: disk::Probe) -> Self {
        let (rows, writer) = rows::Rows::new(deps.recordings.clone());
        let missed = rows.missed();
        let floor = retention::Floor::new(config.keep());
        let shared = Shared::new(Ingredients {
            settings: ffmpeg::Settings::new(config),
            root: deps.root,
            state_folder: deps.state.clone(),
            floor_bytes: config.floor_bytes(),
            probe,
            hub: deps.hub,
            clock: deps.clock,
            events: deps.events,
            store: deps.recordings,
            rows,
        });
        let (wanted, wanted_receiver) = watch::channel(Vec::new());
        let recorder = Self(Arc::new(Inner { shared: Arc::clone(&shared), cameras: Mutex::default(), wanted }));
        shared.tasks.spawn_until_stop(writer.run());
        let resume = recorder.clone();
        let upkeep = upkeep::Upkeep {
            shared: Arc::clone(&shared),
            state: deps.state,
            wanted: wanted_receiver,
            resume_manual: Some(Box::new(move |cameras| {
                for camera in cameras {
                    // One that is in another mode by now just stays in it.
                    let _ = resume.start_manual(camera);
                }
            })),
            missed,
            bound: None,
            floor,
        };
        shared.store.unbind_folder();
        shared.tasks.spawn_until_stop(upkeep.run());
        shared.tasks.spawn_until_stop(verify::scrub(Arc::clone(&shared)));
        let (closing, stopping) = (recorder.clone(), deps.tasks.stopping());
        deps.tasks.spawn(async move {
            stopping.cancelled().await;
            closing.close(GRACE).await;
        });
        recorder
    }

    /// Says what is wanted of every camera; one that is not named any more is not recorded, its files stay.
    pub fn set_wanted(&self, wanted: Vec<Wanted>) {
        let mut cameras = self.cameras();
        self.apply(&mut cameras, &wanted);
        self.0.wanted.send_replace(wanted);
    }

    /// What was wanted last counts again for cameras that were left out.
    fn apply_again(&self) {
        let mut cameras = self.cameras();
        let wanted = self.0.wanted.borrow().clone();
        self.apply(&mut cameras, &wanted);
    }

    fn apply(&self, cameras: &mut Cameras, wanted: &[Wanted]) {
        if cameras.closed {
            return;
        }
        cameras.removed.retain(|removed| wanted.iter().any(|wanted| wanted.camera == *removed));
        for Wanted { camera, name, mode, .. } in wanted {
            let Cameras { tasks, leaving, removed, held, .. } = &mut *cameras;
            if removed.contains(camera) || held.contains(camera) {
                continue;
            }
            let handle = tasks.entry(*camera).or_insert_with(|| self.spawn(*camera, leaving.remove(camera)));
            handle.name.clone_from(name);
            handle.change(|wish| {
                let changed = wish.mode != *mode;
                *wish = Wish { mode: *mode, started: wish.started && *mode == Mode::Manual, leave: wish.leave };
                changed
            });
        }
        let named = |camera: &CameraId| wanted.iter().any(|wanted| wanted.camera == *camera);
        let gone: Vec<_> = cameras.tasks.extract_if(|camera, _| !named(camera)).collect();
        for (camera, handle) in gone {
            handle.wish.send_modify(|wish| wish.leave = true);
            cameras.leaving.insert(camera, handle.task);
        }
        cameras.leaving.retain(|_, task| !task.is_finished());
    }

    /// Starts a camera's task; one that is leaving ends first, for both would write the same ordinals.
    fn spawn(&self, camera: CameraId, leaving: Option<JoinHandle<()>>) -> Handle {
        let shared = &self.0.shared;
        let (wish, wish_receiver) = watch::channel(Wish::default());
        let (state_sender, state) = watch::channel(State::default());
        let task = CameraTask::new(Arc::clone(shared), camera, wish_receiver, state_sender);
        let task = async move {
            if let Some(leaving) = leaving {
                let _ = leaving.await;
            }
            task.run().await;
        };
        Handle { name: String::new(), wish, wished_at: Instant::now(), state, task: shared.tasks.spawn(task) }
    }

    /// Starts recording a camera in manual mode; again is the same as once.
    ///
    /// # Errors
    /// When it is not known or in another mode.
    pub fn start_manual(&self, camera: CameraId) -> Result<(), ManualError> {
        self.manual(camera, true).map(drop)
    }

    /// Stops recording a camera in manual mode; when it answers, the last fragment is on disk and has its row, unless
    /// the database is away. Cancel safe: recording stops all the same.
    ///
    /// # Errors
    /// When it is not known or in another mode.
    pub async fn stop_manual(&self, camera: CameraId) -> Result<(), ManualError> {
        let mut state = self.manual(camera, false)?;
        // An error means that the task has ended, which is as good.
        let _ = state.wait_for(|state| !state.recording).await;
        self.0.shared.rows.flush().await;
        Ok(())
    }

    fn manual(&self, camera: CameraId, started: bool) -> Result<watch::Receiver<State>, ManualError> {
        let mut cameras = self.cameras();
        let handle = cameras.tasks.get_mut(&camera).ok_or(ManualError::NoSuchCamera(camera))?;
        if handle.wish.borrow().mode != Mode::Manual {
            return Err(ManualError::NotManual);
        }
        handle.change(|wish| std::mem::replace(&mut wish.started, started) != started);
        Ok(handle.state.clone())
    }

    /// Deletes segments by their rows' ids: rows are marked, files unlinked, rows removed. Of those whose folder is not
    /// there the rows go alone. What is still being written or pinned stays; whatever is left undone is finished later. A
    /// call that is dropped is carried out all the same.
    ///
    /// # Errors
    /// When the disk or the database fails.
    pub async fn delete(&self, segments: &[i64]) -> Result<Deleted, DeleteError> {
        let (shared, segments) = (Arc::clone(&self.0.shared), segments.to_vec());
        // A task of its own: rows stay locked until the files are gone, whether anybody still waits or not.
        let deleting = self.0.shared.tasks.spawn(async move {
            let _upkeep = shared.upkeep.lock().await;
            let marked = shared.store.mark_deleting(&segments).await?;
            let mut deleted = retention::delete(&shared, marked).await?;
            deleted.segments += shared.store.forget_elsewhere(&segments).await?;
            Ok(deleted)
        });
        let lost = |error| DiskError::folder(&self.0.shared.root)(std::io::Error::other(error));
        deleting.await.map_err(lost)?
    }

    /// Keeps a range from being deleted, with the database and without. A call that is dropped is carried out all the
    /// same.
    ///
    /// # Errors
    /// When it can't be written beside the recordings or in a row; then nothing is pinned.
    pub async fn pin(&self, camera: CameraId, range: Range<Timestamp>, note: &str) -> Result<Pin, PinFailed> {
        let (shared, note) = (Arc::clone(&self.0.shared), note.to_owned());
        let pinning = self.0.shared.tasks.spawn(async move { pins::pin(&shared, camera, range, &note).await });
        let lost = |error| DiskError::folder(&self.0.shared.root)(std::io::Error::other(error));
        pinning.await.map_err(lost)?
    }

    /// Takes a pin away; `false` when there is none. A call that is dropped is carried out all the same.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn unpin(&self, id: Uuid) -> Result<bool, db::Error> {
        let shared = Arc::clone(&self.0.shared);
        let unpinning = self.0.shared.tasks.spawn(async move { pins::unpin(&shared, id).await });
        unpinning.await.unwrap_or_else(|error| Err(db::Error::Unavailable(error.into())))
    }

    /// Compares a segment with its checksums, by its row's id, and keeps what was found; `None` when it is gone. Cancel
    /// safe.
    ///
    /// # Errors
    /// When the disk or the database fails.
    pub async fn verify(&self, segment: i64) -> Result<Option<Verified>, VerifyError> {
        verify::segment(&self.0.shared, segment).await
    }

    /// Stops recording a camera and deletes all its files; its rows go with the camera's. Once that is
    /// [confirmed](Removal::confirm), it is not recorded again as long as it is wanted without a break.
    ///
    /// # Errors
    /// When files can't be deleted.
    pub async fn remove_camera(&self, camera: CameraId) -> Result<Removal, DiskError> {
        let recorder = self.clone();
        // A task of its own: whoever asked may go away meanwhile, and half a removal would leave the camera unrecorded.
        let removing = self.0.shared.tasks.spawn(async move {
            let removed = recorder.remove_files(camera).await;
            // Whoever is gone when it is answered drops it as well.
            let removal = Removal { recorder, camera, confirmed: false };
            removed.map(|()| removal)
        });
        let lost = |error| DiskError::folder(&self.0.shared.camera_folder(camera))(std::io::Error::other(error));
        removing.await.map_err(lost)?
    }

    async fn remove_files(&self, camera: CameraId) -> Result<(), DiskError> {
        let task = {
            let mut cameras = self.cameras();
            cameras.removed.insert(camera);
            let handle = cameras.tasks.remove(&camera);
            if let Some(handle) = &handle {
                handle.wish.send_modify(|wish| wish.leave = true);
            }
            handle.map(|handle| handle.task).or_else(|| cameras.leaving.remove(&camera))
        };
        if let Some(task) = task {
            let _ = task.await;
        }
        let shared = &self.0.shared;
        let _upkeep = shared.upkeep.lock().await;
        shared.forget(camera);
        let folder = shared.camera_folder(camera);
        collect::blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(DiskError::folder(&folder)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// The room for other files of the hub below the recordings folder, whose marker is read back first.
    ///
    /// # Errors
    /// Why nothing may be written there.
    pub async fn room(&self) -> Result<Room, Trouble> {
        let shared = &self.0.shared;
        shared.check_folder().await?;
        let unreadable = |error| Trouble::new("unreadable", format!("{}: {error}", shared.root.display()));
        let space = shared.space().await.map_err(unreadable)?;
        Ok(Room { free_bytes: space.free_bytes, floor_bytes: shared.floor_bytes })
    }

    /// Whether a camera's pictures are to be recorded now.
    pub fn is_wanted(&self, camera: CameraId) -> bool {
        self.cameras().tasks.get(&camera).is_some_and(|handle| handle.wish.borrow().records())
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        let shared = &self.0.shared;
        let full = || shared.lack().map(|lack| lack.trouble(&shared.root, &shared.taken()));
        let encoder = || shared.encoder_trouble().map(|detail| Trouble::new("encoder", detail));
        let elsewhere = || shared.elsewhere().map(|elsewhere| elsewhere_trouble(&elsewhere));
        let damaged = || shared.damage().map(damage_trouble);
        let future = || future_trouble(&shared.future());
        Status {
            trouble: shared
                .trouble()
                .or_else(full)
                .or_else(encoder)
                .or_else(|| self.behind())
                .or_else(elsewhere)
                .or_else(|| unknown_trouble(shared.unknown()))
                .or_else(damaged)
                .or_else(|| newer_trouble(shared.newer()))
                .or_else(future),
            root: shared.root.clone(),
            space: shared.last_space(),
            floor_bytes: shared.floor_bytes,
            taken: shared.taken(),
            bytes_per_day: shared.bytes_per_day(),
            recording: self.cameras().tasks.values().filter(|handle| handle.state.borrow().recording).count(),
            rows_pending: shared.rows.pending(),
            tasks: shared.tasks.count(),
        }
    }

    /// The first camera whose pictures come and do not reach the disk.
    fn behind(&self) -> Option<Trouble> {
        let shared = &self.0.shared;
        let cameras = self.cameras();
        let mut wanted: Vec<_> = cameras.tasks.iter().filter(|(_, handle)| handle.wish.borrow().records()).collect();
        wanted.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        wanted.into_iter().find_map(|(camera, handle)| {
            let look = Look::at(shared, *camera, handle.wished_at.elapsed())?;
            Some(look.trouble(&handle.name, &shared.camera_folder(*camera), shared.failure(*camera)))
        })
    }

    /// Ends every run, registers its last fragment and stops. `false` when that took longer than `grace`; what is
    /// missing then is adopted at the next start. Again is the same as once.
    pub async fn close(&self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        let leaving: Vec<JoinHandle<()>> = {
            let mut cameras = self.cameras();
            cameras.closed = true;
            self.0.shared.close();
            let Cameras { tasks, leaving, .. } = &mut *cameras;
            let told = tasks.drain().map(|(_, handle)| {
                handle.wish.send_modify(|wish| wish.leave = true);
                handle.task
            });
            told.chain(leaving.drain().map(|(_, task)| task)).collect()
        };
        let mut in_time = true;
        for task in leaving {
            in_time &= timeout_at(deadline, task).await.is_ok();
        }
        let shared = &self.0.shared;
        in_time &= timeout_at(deadline, shared.rows.flush()).await.is_ok();
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        in_time & shared.tasks.stop(left).await
    }

    fn cameras(&self) -> MutexGuard<'_, Cameras> {
        self.0.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks a recordings folder as this hub's and its database's, whosever it was. `false` when there is none.
///
/// # Errors
/// In a sentence, why the marker can't be read or written.
pub fn take_over(root: &Path, hub: Uuid, database: Uuid) -> Result<bool, String> {
    match marker::sign(root, marker::Owner { hub, database: Some(database) }) {
        Ok(_) => Ok(true),
        Err(trouble) if trouble.reason == "marker_missing" => Ok(false),
        Err(trouble) => Err(trouble.detail),
    }
}

/// Marks a recordings folder as that of a database that was restored, when it is this hub's, or whosever it is when
/// `take_over` says so. Nothing is done where there is no such folder.
///
/// # Errors
/// In a sentence, why the marker can't be read or written.
pub fn restored(root: &Path, hub: Uuid, database: Uuid, take_over: bool) -> Result<(), String> {
    match marker::owner(root).map_err(|trouble| trouble.detail)? {
        Some(owner) if take_over || owner == hub => self::take_over(root, hub, database).map(drop),
        _ => Ok(()),
    }
}

/// What lies in another folder is told, and plays again when that is back.
fn elsewhere_trouble(elsewhere: &Elsewhere) -> Trouble {
    let Elsewhere { segments, bytes, folders } = elsewhere;
    let detail = format!(
        "{segments} recorded files ({} MB) are in another recordings folder than this ({}): they stay listed and play again \
         when it is back; when it is gone for good, delete them",
        bytes / 1_000_000,
        folders.join(", ")
    );
    Trouble::warning("elsewhere", detail)
}

/// Footage that a lost database leaves behind is neither listed nor deleted until somebody decides.
fn unknown_trouble(count: usize) -> Option<Trouble> {
    let whose = if count == 1 { "one camera".to_owned() } else { format!("{count} cameras") };
    let detail = format!("footage of {whose} is not in the database: `larderctl recording adopt` takes it over");
    (count > 0).then(|| Trouble::warning("unknown_footage", detail))
}

/// What only a newer release can read stays as it is.
fn newer_trouble(count: usize) -> Option<Trouble> {
    let what = if count == 1 { "one recording was".to_owned() } else { format!("{count} recordings were") };
    let detail = format!("{what} made by a newer Larder and left alone: install that again to list and play them");
    (count > 0).then(|| Trouble::warning("newer_recordings", detail))
}

/// What was recorded and is not what it was.
fn damage_trouble(damage: Damage) -> Trouble {
    let Damage { segments, fragments } = damage;
    let fragments = if fragments == 1 { "one fragment".to_owned() } else { format!("{fragments} fragments") };
    let files = if segments == 1 { "one file".to_owned() } else { format!("{segments} files") };
    let detail = format!(
        "recordings are damaged, {fragments} in {files}, and left out of playback there; `larderctl recording verify` names the \
         files: check the disk, then delete them or leave them"
    );
    Trouble::warning("damaged", detail)
}

/// What a wrong clock dated ahead stays until its date has passed, unless somebody deletes it.
fn future_trouble(future: &[Future]) -> Option<Trouble> {
    let named = future.iter().map(|Future { camera, segments, from, to }| {
        format!("{segments} recorded files of {camera:?} are dated ahead, from {from:.0} to {to:.0}")
    });
    let named: Vec<_> = named.collect();
    let Future { camera, from, to, .. } = future.first()?;
    let detail = format!(
        "{}: the clock was wrong when they were made, and they become no older until then; delete them, if they are not \
         wanted (larderctl recording delete {camera} --from {from:.0} --to {to:.0})",
        named.join(", ")
    );
    Some(Trouble::warning("dated_ahead", detail))
}

#[tonic::async_trait]
impl Commands for Recorder {
    async fn start(&self, camera: CameraId) -> Result<(), Refusal> {
        Ok(self.start_manual(camera)?)
    }

    async fn stop(&self, camera: CameraId) -> Result<(), Refusal> {
        Ok(self.stop_manual(camera).await?)
    }

    async fn pin(&self, camera: CameraId, range: Range<Timestamp>, note: &str) -> Result<Pin, Refusal> {
        Ok(Self::pin(self, camera, range, note).await?)
    }

    async fn unpin(&self, id: Uuid) -> Result<bool, Refusal> {
        Ok(Self::unpin(self, id).await?)
    }

    async fn delete(&self, segments: &[i64]) -> Result<u64, Failed> {
        let deleted = Self::delete(self, segments).await.map_err(|error| Failed::now(chain(&error)))?;
        Ok(deleted.segments)
    }

    async fn verify(&self, segment: i64) -> Result<Option<Verified>, Refusal> {
        Ok(Self::verify(self, segment).await?)
    }
}

#[cfg(test)]
mod tests;
