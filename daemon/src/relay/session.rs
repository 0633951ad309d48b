//! One far viewer's session, from its welcome to its end.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use larder_proto::wire::relay::{self, CloseCode, FrameHeader, HubMessage, MOST_FRAME, ViewerMessage};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};

use super::{
    Camera, Shared,
    control::{Control, Unheard},
    delivery::{Delivered, Fate, deliver},
    hello::Admitted,
    limits::Limits,
    pace::{Arrival, Pace},
    pictures::{Picture, Pictures},
    transport::{Gone, Transport},
};
use crate::{
    hub::{Presence, PresenceState},
    viewers::Seat,
};

/// How often the viewer is told how its view stands, and the session looks at its clocks.
const TICK: Duration = Duration::from_secs(1);
/// How long frames may be given up one after the other. A line that is cut for ten seconds is worth waiting for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a viewer may take to hear what is said to it.
const SAY_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits for a reason to end. Kept in a set, which looks at it when it was woken and not each time the session is:
/// looking takes locks that all sessions share.
type Ending = FuturesUnordered<Pin<Box<dyn Future<Output = End> + Send>>>;
/// Frames that are under way.
type UnderWay = FuturesUnordered<Pin<Box<dyn Future<Output = Delivered> + Send>>>;

/// A session.
pub(super) struct Session {
    transport: Transport,
    control: Control,
    seat: Seat,
    camera: Camera,
    shared: Shared,
    pictures: Pictures,
    presence: watch::Receiver<PresenceState>,
    limits: Limits,
    pace: Pace,
    under_way: UnderWay,
    ending: Ending,
    /// Where the viewer was when it was looked at last.
    address: SocketAddr,
    /// How often it had acknowledged something by then.
    acks: u64,
    /// Frames sent so far.
    order: u64,
    /// Frames not sent, or given up, that the viewer was not told of.
    untold: u64,
    /// When the next frame may be sent.
    next_at: Instant,
    /// The window was full when the last frame was sent.
    was_full: bool,
    /// Since when nothing but given up frames.
    stuck_since: Option<Instant>,
    told: Option<relay::Status>,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// The hub closes, with a code.
    Close(CloseCode),
    /// The viewer closed, or its connection broke.
    Gone,
}

impl From<Gone> for End {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<Unheard> for End {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::Gone => Self::Gone,
            Unheard::Broken(code) => Self::Close(code),
        }
    }
}

impl Session {
    pub(super) fn new(transport: Transport, control: Control, seat: Seat, admitted: Admitted, shared: Shared) -> Self {
        let Admitted { caller, camera, hello } = admitted;
        let topic = shared.hub.ensure(camera.id);
        let now = Instant::now();
        let mut limits = Limits::new(hello.wish, now);
        if let Some(newest) = topic.newest() {
            limits.whole((newest.width, newest.height));
        }
        let mut pictures = Pictures::new(&topic, shared.scaled.clone());
        pictures.set(limits.scale());
        tracing::info!(
            viewer.id = %seat.id(), viewer.address = %transport.address(), user.name = %caller.name,
            camera.id = %camera.id, "a far viewer watches"
        );
        let session = Self {
            ending: ending(&transport, &seat, caller.revoked, &shared),
            address: transport.address(),
            acks: transport.acks(),
            transport,
            control,
            seat,
            camera,
            shared,
            pictures,
            presence: topic.presence(),
            limits,
            pace: Pace::new(now),
            under_way: UnderWay::new(),
            order: 0,
            untold: 0,
            next_at: now,
            was_full: false,
            stuck_since: None,
            told: None,
        };
        session.seat.limited(session.limits.shown());
        session
    }

    /// Runs until either side ends it; logs the end once.
    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            if let Err(end) = self.step(&mut ticks).await {
                break end;
            }
        };
        // Before the frames under way are dropped: a stream that is dropped half sent would look as if it were whole.
        let reason = match end {
            End::Close(code) => {
                self.transport.close(code);
                code.name()
            }
            End::Gone => {
                self.transport.close(CloseCode::Done);
                "viewer-left"
            }
        };
        self.seat.ended(reason);
        let (delivered, skipped) = self.seat.counts();
        tracing::info!(viewer.id = %self.seat.id(), reason, delivered, skipped, "a far viewer's view ended");
    }

    async fn step(&mut self, ticks: &mut Interval) -> Result<(), End> {
        let is_open = self.under_way.len() < usize::from(self.pace.window());
        let next_at = self.next_at;
        let pictures = &mut self.pictures;
        let picture = async {
            if next_at > Instant::now() {
                tokio::time::sleep_until(next_at).await;
            }
            pictures.next().await
        };
        tokio::select! {
            biased;
            Some(end) = self.ending.next() => Err(end),
            Some(delivered) = self.under_way.next() => self.settle(delivered),
            message = self.control.hear() => self.take(message?).await,
            _ = ticks.tick() => self.tick().await,
            picture = picture, if is_open => match picture {
                Some(picture) => {
                    self.send(picture);
                    Ok(())
                }
                None => Err(self.topic_ended()),
            },
        }
    }

    fn send(&mut self, picture: Picture) {
        let now = Instant::now();
        let Picture { frame, is_scaled, whole, skipped } = picture;
        self.limits.whole(whole);
        self.pictures.set(self.limits.scale());
        let interval = self.limits.interval();
        if self.was_full && (if interval.is_zero() { skipped > 0 } else { now > self.next_at + interval }) {
            self.pace.short();
            self.limits.late();
        }
        // From the plan and not from now, so that the mean is the rate asked for; but no catching up after a pause.
        self.next_at = (self.next_at + interval).max(now);
        self.skip(skipped);
        let bytes = frame.jpeg.len();
        let Some(length) = u32::try_from(bytes).ok().filter(|length| *length <= MOST_FRAME) else {
            self.skip(1);
            return;
        };
        let told = u32::try_from(self.untold).unwrap_or(u32::MAX);
        self.untold -= u64::from(told);
        let header = FrameHeader {
            is_scaled,
            skipped: told,
            sequence: frame.sequence,
            captured_at_us: frame.captured_at.as_microsecond(),
            sent_at_us: self.shared.clock.now().as_microsecond(),
            width: frame.width,
            height: frame.height,
            length,
        };
        self.order += 1;
        self.seat.sent(bytes);
        let delivery = deliver(self.transport.clone(), self.order, header, frame.jpeg.clone());
        self.under_way.push(Box::pin(delivery));
        self.was_full = self.under_way.len() >= usize::from(self.pace.window());
    }

    /// A frame's way is over.
    fn settle(&mut self, delivered: Delivered) -> Result<(), End> {
        let Delivered { fate, began, age, bytes, skipped } = delivered;
        let now = Instant::now();
        match fate {
            Fate::Arrived => {
                self.seat.delivered(bytes);
                self.limits.arrived();
                self.stuck_since = None;
                let least_round_trip = self.transport.least_round_trip();
                self.pace.arrived(now, Arrival { age, bytes, least_round_trip });
            }
            Fate::Unwanted => {
                self.seat.left(bytes);
                self.stuck_since = None;
                self.gave_up(skipped);
            }
            Fate::Stale => {
                self.seat.left(bytes);
                self.stuck_since.get_or_insert(now);
                self.gave_up(skipped);
                self.limits.given_up(began);
                self.pace.given_up();
            }
            Fate::Lost => return Err(End::Gone),
        }
        Ok(())
    }

    /// A frame that the viewer never has whole; what its header told is not known there either.
    fn gave_up(&mut self, told: u64) {
        self.untold += told;
        self.skip(1);
    }

    fn skip(&mut self, frames: u64) {
        self.untold += frames;
        self.seat.skipped(frames);
    }

    async fn take(&mut self, message: ViewerMessage) -> Result<(), End> {
        match message {
            ViewerMessage::Hello(_) => Err(End::Close(CloseCode::Malformed)),
            ViewerMessage::Wish(wish) => {
                self.limits.wish(wish);
                self.limited();
                Ok(())
            }
            ViewerMessage::Report(report) => {
                let relay::Report { shown, passed_over, age } = report;
                tracing::trace!(viewer.id = %self.seat.id(), shown, passed_over, ?age, "a far viewer reports");
                Ok(())
            }
            ViewerMessage::Ping(echo) => {
                let now_us = self.shared.clock.now().as_microsecond();
                self.say(HubMessage::Pong { echo, now_us }).await
            }
        }
    }

    /// Looks at the clocks, and tells how the view stands when that changed.
    async fn tick(&mut self) -> Result<(), End> {
        if self.stuck_since.is_some_and(|since| since.elapsed() > PATIENCE) {
            return Err(End::Close(CloseCode::TooSlow));
        }
        let acks = self.transport.acks();
        // While nothing is under way there is nothing to acknowledge.
        let is_heard = std::mem::replace(&mut self.acks, acks) != acks || self.under_way.is_empty();
        if self.limits.tick(Instant::now(), is_heard) {
            self.limited();
        }
        self.seat.round_trip(self.transport.round_trip());
        let address = self.transport.address();
        if self.address != address {
            tracing::info!(viewer.id = %self.seat.id(), viewer.address = %address, "a far viewer moved");
            self.address = address;
            self.seat.moved(address.to_string());
        }
        let (delivered, skipped) = self.seat.counts();
        let presence = match self.presence.borrow_and_update().presence {
            Presence::Offline => relay::Presence::Offline,
            Presence::Online => relay::Presence::Online,
            Presence::Stalled => relay::Presence::Stalled,
        };
        let status = relay::Status {
            presence,
            delivered,
            skipped,
            window: self.pace.window(),
            limits: self.limits.present(),
            limited_by: self.limits.limited_by(),
        };
        if self.told == Some(status) {
            return Ok(());
        }
        self.told = Some(status);
        self.say(HubMessage::Status(status)).await
    }

    /// The limits changed.
    fn limited(&mut self) {
        self.next_at = Instant::now();
        self.pictures.set(self.limits.scale());
        self.seat.limited(self.limits.shown());
    }

    /// Says something, for as long as that may take; the end of the session does not wait for it.
    async fn say(&mut self, message: HubMessage) -> Result<(), End> {
        tokio::select! {
            biased;
            said = tokio::time::timeout(SAY_TIMEOUT, self.control.say(&message)) => match said {
                Ok(said) => Ok(said?),
                Err(_) => Err(End::Close(CloseCode::TooSlow)),
            },
            Some(end) = self.ending.next() => Err(end),
        }
    }

    /// The hub ends topics when it stops and when a camera is removed.
    fn topic_ended(&self) -> End {
        let is_known = (self.shared.find)(&self.camera.id.to_string()).is_some();
        End::Close(if is_known { CloseCode::HubStopping } else { CloseCode::CameraRemoved })
    }
}

/// Every reason to end that comes from elsewhere.
fn ending(transport: &Transport, seat: &Seat, revoked: tokio_util::sync::CancellationToken, shared: &Shared) -> Ending {
    let (stop, disconnected) = (shared.tasks.stopping(), seat.disconnected());
    let ending = Ending::new();
    ending.push(Box::pin(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => End::Close(CloseCode::HubStopping),
            () = revoked.cancelled() => End::Close(CloseCode::Revoked),
            () = disconnected.cancelled() => End::Close(CloseCode::Disconnected),
        }
    }));
    let transport = transport.clone();
    ending.push(Box::pin(async move {
        match transport.uninvited().await {
            Ok(()) => End::Close(CloseCode::Malformed),
            Err(Gone) => End::Gone,
        }
    }));
    ending
}
