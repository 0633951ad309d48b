//! A board's stream of pictures, from its first byte to its last log line.

use std::sync::Arc;

use larder_proto::wire::{CameraId, camera::ByeReason};
use tokio::{sync::watch, time::Instant};

use super::super::{
    Shared,
    ended::Ended,
    intake::Intake,
    reader::MESSAGES,
    registry::{Outbox, Place},
};
use crate::{bucket::Bucket, cameras::Source, hub::SessionInfo, secrets};

/// What the hub knew of a camera when its stream began; it ends when this changes.
#[derive(Clone, PartialEq)]
pub(super) struct Known {
    pub(super) source: Source,
    pub(super) key: [u8; secrets::KEY_LEN],
}

impl Known {
    /// What is known of a camera now. `None`: it is gone, or dials the camera link.
    pub(super) fn of(shared: &Shared, camera: CameraId) -> Option<Self> {
        let source = shared.cameras.boards().into_iter().find(|(found, _)| *found == camera)?.1;
        Some(Self { source, key: shared.cameras.key(camera)? })
    }
}

/// A stream that stands.
pub(super) struct Session {
    shared: Arc<Shared>,
    pub(super) intake: Intake,
    place: Place,
    known: Known,
    changes: watch::Receiver<u64>,
    peer: String,
    began: Instant,
    /// How often something may come; beyond it the hub reads no faster, as on the camera link.
    turns: Bucket,
    pub(super) bytes: u64,
}

impl Session {
    /// Takes the camera's place. `changes` was marked before `known` was read.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        camera: CameraId,
        known: Known,
        changes: watch::Receiver<u64>,
        peer: String,
    ) -> Self {
        let topic = shared.hub.ensure(camera);
        let info = SessionInfo { address: peer.clone(), firmware_version: String::new() };
        let (place, publisher, before) = shared.registry.take(camera, Outbox::of_a_board(), || topic.publisher(info));
        shared.took_over(camera, &peer, before);
        let source = known.source.name();
        tracing::info!(camera.id = %camera, camera.address = peer, camera.source = source, "a board is connected");
        metrics::gauge!("larder_camera_sessions").increment(1.0);
        let intake = Intake::new(Arc::clone(shared), topic, publisher);
        let (most, refill) = MESSAGES;
        let (began, turns) = (Instant::now(), Bucket::new(most, refill));
        Self { shared: Arc::clone(shared), intake, place, known, changes, peer, began, turns, bytes: 0 }
    }

    /// Comes back when the stream must end, and why. Cancel safe.
    pub(super) async fn told(&mut self) -> Ended {
        let stopping = self.shared.tasks.stopping();
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return Ended::Stopping,
                told = self.place.told() => return Ended::Told(told),
                Ok(()) = self.changes.changed() => {
                    if let Some(reason) = self.outdated() {
                        return Ended::Told(reason);
                    }
                }
            }
        }
    }

    /// Waits until more may come. Cancel safe, but it counts as come.
    ///
    /// # Errors
    /// When the stream must end meanwhile.
    pub(super) async fn turn(&mut self) -> Result<(), Ended> {
        let Err(turn) = self.turns.take() else { return Ok(()) };
        metrics::counter!("larder_camera_reading_paused_total").increment(1);
        tokio::select! {
            biased;
            told = self.told() => Err(told),
            () = tokio::time::sleep_until(turn) => Ok(()),
        }
    }

    /// Logs the end; the camera is offline from here on.
    pub(super) fn end(self, ended: &Ended) {
        metrics::gauge!("larder_camera_sessions").decrement(1.0);
        metrics::counter!("larder_camera_sessions_ended_total", "reason" => ended.name()).increment(1);
        tracing::info!(
            camera.id = %self.intake.camera(), camera.address = self.peer, reason = ended.name(), cause = %ended,
            session.frames = self.intake.count(), session.bytes = self.bytes,
            session.seconds = self.began.elapsed().as_secs(), "a board's session ended"
        );
        self.intake.end(ended);
    }

    fn outdated(&self) -> Option<ByeReason> {
        let camera = self.intake.camera();
        match Known::of(&self.shared, camera) {
            Some(known) if known == self.known => None,
            Some(known) if known.source == self.known.source => match known.source {
                // Its path is made of the key; what is fetched is not.
                Source::WebSocket(_) => Some(ByeReason::KeyChanged),
                Source::Mjpeg(_) | Source::Link => None,
            },
            _ if self.shared.cameras.key(camera).is_none() => Some(ByeReason::CameraRemoved),
            _ => Some(ByeReason::Done),
        }
    }
}
