//! Fetches a board's pictures over HTTP, again and again.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use larder_proto::wire::{
    CameraId,
    boards::{Boundary, BoundaryError, Item, Multipart},
};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{
    session::{Known, Session},
    stamps::Stamps,
};
use crate::{
    backoff::Backoff,
    cameras::{PullUrl, Source},
    ingest::{Shared, ended::Ended},
};

/// From the name to a connection, and from the question to the head of the answer: boards ask their sensor first.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The first and the longest pause before a board is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A stream that stood for so long was a good one.
const GOOD: Duration = Duration::from_secs(30);

/// Why there is no stream.
#[derive(Debug, Error)]
enum Failed {
    #[error("it cannot be reached: {0}")]
    Connect(#[from] io::Error),
    #[error("it took too long")]
    TooSlow,
    #[error("its answer is no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("it wants another user and password ({0})")]
    Unauthorized(StatusCode),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer is no stream of pictures: {0}")]
    Content(#[from] BoundaryError),
}

impl Failed {
    /// The name in metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::TooSlow => "too-slow",
            Self::Http(_) => "http",
            Self::Unauthorized(_) => "unauthorized",
            Self::Status(_) => "status",
            Self::Content(_) => "content-type",
        }
    }

    /// Whether the same question will hardly be answered otherwise.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Unauthorized(_) | Self::Status(_) | Self::Content(_))
    }
}

/// A stream of pictures.
struct Stream {
    body: Incoming,
    boundary: Boundary,
    _connection: Connection,
}

/// Hangs up when dropped.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Fetches until the camera is gone or its pictures are to come from elsewhere.
pub(super) async fn run(shared: Arc<Shared>, camera: CameraId, url: PullUrl) {
    fetch(&shared, camera, &url).await;
    if let Some(topic) = shared.hub.topic(camera) {
        // It was about an address that is not asked any more.
        topic.set_offline_reason("");
    }
}

async fn fetch(shared: &Arc<Shared>, camera: CameraId, url: &PullUrl) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let mut changes = shared.cameras.changes();
    loop {
        changes.mark_unchanged();
        let Some(known) = wanted(shared, camera, url) else { return };
        let began = Instant::now();
        match open(shared, url).await {
            Ok(stream) => {
                let session = Session::begin(shared, camera, known, changes.clone(), url.authority().to_owned());
                read(shared, stream, session).await;
                if began.elapsed() >= GOOD {
                    backoff.reset();
                }
            }
            Err(failed) => {
                shared.not_fetched(camera, url, &failed);
                if failed.is_refusal() {
                    backoff.slow();
                }
            }
        }
        tokio::select! {
            biased;
            () = no_more(shared, &mut changes, camera, url) => return,
            () = tokio::time::sleep(backoff.pause()) => {}
        }
    }
}

/// What is known of the camera, if its pictures still come from there.
fn wanted(shared: &Shared, camera: CameraId, url: &PullUrl) -> Option<Known> {
    Known::of(shared, camera).filter(|known| known.source == Source::Mjpeg(url.clone()))
}

/// Comes back when its pictures are no longer to come from there.
async fn no_more(shared: &Shared, changes: &mut watch::Receiver<u64>, camera: CameraId, url: &PullUrl) {
    while wanted(shared, camera, url).is_some() {
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Asks for the pictures.
async fn open(shared: &Shared, url: &PullUrl) -> Result<Stream, Failed> {
    let connecting = TcpStream::connect((url.host(), url.port()));
    let stream = timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_elapsed| Failed::TooSlow)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = shared.tasks.spawn_until_stop(async move {
        // How it ends, its body's reader is told.
        let _ = connection.await;
    });
    let connection = Connection(connection.abort_handle());
    let answer = timeout(ANSWER_TIMEOUT, sender.send_request(request(url)));
    let answer = answer.await.map_err(|_elapsed| Failed::TooSlow)??;
    match answer.status() {
        StatusCode::OK => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(Failed::Unauthorized(status)),
        status => return Err(Failed::Status(status)),
    }
    let kind = answer.headers().get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap_or_default());
    let boundary = Boundary::of(kind)?;
    Ok(Stream { body: answer.into_body(), boundary, _connection: connection })
}

fn request(url: &PullUrl) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::GET;
    // Both were parts of a URL.
    *request.uri_mut() = url.path().parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_str(url.authority()).unwrap_or(HeaderValue::from_static("")));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("larderd"));
    if let Some(mut login) = url.authorization().and_then(|login| HeaderValue::from_str(&login).ok()) {
        login.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, login);
    }
    request
}

/// Reads pictures to the stream's end.
async fn read(shared: &Shared, stream: Stream, mut session: Session) {
    let Err(ended) = pictures(shared, stream, &mut session).await;
    session.end(&ended);
}

async fn pictures(
    shared: &Shared,
    mut stream: Stream,
    session: &mut Session,
) -> Result<std::convert::Infallible, Ended> {
    let mut multipart = Multipart::new(stream.boundary.clone());
    let (mut buffer, mut stamps) = (BytesMut::new(), Stamps::default());
    loop {
        match multipart.decode(&mut buffer) {
            Ok(Some(Item::Part(part))) => {
                let received_us = shared.clock.now().as_microsecond().unsigned_abs();
                session.intake.take(&part.jpeg, stamps.read(part.t_us, received_us))?;
                session.turn().await?;
                continue;
            }
            Ok(Some(Item::Refused(error))) => {
                session.intake.refused(error.name());
                session.turn().await?;
                continue;
            }
            Ok(Some(Item::End)) => return Err(Ended::Closed),
            Ok(None) => {}
            Err(lost) => return Err(Ended::Foreign(lost.to_string())),
        }
        let read = tokio::select! {
            biased;
            told = session.told() => return Err(told),
            read = timeout(shared.config.idle_timeout(), stream.body.frame()) => read,
        };
        match read {
            Err(_elapsed) => return Err(Ended::Idle),
            Ok(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    session.bytes += u64::try_from(bytes.len()).unwrap_or(0);
                    buffer.extend_from_slice(&bytes);
                }
            }
            Ok(None) if multipart.is_within_part() => return Err(Ended::Cut),
            Ok(None) => return Err(Ended::Closed),
            // Its end in the middle of a chunk.
            Ok(Some(Err(error))) if error.is_incomplete_message() || error.is_closed() => return Err(Ended::Cut),
            Ok(Some(Err(error))) => return Err(Ended::Read(io::Error::other(error))),
        }
    }
}

impl Shared {
    /// Notes that a board's pictures can't be fetched.
    fn not_fetched(&self, camera: CameraId, url: &PullUrl, failed: &Failed) {
        metrics::counter!("larder_board_pulls_failed_total", "reason" => failed.name()).increment(1);
        if let Some(topic) = self.hub.topic(camera) {
            topic.set_offline_reason(failed);
        }
        let message = "a board's pictures cannot be fetched";
        if let Some(unsaid) = self.troubles.note(message, &format!("{camera} {}", failed.name())) {
            let reason = failed.name();
            tracing::warn!(camera.id = %camera, board.host = url.authority(), reason, cause = %failed, unsaid, "{message}");
        }
    }
}
