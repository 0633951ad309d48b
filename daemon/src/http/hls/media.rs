//! Init sections and byte ranges of segments, from their files.

use std::{io::SeekFrom, ops::Range, path::Path as FilePath, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{
    Hls, beyond_grant,
    ranges::{self, Part},
};
use crate::{
    access::Caller,
    outcome::{Kind, Refusal},
    recordings::{FragmentIndex, Place, RunId, StoredSegment},
    repeats,
};

/// A read of the disk; a viewer holds one at a time.
const CHUNK: usize = 64 << 10;
const MP4: &str = "video/mp4";
/// What never changes may be kept for an hour by its viewer alone: it can be deleted, and access be revoked.
const FINAL: &str = "private, max-age=3600";
const GROWING: &str = "private, no-cache";

/// One file, as far as it may be read.
struct Media<'a> {
    path: &'a FilePath,
    size_bytes: u64,
    etag: String,
    cache: &'static str,
}

pub(super) async fn init(
    State(hls): State<Arc<Hls>>,
    Path((camera, run)): Path<(String, String)>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let caller = Caller::of(&extensions)?;
    let camera = hls.camera(&camera)?;
    let id = run_id(&run)?;
    let run = hls.deps.store.run(id).await?.filter(|run| run.camera == camera).ok_or_else(|| no_run(id))?;
    if !caller.may_fetch(camera, run.started_at, run.ended_at.unwrap_or(Timestamp::MAX)) {
        return Err(beyond_grant());
    }
    let path = hls.deps.root.join(run.folder()).join("init.mp4");
    let size_bytes = tokio::fs::metadata(&path).await.map_err(|error| gone(&path, error))?.len();
    let media = Media { path: &path, size_bytes, etag: format!("\"{}-init\"", id.0), cache: FINAL };
    media.answer(caller, ranges::asked(&headers, size_bytes, &media.etag), &headers).await
}

pub(super) async fn segment(
    State(hls): State<Arc<Hls>>,
    Path((camera, run, segment)): Path<(String, String, String)>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let caller = Caller::of(&extensions)?;
    let camera = hls.camera(&camera)?;
    let id = run_id(&run)?;
    let no_segment = || Refusal::new(Kind::NotFound, format!("no such segment {segment:?}"));
    let named = segment.strip_suffix(".m4s").and_then(|micros| micros.parse().ok());
    let named = named.and_then(|micros| Timestamp::from_microsecond(micros).ok()).ok_or_else(no_segment)?;
    let found = hls.deps.store.segment(id, named).await?;
    let (segment, fragments) = found.filter(|(segment, _)| segment.camera == camera).ok_or_else(no_segment)?;

    let etag = format!("\"{}-{}-{}\"", id.0, named.as_microsecond(), segment.size_bytes);
    let part = ranges::asked(&headers, segment.size_bytes, &etag);
    if !covered(caller, &segment, &fragments, &part) {
        return Err(beyond_grant());
    }
    match segment.place {
        Place::Local => {}
        Place::Missing => return Err(Refusal::new(Kind::NotFound, "this footage's file is missing")),
        Place::Elsewhere => {
            return Err(Refusal::new(Kind::Unavailable, "this footage is in a storage that is not connected"));
        }
    }
    let path = hls.deps.root.join(segment.path());
    let cache = if segment.closed { FINAL } else { GROWING };
    let media = Media { path: &path, size_bytes: segment.size_bytes, etag, cache };
    media.answer(caller, part, &headers).await
}

/// Whether the caller may have every fragment that the bytes touch.
fn covered(caller: &Caller, segment: &StoredSegment, fragments: &FragmentIndex, part: &Part) -> bool {
    let bytes = match part {
        Part::Bytes(bytes) => bytes.clone(),
        Part::Whole | Part::Unsatisfiable => 0..segment.size_bytes,
    };
    let touched = fragments
        .fragments()
        .iter()
        .filter(|fragment| fragment.offset < bytes.end && fragment.offset + fragment.size > bytes.start);
    touched.into_iter().all(|fragment| {
        let start = segment.started_at + fragment.start;
        caller.may_fetch(segment.camera, start, start + fragment.duration)
    })
}

impl Media<'_> {
    async fn answer(&self, caller: &Caller, part: Part, headers: &HeaderMap) -> Result<Response, Refusal> {
        if ranges::has_already(headers, &[&self.etag]) {
            return Ok(self.with_headers(StatusCode::NOT_MODIFIED.into_response()));
        }
        let (status, bytes) = match part {
            Part::Whole => (StatusCode::OK, 0..self.size_bytes),
            Part::Bytes(bytes) => (StatusCode::PARTIAL_CONTENT, bytes),
            Part::Unsatisfiable => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{}", self.size_bytes));
                return Ok(response);
            }
        };
        let mut response = self.open(caller, &bytes).await?;
        *response.status_mut() = status;
        insert(&mut response, header::CONTENT_LENGTH, &(bytes.end - bytes.start).to_string());
        insert(&mut response, header::CONTENT_TYPE, MP4);
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, self.size_bytes);
            insert(&mut response, header::CONTENT_RANGE, &range);
        }
        Ok(self.with_headers(response))
    }

    async fn open(&self, caller: &Caller, bytes: &Range<u64>) -> Result<Response, Refusal> {
        let mut file = File::open(self.path).await.map_err(|error| gone(self.path, error))?;
        let there = file.metadata().await.map_err(|error| gone(self.path, error))?.len();
        if there < bytes.end {
            let why = format!("{} has {there} bytes, and {} are registered", self.path.display(), self.size_bytes);
            return Err(Refusal::internal(why));
        }
        file.seek(SeekFrom::Start(bytes.start)).await.map_err(|error| gone(self.path, error))?;
        let stream = ReaderStream::with_capacity(file.take(bytes.end - bytes.start), CHUNK);
        Ok(Body::from_stream(stream.take_until(caller.revoked.clone().cancelled_owned())).into_response())
    }

    fn with_headers(&self, mut response: Response) -> Response {
        insert(&mut response, header::ETAG, &self.etag);
        insert(&mut response, header::CACHE_CONTROL, self.cache);
        insert(&mut response, header::ACCEPT_RANGES, "bytes");
        response
    }
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn run_id(text: &str) -> Result<RunId, Refusal> {
    let id = Uuid::try_parse(text).ok();
    id.map(RunId).ok_or_else(|| Refusal::new(Kind::NotFound, format!("no such recording {text:?}")))
}

fn no_run(run: RunId) -> Refusal {
    Refusal::new(Kind::NotFound, format!("no such recording \"{}\"", run.0))
}

/// A row without its file: just deleted, or the disk is not there.
fn gone(path: &FilePath, error: std::io::Error) -> Refusal {
    let name = path.display().to_string();
    repeats::say!(warn, &name, { file.path = name, cause = %error }, "a recorded file cannot be read");
    Refusal::new(Kind::NotFound, "the recorded file cannot be read").because(error)
}
