//! One task for the WebSocket views of a camera: a frame wakes it once, and it writes to each socket in turn.
//!
//! It waits for no viewer. A view whose socket is full, whose window is full, or that has something to answer leaves for a
//! task of its own ([`Session::serve`]) and comes back when it has kept up for a tick. So do all when no frames come.

#![expect(clippy::vec_box, reason = "sessions go from task to task, and it costs less to move their boxes")]

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::FutureExt as _;
use larder_proto::wire::CameraId;
use tokio::{
    sync::Notify,
    task::{coop::unconstrained, yield_now},
};

use super::{
    circle::Circle,
    session::{Leave, Session, ticks},
};
use crate::{
    hub::{Frame, Viewer},
    tasks::Tasks,
};

/// Views that are visited before other tasks of this thread have their turn. To yield is not free either: it looks for
/// events and may move the task to another core.
const SLICE: usize = 512;

/// The rounds of all cameras; clones share them.
#[derive(Clone, Default)]
pub(super) struct Rounds(Arc<Mutex<HashMap<CameraId, Arc<Gate>>>>);

/// Where views join a round, and where those in it ring when they must end.
#[derive(Default)]
struct Gate {
    /// No more than there are views.
    joining: Mutex<Vec<Box<Session>>>,
    rung: AtomicBool,
    called: Notify,
}

/// A round, as long as it has views.
struct Round {
    rounds: Rounds,
    camera: CameraId,
    gate: Arc<Gate>,
    /// Rings at the gate.
    waker: Waker,
    tasks: Tasks,
    viewer: Viewer,
    newest: Option<Arc<Frame>>,
    circle: Circle<Box<Session>>,
}

impl Rounds {
    /// A session goes on in the round of its camera, which begins if there is none.
    pub(super) fn join(&self, session: Box<Session>) {
        let mut begun = None;
        let mut all = self.all();
        let gate = all.entry(session.camera()).or_insert_with(|| {
            let gate = Arc::new(Gate::default());
            begun = Some(Round::new(self.clone(), Arc::clone(&gate), &session));
            gate
        });
        // While the map is locked, so that a round that is ending cannot miss it.
        gate.joining().push(session);
        gate.called.notify_one();
        drop(all);
        // Not sooner: a round that cannot run takes itself out of the map.
        if let Some(round) = begun {
            round.tasks.clone().spawn(round.run());
        }
    }

    /// Nobody joins this round any more; those who were about to.
    fn end(&self, camera: CameraId, gate: &Arc<Gate>) -> Vec<Box<Session>> {
        let mut all = self.all();
        if all.get(&camera).is_some_and(|present| Arc::ptr_eq(present, gate)) {
            all.remove(&camera);
        }
        std::mem::take(&mut *gate.joining())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<CameraId, Arc<Gate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    fn joining(&self) -> MutexGuard<'_, Vec<Box<Session>>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.called.notify_one();
    }
}

impl Round {
    fn new(rounds: Rounds, gate: Arc<Gate>, first: &Session) -> Self {
        Self {
            rounds,
            camera: first.camera(),
            waker: Arc::clone(&gate).into(),
            gate,
            tasks: first.live().tasks.clone(),
            viewer: first.viewer().onlooker(),
            newest: None,
            circle: Circle::new(),
        }
    }

    async fn run(mut self) {
        let stop = self.tasks.stopping();
        let mut stopped = pin!(stop.cancelled());
        let mut ticks = ticks();
        loop {
            self.admit().await;
            if self.circle.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                () = &mut stopped => return,
                () = self.gate.called.notified() => self.look_for_ends().await,
                _ = ticks.tick() => self.visit_all(Session::tick_in_round).await,
                seen = self.viewer.next() => match seen {
                    Some(seen) => {
                        self.newest = Some(seen.frame);
                        self.circle.begin();
                        self.show().await;
                    }
                    None => return,
                },
            }
        }
    }

    /// Takes in those who join.
    async fn admit(&mut self) {
        let joining = std::mem::take(&mut *self.gate.joining());
        let mut members = Vec::with_capacity(joining.len());
        for mut session in joining {
            // A camera that was removed and is there again has another topic.
            let is_ours = session.viewer().is_beside(&self.viewer);
            match if is_ours { session.joins(&self.waker) } else { Err(Leave::Waits) } {
                Ok(()) => members.push(session),
                Err(why) => self.let_go(session, why),
            }
        }
        if !members.is_empty() {
            self.circle.add(members);
            self.show().await;
        }
    }

    /// Shows the newest frame to those whom the lap is for. When a newer one comes, it is for all again.
    async fn show(&mut self) {
        while !self.circle.is_done() {
            if let Some(Some(seen)) = self.viewer.next().now_or_never() {
                self.newest = Some(seen.frame);
                self.circle.begin();
            }
            let Some(frame) = &self.newest else { return };
            let left = freely(|| self.circle.visit(SLICE, |session| session.turn(frame))).await;
            self.after_slice(left).await;
        }
    }

    async fn look_for_ends(&mut self) {
        if self.gate.rung.swap(false, Ordering::Acquire) {
            let waker = self.waker.clone();
            self.visit_all(|session| session.look_for_end(&waker)).await;
        }
    }

    async fn visit_all(&mut self, visit: impl Fn(&mut Session) -> Result<(), Leave>) {
        self.circle.begin();
        while !self.circle.is_done() {
            let left = freely(|| self.circle.visit(SLICE, |session| visit(session))).await;
            self.after_slice(left).await;
        }
    }

    async fn after_slice(&mut self, left: Vec<(Box<Session>, Leave)>) {
        left.into_iter().for_each(|(session, why)| self.let_go(session, why));
        if !self.circle.is_done() {
            yield_now().await;
        }
    }

    fn let_go(&self, session: Box<Session>, why: Leave) {
        self.tasks.spawn(session.serve(why));
    }
}

/// Does work that Tokio's budget must not cut short: sockets would look full, and nothing would seem to have come.
async fn freely<T>(work: impl FnOnce() -> T) -> T {
    unconstrained(async { work() }).await
}

/// However a round ends, its sessions go on: they know themselves whether they end, too.
impl Drop for Round {
    fn drop(&mut self) {
        let joining = self.rounds.end(self.camera, &self.gate);
        let members = self.circle.drain();
        members.into_iter().chain(joining).for_each(|session| self.let_go(session, Leave::Waits));
    }
}
