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

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;
    use crate::ingest::registry::Place;

    const KEY: [u8; secrets::KEY_LEN] = [7; secrets::KEY_LEN];

    /// A camera that answers as it is told to.
    struct Camera {
        registry: Registry,
        id: CameraId,
        outbox: Outbox,
        heard: mpsc::Receiver<Message>,
        place: Option<Place>,
    }

    impl Camera {
        fn new() -> Self {
            let (registry, id, (queue, heard)) = (Registry::default(), CameraId::random(), mpsc::channel(8));
            let outbox = Outbox::new(queue, true);
            let (place, (), _) = registry.take(id, outbox.clone(), || ());
            Self { registry, id, outbox, heard, place: Some(place) }
        }

        /// Begins an update of two pieces.
        fn update(&self) -> impl Future<Output = Result<(), UpdateError>> + use<> {
            let (registry, id) = (self.registry.clone(), self.id);
            let image = Bytes::from(vec![0xe9; MOST_CHUNK + 10]);
            let firmware = Firmware { image, version: "2".to_owned(), forced: false };
            async move { registry.update(id, &KEY, &firmware, |_| {}).await }
        }

        async fn next(&mut self) -> Message {
            self.heard.recv().await.expect("a message")
        }

        /// The next message of an update that goes on.
        async fn next_of(&mut self, updating: impl Future<Output = Result<(), UpdateError>>) -> Message {
            tokio::select! {
                biased;
                ended = updating => panic!("{ended:?}"),
                message = self.next() => message,
            }
        }

        fn answer(&self, result: UpdateResult, next_offset: u32) {
            let status = UpdateStatus { result, next_offset, remark: String::new() };
            assert!(self.outbox.updated(status), "somebody waits for it");
        }

        /// What it hears after an update that has ended, all of it.
        fn rest(&mut self) -> Vec<Message> {
            std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
        }
    }

    fn abandon() -> Vec<Message> {
        vec![Message::UpdateEnd(UpdateEnd::Abandon)]
    }

    #[tokio::test]
    async fn a_camera_is_told_of_an_update_that_is_given_up_and_takes_the_next_one() {
        let mut camera = Camera::new();
        let mut updating = Box::pin(camera.update());
        let begun = camera.next_of(&mut updating).await;
        assert!(matches!(begun, Message::UpdateBegin(_)), "{begun:?}");
        assert_eq!(camera.update().await, Err(UpdateError::Busy));
        camera.answer(UpdateResult::Receiving, 0);
        let piece = camera.next_of(&mut updating).await;
        assert!(matches!(piece, Message::UpdateData(_)), "{piece:?}");
        drop(updating);
        assert_eq!(camera.rest(), abandon());
        let late = UpdateStatus { result: UpdateResult::Receiving, next_offset: 4092, remark: String::new() };
        assert!(!camera.outbox.updated(late), "its late answer is nobody's");

        let mut again = Box::pin(camera.update());
        let begun = camera.next_of(&mut again).await;
        assert!(matches!(begun, Message::UpdateBegin(_)), "{begun:?}");
        camera.answer(UpdateResult::Older, 0);
        let refused = UpdateError::Refused { result: UpdateResult::Older, remark: String::new() };
        assert_eq!(again.await, Err(refused));
        assert_eq!(camera.rest(), [], "who refuses needs not be told");
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_does_not_answer_is_given_up() {
        let mut camera = Camera::new();
        assert_eq!(camera.update().await, Err(UpdateError::Timeout));
        assert!(matches!(camera.next().await, Message::UpdateBegin(_)));
        assert_eq!(camera.rest(), abandon());
    }

    #[tokio::test]
    async fn a_camera_that_takes_no_piece_is_given_up() {
        let mut camera = Camera::new();
        let updating = camera.update();
        let answering = async {
            loop {
                match camera.next().await {
                    Message::UpdateEnd(end) => return end,
                    _ => camera.answer(UpdateResult::Receiving, 0),
                }
            }
        };
        let (ended, told) = tokio::join!(updating, answering);
        assert_eq!((ended, told), (Err(UpdateError::Deaf), UpdateEnd::Abandon));
    }

    #[tokio::test]
    async fn a_session_that_ends_ends_its_update() {
        let mut camera = Camera::new();
        let mut updating = Box::pin(camera.update());
        camera.next_of(&mut updating).await;
        camera.outbox.close();
        drop(camera.place.take());
        assert_eq!(updating.await, Err(UpdateError::Offline));
        assert_eq!(camera.update().await, Err(UpdateError::Offline));
    }
}
