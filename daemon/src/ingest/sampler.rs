//! Decodes a sample of the pictures, because some are damaged although their structure stands: 0.03 to 0.3 % of what
//! real boards send (espressif/esp32-camera issue 244).

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, options::DecoderOptions},
};

use crate::{hub::Topic, tasks::Tasks};

/// One picture in so many is decoded: at 10 frames a second and 5 ms each, 0.1 % of one core.
const ONE_IN: u64 = 64;
/// Pictures waiting; more are not looked at. They hold their bytes, so few.
const QUEUE: usize = 4;
/// The name under which an undecodable picture is counted.
pub(super) const UNDECODABLE: &str = "undecodable";

/// Where pictures are handed in; never waits.
#[derive(Clone)]
pub(super) struct Sampler(mpsc::Sender<(Arc<Topic>, Bytes)>);

impl Sampler {
    pub(super) fn start(tasks: &Tasks) -> Self {
        let (sender, mut receiver) = mpsc::channel::<(Arc<Topic>, Bytes)>(QUEUE);
        tasks.spawn_until_stop(async move {
            while let Some((topic, jpeg)) = receiver.recv().await {
                let decoded = tokio::task::spawn_blocking(move || decodes(&jpeg)).await;
                if let Ok(Err(error)) = decoded {
                    topic.refused(UNDECODABLE);
                    tracing::debug!(camera.id = %topic.camera(), error, "a picture can't be decoded");
                }
            }
        });
        Self(sender)
    }

    /// Hands in picture number `index` of a session, if its turn has come.
    pub(super) fn offer(&self, index: u64, topic: &Arc<Topic>, jpeg: &Bytes) {
        if index.is_multiple_of(ONE_IN) {
            // Full: the sample is a little smaller.
            let _ = self.0.try_send((Arc::clone(topic), jpeg.clone()));
        }
    }
}

/// Decodes a picture and forgets it.
fn decodes(jpeg: &[u8]) -> Result<(), String> {
    // Not strict, a decoder fills what is damaged with grey and says nothing.
    let options = DecoderOptions::default().set_strict_mode(true);
    JpegDecoder::new_with_options(ZCursor::new(jpeg), options).decode().map(drop).map_err(|error| format!("{error:?}"))
}
