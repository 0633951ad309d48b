//! Where the pictures come from: a thread that draws, reads or decodes one for each request.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use bytes::Bytes;
use larder_proto::wire::camera::Size;
use tokio::sync::mpsc;

use super::{
    Source,
    folder::Folder,
    jpeg::Quality,
    scene::{Scene, View},
    video::Video,
};

/// One picture wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) size: Size,
    pub(super) quality: Quality,
    pub(super) fps: u8,
    /// Counts the pictures taken.
    pub(super) number: u32,
    /// Since the camera was first switched on.
    pub(super) elapsed: Duration,
    /// What the clock in the picture shows.
    pub(super) clock: jiff::civil::DateTime,
    /// The lamp, 0 to 255.
    pub(super) flash: u8,
}

/// One picture.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) jpeg: Bytes,
    pub(super) size: Size,
    /// Whether something moves, or may.
    pub(super) active: bool,
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A folder or a picture in it.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing to send.
    #[error("no .jpg file in {}", .0.display())]
    Empty(PathBuf),
    /// A video that ffmpeg does not read.
    #[error("ffmpeg reads no picture from {}: {reason}", path.display())]
    Video {
        /// Which.
        path: PathBuf,
        /// What ffmpeg said.
        reason: String,
    },
    /// ffmpeg is missing.
    #[error("cannot start ffmpeg: {0}; install it (Debian: apt install ffmpeg)")]
    Ffmpeg(#[source] std::io::Error),
    /// No thread to draw in.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The drawing thread ended.
    #[error("no more pictures")]
    Ended,
}

/// A thread that makes pictures, one at a time.
pub(super) struct Pictures {
    requests: SyncSender<Request>,
    answers: mpsc::Receiver<Result<Picture, SourceError>>,
}

impl Pictures {
    /// Starts the thread. It ends when this is dropped, after the picture it is at.
    ///
    /// # Errors
    ///
    /// The source has nothing to show, or there is no thread.
    pub(super) fn start(source: Source, seed: u64) -> Result<Self, SourceError> {
        let maker = Maker::open(source, seed)?;
        // One picture is asked for at a time, so one place each way is enough.
        let (requests, wanted) = sync_channel(1);
        let (made, answers) = mpsc::channel(1);
        thread::Builder::new()
            .name("pictures".to_owned())
            .spawn(move || work(maker, &wanted, &made))
            .map_err(SourceError::Thread)?;
        Ok(Self { requests, answers })
    }

    /// Asks for a picture. To be called once for each [`Pictures::ready`].
    pub(super) fn ask(&self, request: Request) -> bool {
        match self.requests.try_send(request) {
            Ok(()) => true,
            // A thread that is gone says so in `ready`.
            Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(_)) => false,
        }
    }

    /// The picture asked for. Cancel safe.
    pub(super) async fn ready(&mut self) -> Result<Picture, SourceError> {
        self.answers.recv().await.unwrap_or(Err(SourceError::Ended))
    }
}

fn work(mut maker: Maker, wanted: &Receiver<Request>, made: &mpsc::Sender<Result<Picture, SourceError>>) {
    while let Ok(request) = wanted.recv() {
        if made.blocking_send(maker.make(&request)).is_err() {
            return;
        }
    }
}

enum Maker {
    Scene { scene: Option<Scene>, seed: u64 },
    Folder(Folder),
    Video(Video),
}

impl Maker {
    fn open(source: Source, seed: u64) -> Result<Self, SourceError> {
        Ok(match source {
            Source::Scene => Self::Scene { scene: None, seed },
            Source::Folder(path) => Self::Folder(Folder::open(path)?),
            Source::Video(path) => Self::Video(Video::open(path)?),
        })
    }

    fn make(&mut self, request: &Request) -> Result<Picture, SourceError> {
        match self {
            Self::Scene { scene, seed } => Ok(draw(scene, *seed, request)),
            Self::Folder(folder) => folder.next(),
            Self::Video(video) => video.next(request),
        }
    }
}

fn draw(scene: &mut Option<Scene>, seed: u64, request: &Request) -> Picture {
    let Size { width, height } = request.size;
    if scene.as_ref().is_none_or(|scene| scene.size() != (width, height)) {
        *scene = None;
    }
    let scene = scene.get_or_insert_with(|| Scene::new(width, height, seed));
    let view = View { number: request.number, elapsed: request.elapsed, clock: request.clock, flash: request.flash };
    Picture {
        jpeg: scene.picture(&view, request.quality).into(),
        size: request.size,
        active: scene.is_lit(request.elapsed),
    }
}
