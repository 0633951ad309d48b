//! A whole camera, from its start to its end: sessions, and pauses between them.

use std::time::Duration;

use larder_proto::wire::camera::{ResetReason, Telemetry};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Options, Progress, Report,
    backoff::Backoff,
    link::{Dial, Link},
    pictures::Pictures,
    scene::Dice,
    session::{End, Running},
    thermometer::{Clockwork, Thermometer},
    vitals::{self, Counts},
};

/// A board that starts again is back after this.
const REBOOT: Duration = Duration::from_secs(2);

/// What outlives a session.
pub(super) struct Camera {
    pub(super) options: Options,
    pub(super) pictures: Pictures,
    pub(super) counts: Counts,
    pub(super) report: Report,
    pub(super) dice: Dice,
    /// When the program began.
    pub(super) switched_on: Instant,
    /// When the board last started: its clock counts from there.
    clockwork: Clockwork,
    /// The end of the last silence.
    pub(super) stalled: Instant,
    dial: Dial,
}

/// Is a camera until `stop` is cancelled, or it has sent what was wanted of it. `progress` is called for each step.
///
/// # Errors
///
/// The source has no pictures; or the hub was not there, or refused the camera, at the first try; or the link was lost
/// and [`Options::reconnect`] is off.
pub async fn run(
    options: Options,
    stop: CancellationToken,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Report, Error> {
    let duration = options.duration;
    let mut camera = Camera::new(options)?;
    // A child token, so that the end by time does not stop the caller's other tasks.
    let stop = stop.child_token();
    let ended = {
        let thermometer = camera.thermometer();
        let life = beside(thermometer, camera.live(&stop, &progress));
        tokio::pin!(life);
        match duration {
            None => life.await,
            Some(duration) => match timeout(duration, &mut life).await {
                Ok(ended) => ended,
                Err(_elapsed) => {
                    stop.cancel();
                    life.await
                }
            },
        }
    };
    camera.report.dropped = u64::from(camera.counts.dropped);
    ended.map(|()| camera.report)
}

/// What `life` comes to, with the thermometer sending meanwhile.
async fn beside<T>(thermometer: Option<Thermometer>, life: impl Future<Output = T>) -> T {
    let Some(thermometer) = thermometer else { return life.await };
    tokio::select! {
        biased;
        ended = life => ended,
        // It never ends.
        () = async { thermometer.run().await; std::future::pending().await } => std::future::pending().await,
    }
}

impl Camera {
    fn new(options: Options) -> Result<Self, Error> {
        let pictures = Pictures::start(options.source.clone(), options.seed)?;
        let now = Instant::now();
        Ok(Self {
            pictures,
            counts: Counts::default(),
            report: Report::default(),
            dice: Dice::new(options.seed),
            switched_on: now,
            clockwork: Clockwork::new(options.boot),
            stalled: now,
            dial: Dial::new(options.camera, options.key),
            options,
        })
    }

    fn thermometer(&self) -> Option<Thermometer> {
        let to = self.options.readings.clone()?;
        let Options { camera, key, faults, .. } = self.options;
        Some(Thermometer { to, camera, key, faults, clockwork: self.clockwork.clone() })
    }

    async fn live(&mut self, stop: &CancellationToken, progress: &impl Fn(Progress)) -> Result<(), Error> {
        let mut backoff = Backoff::new(self.options.seed);
        loop {
            let dialled = Instant::now();
            let (ended, stood) = match self.session(stop, progress).await {
                Ok(Some(ended)) => (ended, Some(dialled.elapsed())),
                Ok(None) => return Ok(()),
                // Somebody mistyped an address or a key: better said than tried again for ever.
                Err(Error::Link(error)) if self.report.sessions == 0 => return Err(error.into()),
                Err(Error::Link(error)) => (End::Lost(error), None),
                Err(error) => return Err(error),
            };
            let (reason, pause) = match ended {
                End::Done => return Ok(()),
                End::Lost(error) if !self.options.reconnect => return Err(error.into()),
                End::Dropped if !self.options.reconnect => return Ok(()),
                End::Lost(error) => (error.to_string(), backoff.pause(stood, error.is_refusal())),
                End::Dropped => ("dropped on purpose".to_owned(), backoff.pause(stood, false)),
                End::Reboot => {
                    self.reboot();
                    ("the hub wants a restart".to_owned(), REBOOT)
                }
            };
            self.counts.reconnects = self.counts.reconnects.wrapping_add(1);
            progress(Progress::Disconnected { reason, retry_in: pause });
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = sleep(pause) => {}
            }
        }
    }

    /// One session. `None` when it was stopped before it stood.
    async fn session(&mut self, stop: &CancellationToken, progress: &impl Fn(Progress)) -> Result<Option<End>, Error> {
        let t_us = self.clock_us();
        self.dial.boot = self.clockwork.start().boot;
        self.dial.reading_mark = self.clockwork.mark();
        let link = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            link = Link::connect(&self.options.hub, &self.dial, t_us) => link?,
        };
        self.report.sessions += 1;
        let welcome = *link.welcome();
        progress(Progress::Connected {
            hub: self.options.hub.clone(),
            size: self.options.size.unwrap_or(welcome.size),
            fps: self.options.fps.unwrap_or(welcome.active_fps),
        });
        Ok(Some(Running::new(self, link, progress).run(stop).await?))
    }

    fn reboot(&mut self) {
        self.clockwork.reboot();
        self.counts = Counts::default();
        self.dial.reset_reason = ResetReason::SOFTWARE;
    }

    /// The board's clock in microseconds since its start, stepped when that fault is wanted.
    pub(super) fn clock_us(&self) -> u64 {
        self.clock_us_at(Instant::now())
    }

    pub(super) fn clock_us_at(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.clockwork.start().booted).as_micros();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.options.faults.clock_step.map_or(since, |step| step.apply(since))
    }

    pub(super) fn telemetry(&self) -> Telemetry {
        let now = Instant::now();
        let uptime = now.saturating_duration_since(self.clockwork.start().booted);
        let uptime_us = u64::try_from(uptime.as_micros()).unwrap_or(u64::MAX);
        let shift_us = self.clock_us_at(now).wrapping_sub(uptime_us).cast_signed();
        vitals::telemetry(uptime, shift_us, &self.counts, self.dial.reset_reason)
    }

    pub(super) fn has_sent_all(&self) -> bool {
        self.options.frames.is_some_and(|frames| self.report.frames >= frames)
    }
}
