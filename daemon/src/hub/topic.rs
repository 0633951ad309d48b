//! One camera's frames, and how it is doing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::{CameraId, camera::Telemetry};
use tokio::{sync::watch, time::Instant};

use super::{
    Frame, Presence, PresenceState, Tap, Viewer,
    presence::stall_after,
    rate::Rate,
    tap::{TapSender, tap},
};
use crate::clock::Clock;

/// The interval assumed until the camera's settings are known: 10 frames a second.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(100);

/// Who is at the other end of a session.
#[derive(Clone, Debug, Default)]
pub struct SessionInfo {
    /// Address and port.
    pub address: String,
    /// As the camera names it.
    pub firmware_version: String,
}

/// A camera's topic. Made by [`Hub::ensure`](super::Hub::ensure).
pub struct Topic {
    camera: CameraId,
    clock: Clock,
    newest: Mutex<Option<watch::Sender<Option<Arc<Frame>>>>>,
    taps: Mutex<Vec<TapSender>>,
    presence: watch::Sender<PresenceState>,
    state: Mutex<State>,
    viewers: Arc<AtomicU32>,
    recording: AtomicBool,
}

struct State {
    /// Which publisher is the present one; older ones are refused.
    generation: u64,
    connected: bool,
    sequence: u64,
    last_frame: Option<Instant>,
    last_captured_at: Option<Timestamp>,
    connected_at: Instant,
    size: (u16, u16),
    interval: Duration,
    rate: Rate,
    refused: BTreeMap<&'static str, u64>,
    telemetry: Option<(Timestamp, Telemetry)>,
    session: SessionInfo,
    offline_reason: String,
    round_trip: Option<Duration>,
    /// Where the recording's lag counts from: the end of its newest fragment, or the run's start.
    recorded_until: Timestamp,
}

/// How a camera is doing at one moment.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is its CameraStatus namesake in cameras.proto")]
pub struct Snapshot {
    pub camera: CameraId,
    pub presence: PresenceState,
    pub last_frame_at: Option<Timestamp>,
    pub size: Option<(u16, u16)>,
    pub fps: f64,
    pub bytes_per_second: f64,
    pub frames_received: u64,
    pub frames_refused: BTreeMap<&'static str, u64>,
    pub telemetry: Option<(Timestamp, Telemetry)>,
    pub session: Option<SessionInfo>,
    pub offline_reason: String,
    pub viewers: u32,
    pub recording: bool,
    /// While it is recorded: the age of what is surely on disk.
    pub recording_lag: Option<Duration>,
    /// Frames that wait for the recorder.
    pub tap_queue: u32,
    pub round_trip: Option<Duration>,
}

impl Topic {
    pub(super) fn new(camera: CameraId, clock: Clock) -> Self {
        let presence = PresenceState { presence: Presence::Offline, since: clock.now() };
        Self {
            camera,
            clock,
            newest: Mutex::new(Some(watch::Sender::new(None))),
            taps: Mutex::default(),
            presence: watch::Sender::new(presence),
            state: Mutex::new(State {
                generation: 0,
                connected: false,
                sequence: 0,
                last_frame: None,
                last_captured_at: None,
                connected_at: Instant::now(),
                size: (0, 0),
                interval: DEFAULT_INTERVAL,
                rate: Rate::default(),
                refused: BTreeMap::new(),
                telemetry: None,
                session: SessionInfo::default(),
                offline_reason: String::new(),
                round_trip: None,
                recorded_until: presence.since,
            }),
            viewers: Arc::default(),
            recording: AtomicBool::new(false),
        }
    }

    /// Whose topic it is.
    pub fn camera(&self) -> CameraId {
        self.camera
    }

    /// Takes the topic over for a new session; an older publisher is refused from now on.
    pub fn publisher(self: &Arc<Self>, session: SessionInfo) -> Publisher {
        let mut state = self.state();
        state.generation += 1;
        state.connected = true;
        state.connected_at = Instant::now();
        state.last_frame = None;
        state.session = session;
        state.offline_reason.clear();
        state.telemetry = None;
        state.round_trip = None;
        let generation = state.generation;
        drop(state);
        self.judge_presence();
        Publisher { topic: Arc::clone(self), generation }
    }

    /// A reader of the newest frame. One made after the topic has ended ends at once.
    pub fn viewer(&self) -> Viewer {
        self.reader(Arc::clone(&self.viewers))
    }

    /// The same for work behind viewers, which is not counted as one.
    pub fn onlooker(&self) -> Viewer {
        self.reader(Arc::default())
    }

    fn reader(&self, count: Arc<AtomicU32>) -> Viewer {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = newest.as_ref().map_or_else(|| watch::channel(None).1, watch::Sender::subscribe);
        Viewer::new(receiver, count)
    }

    /// A reader of every frame from now on. One made after the topic has ended ends at once.
    pub fn tap(&self) -> Tap {
        let (sender, tap) = tap();
        // Held while pushing, so that a topic that is closing can't miss it.
        let open = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_some() {
            self.taps().push(sender);
        }
        tap
    }

    /// The newest frame, however old.
    pub fn newest(&self) -> Option<Arc<Frame>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().and_then(|sender| sender.borrow().clone())
    }

    /// Presence now and each change.
    pub fn presence(&self) -> watch::Receiver<PresenceState> {
        self.presence.subscribe()
    }

    /// The longest interval the camera is asked to keep between frames; decides what counts as stalled.
    pub fn set_interval(&self, interval: Duration) {
        self.state().interval = interval;
    }

    /// The interval set last.
    pub fn interval(&self) -> Duration {
        self.state().interval
    }

    /// Says whether the camera is being recorded; its lag counts from now.
    pub fn set_recording(&self, recording: bool) {
        self.state().recorded_until = self.clock.now();
        self.recording.store(recording, Ordering::Relaxed);
    }

    /// Says up to when the camera's pictures are safely on disk.
    pub fn set_recorded_until(&self, until: Timestamp) {
        self.state().recorded_until = until;
    }

    /// Says, for people, why the camera is offline; nothing is kept of it while a session stands.
    pub fn set_offline_reason(&self, reason: impl ToString) {
        let mut state = self.state();
        if !state.connected {
            state.offline_reason = reason.to_string();
        }
    }

    /// Counts a refused frame.
    pub fn refused(&self, reason: &'static str) {
        *self.state().refused.entry(reason).or_default() += 1;
        metrics::counter!("larder_frames_refused_total", "reason" => reason).increment(1);
    }

    /// How the camera is doing.
    pub fn snapshot(&self) -> Snapshot {
        let presence = *self.presence.borrow();
        let tap_queue = self.taps().iter().map(TapSender::waiting).max().unwrap_or_default();
        let recording = self.recording.load(Ordering::Relaxed);
        let now = self.clock.now();
        let mut state = self.state();
        let lag = now.duration_since(state.recorded_until).try_into().unwrap_or_default();
        let (fps, bytes_per_second) = state.rate.per_second(Instant::now());
        Snapshot {
            camera: self.camera,
            presence,
            last_frame_at: state.last_captured_at,
            size: (state.size != (0, 0)).then_some(state.size),
            fps,
            bytes_per_second,
            frames_received: state.sequence,
            frames_refused: state.refused.clone(),
            telemetry: state.telemetry.clone(),
            session: state.connected.then(|| state.session.clone()),
            offline_reason: state.offline_reason.clone(),
            viewers: self.viewers.load(Ordering::Relaxed),
            recording,
            recording_lag: recording.then_some(lag),
            tap_queue,
            round_trip: state.round_trip,
        }
    }

    pub(super) fn judge_presence(&self) -> Presence {
        let presence = {
            let state = self.state();
            let silent = state.last_frame.unwrap_or(state.connected_at).elapsed();
            match (state.connected, state.last_frame) {
                (false, _) => Presence::Offline,
                (true, _) if silent > stall_after(state.interval) => Presence::Stalled,
                (true, Some(_)) => Presence::Online,
                // Connected and waiting for the first frame: what it was, unless that was a stall.
                (true, None) => match self.presence.borrow().presence {
                    Presence::Stalled => Presence::Stalled,
                    Presence::Offline | Presence::Online => Presence::Online,
                },
            }
        };
        let now = self.clock.now();
        self.presence.send_if_modified(|known| {
            let changed = known.presence != presence;
            if changed {
                *known = PresenceState { presence, since: now };
            }
            changed
        });
        presence
    }

    pub(super) fn close(&self) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.taps().clear();
        let mut state = self.state();
        state.connected = false;
        state.generation += 1;
        drop(state);
        self.judge_presence();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taps(&self) -> MutexGuard<'_, Vec<TapSender>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's right to publish. Dropping it makes the camera offline, unless another session took over.
pub struct Publisher {
    topic: Arc<Topic>,
    generation: u64,
}

impl Publisher {
    /// Gives a frame to every reader; never waits. `false` when another session took the topic over or it ended:
    /// the caller should end its session.
    #[must_use]
    pub fn publish(&self, mut frame: Frame) -> bool {
        let now = Instant::now();
        let first = {
            let mut state = self.topic.state();
            if state.generation != self.generation {
                return false;
            }
            state.sequence += 1;
            frame.sequence = state.sequence;
            state.size = (frame.width, frame.height);
            state.last_captured_at = Some(frame.captured_at);
            state.rate.add(now, frame.jpeg.len());
            state.last_frame.replace(now).is_none()
        };
        if first || self.topic.presence.borrow().presence != Presence::Online {
            self.topic.judge_presence();
        }
        let frame = Arc::new(frame);
        self.topic.taps().retain_mut(|tap| tap.offer(&frame));
        let newest = self.topic.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().is_some_and(|sender| {
            sender.send_replace(Some(frame));
            true
        })
    }

    /// Keeps the newest telemetry.
    pub fn telemetry(&self, telemetry: Telemetry) {
        let now = self.topic.clock.now();
        let mut state = self.topic.state();
        if state.generation == self.generation {
            state.telemetry = Some((now, telemetry));
        }
    }

    /// Keeps the newest round trip.
    pub fn round_trip(&self, round_trip: Duration) {
        let mut state = self.topic.state();
        if state.generation == self.generation {
            state.round_trip = Some(round_trip);
        }
    }

    /// Counts a refused frame.
    pub fn refused(&self, reason: &'static str) {
        self.topic.refused(reason);
    }

    /// Makes the camera offline and says, for people, why, unless another session took over.
    pub fn end(&self, reason: impl ToString) {
        self.leave(Some(reason.to_string()));
    }

    fn leave(&self, reason: Option<String>) {
        {
            let mut state = self.topic.state();
            if state.generation != self.generation {
                return;
            }
            state.connected = false;
            if let Some(reason) = reason {
                state.offline_reason = reason;
            }
        }
        self.topic.judge_presence();
    }

    /// Whether this session still holds the topic.
    pub fn is_current(&self) -> bool {
        self.topic.state().generation == self.generation
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.leave(None);
    }
}
