//! Pictures made smaller, once for each camera and size, and shared by all who watch that.
//!
//! A size's task follows the camera, scales the newest picture on a blocking thread, and ends with its last reader. Sizes
//! are the camera's halved once to three times, so that few exist. At most two pictures are worked on at a time in the
//! whole hub: whoever waits skips to the newest picture after that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};

use super::pixels;
use crate::{
    hub::{Frame, Hub, Topic},
    repeats,
    tasks::Tasks,
};

/// Pictures that are worked on at once: half of a Raspberry Pi 4, whose other half has cameras and recordings.
const AT_ONCE: usize = 2;

/// How often a picture's sides are halved.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Scale {
    /// As the camera made it.
    #[default]
    Whole,
    Half,
    Quarter,
    Eighth,
}

impl Scale {
    const ALL: [Self; 4] = [Self::Whole, Self::Half, Self::Quarter, Self::Eighth];

    fn divisor(self) -> u16 {
        match self {
            Self::Whole => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }

    /// A picture's size after it. Never nothing.
    pub(super) fn of(self, (width, height): (u16, u16)) -> (u16, u16) {
        let side = |pixels: u16| pixels.div_ceil(self.divisor());
        (side(width), side(height))
    }

    /// The largest that fits into what was wished, or the smallest there is.
    pub(super) fn to_fit(size: (u16, u16), width: Option<u16>, height: Option<u16>) -> Self {
        let fits = |scale: &Self| {
            let scaled = scale.of(size);
            width.is_none_or(|most| scaled.0 <= most) && height.is_none_or(|most| scaled.1 <= most)
        };
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Eighth)
    }
}

/// A picture that was made smaller.
#[derive(Clone, Debug)]
pub(super) struct Small {
    /// All but the pixels is the camera's.
    pub(super) frame: Arc<Frame>,
    /// The camera's picture's size.
    pub(super) whole: (u16, u16),
}

/// The newest small picture.
pub(super) type Reader = watch::Receiver<Option<Small>>;
type Sender = watch::Sender<Option<Small>>;

/// All sizes that somebody watches; clones share them.
#[derive(Clone)]
pub(super) struct Scaled(Arc<Inner>);

struct Inner {
    hub: Hub,
    tasks: Tasks,
    places: Semaphore,
    watched: Mutex<HashMap<(CameraId, Scale), Sender>>,
}

impl Scaled {
    pub(super) fn new(hub: Hub, tasks: Tasks) -> Self {
        Self(Arc::new(Inner { hub, tasks, places: Semaphore::new(AT_ONCE), watched: Mutex::default() }))
    }

    /// A reader of one size of a camera, which ends with the camera's topic.
    pub(super) fn watch(&self, camera: CameraId, scale: Scale) -> Reader {
        let mut watched = self.0.watched();
        let at = (camera, scale);
        if let Some(sender) = watched.get(&at) {
            let mut reader = sender.subscribe();
            // What was made for others is new to this one.
            reader.mark_changed();
            return reader;
        }
        let (sender, reader) = watch::channel(None);
        watched.insert(at, sender.clone());
        drop(watched);
        let work = Work { at, sender, topic: self.0.hub.ensure(camera), inner: Arc::clone(&self.0) };
        drop(self.0.tasks.spawn_until_stop(work.run()));
        reader
    }

    #[cfg(test)]
    fn watched(&self) -> usize {
        self.0.watched().len()
    }
}

impl Inner {
    fn watched(&self) -> MutexGuard<'_, HashMap<(CameraId, Scale), Sender>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One size of one camera.
struct Work {
    at: (CameraId, Scale),
    sender: Sender,
    topic: Arc<Topic>,
    inner: Arc<Inner>,
}

impl Work {
    async fn run(self) {
        let mut viewer = self.topic.onlooker();
        let mut last = 0;
        loop {
            let seen = tokio::select! {
                biased;
                () = self.sender.closed() => {
                    if self.is_over() {
                        return;
                    }
                    continue;
                }
                seen = viewer.next() => seen,
            };
            let Some(seen) = seen else { return };
            // It is never closed.
            let Ok(_place) = self.inner.places.acquire().await else { return };
            // What was seen may be old after the wait, and what is newest now is seen again.
            let frame = self.topic.newest().unwrap_or(seen.frame);
            if frame.sequence <= last {
                continue;
            }
            last = frame.sequence;
            if let Some(small) = self.scale(frame).await {
                self.sender.send_replace(Some(small));
            }
        }
    }

    async fn scale(&self, frame: Arc<Frame>) -> Option<Small> {
        let whole = (frame.width, frame.height);
        let size = self.at.1.of(whole);
        let work = move || {
            pixels::scale(&frame.jpeg, whole, size).map(|jpeg| Frame {
                width: size.0,
                height: size.1,
                jpeg: jpeg.into(),
                ..Frame::clone(&frame)
            })
        };
        let scaled = tokio::task::spawn_blocking(work).await.unwrap_or(Err(ScaleError::Panicked));
        match scaled {
            Ok(frame) => {
                metrics::counter!("larder_relay_scaled_total").increment(1);
                Some(Small { frame: Arc::new(frame), whole })
            }
            Err(error) => {
                metrics::counter!("larder_relay_scale_failures_total").increment(1);
                repeats::say!(debug, "", { camera.id = %self.at.0, %error }, "a picture can't be made smaller");
                None
            }
        }
    }

    /// Whether nobody watches; then the next who does begins anew.
    fn is_over(&self) -> bool {
        let mut watched = self.inner.watched();
        let is_over = self.sender.receiver_count() == 0;
        if is_over {
            watched.remove(&self.at);
        }
        is_over
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // When the topic or the hub ends, so do the readers. Another work under the same key is left alone.
        let mut watched = self.inner.watched();
        if watched.get(&self.at).is_some_and(|sender| sender.same_channel(&self.sender)) {
            watched.remove(&self.at);
        }
    }
}

/// Why a picture can't be made smaller.
#[derive(Debug, Error)]
pub(super) enum ScaleError {
    /// It is damaged.
    #[error("it can't be decoded: {0}")]
    Decode(String),
    /// Its pixels are not what its header said.
    #[error("its size is not {0}x{1}")]
    Size(u16, u16),
    /// The resizer refuses it.
    #[error("it can't be resized")]
    Resize(#[from] fast_image_resize::ResizeError),
    /// The encoder refuses it.
    #[error("it can't be encoded")]
    Encode(#[from] jpeg_encoder::EncodingError),
    /// A decoder that stumbles takes its thread down, and no more.
    #[error("the work on it panicked")]
    Panicked,
}

#[cfg(test)]
mod tests;
