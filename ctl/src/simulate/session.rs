//! One session of a simulated camera: pictures out, commands in.

use std::time::Duration;

use larder_proto::wire::camera::{
    AckResult, ByeReason, Command, Control, FRAME_PREFIX_LEN, FrameFlags, FrameInfo, Message, Size, Welcome,
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    Camera, Error, Progress,
    faults::Damage,
    jpeg::Quality,
    link::{Link, LinkError},
    pictures::{Picture, Request},
};

/// PING intervals without a word after which the hub is taken for gone.
const SILENT_INTERVALS: u32 = 3;
/// The sensor's largest picture, for SNAPSHOT.
const FULL_SIZE: Size = Size { width: 1600, height: 1200 };
/// The smallest and largest picture a size command may ask for.
const SMALLEST: Size = Size { width: 96, height: 96 };

/// How a session ended.
#[derive(Debug)]
pub(super) enum End {
    /// It was told to stop, or has sent all that was wanted.
    Done,
    /// The hub told the camera to start again.
    Reboot,
    /// The connection is gone.
    Lost(LinkError),
    /// The connection was given up on purpose.
    Dropped,
}

/// A session that stands.
pub(super) struct Running<'a, P> {
    camera: &'a mut Camera,
    link: Link,
    progress: &'a P,
    size: Size,
    quality: Quality,
    rate: (u8, u8),
    active: bool,
    flash: u8,
    snapshot: bool,
    heard: Instant,
    began: Instant,
    /// What is being made, and when it was captured.
    pending: Option<(Request, Instant)>,
    next_frame: Instant,
}

/// What one step asks of the loop.
enum Step {
    On,
    End(End),
}

impl<'a, P: Fn(Progress)> Running<'a, P> {
    /// Takes what the hub wants, as far as the camera's owner has not fixed it.
    pub(super) fn new(camera: &'a mut Camera, link: Link, progress: &'a P) -> Self {
        let Welcome { size, quality, active_fps, idle_fps, .. } = *link.welcome();
        let options = &camera.options;
        let now = Instant::now();
        Self {
            size: options.size.unwrap_or(size),
            quality: options.quality.or(Quality::new(quality)).unwrap_or_default(),
            rate: options.fps.map_or((active_fps.max(1), idle_fps.max(1)), |fps| (fps, fps)),
            camera,
            link,
            progress,
            active: true,
            flash: 0,
            snapshot: false,
            heard: now,
            began: now,
            pending: None,
            next_frame: now,
        }
    }

    /// Runs until something ends it. `Err` only when there are no more pictures.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<End, Error> {
        let welcome = *self.link.welcome();
        let mut next_telemetry = Instant::now();
        let step_of = |error| Step::End(End::Lost(error));
        let ended = loop {
            let silent = self.heard + welcome.ping_interval.max(Duration::from_secs(1)) * SILENT_INTERVALS;
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => Step::End(End::Done),
                message = self.link.receive() => match message {
                    Ok(message) => self.hear(message).await.unwrap_or_else(step_of),
                    Err(error) => Step::End(End::Lost(error)),
                },
                () = sleep_until(silent) => Step::End(End::Lost(LinkError::Timeout {
                    what: "the hub is silent",
                    after: welcome.ping_interval * SILENT_INTERVALS,
                })),
                () = sleep_until(next_telemetry) => {
                    let interval = self.camera.options.telemetry.unwrap_or(welcome.telemetry_interval);
                    next_telemetry = Instant::now() + interval.max(Duration::from_millis(100));
                    self.tell().await.map_or_else(step_of, |()| Step::On)
                }
                picture = self.camera.pictures.ready(), if self.pending.is_some() => {
                    self.show(picture?, stop).await.unwrap_or_else(step_of)
                }
                () = sleep_until(self.next_frame), if self.pending.is_none() => self.capture(),
            };
            if let Step::End(end) = step {
                break end;
            }
        };
        self.finish(ended).await
    }

    /// Says goodbye as the end deserves, and leaves no picture behind for the next session.
    async fn finish(self, ended: End) -> Result<End, Error> {
        if self.pending.is_some() {
            self.camera.pictures.ready().await?;
        }
        let t_us = self.camera.clock_us();
        // The end is known already; a goodbye that does not arrive changes nothing.
        let _said = match ended {
            End::Done => self.link.goodbye(ByeReason::Done, t_us).await,
            End::Reboot => self.link.goodbye(ByeReason::Restarting, t_us).await,
            End::Lost(_) | End::Dropped => Ok(()),
        };
        Ok(ended)
    }

    fn capture(&mut self) -> Step {
        let due = self.next_frame;
        let now = Instant::now();
        let (active, idle) = self.rate;
        let fps = if self.active { active } else { idle }.max(1);
        let interval = Duration::from_secs(1) / u32::from(fps);
        // What could not be taken in time is dropped and counted, as a sensor with two buffers does.
        let late = now.saturating_duration_since(due).as_micros() / interval.as_micros().max(1);
        let late = u32::try_from(late).unwrap_or(u32::MAX);
        self.next_frame = due + interval * late.saturating_add(1);
        let counts = &mut self.camera.counts;
        counts.dropped = counts.dropped.wrapping_add(late);
        counts.captured = counts.captured.wrapping_add(late.saturating_add(1));
        let request = Request {
            size: if self.snapshot { FULL_SIZE } else { self.size },
            quality: self.quality,
            fps: active,
            number: counts.captured,
            elapsed: self.camera.switched_on.elapsed(),
            clock: crate::clock::now().to_zoned(self.camera.options.zone.clone()).datetime(),
            flash: self.flash,
        };
        if self.camera.pictures.ask(request) {
            self.pending = Some((request, now));
        }
        Step::On
    }

    async fn show(&mut self, picture: Picture, stop: &CancellationToken) -> Result<Step, LinkError> {
        let Some((request, captured)) = self.pending.take() else { return Ok(Step::On) };
        self.active = picture.active;
        if let Some(end) = self.stall(stop).await {
            return Ok(Step::End(end));
        }
        let faults = self.camera.options.faults;
        let (jpeg, damage) = faults.damage(picture.jpeg, &mut self.camera.dice);
        if damage != Damage::None {
            self.camera.report.damaged += 1;
        }
        if jpeg.len() + FRAME_PREFIX_LEN > usize::try_from(self.link.welcome().largest_frame_bytes).unwrap_or(0) {
            self.camera.counts.dropped = self.camera.counts.dropped.wrapping_add(1);
            return Ok(Step::On);
        }
        let began = Instant::now();
        let info = FrameInfo {
            number: request.number,
            size: picture.size,
            quality: request.quality.get(),
            flags: self.flags(),
            queued: began - captured,
        };
        if faults.drop_every.is_some_and(|every| self.began.elapsed() >= every) {
            let half = jpeg.len() / 2;
            self.link.send_frame_in_part(&info, jpeg, half).await?;
            return Ok(Step::End(End::Dropped));
        }
        let size_bytes = u64::try_from(jpeg.len()).unwrap_or(u64::MAX);
        self.link.send_picture(&info, jpeg, self.camera.clock_us_at(captured)).await?;
        self.snapshot = false;
        self.sent(size_bytes, began.elapsed());
        Ok(if self.camera.has_sent_all() { Step::End(End::Done) } else { Step::On })
    }

    fn flags(&self) -> FrameFlags {
        let snapshot = if self.snapshot { FrameFlags::SNAPSHOT.0 } else { 0 };
        FrameFlags(snapshot | if self.flash > 0 { FrameFlags::FLASH.0 } else { 0 })
    }

    fn sent(&mut self, size_bytes: u64, took: Duration) {
        let counts = &mut self.camera.counts;
        counts.sent = counts.sent.wrapping_add(1);
        counts.longest_send_stall = counts.longest_send_stall.max(took);
        let report = &mut self.camera.report;
        report.frames += 1;
        report.bytes += size_bytes;
        (self.progress)(Progress::Sent { frames: report.frames, bytes: report.bytes });
    }

    /// Keeps silent for as long as the fault wants: nothing is read, nothing is sent.
    async fn stall(&mut self, stop: &CancellationToken) -> Option<End> {
        let stall = self.camera.options.faults.stall?;
        if self.camera.stalled.elapsed() < stall.every {
            return None;
        }
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => Some(End::Done),
            () = sleep(stall.lasts) => None,
        };
        self.camera.stalled = Instant::now();
        self.heard = Instant::now();
        end
    }

    async fn tell(&mut self) -> Result<(), LinkError> {
        let telemetry = self.camera.telemetry();
        let t_us = self.camera.clock_us();
        self.link.send_telemetry(telemetry, t_us).await
    }

    async fn hear(&mut self, message: Message) -> Result<Step, LinkError> {
        self.heard = Instant::now();
        let t_us = self.camera.clock_us();
        match message {
            Message::Ping(bytes) => self.link.send(&Message::Pong(bytes), t_us).await?,
            Message::Control(control) => return self.obey(control, t_us).await,
            // Nothing else is for a camera.
            _ => {}
        }
        Ok(Step::On)
    }

    async fn obey(&mut self, control: Control, t_us: u64) -> Result<Step, LinkError> {
        let Control { id, command } = control;
        let (result, remark) = self.apply(command);
        (self.progress)(Progress::Commanded { command: format!("{command:?}"), result });
        self.link.acknowledge(id, result, remark, t_us).await?;
        Ok(if command == Command::Reboot { Step::End(End::Reboot) } else { Step::On })
    }

    fn apply(&mut self, command: Command) -> (AckResult, &'static str) {
        let options = &self.camera.options;
        let fixed = (AckResult::Unsupported, "fixed by the command line");
        match command {
            Command::Size(_) if options.size.is_some() => return fixed,
            Command::Quality(_) if options.quality.is_some() => return fixed,
            Command::Rate { .. } if options.fps.is_some() => return fixed,
            Command::Size(_) | Command::Snapshot if !options.source.is_scalable() => {
                return (AckResult::Unsupported, "pictures come as they are");
            }
            Command::Size(size) if is_size(size) => self.size = size,
            Command::Quality(quality) => match Quality::new(quality) {
                Some(quality) => self.quality = quality,
                None => return (AckResult::OutOfRange, "quality is 4 to 63"),
            },
            Command::Rate { active_fps: active @ 1..=30, idle_fps: idle @ 1..=30 } => {
                self.rate = (active, idle);
                // Not the old interval's end: a slow camera told to be quick is so at once.
                self.next_frame = self.next_frame.min(Instant::now() + Duration::from_secs(1) / u32::from(active));
            }
            Command::Flash(level) => self.flash = level,
            Command::Snapshot => self.snapshot = true,
            Command::Reboot => {}
            Command::Size(_) => return (AckResult::OutOfRange, "96x96 to 1600x1200, multiples of 8"),
            Command::Rate { .. } => return (AckResult::OutOfRange, "rates are 1 to 30"),
            Command::Register { .. } => return (AckResult::Unsupported, "no sensor registers"),
            Command::PanTilt { .. } => return (AckResult::Unsupported, "no servos"),
            Command::OtherRegister { .. } => return (AckResult::Unsupported, "unknown register"),
            Command::Other(_) => return (AckResult::Unsupported, "unknown command"),
        }
        (AckResult::Done, "")
    }
}

/// Whether the sensor can be set to that size.
pub(super) fn is_size(size: Size) -> bool {
    let fits = |length: u16, least: u16, most: u16| (least..=most).contains(&length) && length.is_multiple_of(8);
    fits(size.width, SMALLEST.width, FULL_SIZE.width) && fits(size.height, SMALLEST.height, FULL_SIZE.height)
}
