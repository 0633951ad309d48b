//! What is known of cameras' probes: which readings were heard already, by which way.
//!
//! A reading comes twice, as a datagram and in TELEMETRY, and anybody may send a datagram again. So a datagram must be
//! newer than every one that was taken of its camera (its mark), and a reading newer than the last of its probe.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::{
    CameraId,
    camera::{self, MilliCelsius, ReadingMark},
    reading::{Datagram, MOST_PROBES},
};
use tokio::{sync::Notify, time::Instant};

use super::Thermometers;
use crate::{
    clock::{Clock, from_us},
    temperatures::{Heard, Source, Taken},
};

/// How long a session's clock is good for datagrams after it was last compared: a crystal of 100 ppm is 60 ms off then.
const CLOCK_LASTS: Duration = Duration::from_mins(10);

/// How far a camera's datagrams were taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mark {
    /// The newest that was taken.
    pub newest: ReadingMark,
    /// Set when the camera's counters began anew, as after its flash was erased: the highest start that it has told
    /// of since. Datagrams of later starts are from its life before.
    pub last_boot: Option<u32>,
}

/// A session's clock: what is added to the camera's times, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(in crate::ingest) struct SessionClock {
    pub(in crate::ingest) boot: u32,
    /// The epoch of the hub's clock.
    pub(in crate::ingest) epoch: u64,
    pub(in crate::ingest) offset_us: i64,
}

/// The probes of all cameras; clones share them.
#[derive(Clone)]
pub struct Probes(Arc<Inner>);

struct Inner {
    thermometers: Arc<dyn Thermometers>,
    clock: Clock,
    cameras: Mutex<HashMap<CameraId, Known>>,
    changed: Notify,
}

#[derive(Default)]
struct Known {
    mark: Mark,
    /// Of each probe, the newest reading that was taken.
    last: [ReadingMark; MOST_PROBES],
    clock: Option<(SessionClock, Instant)>,
}

impl Known {
    /// Takes a reading's place in its probe's order. `false` when it was taken before.
    fn is_new(&mut self, probe: u8, place: ReadingMark) -> bool {
        let Some(last) = self.last.get_mut(usize::from(probe)) else { return false };
        let new = place > *last;
        if new {
            *last = place;
        }
        new
    }

    fn captured_us(&self, datagram: &Datagram, epoch: u64) -> Option<i64> {
        let (clock, compared) = self.clock?;
        let fits = clock.boot == datagram.boot && clock.epoch == epoch && compared.elapsed() < CLOCK_LASTS;
        fits.then(|| i64::try_from(datagram.t_us).ok()?.checked_add(clock.offset_us)).flatten()
    }
}

impl Probes {
    /// Begins with the marks of earlier.
    pub fn new(thermometers: Arc<dyn Thermometers>, clock: Clock, marks: HashMap<CameraId, Mark>) -> Self {
        let known = |mark: Mark| Known { mark, last: [mark.newest; MOST_PROBES], clock: None };
        let cameras = marks.into_iter().map(|(camera, mark)| (camera, known(mark))).collect();
        Self(Arc::new(Inner { thermometers, clock, cameras: Mutex::new(cameras), changed: Notify::new() }))
    }

    /// Takes what a proven camera says of its own counters. They are lower than what was taken of it when its flash
    /// was erased; the camera is believed, since nobody else can say this.
    pub(in crate::ingest) fn hello(&self, camera: CameraId, boot: u32, own: ReadingMark) {
        let mut cameras = self.cameras();
        let known = cameras.entry(camera).or_default();
        let before = known.mark;
        // Its numbers are those of before, or lower.
        if own < before.newest || known.last.iter().any(|last| last.boot > boot) {
            tracing::info!(camera.id = %camera, boot, "the camera counts its readings anew");
            *known = Known { mark: Mark { newest: own, last_boot: Some(boot) }, ..Known::default() };
        } else {
            // What it has sent and was not heard comes in TELEMETRY, not out of somebody's recording.
            known.mark.newest = own;
            known.mark.last_boot = before.last_boot.map(|last| last.max(boot));
        }
        let changed = known.mark != before;
        drop(cameras);
        if changed {
            self.0.changed.notify_one();
        }
    }

    /// Takes the readings of a session's TELEMETRY.
    pub(in crate::ingest) fn telemetry(&self, camera: CameraId, clock: SessionClock, readings: &[camera::Reading]) {
        let received_at = self.0.clock.now();
        let new: Vec<&camera::Reading> = {
            let mut cameras = self.cameras();
            let known = cameras.entry(camera).or_default();
            known.clock = Some((clock, Instant::now()));
            let place = |reading: &camera::Reading| ReadingMark { boot: clock.boot, seq: reading.seq };
            readings.iter().filter(|reading| known.is_new(reading.index, place(reading))).collect()
        };
        for reading in new {
            let own = i64::try_from(reading.t_us).ok().and_then(|us| us.checked_add(clock.offset_us));
            let source = Source::Probe { camera, index: reading.index };
            let captured_at = captured_at(own, received_at);
            self.hand_on("telemetry", Heard { source, captured_at, received_at, value: reading.value });
        }
    }

    /// Takes what the probe of a board of another make measures.
    pub(in crate::ingest) fn of_a_board(&self, camera: CameraId, value: Option<MilliCelsius>) {
        let now = self.0.clock.now();
        let source = Source::Probe { camera, index: 0 };
        self.hand_on("telemetry", Heard { source, captured_at: now, received_at: now, value });
    }

    /// Takes a datagram whose signature is right.
    ///
    /// # Errors
    /// When it was heard before, or is from a life before: the reason's name.
    pub(super) fn datagram(&self, datagram: &Datagram) -> Result<(), &'static str> {
        let received_at = self.0.clock.now();
        let (new, captured_us) = {
            let mut cameras = self.cameras();
            let known = cameras.entry(datagram.camera).or_default();
            if known.mark.last_boot.is_some_and(|last| datagram.boot > last) {
                return Err("replayed");
            }
            datagram.check_newer(known.mark.newest).map_err(larder_proto::wire::reading::DatagramError::name)?;
            known.mark.newest = datagram.mark();
            let new = known.is_new(datagram.probe, datagram.mark());
            (new, known.captured_us(datagram, self.0.clock.epoch()))
        };
        self.0.changed.notify_one();
        if new {
            let source = Source::Probe { camera: datagram.camera, index: datagram.probe };
            let captured_at = captured_at(captured_us, received_at);
            let value = datagram.status.value();
            self.hand_on("datagram", Heard { source, captured_at, received_at, value });
        }
        Ok(())
    }

    /// The marks now.
    pub(super) fn marks(&self) -> HashMap<CameraId, Mark> {
        self.cameras().iter().map(|(camera, known)| (*camera, known.mark)).collect()
    }

    /// Comes back when marks have changed since the last time. Cancel safe.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Forgets cameras that are gone.
    pub(super) fn retain(&self, is_there: impl Fn(CameraId) -> bool) {
        self.cameras().retain(|camera, _| is_there(*camera));
    }

    fn hand_on(&self, way: &'static str, heard: Heard) {
        offer(&*self.0.thermometers, way, heard);
    }

    fn cameras(&self) -> MutexGuard<'_, HashMap<CameraId, Known>> {
        self.0.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never in the future; without a clock to tell it, when it came.
fn captured_at(own_us: Option<i64>, received_at: Timestamp) -> Timestamp {
    own_us.map_or(received_at, |us| from_us(us).min(received_at))
}

/// Hands a reading on and counts it.
pub(super) fn offer(thermometers: &dyn Thermometers, way: &'static str, heard: Heard) {
    let outcome = match thermometers.offer(heard) {
        Taken::Kept => "kept",
        Taken::Unknown => "unknown",
        Taken::OutOfOrder => "out-of-order",
    };
    metrics::counter!("larder_readings_total", "way" => way, "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::reading::Status;

    use super::{super::testing::Heap, *};

    const CAMERA: CameraId = CameraId(uuid::Uuid::from_u128(7));

    fn probes(mark: (u32, u32)) -> (Probes, Arc<Heap>, Clock) {
        let (heap, clock) = (Arc::new(Heap::default()), Clock::new());
        let mark = Mark { newest: ReadingMark { boot: mark.0, seq: mark.1 }, last_boot: None };
        (Probes::new(heap.clone(), clock.clone(), HashMap::from([(CAMERA, mark)])), heap, clock)
    }

    fn datagram(boot: u32, seq: u32, probe: u8) -> Datagram {
        let status = Status::Measured(MilliCelsius(4_000));
        Datagram { camera: CAMERA, probe, status, boot, seq, t_us: u64::from(seq) * 1_000_000 }
    }

    fn reading(seq: u32, index: u8) -> camera::Reading {
        let value = Some(MilliCelsius(4_000));
        camera::Reading { index, seq, t_us: u64::from(seq) * 1_000_000, value, error_count: 0 }
    }

    #[tokio::test]
    async fn a_datagram_is_taken_once_and_never_after_a_newer_one() {
        let (probes, heap, _) = probes((3, 10));
        assert_eq!(probes.datagram(&datagram(3, 10, 0)), Err("replayed"), "known from before the start");
        assert_eq!(probes.datagram(&datagram(3, 12, 0)), Ok(()));
        assert_eq!(probes.datagram(&datagram(3, 12, 0)), Err("replayed"));
        assert_eq!(probes.datagram(&datagram(3, 11, 1)), Err("replayed"), "it was overtaken; TELEMETRY repeats it");
        assert_eq!(probes.datagram(&datagram(2, 99, 0)), Err("replayed"), "an earlier start");
        assert_eq!(probes.datagram(&datagram(4, 1, 0)), Ok(()));
        assert_eq!(heap.take().len(), 2);
        assert_eq!(probes.marks()[&CAMERA].newest, ReadingMark { boot: 4, seq: 1 });
    }

    #[tokio::test]
    async fn a_reading_that_comes_by_both_ways_counts_once() {
        let (probes, heap, clock) = probes((3, 10));
        let session = SessionClock { boot: 3, epoch: clock.epoch(), offset_us: 0 };
        probes.datagram(&datagram(3, 11, 0)).unwrap();
        probes.telemetry(CAMERA, session, &[reading(11, 0), reading(12, 1)]);
        probes.datagram(&datagram(3, 12, 1)).unwrap();
        // The datagram of 13 was lost.
        probes.telemetry(CAMERA, session, &[reading(13, 0), reading(12, 1)]);
        let indices: Vec<_> = heap.take().into_iter().map(|heard| heard.source).collect();
        let probe = |index| Source::Probe { camera: CAMERA, index };
        assert_eq!(indices, [probe(0), probe(1), probe(0)]);
    }

    #[tokio::test]
    async fn an_erased_flash_begins_anew_and_the_life_before_stays_closed() {
        let (probes, heap, _) = probes((50, 1_000));
        probes.hello(CAMERA, 51, ReadingMark { boot: 51, seq: 0 });
        probes.hello(CAMERA, 1, ReadingMark { boot: 1, seq: 4 });
        assert_eq!(probes.datagram(&datagram(1, 4, 0)), Err("replayed"));
        assert_eq!(probes.datagram(&datagram(50, 999, 0)), Err("replayed"), "recorded in its life before");
        assert_eq!(probes.datagram(&datagram(1, 5, 0)), Ok(()));
        assert_eq!(probes.datagram(&datagram(2, 1, 0)), Err("replayed"), "it has not told of this start yet");
        probes.hello(CAMERA, 2, ReadingMark { boot: 1, seq: 5 });
        assert_eq!(probes.datagram(&datagram(2, 1, 0)), Ok(()));
        assert_eq!(heap.take().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_datagram_is_dated_by_the_session_of_the_same_start() {
        let (probes, heap, clock) = probes((3, 0));
        let now = clock.now().as_microsecond();
        let offset_us = now - 10_000_000;
        probes.telemetry(CAMERA, SessionClock { boot: 3, epoch: clock.epoch(), offset_us }, &[]);
        probes.datagram(&datagram(3, 5, 0)).unwrap();
        probes.datagram(&datagram(4, 1, 0)).unwrap();
        tokio::time::advance(CLOCK_LASTS).await;
        probes.telemetry(CAMERA, SessionClock { boot: 4, epoch: clock.epoch(), offset_us: now + 3_600_000_000 }, &[]);
        probes.datagram(&datagram(4, 2, 0)).unwrap();
        let heard = heap.take();
        assert_eq!(heard[0].captured_at.as_microsecond(), now - 5_000_000);
        assert_eq!(heard[1].captured_at, heard[1].received_at, "no session of this start");
        assert_eq!(heard[2].captured_at, heard[2].received_at, "never in the future");
    }
}
