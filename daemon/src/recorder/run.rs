//! One run: pictures from the tap to ffmpeg, fragments from ffmpeg to disk, from its first picture to its end.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{
    collect::{Collected, Collector, Failure, Slowness},
    disk::DiskError,
    ffmpeg::{Ffmpeg, LONGEST_EXCUSE},
    ordinals::Ordinals,
    shared::Shared,
    wish::Wish,
};
use crate::{
    events::Kind,
    hub::{Frame, Presence, Tap, Topic},
    outcome::chain,
    parts::Trouble,
    recordings::EndReason,
    repeats,
};

/// Silence that ends a run: this or three intervals.
const SILENCE: Duration = Duration::from_secs(5);
/// And never more, whatever the interval: a fragment, two seconds and the silence behind them, must stay within the
/// eight seconds that a playlist promises.
const LONGEST_SILENCE: Duration = Duration::from_secs(6);
/// How long ffmpeg may take to write its last fragment.
const FINISH: Duration = Duration::from_secs(5);
/// How long pictures that wait when recording is stopped may still be taken.
const DRAIN: Duration = Duration::from_secs(2);
/// Intervals kept for the median.
const INTERVALS: usize = 31;

/// What a run is made for.
pub(super) struct Order<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) topic: &'a Topic,
    pub(super) tap: &'a mut Tap,
    pub(super) wish: &'a mut watch::Receiver<Wish>,
    pub(super) ordinals: Ordinals,
}

/// How a run ended.
pub(super) struct Ended {
    pub(super) reason: EndReason,
    /// The end of what is on disk; of a run without a fragment, its start.
    pub(super) ended_at: Timestamp,
    pub(super) fragments: u32,
    /// The picture that ended it and begins the next.
    pub(super) carried: Option<Arc<Frame>>,
    /// Whether the topic is over: no picture will come any more.
    pub(super) topic_over: bool,
    pub(super) lasted: Duration,
    /// Whether only the files know how far it came.
    pub(super) lost: bool,
}

/// Why feeding stopped.
struct Stop {
    reason: EndReason,
    carried: Option<Arc<Frame>>,
    topic_over: bool,
}

impl Stop {
    fn because(reason: EndReason) -> Self {
        Self { reason, carried: None, topic_over: false }
    }

    fn carrying(reason: EndReason, frame: Arc<Frame>) -> Self {
        Self { reason, carried: Some(frame), topic_over: false }
    }
}

/// Records from `first` on until something ends the run. Not cancel safe: a dropped run is what the sweep finds after
/// a crash.
pub(super) async fn record(mut order: Order<'_>, first: Arc<Frame>) -> Ended {
    let began = Instant::now();
    let (shared, camera) = (Arc::clone(order.shared), order.topic.camera());
    let size = (first.width, first.height);
    let (ffmpeg, stdout) = match Ffmpeg::start(&shared.settings(), &shared.tasks, size).await {
        Ok(started) => started,
        Err(error) => {
            shared.failed(camera, EndReason::EncoderFailed, chain(&error));
            let (reason, ended_at) = (EndReason::EncoderFailed, first.captured_at);
            let lasted = began.elapsed();
            return Ended { reason, ended_at, fragments: 0, carried: None, topic_over: false, lasted, lost: false };
        }
    };
    let (closing, collector) = collector(&order, &first);
    let (run, disk) = (collector.id(), collector.disk());
    let collecting = shared.tasks.spawn(collector.run(stdout));
    let mut feed = Feed {
        ffmpeg,
        started_at: first.captured_at,
        first: Arc::clone(&first),
        last: None,
        last_ms: 0,
        intervals: VecDeque::with_capacity(INTERVALS),
        dropped: 0,
        disk,
    };
    order.topic.set_recording(true);
    let mut collecting = Collecting { handle: collecting, done: None };
    let stop = feed.run(&mut order, first, &mut collecting).await;
    let interval = feed.median().unwrap_or_else(|| order.topic.interval());
    closing.send_replace(Some(interval));
    let collected = feed.finish(collecting, camera).await;
    order.topic.set_recording(false);
    if collected.failure.as_ref().is_some_and(Failure::is_full) {
        shared.found_no_room().await;
    }
    let reason = why(&stop, collected.failure.as_ref(), camera, &shared);
    let lost = collected.lost;
    if lost {
        shared.run_over(run);
    }
    let (ended_at, fragments) = close(&shared, collected, reason, feed.started_at).await;
    let lasted = began.elapsed();
    let seconds = lasted.as_secs();
    metrics::counter!("larder_recorder_runs_ended_total", "reason" => reason.name()).increment(1);
    metrics::counter!("larder_recorder_frames_dropped_total").increment(feed.dropped);
    tracing::info!(camera.id = %camera, reason = reason.name(), fragments, seconds, dropped = feed.dropped, "a run ended");
    shared.events.tell(Kind::RecordingEnded, Some(camera), format!("recording ended: {}", reason.name()));
    Ended { reason, ended_at, fragments, carried: stop.carried, topic_over: stop.topic_over, lasted, lost }
}

fn collector(order: &Order<'_>, first: &Frame) -> (watch::Sender<Option<Duration>>, Collector) {
    let (closing, closed) = watch::channel(None);
    (closing, Collector::new(order.shared, order.topic.camera(), first, order.ordinals, closed))
}

/// The collector's task, whose answer may come before it is asked for.
struct Collecting {
    handle: JoinHandle<Collected>,
    done: Option<Collected>,
}

impl Collecting {
    /// Waits until it is over. Cancel safe.
    async fn over(&mut self) {
        if self.done.is_none() {
            self.done = Some((&mut self.handle).await.unwrap_or_else(|error| Collected::lost(&error)));
        }
    }
}

struct Feed {
    ffmpeg: Ffmpeg,
    started_at: Timestamp,
    first: Arc<Frame>,
    last: Option<Timestamp>,
    last_ms: u64,
    intervals: VecDeque<u64>,
    /// Pictures out of order or too close behind the one before.
    dropped: u64,
    disk: Arc<Slowness>,
}

impl Feed {
    async fn run(&mut self, order: &mut Order<'_>, first: Arc<Frame>, collecting: &mut Collecting) -> Stop {
        if let Some(stop) = self.take(&first, order.topic).await {
            return stop;
        }
        loop {
            let silence = silence(order.topic.interval());
            tokio::select! {
                biased;
                leaving = unwanted(order.wish) => {
                    self.drain(order).await;
                    return Stop::because(if leaving { EndReason::HubStopped } else { EndReason::Stopped });
                }
                () = collecting.over() => return Stop::because(EndReason::EncoderFailed),
                () = order.shared.troubled() => return Stop::because(EndReason::DiskFailed),
                next = timeout(silence, order.tap.next()) => match next {
                    Ok(Some(tapped)) => {
                        if tapped.missed > 0 {
                            let camera = order.topic.camera().to_string();
                            let missed = tapped.missed;
                            if self.disk.was_slow() {
                                repeats::say!(warn, &camera, { camera.id = camera, missed }, "the disk is too slow");
                            } else {
                                repeats::say!(warn, &camera, { camera.id = camera, missed }, "the encoder is too slow");
                            }
                        }
                        if let Some(mut stop) = self.take(&tapped.frame, order.topic).await {
                            // The camera was not silent: nobody listened.
                            if tapped.missed > 0 && stop.reason == EndReason::Stalled && self.disk.was_slow() {
                                stop.reason = EndReason::DiskFailed;
                            }
                            return stop;
                        }
                    }
                    Ok(None) => return Stop { topic_over: true, ..Stop::because(EndReason::HubStopped) },
                    Err(_elapsed) => return Stop::because(absence(order.topic)),
                },
            }
        }
    }

    /// Takes what had come already when recording was stopped, as long as it goes on this run.
    async fn drain(&mut self, order: &mut Order<'_>) {
        let until = Instant::now() + DRAIN;
        while let Some(Some(tapped)) = order.tap.next().now_or_never() {
            if Instant::now() >= until || self.take(&tapped.frame, order.topic).await.is_some() {
                return;
            }
        }
    }

    /// Gives a picture to the encoder, unless it ends the run.
    async fn take(&mut self, frame: &Arc<Frame>, topic: &Topic) -> Option<Stop> {
        if let Some(last) = self.last {
            match fit(&self.first, last, frame, silence(topic.interval())) {
                Fit::Next => {}
                Fit::Late => {
                    self.dropped += 1;
                    return None;
                }
                Fit::Ends(reason) => return Some(Stop::carrying(reason, Arc::clone(frame))),
            }
        }
        let at_ms = self.at_ms(frame.captured_at)?;
        match self.ffmpeg.write(at_ms, &frame.jpeg, || self.disk.is_waited_for()).await {
            Ok(()) => {
                self.note(frame.captured_at, at_ms);
                None
            }
            Err(error) if self.disk.is_waited_for() => {
                let camera = topic.camera().to_string();
                repeats::say!(warn, &camera, { camera.id = camera, error = chain(&error) }, "the disk takes nothing");
                Some(Stop::because(EndReason::DiskFailed))
            }
            Err(error) => {
                let camera = topic.camera().to_string();
                repeats::say!(warn, &camera, { camera.id = camera, error = chain(&error) }, "the encoder failed");
                Some(Stop::because(EndReason::EncoderFailed))
            }
        }
    }

    /// Whole milliseconds since the run's start, strictly rising: rounded, so half a millisecond off at most, unless
    /// two pictures share one; a third in the same millisecond is dropped.
    fn at_ms(&mut self, captured_at: Timestamp) -> Option<u64> {
        let us = captured_at.as_microsecond() - self.started_at.as_microsecond();
        let rounded = u64::try_from((us + 500).div_euclid(1000)).unwrap_or_default();
        if self.last.is_none() || rounded > self.last_ms {
            return Some(rounded);
        }
        if rounded == self.last_ms {
            return Some(rounded + 1);
        }
        self.dropped += 1;
        None
    }

    fn note(&mut self, captured_at: Timestamp, at_ms: u64) {
        if self.last.is_some() {
            if self.intervals.len() == INTERVALS {
                self.intervals.pop_front();
            }
            self.intervals.push_back(at_ms - self.last_ms);
        }
        self.last = Some(captured_at);
        self.last_ms = at_ms;
    }

    /// How long the last picture is shown.
    fn median(&self) -> Option<Duration> {
        let mut intervals: Vec<u64> = self.intervals.iter().copied().collect();
        intervals.sort_unstable();
        intervals.get(intervals.len() / 2).map(|ms| Duration::from_millis(*ms))
    }

    async fn finish(&mut self, mut collecting: Collecting, camera: CameraId) -> Collected {
        self.ffmpeg.close_input();
        let end = Instant::now() + LONGEST_EXCUSE;
        let mut over = timeout(FINISH, collecting.over()).await.is_ok();
        while !over && self.disk.is_waited_for() && Instant::now() < end {
            over = timeout(FINISH, collecting.over()).await.is_ok();
        }
        if !over {
            tracing::warn!(camera.id = %camera, "the encoder did not end; it is killed");
            let _ = self.ffmpeg.kill().await;
            collecting.over().await;
        }
        // Its output is at its end, or nobody reads it any more: it ends at once or is stuck.
        let status = self.ffmpeg.end(Duration::from_secs(1)).await;
        let mut collected = collecting.done.unwrap_or_default();
        let failed = status.as_ref().map_or(true, |status| !status.success());
        if failed && collected.failure.is_none() {
            let complaint = self.ffmpeg.complaints();
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            collected.failure = Some(Failure::Encoder(format!("{status}: {complaint}")));
        }
        collected
    }
}

/// What a picture is to the run it comes to.
#[derive(Debug, Eq, PartialEq)]
enum Fit {
    /// It goes on the run.
    Next,
    /// It is not after the one before.
    Late,
    /// It ends the run and begins the next.
    Ends(EndReason),
}

/// What `frame` is to the run that began with `first` and came to `last`.
fn fit(first: &Frame, last: Timestamp, frame: &Frame, silence: Duration) -> Fit {
    if frame.clock_epoch != first.clock_epoch {
        return Fit::Ends(EndReason::ClockStepped);
    }
    // Before what begins a run at once: it would begin before this one's end.
    if frame.captured_at <= last {
        return Fit::Late;
    }
    // And a silence is a gap, whatever ended it.
    if Duration::try_from(frame.captured_at.duration_since(last)).unwrap_or_default() >= silence {
        return Fit::Ends(EndReason::Stalled);
    }
    if (frame.width, frame.height) != (first.width, first.height) {
        return Fit::Ends(EndReason::SizeChanged);
    }
    if day(frame.captured_at) != day(first.captured_at) {
        return Fit::Ends(EndReason::Midnight);
    }
    Fit::Next
}

/// What ended the run: a failure goes before what feeding saw.
fn why(stop: &Stop, failure: Option<&Failure>, camera: CameraId, shared: &Shared) -> EndReason {
    let reason = match failure {
        None => return stop.reason,
        Some(Failure::Full) => EndReason::DiskFull,
        Some(Failure::Away(trouble)) => {
            shared.failed(camera, EndReason::DiskFailed, trouble.detail.clone());
            EndReason::DiskFailed
        }
        Some(Failure::Disk(error)) if error.is_full() => {
            shared.failed(camera, EndReason::DiskFull, chain(error));
            EndReason::DiskFull
        }
        Some(Failure::Disk(error)) => {
            if let DiskError::Folder { .. } = error {
                shared.set_trouble(Some(Trouble::new("not_writable", chain(error))));
            }
            shared.failed(camera, EndReason::DiskFailed, chain(error));
            EndReason::DiskFailed
        }
        Some(Failure::Encoder(complaint)) => {
            shared.failed(camera, EndReason::EncoderFailed, format!("the encoder failed: {complaint}"));
            EndReason::EncoderFailed
        }
    };
    let message = format!("recording was interrupted: {}", reason.name());
    shared.events.tell(Kind::RecordingFailed, Some(camera), message);
    reason
}

/// Writes the end down. Gives it and how many fragments there are.
async fn close(shared: &Shared, collected: Collected, reason: EndReason, started_at: Timestamp) -> (Timestamp, u32) {
    let Some(writer) = collected.writer else { return (started_at, 0) };
    let (writer, segment) = super::collect::blocking(move || {
        let mut writer = writer;
        let segment = writer.end(reason);
        (writer, segment)
    })
    .await;
    let (run, fragments) = (writer.run(), writer.fragments());
    let unwritten = segment.is_err();
    match segment {
        Ok(Some(segment)) => {
            shared.rows.write(super::rows::Row::Segment { run: Arc::new(run.clone()), segment });
            shared.rows.write(super::rows::Row::RunEnded(run.clone()));
        }
        Ok(None) => {
            if fragments > 0 {
                shared.rows.write(super::rows::Row::RunEnded(run.clone()));
            }
        }
        Err(error) => {
            if run.ended_at.is_some() {
                shared.rows.write(super::rows::Row::RunEnded(run.clone()));
            }
            shared.end_unwritten(run.id, reason);
            tracing::error!(run.id = %run.id.0, error = chain(&error), "a run's end was not written");
        }
    }
    shared.run_over(run.id);
    let undated = fragments > 0 && !run.dated.is_known;
    if undated {
        shared.set_undated();
    }
    if unwritten || undated {
        shared.sweep.notify_one();
    }
    (writer.ends_at(), fragments)
}

/// Waits until the camera is not to be recorded. Whether the recorder stops. Cancel safe.
async fn unwanted(wish: &mut watch::Receiver<Wish>) -> bool {
    wish.wait_for(|wish| !wish.records()).await.map_or(true, |wish| wish.leave)
}

/// Silence after which a run ends.
fn silence(interval: Duration) -> Duration {
    SILENCE.max(interval * 3).min(LONGEST_SILENCE)
}

fn absence(topic: &Topic) -> EndReason {
    match topic.presence().borrow().presence {
        Presence::Offline => EndReason::CameraOffline,
        Presence::Online | Presence::Stalled => EndReason::Stalled,
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::clock::from_us;

    /// 2026-06-01 00:00:00 UTC.
    const MIDNIGHT: i64 = 1_780_272_000_000_000;

    fn frame(us: i64) -> Frame {
        let at = from_us(us);
        let jpeg = Bytes::from_static(b"picture");
        Frame { sequence: 0, captured_at: at, received_at: at, clock_epoch: 3, width: 640, height: 480, jpeg }
    }

    fn fit_of(first: i64, last: i64, frame: &Frame) -> Fit {
        fit(&self::frame(first), from_us(last), frame, SILENCE)
    }

    #[test]
    fn a_run_ends_with_the_first_picture_of_another_utc_day() {
        assert_eq!(from_us(MIDNIGHT).to_string(), "2026-06-01T00:00:00Z");
        let first = MIDNIGHT - 3_600_000_000;
        assert_eq!(fit_of(first, MIDNIGHT - 100_000, &frame(MIDNIGHT - 1)), Fit::Next);
        assert_eq!(fit_of(first, MIDNIGHT - 100_000, &frame(MIDNIGHT)), Fit::Ends(EndReason::Midnight));
        assert_eq!(fit_of(MIDNIGHT, MIDNIGHT, &frame(MIDNIGHT + 100_000)), Fit::Next);
    }

    #[test]
    fn a_picture_of_another_epoch_ends_the_run_whatever_its_time() {
        for us in [-3_600_000_000, 0, 100_000, 3_600_000_000] {
            let stepped = Frame { clock_epoch: 4, ..frame(MIDNIGHT + us) };
            assert_eq!(fit_of(MIDNIGHT, MIDNIGHT, &stepped), Fit::Ends(EndReason::ClockStepped), "{us}");
        }
    }

    #[test]
    fn a_picture_before_the_last_begins_no_run_that_overlaps() {
        assert_eq!(fit_of(MIDNIGHT, MIDNIGHT + 50_000, &frame(MIDNIGHT - 1)), Fit::Late, "of the day before");
        let larger = Frame { width: 800, height: 600, ..frame(MIDNIGHT + 40_000) };
        assert_eq!(fit_of(MIDNIGHT, MIDNIGHT + 50_000, &larger), Fit::Late, "of another size");
        assert_eq!(fit_of(MIDNIGHT, MIDNIGHT, &frame(MIDNIGHT)), Fit::Late);
    }

    #[test]
    fn a_silence_is_a_gap_also_when_size_or_day_change_behind_it() {
        let first = MIDNIGHT - 10_000_000;
        let last = MIDNIGHT - 1_000_000;
        assert_eq!(fit_of(first, last, &frame(MIDNIGHT + 4_000_000)), Fit::Ends(EndReason::Stalled));
        let larger = |us| Frame { width: 800, height: 600, ..frame(us) };
        assert_eq!(fit_of(first, last, &larger(last + 5_000_000)), Fit::Ends(EndReason::Stalled));
        assert_eq!(fit_of(first, last, &larger(last + 100_000)), Fit::Ends(EndReason::SizeChanged));
    }
}
