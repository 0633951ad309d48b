//! What all of the recorder's tasks use.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::{sync::Notify, time::Instant};

use super::{
    disk::{self, Space},
    ffmpeg::Settings,
    gaps::{Gaps, OpenGap},
    pace::Pace,
    rows::{Row, Rows},
};
use crate::{
    clock::Clock,
    events::{Events, Kind},
    hub::Hub,
    parts::Trouble,
    recordings::{Gap, GapReason, RunId, Store},
    tasks::Tasks,
};

pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) floor_bytes: u64,
    probe: disk::Probe,
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
    state: Mutex<State>,
}

struct State {
    settings: Settings,
    gaps: HashMap<CameraId, Gaps>,
    /// Runs being written, and the start of the segment that is open: not for the sweep to touch.
    active: HashMap<RunId, Option<Timestamp>>,
    /// Cameras whose files were recovered after the start.
    recovered: Vec<CameraId>,
    /// Why nothing may be written below the root, and what to do.
    trouble: Option<Trouble>,
    /// Whether the root was looked at since the start.
    has_looked: bool,
    full: bool,
    /// Why the encoder does not work, and what to do.
    encoder_trouble: Option<String>,
    /// Bytes of all recordings, as counted last.
    recordings_bytes: u64,
    pace: Pace,
}

/// What the parts are made of.
pub(super) struct Ingredients {
    pub(super) settings: Settings,
    pub(super) root: PathBuf,
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
            floor_bytes: from.floor_bytes,
            probe: from.probe,
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
            state: Mutex::new(State {
                settings: from.settings,
                gaps: HashMap::new(),
                active: HashMap::new(),
                recovered: Vec::new(),
                trouble,
                has_looked: false,
                full: false,
                encoder_trouble: None,
                recordings_bytes: 0,
                pace: Pace::new(Instant::now()),
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

    pub(super) fn recordings_bytes(&self) -> u64 {
        self.state().recordings_bytes
    }

    pub(super) fn set_recordings_bytes(&self, bytes: u64) {
        self.state().recordings_bytes = bytes;
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
        // Between two counts, what was written since.
        state.recordings_bytes += bytes;
        state.pace.add(Instant::now(), bytes);
    }

    /// Bytes that are recorded a day, once that is known.
    pub(super) fn bytes_per_day(&self) -> Option<u64> {
        self.state().pace.per_day(Instant::now())
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
            self.rows.write(Row::GapOpened(Gap { camera, started_at: since, ended_at: None, reason }));
        }
    }

    /// The camera's first fragment of a run is on disk.
    pub(super) fn recording_since(&self, camera: CameraId, at: Timestamp) {
        if self.state().gaps.entry(camera).or_default().close() {
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
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.state().trouble.clone()
    }

    /// Whether the folder was looked at since the start; until then nobody knows of any trouble.
    pub(super) fn has_looked(&self) -> bool {
        self.state().has_looked
    }

    /// Sets or clears why nothing may be written.
    pub(super) fn set_trouble(&self, trouble: Option<Trouble>) {
        let before = {
            let mut state = self.state();
            state.has_looked = true;
            std::mem::replace(&mut state.trouble, trouble.clone())
        };
        if let Some(trouble) = trouble.filter(|trouble| before.as_ref() != Some(trouble)) {
            tracing::error!(reason = trouble.detail, "nothing can be recorded");
            self.events.tell(Kind::RecordingFailed, None, format!("nothing can be recorded: {}", trouble.detail));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.state().full
    }

    pub(super) fn set_full(&self, full: bool) {
        let before = std::mem::replace(&mut self.state().full, full);
        if full && !before {
            tracing::error!(path = %self.root.display(), "the disk is full and nothing may be deleted");
            self.events.tell(
                Kind::DiskFull,
                None,
                "the disk is full and nothing may be deleted: recording has stopped",
            );
        } else if before && !full {
            tracing::info!("there is room to record again");
        }
    }

    /// Whether a segment may be begun; asks retention for room when there is not enough.
    pub(super) async fn has_room(&self) -> bool {
        if self.is_above_floor() {
            return true;
        }
        let made = self.room_made.notified();
        tokio::pin!(made);
        made.as_mut().enable();
        self.make_room.notify_one();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), made).await;
        let room = self.is_above_floor();
        if !room {
            self.set_full(true);
        }
        room
    }

    /// How full the recordings' file system is.
    pub(super) fn space(&self) -> io::Result<Space> {
        (self.probe)(&self.root)
    }

    /// Whether recording may go on. Not on a file system that does not tell.
    pub(super) fn is_above_floor(&self) -> bool {
        self.space().is_ok_and(|space| space.short_of(self.floor_bytes) == 0)
    }

    /// Why the camera may not be recorded whatever it sends.
    pub(super) fn obstacle(&self) -> Option<GapReason> {
        let state = self.state();
        if state.trouble.is_some() {
            return Some(GapReason::DiskFailed);
        }
        state.full.then_some(GapReason::DiskFull)
    }
}
