//! New firmware for a camera, and what becomes of it.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use larder_proto::{
    pb::{self, update_firmware_response::Step},
    wire::CameraId,
};
use tokio::{sync::watch, time::timeout};
use tonic::Status;

use super::{Camera, service::Parts};
use crate::{
    events::Kind as EventKind,
    ingest::{Firmware, UpdateError},
    outcome::{Kind, Refusal},
};

/// More than a slot of any board that is known: an ESP32-CAM's has 1.9 MB.
pub(super) const MOST_IMAGE: usize = 3 << 20;
/// What every image begins with (esp_image_header_t in esp-idf).
const MAGIC: u8 = 0xe9;
/// Numbers of a version, and its characters.
const MOST_NUMBERS: usize = 4;
const MOST_VERSION: usize = 32;
/// How long a camera may take to come back. One that gets no WELCOME with the new firmware takes the old one again
/// after five minutes.
const TRIAL: Duration = Duration::from_secs(7 * 60);
const LOOK: Duration = Duration::from_millis(500);

type Sending = Pin<Box<dyn Future<Output = Result<(), UpdateError>> + Send>>;

/// How far an update is.
enum Stage {
    Sending(Sending, watch::Receiver<u32>),
    /// The camera starts anew; the number of the session in which it was sent.
    Trial(Option<u64>),
    Over,
}

struct Update {
    parts: Arc<Parts>,
    camera: Arc<Camera>,
    image_bytes: u32,
    version: String,
    stage: Stage,
}

/// The firmware of a request.
pub(super) fn parse(request: pb::UpdateFirmwareRequest) -> Result<Firmware, Refusal> {
    let image = request.image;
    if image.first() != Some(&MAGIC) {
        return Err(Refusal::field("image", "is no program for an ESP32: it does not begin with 0xe9"));
    }
    if image.len() > MOST_IMAGE {
        return Err(Refusal::field("image", format!("has {} bytes, more than {MOST_IMAGE}", image.len())));
    }
    let numbers: Vec<_> = request.version.split('.').collect();
    let is_number = |text: &&str| text.parse::<u32>().is_ok();
    if request.version.len() > MOST_VERSION || numbers.len() > MOST_NUMBERS || !numbers.iter().all(is_number) {
        let complaint = format!("{:?} is not up to four numbers with dots between", request.version);
        return Err(Refusal::field("version", complaint));
    }
    Ok(Firmware { image: image.into(), version: request.version, forced: request.forced })
}

/// Updates a camera, and tells of each step. Dropped before the camera has all of it, nothing is changed.
pub(super) fn update(
    parts: Arc<Parts>,
    camera: Arc<Camera>,
    firmware: Firmware,
) -> impl Stream<Item = Result<pb::UpdateFirmwareResponse, Status>> + Send {
    let image_bytes = u32::try_from(firmware.image.len()).unwrap_or(u32::MAX);
    let version = firmware.version.clone();
    let (told, sent) = watch::channel(0);
    let (ingest, id) = (parts.ingest.clone(), camera.id);
    let sending: Sending = Box::pin(async move {
        ingest
            .update(id, &firmware, move |bytes| {
                told.send_replace(bytes);
            })
            .await
    });
    let update = Update { parts, camera, image_bytes, version, stage: Stage::Sending(sending, sent) };
    stream::unfold(update, |mut update| async move {
        let step = update.next().await?;
        if step.is_err() {
            update.stage = Stage::Over;
        }
        Some((step.map_err(Status::from), update))
    })
}

impl Update {
    async fn next(&mut self) -> Option<Result<pb::UpdateFirmwareResponse, Refusal>> {
        match &mut self.stage {
            Stage::Sending(sending, sent) => {
                let session = self.parts.ingest.session(self.camera.id);
                let ended = tokio::select! {
                    biased;
                    Ok(()) = sent.changed() => None,
                    ended = sending => Some(ended),
                };
                Some(match ended {
                    None => {
                        let bytes = *sent.borrow_and_update();
                        Ok(self.response(Step::Sending, bytes))
                    }
                    Some(Ok(())) => {
                        self.stage = Stage::Trial(session);
                        Ok(self.response(Step::Restarting, self.image_bytes))
                    }
                    Some(Err(error)) => Err(self.refusal(&error)),
                })
            }
            Stage::Trial(before) => {
                let before = *before;
                self.stage = Stage::Over;
                Some(self.trial(before).await.map(|()| self.response(Step::Running, self.image_bytes)))
            }
            Stage::Over => None,
        }
    }

    /// Waits until the camera is back, and looks what it runs.
    async fn trial(&mut self, before: Option<u64>) -> Result<(), Refusal> {
        let (name, id) = (self.camera.name.clone(), self.camera.id);
        let back = timeout(TRIAL, self.back(id, before)).await;
        let runs = back.map_err(|_elapsed| {
            let message = format!("camera {name:?} has not come back within {} minutes", TRIAL.as_secs() / 60);
            Refusal::new(Kind::DeadlineExceeded, message)
        })?;
        if runs != self.version {
            let message = format!("camera {name:?} came back with {runs:?}: it did not keep {:?}", self.version);
            return Err(Refusal::new(Kind::FailedPrecondition, message));
        }
        tracing::info!(camera.id = %id, camera.name = name, camera.firmware = runs, "a camera runs new firmware");
        let told = format!("camera {name} runs firmware {runs}");
        self.parts.events.tell(EventKind::CameraChanged, Some(id), told);
        Ok(())
    }

    /// What the camera says it runs in its next session.
    async fn back(&mut self, camera: CameraId, before: Option<u64>) -> String {
        loop {
            let session = self.parts.ingest.session(camera);
            let snapshot = self.parts.hub.ensure(camera).snapshot();
            if session.is_some()
                && session != before
                && let Some(session) = snapshot.session
            {
                return session.firmware_version;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn response(&self, step: Step, sent_bytes: u32) -> pb::UpdateFirmwareResponse {
        pb::UpdateFirmwareResponse { step: step.into(), sent_bytes, image_bytes: self.image_bytes }
    }

    fn refusal(&self, error: &UpdateError) -> Refusal {
        let kind = match error {
            UpdateError::Timeout | UpdateError::Deaf => Kind::DeadlineExceeded,
            UpdateError::Offline | UpdateError::Unsupported | UpdateError::Busy | UpdateError::Refused { .. } => {
                Kind::FailedPrecondition
            }
        };
        tracing::warn!(camera.id = %self.camera.id, update.version = self.version, %error, "firmware was not taken");
        Refusal::new(kind, format!("camera {:?}: {error}", self.camera.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_none_and_a_version_that_is_none_are_refused() {
        let request = |image: &'static [u8], version: &str| pb::UpdateFirmwareRequest {
            camera: "fridge".to_owned(),
            image: image.into(),
            version: version.to_owned(),
            forced: false,
        };
        assert_eq!(parse(request(&[MAGIC, 1], "1.2.3.4")).unwrap().version, "1.2.3.4");
        assert!(parse(request(b"\x7fELF", "1.2")).unwrap_err().message.contains("0xe9"));
        assert!(parse(request(b"", "1.2")).is_err());
        for version in ["", "1.", "v1", "1.2.3.4.5", "1.99999999999", "1.000000000000000000000000000000001"] {
            let refusal = parse(request(&[MAGIC], version)).unwrap_err();
            assert!(refusal.message.contains("four numbers"), "{version}: {}", refusal.message);
        }
    }
}
