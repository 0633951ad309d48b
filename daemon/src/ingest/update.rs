//! New firmware, from the hub to a connected camera.
//!
//! One piece at a time: the camera writes each to its flash before it answers, which takes longer than the way to it.

use std::time::Duration;

use bytes::Bytes;
use larder_proto::wire::{
    CameraId,
    camera::{Image, MOST_CHUNK, Message, UpdateBegin, UpdateData, UpdateEnd, UpdateResult, UpdateStatus},
};
use ring::digest;
use thiserror::Error;
use tokio::{sync::mpsc, time::timeout};

use super::registry::{Outbox, Registry};
use crate::secrets;

/// How long a camera has to take a piece, and to check the whole: flash that is erased first takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Pieces that a camera may refuse to take before it is given up. On a connection in order there should be none.
const MOST_REPEATS: u32 = 8;

/// What a camera is to run.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The file that the build made.
    pub image: Bytes,
    /// Numbers with dots between.
    pub version: String,
    /// Taken even when the camera runs a newer one.
    pub forced: bool,
}

/// Why new firmware was not taken. The camera goes on with what it runs.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum UpdateError {
    /// No session, or it ended before the camera had taken all of it.
    #[error("the camera is offline")]
    Offline,
    /// Its firmware has no updates over the air.
    #[error("the camera takes no firmware over the air")]
    Unsupported,
    /// One update at a time.
    #[error("the camera is being updated already")]
    Busy,
    /// It says why.
    #[error("the camera refused the firmware: {}{}", .result.name(), words(.remark))]
    Refused {
        /// Which rule.
        result: UpdateResult,
        /// Its own words; mostly none.
        remark: String,
    },
    /// No answer in time.
    #[error("the camera did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    /// It did not take in what was sent.
    #[error("the camera does not take in what is sent to it")]
    Deaf,
}

fn words(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(", {text}") }
}

impl Registry {
    /// Sends firmware to a camera until it has kept it; `sent` hears how many bytes it has. Dropped before its end, the
    /// camera forgets what it got.
    pub(super) async fn update(
        &self,
        camera: CameraId,
        key: &[u8; secrets::KEY_LEN],
        firmware: &Firmware,
        sent: impl FnMut(u32),
    ) -> Result<(), UpdateError> {
        let outbox = self.outbox(camera).ok_or(UpdateError::Offline)?;
        let mut updating = Updating { answers: outbox.begin_update()?, outbox, is_over: false };
        let ended = updating.run(camera, key, firmware, sent).await;
        updating.is_over = ended.is_ok() || matches!(ended, Err(UpdateError::Refused { .. } | UpdateError::Offline));
        ended
    }
}

/// An update that goes on; dropped, it is given up.
struct Updating {
    outbox: Outbox,
    answers: mpsc::Receiver<UpdateStatus>,
    is_over: bool,
}

impl Updating {
    async fn run(
        &mut self,
        camera: CameraId,
        key: &[u8; secrets::KEY_LEN],
        firmware: &Firmware,
        mut sent: impl FnMut(u32),
    ) -> Result<(), UpdateError> {
        let refused = |result| UpdateError::Refused { result, remark: String::new() };
        let length = u32::try_from(firmware.image.len()).map_err(|_large| refused(UpdateResult::WrongSize))?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, &firmware.image).as_ref());
        let image = Image { length, sha256, version: firmware.version.clone(), forced: firmware.forced };
        let mut offset = self.ask(Message::UpdateBegin(UpdateBegin::sign(image, key, camera))).await?;
        let mut repeats = 0;
        while offset < length {
            sent(offset);
            let rest = firmware.image.slice(usize::try_from(offset).unwrap_or(usize::MAX)..);
            let chunk = rest.slice(..rest.len().min(MOST_CHUNK));
            let next = self.ask(Message::UpdateData(UpdateData { offset, chunk })).await?;
            if next <= offset {
                repeats += 1;
                if repeats > MOST_REPEATS {
                    return Err(UpdateError::Deaf);
                }
            }
            offset = next;
        }
        sent(length);
        match self.say(Message::UpdateEnd(UpdateEnd::Install)).await? {
            UpdateStatus { result: UpdateResult::Installed, .. } => Ok(()),
            UpdateStatus { result, remark, .. } => Err(UpdateError::Refused { result, remark }),
        }
    }

    /// Says something after which more is to follow; from where on.
    async fn ask(&mut self, message: Message) -> Result<u32, UpdateError> {
        match self.say(message).await? {
            UpdateStatus { result: UpdateResult::Receiving, next_offset, .. } => Ok(next_offset),
            UpdateStatus { result, remark, .. } => Err(UpdateError::Refused { result, remark }),
        }
    }

    async fn say(&mut self, message: Message) -> Result<UpdateStatus, UpdateError> {
        if !self.outbox.send(message) {
            return Err(UpdateError::Deaf);
        }
        match timeout(ANSWER_TIMEOUT, self.answers.recv()).await {
            Ok(answer) => answer.ok_or(UpdateError::Offline),
            Err(_elapsed) => Err(UpdateError::Timeout),
        }
    }
}

impl Drop for Updating {
    fn drop(&mut self) {
        if !self.is_over {
            // A camera that hears nothing of it forgets it with its session.
            let _ = self.outbox.send(Message::UpdateEnd(UpdateEnd::Abandon));
        }
        self.outbox.end_update();
    }
}
