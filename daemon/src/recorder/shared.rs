//! What all of the recorder's tasks use.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    by_files::{self, Active, Gone},
    collect::blocking,
    disk::{self, Lack, Space},
    ffmpeg::Settings,
    gaps::{Gaps, OpenGap},
    marker::{self, Marker, Owner},
    pins::Pins,
    rows::{Row, Rows},
    taken::Taken,
    usage::Usage,
};
use crate::{
    clock::{Clock, is_plausible},
    events::{Events, Kind},
    hub::Hub,
    outcome::chain,
    parts::Trouble,
    recordings::{Damage, Elsewhere, EndReason, Future, Gap, GapReason, RunId, Store},
    repeats,
    tasks::Tasks,
};

pub(super) struct Shared {
    pub(super) root: PathBuf,
    /// Remembers which recordings folder is the right one.
    state_folder: PathBuf,
    pub(super) floor_bytes: u64,
    probe: Arc<disk::Probe>,
    pub(super) hub: Hub,
    pub(super) clock: Clock,
    pub(super) events: Events,
    pub(super) tasks: Tasks,
    pub(super) store: Store,
    pub(super) rows: Rows,
    /// Wakes retention: room is needed.
    pub(super) make_room: Notify,
    /// Wakes the sweep: there is something new to write down.
    pub(super) sweep: Notify,
    /// Woken when retention has passed.
    pub(super) room_made: Notify,
    /// Holds deletion and the sweep apart: neither may judge what the other is changing.
    pub(super) upkeep: tokio::sync::Mutex<()>,
    /// Held while the marker is looked at: two that find none would make two.
    marking: Arc<Mutex<()>>,
    pub(super) pins: Pins,
    /// What was deleted without rows, and could not be written into its run's file yet.
    unnoted: Mutex<Gone>,
    /// Why nothing may be written below the root, and what to do.
    trouble: watch::Sender<Option<Trouble>>,
    state: Mutex<State>,
}

struct State {
    settings: Settings,
    gaps: HashMap<CameraId, Gaps>,
    /// Runs being written, and the start of the segment that is open: not for the sweep to touch.
    active: HashMap<RunId, Option<Timestamp>>,
    /// Cameras whose files were recovered after the start.
    recovered: Vec<CameraId>,
    /// Whether the root was looked at since the start.
    has_looked: bool,
    /// What there is too little of to record.
    lack: Option<Lack>,
    /// How full the file system was when it was looked at last.
    space: Space,
    /// Why runs ended whose `run.json` could not be written: for the sweep to write.
    unwritten_ends: HashMap<RunId, EndReason>,
    /// Why the encoder does not work, and what to do.
    encoder_trouble: Option<String>,
    usage: Usage,
    /// When a fragment of a camera reached the disk last.
    committed: HashMap<CameraId, Instant>,
    /// Why a camera's last run failed, until a fragment reaches the disk.
    failures: HashMap<CameraId, String>,
    elsewhere: Option<Elsewhere>,
    damage: Option<Damage>,
    /// Cameras whose footage no row speaks of.
    unknown: usize,
    /// Runs that must be looked at again although they were whole.
    suspects: Vec<RunId>,
    /// Recordings of each camera that a newer release made.
    newer: HashMap<CameraId, usize>,
    /// What is dated after now.
    future: Vec<Future>,
    /// Whether there may be runs to be dated anew.
    undated: bool,
    closing: bool,
}

/// What the parts are made of.
pub(super) struct Ingredients {
    pub(super) settings: Settings,
    pub(super) root: PathBuf,
    pub(super) state_folder: PathBuf,
    pub(super) floor_bytes: u64,
    pub(super) probe: disk::Probe,
    pub(super) hub: Hub,
    pub(super) clock: Clock,
    pub(super) events: Events,
    pub(super) store: Store,
    pub(super) rows: Rows,
}

impl Shared {
    pub(super) fn new(from: Ingredients) -> Arc<Self> {
        let trouble = Some(Trouble::new("starting", "the recordings folder has not been looked at yet"));
        Arc::new(Self {
            root: from.root,
            state_folder: from.state_folder,
            floor_bytes: from.floor_bytes,
            probe: Arc::new(from.probe),
            hub: from.hub,
            clock: from.clock,
            events: from.events,
            tasks: Tasks::new(),
            store: from.store,
            rows: from.rows,
            make_room: Notify::new(),
            sweep: Notify::new(),
            room_made: Notify::new(),
            upkeep: tokio::sync::Mutex::default(),
            marking: Arc::default(),
            pins: Pins::default(),
            unnoted: Mutex::default(),
            trouble: watch::Sender::new(trouble),
            state: Mutex::new(State {
                settings: from.settings,
                gaps: HashMap::new(),
                active: HashMap::new(),
                recovered: Vec::new(),
                has_looked: false,
                lack: None,
                committed: HashMap::new(),
                failures: HashMap::new(),
                space: Space::default(),
                unwritten_ends: HashMap::new(),
                encoder_trouble: None,
                usage: Usage::new(Instant::now()),
                elsewhere: None,
                damage: None,
                unknown: 0,
                suspects: Vec::new(),
                newer: HashMap::new(),
                future: Vec::new(),
                undated: false,
                closing: false,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    pub(super) fn set_settings(&self, settings: Settings) {
        self.state().settings = settings;
    }

    pub(super) fn encoder_trouble(&self) -> Option<String> {
        self.state().encoder_trouble.clone()
    }

    pub(super) fn set_encoder_trouble(&self, trouble: Option<String>) {
        self.state().encoder_trouble = trouble;
    }

    /// All recordings were counted.
    pub(super) async fn count_recordings(&self, bytes: u64) {
        if let Ok(space) = self.space().await {
            self.state().usage.count(Instant::now(), bytes, space);
        }
    }

    /// So many bytes of recordings were deleted.
    pub(super) fn freed(&self, bytes: u64) {
        self.state().usage.free(bytes);
    }

    /// Who takes the disk.
    pub(super) fn taken(&self) -> Taken {
        self.state().usage.taken()
    }

    /// Looks how much the hub's own database takes of the recordings' file system.
    pub(super) async fn weigh_database(&self) {
        let Some(database) = self.store.database_folder() else { return };
        let root = self.root.clone();
        let bytes = blocking(move || by_files::database_beside(&root, &database)).await;
        self.state().usage.set_database_bytes(bytes);
    }

    /// Bytes of the hub's own database, if it lies on the recordings' file system.
    pub(super) fn database_bytes(&self) -> Option<u64> {
        self.state().usage.database_bytes()
    }

    /// Bytes that fit where recordings are kept.
    pub(super) fn place(&self, space: Space) -> u64 {
        self.state().usage.place(space, self.floor_bytes)
    }

    /// What was deleted without rows, for its runs' files.
    pub(super) fn unnoted(&self) -> MutexGuard<'_, Gone> {
        self.unnoted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fragment is safely on disk: so many bytes, of pictures up to then.
    pub(super) fn committed(&self, camera: CameraId, until: Timestamp, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or_default();
        metrics::counter!("larder_recorder_fragments_total").increment(1);
        metrics::counter!("larder_recorder_written_bytes_total").increment(bytes);
        if let Some(topic) = self.hub.topic(camera) {
            topic.set_recorded_until(until);
        }
        let mut state = self.state();
        state.usage.write(Instant::now(), bytes);
        state.committed.insert(camera, Instant::now());
        state.failures.remove(&camera);
    }

    /// Bytes recorded since the start.
    pub(super) fn written_bytes(&self) -> u64 {
        self.state().usage.pace().total()
    }

    /// When a fragment of the camera reached the disk last, since the start.
    pub(super) fn committed_at(&self, camera: CameraId) -> Option<Instant> {
        self.state().committed.get(&camera).copied()
    }

    /// Notes why a run of the camera failed. Logged once, however often it is tried again.
    pub(super) fn failed(&self, camera: CameraId, reason: EndReason, why: String) {
        let (name, error) = (reason.name(), &why);
        let key = format!("{camera} {name}");
        if reason == EndReason::EncoderFailed {
            // Another is started by itself.
            repeats::say!(warn, &key, { camera.id = %camera, reason = name, error }, "recording failed");
        } else {
            repeats::say!(error, &key, { camera.id = %camera, reason = name, error }, "recording failed");
        }
        self.state().failures.insert(camera, why);
    }

    /// Why the camera's last run failed, unless a fragment reached the disk since.
    pub(super) fn failure(&self, camera: CameraId) -> Option<String> {
        self.state().failures.get(&camera).cloned()
    }

    /// Bytes that are recorded a day, once that is known.
    pub(super) fn bytes_per_day(&self) -> Option<u64> {
        self.state().usage.pace().per_day(Instant::now())
    }

    pub(super) fn camera_folder(&self, camera: CameraId) -> PathBuf {
        self.root.join(camera.to_string())
    }

    /// Says why the camera is not recorded now.
    pub(super) fn not_recording(&self, camera: CameraId, reason: GapReason) {
        self.not_recording_since(camera, self.clock.now(), reason);
    }

    pub(super) fn not_recording_since(&self, camera: CameraId, at: Timestamp, reason: GapReason) {
        let begun = self.state().gaps.entry(camera).or_default().judge(at, reason);
        if let Some(OpenGap { since, reason }) = begun {
            metrics::counter!("larder_recorder_gaps_total", "reason" => reason.name()).increment(1);
            // What a clock in 1970 says would be a gap over everything; it is written down when its run is dated.
            if is_plausible(since) {
                self.rows.write(Row::GapOpened(Gap { camera, started_at: since, ended_at: None, reason }));
            }
        }
    }

    /// The camera's first fragment of a run is on disk.
    pub(super) fn recording_since(&self, camera: CameraId, at: Timestamp) {
        if self.state().gaps.entry(camera).or_default().close() && is_plausible(at) {
            self.rows.write(Row::GapClosed(camera, at));
        }
    }

    pub(super) fn resume_gap(&self, camera: CameraId, gap: OpenGap) {
        self.state().gaps.entry(camera).or_default().resume(gap);
        let OpenGap { since, reason } = gap;
        self.rows.write(Row::GapOpened(Gap { camera, started_at: since, ended_at: None, reason }));
    }

    pub(super) fn open_gap(&self, camera: CameraId) -> Option<OpenGap> {
        self.state().gaps.get(&camera).and_then(Gaps::open)
    }

    pub(super) fn run_begins(&self, run: RunId) {
        self.state().active.insert(run, None);
    }

    pub(super) fn segment_open(&self, run: RunId, start: Timestamp) {
        self.state().active.insert(run, Some(start));
    }

    pub(super) fn run_over(&self, run: RunId) {
        self.state().active.remove(&run);
    }

    /// `None`: not being written. `Some(None)`: being written, without a segment yet.
    pub(super) fn active(&self, run: RunId) -> Option<Option<Timestamp>> {
        self.state().active.get(&run).copied()
    }

    /// Every run that is being written.
    pub(super) fn all_active(&self) -> Active {
        self.state().active.clone()
    }

    pub(super) fn recovered(&self, camera: CameraId) {
        let mut state = self.state();
        if !state.recovered.contains(&camera) {
            state.recovered.push(camera);
        }
        drop(state);
        self.sweep.notify_one();
    }

    pub(super) fn recovered_cameras(&self) -> Vec<CameraId> {
        self.state().recovered.clone()
    }

    pub(super) fn forget(&self, camera: CameraId) {
        let mut state = self.state();
        state.recovered.retain(|known| *known != camera);
        state.gaps.remove(&camera);
        state.committed.remove(&camera);
        state.newer.remove(&camera);
        state.failures.remove(&camera);
        drop(state);
        self.pins.forget(camera);
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.borrow().clone()
    }

    /// The recorder ends, and the hub with it.
    pub(super) fn close(&self) {
        self.state().closing = true;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state().closing
    }

    /// Waits until something is wrong with the folder. Cancel safe.
    pub(super) async fn troubled(&self) {
        // It has a sender as long as this lives.
        let _ = self.trouble.subscribe().wait_for(Option::is_some).await;
    }

    /// Reads the folder's marker back, on a thread for it. An unmounted disk leaves an empty folder, in which nothing
    /// may be begun.
    ///
    /// # Errors
    /// Why nothing may be recorded there.
    pub(super) async fn check_folder(&self) -> Result<Marker, Trouble> {
        let (root, state, owner) = (self.root.clone(), self.state_folder.clone(), self.owner());
        let (troubled, marking) = (self.trouble().is_some(), Arc::clone(&self.marking));
        let checked = blocking(move || {
            // By the thread, which goes on when nobody waits for it any more.
            let _one = marking.lock().unwrap_or_else(PoisonError::into_inner);
            let marker = marker::check(&root, &state, owner)?;
            // A folder that could not be synced must be again before anything is recorded.
            if troubled {
                disk::sync_folder(&root).map_err(|error| Trouble::new("not_writable", chain(&error)))?;
            }
            Ok(marker)
        })
        .await;
        self.set_trouble(checked.as_ref().err().cloned());
        checked
    }

    /// Whether rows and folder speak of each other, and the folder is there to be written to.
    pub(super) async fn may_write_beside(&self) -> bool {
        self.store.expect_folder().is_ok() && self.check_folder().await.is_ok()
    }

    /// Remembers which recordings folder is the right one.
    pub(super) fn state_folder(&self) -> &Path {
        &self.state_folder
    }

    /// Whose the folder should be.
    pub(super) fn owner(&self) -> Owner {
        let (hub, database) = self.store.owner();
        Owner { hub, database }
    }

    /// What lies in folders that are not there.
    pub(super) fn set_elsewhere(&self, elsewhere: Option<Elsewhere>) {
        self.state().elsewhere = elsewhere;
    }

    pub(super) fn elsewhere(&self) -> Option<Elsewhere> {
        self.state().elsewhere.clone()
    }

    /// What is damaged of all recordings; nothing is told.
    pub(super) fn set_damage(&self, damage: Damage) {
        self.state().damage = (damage.segments > 0).then_some(damage);
    }

    /// So many cameras' footage no row speaks of.
    pub(super) fn set_unknown(&self, cameras: usize) {
        self.state().unknown = cameras;
    }

    /// How many cameras' footage no row speaks of.
    pub(super) fn unknown(&self) -> usize {
        self.state().unknown
    }

    /// A file of a run is not there: the next sweep looks at it again.
    pub(super) fn suspect(&self, run: RunId) {
        self.state().suspects.push(run);
        self.sweep.notify_one();
    }

    /// The runs to look at again, forgetting them.
    pub(super) fn take_suspects(&self) -> Vec<RunId> {
        std::mem::take(&mut self.state().suspects)
    }

    /// So many of a camera's recordings were made by a newer release.
    pub(super) fn set_newer(&self, camera: CameraId, count: usize) {
        self.state().newer.insert(camera, count);
    }

    /// How many recordings were, of all cameras.
    pub(super) fn newer(&self) -> usize {
        self.state().newer.values().sum()
    }

    pub(super) fn damage(&self) -> Option<Damage> {
        self.state().damage
    }

    /// What is dated after now.
    pub(super) fn set_future(&self, future: Vec<Future>) {
        self.state().future = future;
    }

    pub(super) fn future(&self) -> Vec<Future> {
        self.state().future.clone()
    }

    /// There is a run that was made before the clock was set.
    pub(super) fn set_undated(&self) {
        self.state().undated = true;
    }

    /// Whether there may be one, forgetting it.
    pub(super) fn take_undated(&self) -> bool {
        std::mem::take(&mut self.state().undated)
    }

    /// Up to when dates can be true: now, or without end as long as the clock is not set.
    pub(super) fn latest_date(&self) -> Timestamp {
        if self.clock.is_set() { self.clock.now() } else { Timestamp::MAX }
    }

    /// Remembers why a run ended whose file could not be told.
    pub(super) fn end_unwritten(&self, run: RunId, reason: EndReason) {
        self.state().unwritten_ends.insert(run, reason);
    }

    /// Why such a run ended, forgetting it.
    pub(super) fn take_unwritten_end(&self, run: RunId) -> Option<EndReason> {
        self.state().unwritten_ends.remove(&run)
    }

    /// Whether the folder was looked at since the start; until then nobody knows of any trouble.
    pub(super) fn has_looked(&self) -> bool {
        self.state().has_looked
    }

    /// Sets or clears why nothing may be written.
    pub(super) fn set_trouble(&self, trouble: Option<Trouble>) {
        self.state().has_looked = true;
        let before = self.trouble.send_replace(trouble.clone());
        if let Some(trouble) = trouble.filter(|trouble| before.as_ref() != Some(trouble)) {
            tracing::error!(reason = trouble.detail, "nothing can be recorded");
            self.events.tell(Kind::RecordingFailed, None, format!("nothing can be recorded: {}", trouble.detail));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.lack().is_some()
    }

    /// What there is too little of to record.
    pub(super) fn lack(&self) -> Option<Lack> {
        self.state().lack
    }

    fn set_lack(&self, lack: Option<Lack>) {
        let before = std::mem::replace(&mut self.state().lack, lack);
        let path = self.root.display();
        match (before, lack) {
            (None, Some(Lack::Bytes)) => {
                let taken = self.taken();
                repeats::say!(
                    error,
                    "",
                    {
                        %path,
                        disk.recordings_bytes = taken.recordings_bytes,
                        disk.other_bytes = taken.other_bytes,
                        disk.other_growth_bytes = taken.other_growth_bytes
                    },
                    "the disk is full, and deleting more recordings would not help or is not allowed: recording has stopped"
                );
                self.events.tell(Kind::DiskFull, None, format!("the disk is full ({taken}): recording has stopped"));
            }
            (None, Some(Lack::Inodes)) => {
                repeats::say!(error, "", { %path }, "the disk has no inodes left");
                self.events.tell(Kind::DiskFull, None, "the disk has no inodes left: recording has stopped");
            }
            (Some(_), None) => repeats::say!(info, "", { %path }, "there is room to record again"),
            _ => {}
        }
    }

    /// Looks again for what there is too little of. A file system that does not tell is taken for full.
    pub(super) async fn look_for_room(&self) {
        self.set_lack(self.lacks().await);
    }

    /// A write found no room, whatever the file system says of itself.
    pub(super) async fn found_no_room(&self) {
        self.set_lack(Some(self.lacks().await.unwrap_or(Lack::Bytes)));
        self.make_room.notify_one();
    }

    async fn lacks(&self) -> Option<Lack> {
        self.space().await.map_or(Some(Lack::Bytes), |space| space.lacks(self.floor_bytes))
    }

    /// Whether a segment may be begun; asks retention for room when there is not enough.
    pub(super) async fn has_room(&self) -> bool {
        if self.lacks().await.is_none() {
            return true;
        }
        let made = self.room_made.notified();
        tokio::pin!(made);
        made.as_mut().enable();
        self.make_room.notify_one();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), made).await;
        let lack = self.lacks().await;
        if lack.is_some() {
            self.set_lack(lack);
        }
        lack.is_none()
    }

    /// How full the recordings' file system is; asked on a thread for it, because a dying disk takes its time.
    pub(super) async fn space(&self) -> io::Result<Space> {
        let (probe, root) = (Arc::clone(&self.probe), self.root.clone());
        let space = blocking(move || probe(&root)).await;
        let mut state = self.state();
        state.space = space.as_ref().copied().unwrap_or_default();
        if let Ok(space) = &space {
            state.usage.look(Instant::now(), *space);
        }
        drop(state);
        space
    }

    /// How full it was when it was looked at last.
    pub(super) fn last_space(&self) -> Space {
        self.state().space
    }

    /// Why the camera may not be recorded whatever it sends.
    pub(super) fn obstacle(&self) -> Option<GapReason> {
        if self.trouble.borrow().is_some() {
            return Some(GapReason::DiskFailed);
        }
        self.is_full().then_some(GapReason::DiskFull)
    }
}
