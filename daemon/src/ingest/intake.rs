//! A picture's way to the hub, wherever it comes from: how often one may come, its structure, when it was captured.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use larder_proto::wire::{CameraId, camera::ByeReason, jpeg};

use super::{Shared, clock_map::ClockMap, ended::Ended};
use crate::{
    bucket::Bucket,
    clock::from_us,
    hub::{Frame, Publisher, Topic},
};

/// The name under which a frame is counted that is one too many.
const TOO_FAST: &str = "too-fast";
/// Pictures that may come at once, and how long one more takes: 60 a second, twice what is ever asked for, and two
/// seconds of them at once after a line was blocked.
const FRAMES: (u32, Duration) = (120, Duration::from_micros(16_667));

/// One session's pictures.
pub(super) struct Intake {
    shared: Arc<Shared>,
    /// Gone with it: the camera is offline.
    publisher: Publisher,
    topic: Arc<Topic>,
    clock_map: ClockMap,
    clock_epoch: u64,
    bucket: Bucket,
    count: u64,
}

impl Intake {
    pub(super) fn new(shared: Arc<Shared>, topic: Arc<Topic>, publisher: Publisher) -> Self {
        let (most, refill) = FRAMES;
        let clock_epoch = shared.clock.epoch();
        let (clock_map, bucket) = (ClockMap::default(), Bucket::new(most, refill));
        Self { shared, publisher, topic, clock_map, clock_epoch, bucket, count: 0 }
    }

    pub(super) fn camera(&self) -> CameraId {
        self.topic.camera()
    }

    pub(super) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// How many pictures came, refused ones included.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The session is over: the camera is offline, and why is known.
    pub(super) fn end(&self, ended: &Ended) {
        self.publisher.end(ended);
    }

    /// Learns of the camera's clock from a message that is no picture.
    pub(super) fn learn(&mut self, t_us: u64) {
        self.follow_clock();
        self.clock_map.learn(t_us, self.shared.clock.now().as_microsecond());
    }

    /// What is added to the camera's times, and the epoch of the hub's clock that this is good for.
    pub(super) fn clock(&self) -> Option<(i64, u64)> {
        self.clock_map.offset().map(|offset_us| (offset_us, self.clock_epoch))
    }

    /// Counts a picture that is refused before it is one.
    pub(super) fn refused(&mut self, reason: &'static str) {
        self.count += 1;
        self.publisher.refused(reason);
    }

    /// Takes a picture that was captured at `t_us` of the camera's clock; without it, when it came.
    ///
    /// # Errors
    /// When the session has to end. A refused picture is no reason.
    pub(super) fn take(&mut self, bytes: &Bytes, t_us: Option<u64>) -> Result<(), Ended> {
        let index = self.count;
        self.count += 1;
        if self.bucket.take().is_err() {
            self.publisher.refused(TOO_FAST);
            self.shared.too_fast(self.camera());
            return Ok(());
        }
        let picture = match jpeg::check(bytes) {
            Ok(picture) => picture,
            Err(reason) => {
                tracing::debug!(camera.id = %self.camera(), frame.index = index, %reason, "refused");
                self.publisher.refused(reason.name());
                return Ok(());
            }
        };
        self.follow_clock();
        let received_at = self.shared.clock.now();
        let received_us = received_at.as_microsecond();
        let t_us = t_us.unwrap_or(received_us.unsigned_abs());
        let captured_at = from_us(self.clock_map.map(t_us, received_us));
        let jpeg = bytes.slice(..picture.len);
        self.shared.sampler.offer(index, &self.topic, &jpeg);
        let published = self.publisher.publish(Frame {
            sequence: 0,
            captured_at,
            received_at,
            clock_epoch: self.clock_epoch,
            width: picture.width,
            height: picture.height,
            jpeg,
        });
        if published { Ok(()) } else { Err(Ended::Told(self.why_not_published())) }
    }

    /// Times on both sides of a step of the hub's clock do not compare.
    fn follow_clock(&mut self) {
        let epoch = self.shared.clock.epoch();
        if epoch != self.clock_epoch {
            self.clock_epoch = epoch;
            self.clock_map.reset();
        }
    }

    /// The topic ended with its camera, or belongs to a newer session.
    fn why_not_published(&self) -> ByeReason {
        let is_there = self.shared.cameras.key(self.camera()).is_some();
        if is_there { ByeReason::Replaced } else { ByeReason::CameraRemoved }
    }
}
