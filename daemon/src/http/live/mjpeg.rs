//! `GET /cameras/{camera}/stream.mjpeg`: for VLC, Home Assistant, OBS and `<img>`.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{Extensions, header};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Live, count::Count};
use crate::{
    access::Caller,
    hub::{Frame, Viewer},
    outcome::Refusal,
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

pub(super) async fn stream(
    State(live): State<Live>,
    Path(camera): Path<String>,
    Query(rate): Query<Rate>,
    extensions: Extensions,
) -> Result<Response, Refusal> {
    let revoked = Caller::of(&extensions)?.revoked.clone();
    let interval = interval(rate.fps)?;
    let viewer = live.topic(&camera)?.viewer();
    let (next_at, stop, count) = (Instant::now(), live.tasks.stopping(), Count::new("mjpeg"));
    let source = Source { viewer, interval, next_at, stop, revoked, count };
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(parts(source))).into_response())
}

fn interval(fps: Option<f64>) -> Result<Duration, Refusal> {
    match fps {
        None => Ok(Duration::ZERO),
        Some(fps) if (MIN_FPS..=MAX_FPS).contains(&fps) => Ok(Duration::from_secs_f64(1.0 / fps)),
        Some(fps) => Err(Refusal::field("fps", format!("{fps} is not between {MIN_FPS} and {MAX_FPS}"))),
    }
}

/// The body. Browsers show a part when the boundary after it has come, so it follows each part at once.
fn parts(source: Source) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let frames = stream::unfold(source, async |mut source| {
        let part = source.next().await?;
        Some((part, source))
    });
    let first = stream::iter([Ok(Bytes::from_static(&BOUNDARY[2..]))]);
    first.chain(frames.flat_map(|part| stream::iter(part.map(Ok))))
}

struct Source {
    viewer: Viewer,
    interval: Duration,
    /// When the next frame may be sent.
    next_at: Instant,
    stop: CancellationToken,
    revoked: CancellationToken,
    count: Count,
}

impl Source {
    /// The next part: its head, the shared picture, the boundary. `None` at the end.
    async fn next(&mut self) -> Option<[Bytes; 3]> {
        let viewer = &mut self.viewer;
        let next_at = self.next_at;
        let newest = async {
            tokio::time::sleep_until(next_at).await;
            viewer.next().await
        };
        let seen = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.revoked.cancelled() => None,
            seen = newest => seen,
        }?;
        self.count.frame(seen.skipped);
        // From the plan and not from now, so that the mean is the rate asked for; but no catching up after a pause.
        self.next_at = (self.next_at + self.interval).max(Instant::now());
        let jpeg = seen.frame.jpeg.clone();
        Some([head(&seen.frame), jpeg, Bytes::from_static(BOUNDARY)])
    }
}

fn head(frame: &Frame) -> Bytes {
    let (len, captured_at) = (frame.jpeg.len(), frame.captured_at);
    Bytes::from(format!("Content-Type: image/jpeg\r\nContent-Length: {len}\r\nX-Captured-At: {captured_at}\r\n\r\n"))
}
