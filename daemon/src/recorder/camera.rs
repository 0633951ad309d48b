//! One camera's task: waits for pictures, records runs, says why nothing is recorded in between.

use std::{sync::Arc, time::Duration};

use larder_proto::wire::CameraId;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{
    collect::blocking,
    gaps::OpenGap,
    ordinals::Ordinals,
    pins, recover,
    run::{self, Ended, Order},
    shared::Shared,
    wish::Wish,
};
use crate::{
    backoff::Backoff,
    hub::{Frame, Presence, Tap, Topic},
    outcome::chain,
    recordings::{EndReason, GapReason},
    repeats,
};

/// How often an idle camera's state is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often at the start, until the folder was looked at: that takes milliseconds.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// Between attempts to read a folder that can't be read, or to end a topic that is over.
const RETRY: Duration = Duration::from_secs(5);
/// The longest pause after the folder is sound again and has room.
const AFTER_OBSTACLE: Duration = Duration::from_secs(3);
/// The first pause after the encoder or the disk failed; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A run this long means that both work.
const WORKS: Duration = Duration::from_secs(60);
/// Rows may know ordinals that files do not; a database that is away is not waited for longer.
const ASK_ROWS: Duration = Duration::from_secs(6);

/// What others see of a camera's task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct State {
    /// Whether a run goes on.
    pub(super) recording: bool,
}

pub(super) struct CameraTask {
    shared: Arc<Shared>,
    camera: CameraId,
    wish: watch::Receiver<Wish>,
    state: watch::Sender<State>,
    ordinals: Ordinals,
    backoff: Backoff,
    /// When it may be tried again, and why not now.
    pause: Option<(Instant, GapReason)>,
    carried: Option<Arc<Frame>>,
    topic: Option<Arc<Topic>>,
    tap: Option<Tap>,
}

impl CameraTask {
    pub(super) fn new(
        shared: Arc<Shared>,
        camera: CameraId,
        wish: watch::Receiver<Wish>,
        state: watch::Sender<State>,
    ) -> Self {
        Self {
            shared,
            camera,
            wish,
            state,
            ordinals: Ordinals::default(),
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            pause: None,
            carried: None,
            topic: None,
            tap: None,
        }
    }

    /// Runs until it is told to leave.
    pub(super) async fn run(mut self) {
        if self.wish.borrow().records() {
            // Before the folder is read: what is captured meanwhile waits in the tap's queue.
            let topic = self.shared.hub.ensure(self.camera);
            self.tap = Some(topic.tap());
            self.topic = Some(topic);
        }
        if !self.recover().await {
            return;
        }
        while !self.leaving() {
            let Some((topic, first)) = self.first_picture().await else { continue };
            self.record(topic, first).await;
        }
        // From now on the hub is why nothing is recorded, whatever was before.
        if self.shared.is_closing() && self.shared.open_gap(self.camera).is_some() && self.wish.borrow().is_wished() {
            self.shared.not_recording(self.camera, GapReason::HubDown);
        }
    }

    fn leaving(&self) -> bool {
        // A sender that is gone wants nothing any more.
        self.wish.borrow().leave || self.wish.has_changed().is_err()
    }

    /// Reads what is on disk of the camera. `false` when told to leave before that was possible.
    async fn recover(&mut self) -> bool {
        while self.shared.trouble().is_some() {
            let pause = if self.shared.has_looked() {
                self.shared.not_recording(self.camera, GapReason::DiskFailed);
                LOOK
            } else {
                FIRST_LOOK
            };
            if self.wait(pause).await {
                return false;
            }
        }
        let Some(last_end) = self.count(EndReason::HubDown).await else { return false };
        self.resume_gap(last_end).await;
        self.shared.recovered(self.camera);
        true
    }

    /// Ends the runs that were left open, and takes the counts of the next from files and rows. `None` when told to
    /// leave before that was possible; else when and why the newest run ended.
    async fn count(&mut self, reason: EndReason) -> Option<Option<(jiff::Timestamp, EndReason)>> {
        let known = loop {
            let folder = self.shared.camera_folder(self.camera);
            match blocking(move || recover::camera(&folder, reason)).await {
                Ok(known) => break known,
                Err(error) => {
                    tracing::error!(camera.id = %self.camera, error = chain(&error), "its recordings cannot be read");
                    if self.wait(RETRY).await {
                        return None;
                    }
                }
            }
        };
        if known.is_undated {
            self.shared.set_undated();
        }
        // Until they are known, what is recorded counts as pinned; the sweep comes to know them, too.
        let _ = timeout(ASK_ROWS, pins::load(&self.shared, self.camera)).await;
        let rows = timeout(ASK_ROWS, self.shared.store.next_ordinals(self.camera)).await;
        let rows = rows.ok().and_then(Result::ok).unwrap_or_default();
        let known_rows = Ordinals { next_run: rows.run, next_sequence: rows.sequence };
        self.ordinals = self.ordinals.max(known.ordinals).max(known_rows);
        Some(known.last_end)
    }

    /// Goes on with the gap that was open when the hub stopped.
    async fn resume_gap(&self, last_end: Option<(jiff::Timestamp, EndReason)>) {
        let row = timeout(ASK_ROWS, self.shared.store.gap_open(self.camera)).await;
        let row = row.ok().and_then(Result::ok).flatten();
        let row = row.map(|gap| OpenGap { since: gap.started_at, reason: gap.reason });
        let file =
            last_end.map(|(since, reason)| OpenGap { since, reason: reason.gap().unwrap_or(GapReason::HubDown) });
        let gap = match (row, file) {
            (Some(row), Some(file)) if row.since < file.since => Some(file),
            (row, file) => row.or(file),
        };
        if let Some(gap) = gap {
            self.shared.resume_gap(self.camera, gap.interrupted(self.shared.store.last_alive_at()));
        }
    }

    /// Waits. Whether it was told to leave meanwhile.
    async fn wait(&mut self, duration: Duration) -> bool {
        timeout(duration, self.wish.wait_for(|wish| wish.leave)).await.is_ok()
    }

    /// Waits for a wish that differs, at most `duration`.
    async fn wish_or(&mut self, duration: Duration) {
        let _ = timeout(duration, self.wish.changed()).await;
    }

    /// The picture that begins a run, when everything allows one; `None`: look again.
    async fn first_picture(&mut self) -> Option<(Arc<Topic>, Arc<Frame>)> {
        let wish = *self.wish.borrow_and_update();
        if !wish.records() {
            self.let_go();
            if !wish.leave {
                self.shared.not_recording(self.camera, GapReason::NotScheduled);
                self.wish_or(Duration::from_secs(3600)).await;
            }
            return None;
        }
        if let Some(obstacle) = self.shared.obstacle() {
            self.let_go();
            // What was waited for stands in the way now, and is seen when it ends.
            let soon = Instant::now() + AFTER_OBSTACLE;
            self.pause = self.pause.map(|(until, reason)| (until.min(soon), reason));
            self.shared.not_recording(self.camera, obstacle);
            self.wish_or(LOOK).await;
            return None;
        }
        if let Some((pause, reason)) = self.pause {
            self.let_go();
            self.shared.not_recording(self.camera, reason);
            tokio::select! {
                biased;
                _ = self.wish.changed() => {}
                () = sleep_until(pause) => self.pause = None,
            }
            return None;
        }
        let topic = Arc::clone(self.topic.get_or_insert_with(|| self.shared.hub.ensure(self.camera)));
        if let Some(carried) = self.carried.take() {
            return Some((topic, carried));
        }
        let tap = self.tap.get_or_insert_with(|| topic.tap());
        tokio::select! {
            biased;
            _ = self.wish.changed() => None,
            next = timeout(LOOK, tap.next()) => match next {
                Ok(Some(tapped)) => Some((topic, tapped.frame)),
                Ok(None) => {
                    self.topic_over().await;
                    None
                }
                Err(_elapsed) => {
                    self.shared.not_recording(self.camera, absence(&topic));
                    None
                }
            },
        }
    }

    /// The topic ended: the camera was removed or the hub stops. Should the camera come again, it has a new one.
    async fn topic_over(&mut self) {
        self.let_go();
        self.wish_or(RETRY).await;
    }

    /// Reads no pictures while none are wanted: a full queue would count losses that are none.
    fn let_go(&mut self) {
        self.tap = None;
        self.topic = None;
        self.carried = None;
    }

    async fn record(&mut self, topic: Arc<Topic>, first: Arc<Frame>) {
        let mut tap = self.tap.take().unwrap_or_else(|| topic.tap());
        // Said before the wish is read for the last time: who stops by hand first wishes, then looks at this.
        self.state.send_replace(State { recording: true });
        if !self.wish.borrow().records() {
            self.state.send_replace(State { recording: false });
            return;
        }
        let order =
            Order { shared: &self.shared, topic: &topic, tap: &mut tap, wish: &mut self.wish, ordinals: self.ordinals };
        let ended = run::record(order, first).await;
        self.tap = Some(tap);
        self.keep_ordinals(&ended).await;
        self.judge(ended).await;
        self.state.send_replace(State { recording: false });
    }

    async fn keep_ordinals(&mut self, ended: &Ended) {
        if ended.lost {
            // What it left is ended and counted as after a crash: the next run must not count the same again.
            self.count(EndReason::EncoderFailed).await;
            self.shared.sweep.notify_one();
            return;
        }
        if ended.fragments == 0 {
            return;
        }
        self.ordinals = self.ordinals.after(ended.fragments);
        let (ordinals, folder) = (self.ordinals, self.shared.camera_folder(self.camera));
        if let Err(error) = blocking(move || ordinals.keep(&folder)).await {
            // The files and rows say the same; this file is for the case that both are gone.
            tracing::warn!(camera.id = %self.camera, error = chain(&error), "the ordinals were not kept");
        }
    }

    async fn judge(&mut self, ended: Ended) {
        // Also behind a run without a fragment: the one before it may have ended without a gap.
        if let Some(reason) = gap_behind(&ended) {
            self.shared.not_recording_since(self.camera, ended.ended_at, reason);
        }
        self.carried = ended.carried;
        if ended.lasted >= WORKS {
            self.backoff.reset();
        }
        let failed = match ended.reason {
            EndReason::EncoderFailed => Some(GapReason::EncoderFailed),
            EndReason::DiskFull => Some(GapReason::DiskFull),
            // Behind a disk that was only slow the next run follows at once.
            EndReason::DiskFailed if self.carried.is_none() => Some(GapReason::DiskFailed),
            _ => None,
        };
        if let Some(reason) = failed {
            if ended.reason == EndReason::EncoderFailed {
                metrics::counter!("larder_recorder_encoder_restarts_total").increment(1);
            }
            let pause = self.backoff.pause();
            self.pause = Some((Instant::now() + pause, reason));
            let (camera, seconds, reason) = (self.camera.to_string(), pause.as_secs_f64(), reason.name());
            repeats::say!(warn, &camera, { camera.id = camera, seconds, reason }, "recording is tried again later");
        }
        if ended.topic_over {
            self.topic_over().await;
        }
    }
}

/// The reason of the gap that begins at a run's end, unless the next run follows at once.
fn gap_behind(ended: &Ended) -> Option<GapReason> {
    ended.reason.gap().or_else(|| ended.carried.is_none().then_some(GapReason::HubDown))
}

fn absence(topic: &Topic) -> GapReason {
    match topic.presence().borrow().presence {
        Presence::Offline => GapReason::CameraOffline,
        Presence::Online | Presence::Stalled => GapReason::Stalled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_fragment_leaves_a_gap_unless_the_next_follows_at_once() {
        let at = crate::clock::from_us(1_780_000_000_000_000);
        let ended = |reason, carried| Ended {
            reason,
            ended_at: at,
            fragments: 0,
            carried,
            topic_over: false,
            lasted: Duration::ZERO,
            lost: false,
        };
        let jpeg = bytes::Bytes::new();
        let (width, height) = (640, 480);
        let frame = Frame { sequence: 1, captured_at: at, received_at: at, clock_epoch: 0, width, height, jpeg };
        assert_eq!(gap_behind(&ended(EndReason::EncoderFailed, None)), Some(GapReason::EncoderFailed));
        assert_eq!(gap_behind(&ended(EndReason::Midnight, None)), Some(GapReason::HubDown));
        assert_eq!(gap_behind(&ended(EndReason::Midnight, Some(Arc::new(frame)))), None);
    }
}
