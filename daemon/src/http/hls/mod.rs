//! Recordings as HLS: playlists from rows, media from files.
//!
//! A playlist names fragments as byte ranges of segment files, with the init section of their run. Numbers come from
//! stored ordinals, so that a fragment keeps its number for ever.

mod answer;
mod cache;
mod media;
mod moment;
mod noted;
mod playlist;
mod ranges;
mod window;

use std::{collections::HashMap, ops::Range, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{Extensions, HeaderMap};
use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    access::Caller,
    cameras::Directory,
    clock::Clock,
    outcome::{Kind, Refusal},
    recordings::{LONGEST_PLAYLIST, Played, RunId, Store},
    temperatures::Temperatures,
};
use answer::Text;
use cache::Cache;
use noted::Noted;
use playlist::Playlist;
use window::{Floors, Item};

/// Every route, for the table of permissions. All of them are media: `{camera}` is an id or a name.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/hls/{camera}/live.m3u8"),
    ("GET", "/hls/{camera}/{from}/{to}"),
    ("GET", "/hls/{camera}/runs/{run}/init.mp4"),
    ("GET", "/hls/{camera}/runs/{run}/{segment}"),
];

/// Rows that cover the live window even when every segment is a short run of its own.
const LIVE_SEGMENTS: u32 = 32;
/// A day's playlist is 5 MB of text; two at a time leave a Pi's other cores to the recorder.
const BUILDS_AT_ONCE: usize = 2;

/// What HLS needs.
#[derive(Clone)]
pub struct Deps {
    /// Rows.
    pub store: Store,
    /// Cameras by id or name.
    pub cameras: Directory,
    /// What was read meanwhile.
    pub temperatures: Temperatures,
    /// The folder that holds `<camera UUID>/<day>/<run>`.
    pub root: PathBuf,
    /// What is closed lies before its now.
    pub clock: Clock,
}

struct Hls {
    deps: Deps,
    cache: Cache,
    floors: Floors,
    builds: Arc<Semaphore>,
}

/// The routes, whole.
pub fn routes(deps: Deps) -> Router<()> {
    let builds = Arc::new(Semaphore::new(BUILDS_AT_ONCE));
    let hls = Hls { deps, cache: Cache::default(), floors: Floors::default(), builds };
    Router::new()
        .route("/hls/{camera}/live.m3u8", get(live))
        .route("/hls/{camera}/{from}/{to}", get(between))
        .route("/hls/{camera}/runs/{run}/init.mp4", get(media::init))
        .route("/hls/{camera}/runs/{run}/{segment}", get(media::segment))
        .with_state(Arc::new(hls))
}

impl Hls {
    fn camera(&self, id_or_name: &str) -> Result<CameraId, Refusal> {
        let camera = self.deps.cameras.find(id_or_name);
        camera
            .map(|camera| camera.id)
            .ok_or_else(|| Refusal::new(Kind::NotFound, format!("no such camera {id_or_name:?}")))
    }

    /// What was read while these fragments were filmed.
    async fn noted(&self, camera: CameraId, items: &[Item]) -> Vec<Noted> {
        let Some((first, last)) = items.first().zip(items.last()) else { return Vec::new() };
        noted::of_camera(&self.deps.temperatures, camera, &(first.start..last.end())).await
    }

    /// Builds text off the threads that serve requests.
    async fn build(
        &self,
        played: &[Played],
        items: Vec<Item>,
        noted: Vec<Noted>,
        kind: Playlist,
    ) -> Result<Text, Refusal> {
        let turn = Arc::clone(&self.builds).acquire_owned().await.map_err(Refusal::internal)?;
        let inits = self.init_sizes(played).await;
        let built = in_turn(turn, move || Ok(Text::new(&kind.write(&items, &inits, &noted)?)));
        built.await?.map_err(|error: playlist::WriteError| Refusal::internal(error))
    }

    /// Bytes of each run's init section. One that cannot be read is left out: its request will tell.
    async fn init_sizes(&self, played: &[Played]) -> HashMap<RunId, u64> {
        let mut sizes = HashMap::new();
        for Played { run, .. } in played {
            if sizes.contains_key(&run.id) {
                continue;
            }
            let path = self.deps.root.join(run.folder()).join("init.mp4");
            if let Ok(metadata) = tokio::fs::metadata(path).await {
                sizes.insert(run.id, metadata.len());
            }
        }
        sizes
    }
}

/// Works off the threads that serve requests. The work goes on when its caller hangs up, so it takes its turn along.
async fn in_turn<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let work = move || {
        let _kept = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(Refusal::internal)
}

async fn live(
    State(hls): State<Arc<Hls>>,
    Path(camera): Path<String>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let caller = Caller::of(&extensions)?;
    let id = hls.camera(&camera)?;
    let now = hls.deps.clock.now();
    if !caller.may_play(id, now, Timestamp::MAX) {
        return Err(beyond_grant());
    }
    let played = hls.deps.store.newest_segments(id, LIVE_SEGMENTS).await?;
    let mut items = window::live(&window::items(&played), |first, last| hls.floors.raise(id, first, last));
    items.retain(|item| caller.may_fetch(id, item.start, item.end()));
    if items.is_empty() {
        return Err(Refusal::new(Kind::NotFound, format!("nothing is recorded of camera {camera:?}")));
    }
    let noted = hls.noted(id, &items).await;
    let text = hls.build(&played, items, noted, Playlist::Live { grant: grant_of(query.as_deref()) }).await?;
    Ok(text.answer(&headers).into_response())
}

async fn between(
    State(hls): State<Arc<Hls>>,
    Path((camera, from, to)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let caller = Caller::of(&extensions)?;
    let id = hls.camera(&camera)?;
    let range = asked(&from, &to)?;
    if !caller.may_play(id, range.start, range.end) {
        return Err(beyond_grant());
    }
    // Before the stamp, which is to change when more readings of the time come in late.
    let noted = noted::of_camera(&hls.deps.temperatures, id, &range).await;
    let stamp = (hls.deps.store.stamp(id, &range).await?, noted.len());
    let grant = grant_of(query.as_deref());
    if grant.is_none()
        && let Some(text) = hls.cache.find(id, &range, &stamp)
    {
        return Ok(text.answer(&headers).into_response());
    }

    let played = hls.deps.store.segments_between(id, &range).await?;
    let items = window::between(&window::items(&played), &range);
    if items.is_empty() {
        let message = format!("nothing is recorded of camera {camera:?} from {} to {}", range.start, range.end);
        return Err(Refusal::new(Kind::NotFound, message));
    }
    // A grant's text is its owner's alone; what may still grow is built anew each time.
    let keep =
        grant.is_none() && range.end <= hls.deps.clock.now() && played.iter().all(|played| played.segment.closed);
    let text = hls.build(&played, items, noted, Playlist::Closed { grant }).await?;
    if keep {
        hls.cache.keep(id, &range, stamp, &text);
    }
    Ok(text.answer(&headers).into_response())
}

fn asked(from: &str, to: &str) -> Result<Range<Timestamp>, Refusal> {
    let to = to
        .strip_suffix(".m3u8")
        .ok_or_else(|| Refusal::new(Kind::NotFound, "a playlist's path ends in .m3u8".to_owned()))?;
    let moment = |field: &str, text| moment::parse(text).map_err(|error| Refusal::field(field, error.to_string()));
    let range = moment("from", from)?..moment("to", to)?;
    if range.is_empty() {
        return Err(Refusal::field("to", format!("{} is not after {}", range.end, range.start)));
    }
    if range.end.duration_since(range.start) > LONGEST_PLAYLIST {
        return Err(Refusal::field("to", format!("more than {} hours after from", LONGEST_PLAYLIST.as_hours())));
    }
    Ok(range)
}

/// The signed part of a play URL, which media URLs carry on.
fn grant_of(query: Option<&str>) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~%=".contains(c);
    query?.split('&').find(|pair| pair.starts_with("grant=") && pair.chars().all(allowed)).map(str::to_owned)
}

fn beyond_grant() -> Refusal {
    Refusal::new(Kind::PermissionDenied, "the play URL does not reach so far")
}

#[cfg(test)]
mod tests;
