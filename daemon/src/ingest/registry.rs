//! The sessions that stand: at most one a camera.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_proto::wire::{
    CameraId,
    camera::{Ack, AckResult, ByeReason, Command, Control, Message, UpdateStatus},
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::update::UpdateError;
use crate::bucket::Bucket;

/// How long a camera has to acknowledge a command.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Sessions that a camera may begin at once, and how long one more takes. One that keeps to its back-off begins a
/// dozen a minute at most.
const SESSIONS: (u32, Duration) = (30, Duration::from_secs(2));
/// Sessions of a camera that another one ends before somebody should look, and how long one more takes. A board that
/// has lost its power comes back before the hub knows, now and then.
const TAKEOVERS: (u32, Duration) = (3, Duration::from_secs(120));
/// Answers of an update that nobody has read yet: there is one for each message.
const MOST_STATUSES: usize = 4;
/// Commands of one camera that wait for their ACK; more are refused.
const MOST_WAITING: usize = 16;

/// Why a board of another make obeys no command.
const NO_COMMANDS: &str = "it is a board of another make, which takes no commands from the hub";

/// A camera did what it was told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    /// What it said; mostly empty.
    pub remark: String,
    /// From the command to its ACK.
    pub round_trip: Duration,
}

/// Why a command was not done.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ControlError {
    /// No session, or it ended before the answer.
    #[error("the camera is offline")]
    Offline,
    /// The camera, or the queue before it, does not take the command.
    #[error("the camera refused: {0}")]
    Refused(String),
    /// No answer in time. The camera may still do it.
    #[error("the camera did not answer within {} s", ACK_TIMEOUT.as_secs())]
    Timeout,
}

/// All sessions; clones share them.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sessions: Mutex<HashMap<CameraId, Live>>,
    recent: Mutex<HashMap<CameraId, Recent>>,
    generations: AtomicU64,
}

/// How often a camera has begun a session of late, and how often it ended another one by that.
struct Recent {
    sessions: Bucket,
    takeovers: Bucket,
}

/// What stood in a session's place before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Before {
    /// No session.
    Nothing,
    /// Another session, which ends.
    Session,
    /// Another session, as so often of late: two boards may take turns.
    OneOfMany,
}

/// What others need of a session.
#[derive(Clone)]
struct Live {
    generation: u64,
    outbox: Outbox,
    end: watch::Sender<Option<ByeReason>>,
}

/// A session's place in the registry; dropping it gives the place up, unless another session has it.
pub(super) struct Place {
    registry: Registry,
    camera: CameraId,
    generation: u64,
    end: watch::Receiver<Option<ByeReason>>,
}

impl Place {
    /// Comes back when the session must end, and why. Cancel safe.
    pub(super) async fn told(&mut self) -> ByeReason {
        // The sender goes only when another session has the place.
        self.end.wait_for(Option::is_some).await.ok().and_then(|reason| *reason).unwrap_or(ByeReason::Replaced)
    }
}

impl Registry {
    /// Whether a camera may begin a session now. Ask of proven ones alone: a stranger must not use their turns up.
    pub(super) fn admits(&self, camera: CameraId) -> bool {
        let mut recent = self.recent();
        // What has calmed down needs no place.
        recent.retain(|_, recent| !(recent.sessions.is_full() && recent.takeovers.is_full()));
        recent.entry(camera).or_insert_with(Recent::new).sessions.take().is_ok()
    }

    /// Takes the camera's place. A session that has it is told that it is replaced. `publisher` takes the topic over
    /// under the same lock, so that of two sessions at once the same one wins both.
    pub(super) fn take<P>(
        &self,
        camera: CameraId,
        outbox: Outbox,
        publisher: impl FnOnce() -> P,
    ) -> (Place, P, Before) {
        let generation = self.0.generations.fetch_add(1, Ordering::Relaxed);
        let (end, ended) = watch::channel(None);
        let mut sessions = self.sessions();
        let replaced = sessions.insert(camera, Live { generation, outbox, end });
        if let Some(replaced) = &replaced {
            replaced.end.send_replace(Some(ByeReason::Replaced));
        }
        let publisher = publisher();
        drop(sessions);
        let before = replaced.map_or(Before::Nothing, |_| self.replaced(camera));
        (Place { registry: self.clone(), camera, generation, end: ended }, publisher, before)
    }

    fn replaced(&self, camera: CameraId) -> Before {
        let taken = self.recent().entry(camera).or_insert_with(Recent::new).takeovers.take();
        taken.map_or(Before::OneOfMany, |()| Before::Session)
    }

    /// Tells a camera's session to end. `false` when there is none.
    pub(super) fn end(&self, camera: CameraId, reason: ByeReason) -> bool {
        let live = self.sessions().get(&camera).cloned();
        live.is_some_and(|live| live.end.send_replace(Some(reason)).is_none())
    }

    /// The number of a camera's session, when there is one.
    pub(super) fn generation(&self, camera: CameraId) -> Option<u64> {
        self.sessions().get(&camera).map(|live| live.generation)
    }

    /// The way out of a camera's session, when there is one.
    pub(super) fn outbox(&self, camera: CameraId) -> Option<Outbox> {
        self.sessions().get(&camera).map(|live| live.outbox.clone())
    }

    /// Sends a command and waits for its ACK. Cancel safe: an answer that comes later is passed over.
    pub(super) async fn control(&self, camera: CameraId, command: Command) -> Result<Acknowledged, ControlError> {
        self.outbox(camera).ok_or(ControlError::Offline)?.command(command)?.done().await
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<CameraId, Recent>> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<CameraId, Live>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn new() -> Self {
        let bucket = |(most, refill)| Bucket::new(most, refill);
        Self { sessions: bucket(SESSIONS), takeovers: bucket(TAKEOVERS) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = self.registry.sessions();
        if sessions.get(&self.camera).is_some_and(|live| live.generation == self.generation) {
            sessions.remove(&self.camera);
        }
    }
}

/// The way out of a session: a bounded queue that never waits, and the commands that wait for their ACK.
#[derive(Clone)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Message>,
    takes_updates: bool,
    takes_commands: bool,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next_id: u32,
    closed: bool,
    answers: HashMap<u32, (Instant, oneshot::Sender<(Ack, Duration)>)>,
    update: Option<mpsc::Sender<UpdateStatus>>,
}

impl Outbox {
    pub(super) fn new(queue: mpsc::Sender<Message>, takes_updates: bool) -> Self {
        Self { queue, takes_updates, takes_commands: true, waiting: Arc::default() }
    }

    /// Of a board that knows nothing of Larder: nothing goes out.
    pub(super) fn of_a_board() -> Self {
        let (queue, _) = mpsc::channel(1);
        Self { queue, takes_updates: false, takes_commands: false, waiting: Arc::default() }
    }

    /// Queues a message. `false` when the queue is full: the camera does not read.
    pub(super) fn send(&self, message: Message) -> bool {
        self.queue.try_send(message).is_ok()
    }

    /// Queues a command.
    pub(super) fn command(&self, command: Command) -> Result<Pending, ControlError> {
        if !self.takes_commands {
            return Err(ControlError::Refused(NO_COMMANDS.to_owned()));
        }
        let (answer, receiver) = oneshot::channel();
        let id = {
            let mut waiting = self.waiting();
            if waiting.closed {
                return Err(ControlError::Offline);
            }
            if waiting.answers.len() >= MOST_WAITING {
                return Err(ControlError::Refused(format!("{MOST_WAITING} commands are waiting for their answer")));
            }
            let id = waiting.next_id;
            waiting.next_id = id.wrapping_add(1);
            waiting.answers.insert(id, (Instant::now(), answer));
            id
        };
        let pending = Pending { outbox: self.clone(), id, receiver };
        if self.send(Message::Control(Control { id, command })) {
            Ok(pending)
        } else {
            Err(ControlError::Refused("it does not take in what is sent to it".to_owned()))
        }
    }

    /// Hands an ACK to whoever waits for it. `false` when nobody does.
    pub(super) fn acknowledge(&self, ack: Ack) -> bool {
        let waiting = self.waiting().answers.remove(&ack.id);
        waiting.is_some_and(|(sent, answer)| answer.send((ack, sent.elapsed())).is_ok())
    }

    /// Begins an update: what the camera answers comes here, until the session or [`Outbox::end_update`] ends it.
    pub(super) fn begin_update(&self) -> Result<mpsc::Receiver<UpdateStatus>, UpdateError> {
        if !self.takes_updates {
            return Err(UpdateError::Unsupported);
        }
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(UpdateError::Offline);
        }
        if waiting.update.is_some() {
            return Err(UpdateError::Busy);
        }
        let (answer, answers) = mpsc::channel(MOST_STATUSES);
        waiting.update = Some(answer);
        Ok(answers)
    }

    pub(super) fn end_update(&self) {
        self.waiting().update = None;
    }

    /// Hands an update's answer to whoever waits for it. `false` when nobody does.
    pub(super) fn updated(&self, status: UpdateStatus) -> bool {
        self.waiting().update.as_ref().is_some_and(|answers| answers.try_send(status).is_ok())
    }

    /// Ends every wait: the session is over.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.update = None;
        waiting.answers.clear();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that waits for its ACK.
pub(super) struct Pending {
    outbox: Outbox,
    id: u32,
    receiver: oneshot::Receiver<(Ack, Duration)>,
}

impl Pending {
    /// Waits for the ACK.
    pub(super) async fn done(mut self) -> Result<Acknowledged, ControlError> {
        let (ack, round_trip) = match tokio::time::timeout(ACK_TIMEOUT, &mut self.receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_closed)) => return Err(ControlError::Offline),
            Err(_elapsed) => return Err(ControlError::Timeout),
        };
        match ack.result {
            AckResult::Done => Ok(Acknowledged { remark: ack.remark, round_trip }),
            result if ack.remark.is_empty() => Err(ControlError::Refused(result.name().to_owned())),
            result => Err(ControlError::Refused(format!("{}, {}", result.name(), ack.remark))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.outbox.waiting().answers.remove(&self.id);
    }
}
