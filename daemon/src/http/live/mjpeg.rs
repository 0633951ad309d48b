//! `GET /cameras/{camera}/stream.mjpeg`: for VLC, Home Assistant, OBS and `<img>`.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{header, request::Parts};
use larder_proto::wire::CameraId;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Ending, Live};
use crate::{
    access::Caller,
    hub::{Frame, Viewer},
    outcome::Refusal,
    viewers::{Protocol, Seat},
};

/// The slowest rate that may be asked for: a frame in ten seconds, before players give up.
const MIN_FPS: f64 = 0.1;
/// More than any camera sends.
const MAX_FPS: f64 = 60.0;
const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=larder";
const BOUNDARY: &[u8] = b"\r\n--larder\r\n";

/// `?fps=`: at most so many frames a second.
#[derive(Deserialize)]
pub(super) struct Rate {
    fps: Option<f64>,
}

/// What all streams share; clones share it too.
#[derive(Clone)]
pub(super) struct Streams {
    live: Live,
    newest: Arc<Mutex<HashMap<CameraId, Weak<Newest>>>>,
}

/// A camera's newest part, made once for all who look: to chain head, picture and boundary costs each of them more than
/// one copy costs them all. Gone with the last of them.
#[derive(Default)]
struct Newest(Mutex<Option<(u64, Bytes)>>);

pub(super) async fn stream(
    State(streams): State<Streams>,
    Path(camera): Path<String>,
    Query(rate): Query<Rate>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let revoked = Caller::of(&parts.extensions)?.revoked.clone();
    let interval = interval(rate.fps)?;
    let live = &streams.live;
    let topic = live.topic(&camera)?;
    let seat = live.enter(Protocol::Mjpeg, topic.camera(), &parts)?;
    let source = Source {
        viewer: topic.viewer(),
        newest: streams.newest(topic.camera()),
        interval,
        next_at: Instant::now(),
        ending: live.ending(&revoked, &seat),
        seat,
        unsent: 0,
    };
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(body(source))).into_response())
}

impl Streams {
    pub(super) fn new(live: Live) -> Self {
        Self { live, newest: Arc::default() }
    }

    fn newest(&self, camera: CameraId) -> Arc<Newest> {
        let mut all = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = all.get(&camera).and_then(Weak::upgrade) {
            return newest;
        }
        all.retain(|_, newest| newest.strong_count() > 0);
        let newest = Arc::default();
        all.insert(camera, Arc::downgrade(&newest));
        newest
    }
}

impl Newest {
    fn part(&self, frame: &Frame) -> Bytes {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((sequence, part)) if *sequence == frame.sequence => part.clone(),
            // Somebody slow must not take its place back from a newer one.
            Some((sequence, _)) if *sequence > frame.sequence => part(frame),
            _ => newest.insert((frame.sequence, part(frame))).1.clone(),
        }
    }
}

fn interval(fps: Option<f64>) -> Result<Duration, Refusal> {
    match fps {
        None => Ok(Duration::ZERO),
        Some(fps) if (MIN_FPS..=MAX_FPS).contains(&fps) => Ok(Duration::from_secs_f64(1.0 / fps)),
        Some(fps) => Err(Refusal::field("fps", format!("{fps} is not between {MIN_FPS} and {MAX_FPS}"))),
    }
}

/// The body. Browsers show a part when the boundary after it has come, so it follows each part at once.
fn body(source: Source) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let frames = stream::unfold(source, async |mut source| {
        let part = source.next().await?;
        Some((Ok(part), source))
    });
    stream::iter([Ok(Bytes::from_static(&BOUNDARY[2..]))]).chain(frames)
}

struct Source {
    viewer: Viewer,
    newest: Arc<Newest>,
    interval: Duration,
    /// When the next frame may be sent.
    next_at: Instant,
    ending: Ending,
    seat: Seat,
    /// Bytes of the part that the socket takes now.
    unsent: usize,
}

impl Source {
    /// The next part. `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        // Asked for the next one, the socket has taken the one before.
        if self.unsent > 0 {
            self.seat.delivered(self.unsent);
            self.unsent = 0;
        }
        let Self { viewer, interval, next_at, ending, .. } = self;
        let newest = async {
            if !interval.is_zero() {
                tokio::time::sleep_until(*next_at).await;
            }
            viewer.next().await
        };
        let seen = tokio::select! {
            biased;
            Some(_) = ending.next() => None,
            seen = newest => seen,
        }?;
        self.seat.skipped(seen.skipped);
        self.unsent = seen.frame.jpeg.len();
        self.seat.sent(self.unsent);
        // From the plan and not from now, so that the mean is the rate asked for; but no catching up after a pause.
        self.next_at = (self.next_at + self.interval).max(Instant::now());
        Some(self.newest.part(&seen.frame))
    }
}

/// Head, picture, boundary.
fn part(frame: &Frame) -> Bytes {
    let (len, captured_at) = (frame.jpeg.len(), frame.captured_at);
    let head = format!("Content-Type: image/jpeg\r\nContent-Length: {len}\r\nX-Captured-At: {captured_at}\r\n\r\n");
    [head.as_bytes(), &frame.jpeg, BOUNDARY].concat().into()
}
