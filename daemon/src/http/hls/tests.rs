//! The routes against a real PostgreSQL, real files, and ffprobe.

use std::{path::Path, process::Stdio, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
};
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use larder_proto::wire::CameraId;
use tower::ServiceExt as _;

use super::*;
use crate::{
    access::{self, Access, Grant, PeerCredentials},
    recordings::{
        EndReason, Fragment, FragmentIndex, Run, Segment,
        testing::{Bench, at, run},
    },
};

const INIT: &[u8] = b"init section";

/// A camera with runs on disk and in rows, and the routes behind the gate.
struct Stage {
    bench: Bench,
    camera: CameraId,
    access: Access,
    router: Router,
}

impl Stage {
    async fn set() -> Self {
        let bench = Bench::start().await;
        let camera = bench.camera("fridge").await;
        let deps = Deps {
            store: bench.store.clone(),
            cameras: bench.directory().await,
            temperatures: bench.temperatures().await,
            root: bench.root().to_owned(),
            clock: Clock::new(),
        };
        let access = bench.access();
        let router = routes(deps).layer(access::layer(access.clone()));
        Self { bench, camera, access, router }
    }

    /// A run's row and init section.
    async fn begin(&self, run: &Run, init: &[u8]) {
        let folder = self.bench.root().join(run.folder());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("init.mp4"), init).unwrap();
        self.bench.store.insert_run(run).await.unwrap();
    }

    /// A segment of two-second fragments, as a file and a row.
    async fn record(&self, run: &Run, (first_sequence, start): (i64, i64), fragments: &[Vec<u8>], closed: bool) {
        let mut index = FragmentIndex::default();
        for (number, bytes) in (0u32..).zip(fragments) {
            let (start, duration) = (Duration::from_secs(2) * number, Duration::from_secs(2));
            let size = u64::try_from(bytes.len()).unwrap();
            index.push(Fragment { start, duration, size, ..Fragment::default() });
        }
        let segment = Segment {
            run: run.id,
            camera: run.camera,
            first_sequence,
            started_at: at(start),
            fragments: index,
            closed,
        };
        std::fs::write(self.bench.root().join(run.folder()).join(segment.file_name()), fragments.concat()).unwrap();
        self.bench.store.upsert_segment(&segment).await.unwrap();
    }

    /// One of the daemon's own people asks.
    async fn get(&self, path: &str, headers: &[(header::HeaderName, &str)]) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Request::get(path).extension(PeerCredentials::own());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Nobody asks, with what the URL brings.
    async fn get_as_nobody(&self, path: &str, range: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(path).header(header::RANGE, range);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap())
    }
}

fn fragments(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; 1000]).collect()
}

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

fn path(from: i64, to: i64) -> String {
    format!("/hls/fridge/{}/{}.m3u8", at(from), at(to).as_microsecond())
}

#[tokio::test]
async fn a_range_plays_from_its_rows_and_follows_their_changes() {
    let stage = Stage::set().await;
    let first = run(stage.camera, 0, 0, 0);
    stage.begin(&first, INIT).await;
    stage.record(&first, (0, 0), &fragments(30), true).await;

    let (status, headers, body) = stage.get(&path(0, 3600), &[]).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"application/vnd.apple.mpegurl".parse().unwrap())
    );
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
    let playlist = text(&body);
    let parsed = hls_m3u8::MediaPlaylist::try_from(playlist.as_str()).unwrap();
    assert_eq!(parsed.segments.values().count(), 30);
    assert!(parsed.has_end_list);
    let etag = headers[header::ETAG].to_str().unwrap().to_owned();

    // From the cache, compressed and not, and not at all.
    let (_, headers, packed) = stage.get(&path(0, 3600), &[(header::ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
    assert!(packed.len() < body.len() / 4);
    assert_eq!(stage.get(&path(0, 3600), &[]).await.2, body);
    let (status, _, empty) = stage.get(&path(0, 3600), &[(header::IF_NONE_MATCH, &etag)]).await;
    assert_eq!((status, empty.len()), (StatusCode::NOT_MODIFIED, 0));

    // A minute found late changes the text.
    stage.record(&first, (30, 60), &fragments(30), true).await;
    let (status, _, body) = stage.get(&path(0, 3600), &[(header::IF_NONE_MATCH, &etag)]).await;
    assert_eq!((status, text(&body).matches("#EXTINF").count()), (StatusCode::OK, 60));

    for (wrong, status) in [
        (path(5000, 6000), StatusCode::NOT_FOUND),
        (path(10, 10), StatusCode::BAD_REQUEST),
        (path(0, 26 * 3600), StatusCode::BAD_REQUEST),
        ("/hls/fridge/x/1.m3u8".to_owned(), StatusCode::BAD_REQUEST),
        ("/hls/fridge/0/1".to_owned(), StatusCode::NOT_FOUND),
        ("/hls/cellar/live.m3u8".to_owned(), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(stage.get(&wrong, &[]).await.0, status, "{wrong}");
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn the_live_playlist_slides_with_the_stored_numbers() {
    let stage = Stage::set().await;
    assert_eq!(stage.get("/hls/fridge/live.m3u8", &[]).await.0, StatusCode::NOT_FOUND);
    let first = run(stage.camera, 7, 100, 0);
    stage.begin(&first, INIT).await;
    stage.record(&first, (100, 0), &fragments(30), true).await;
    stage.bench.store.end_run(first.id, at(60), EndReason::Midnight).await.unwrap();
    let second = run(stage.camera, 8, 130, 61);
    stage.begin(&second, INIT).await;

    let mut before = (0, 0);
    for count in 1..=40u8 {
        stage.record(&second, (130, 61), &fragments(count), false).await;
        let body = text(&stage.get("/hls/fridge/live.m3u8", &[]).await.2);
        let playlist = hls_m3u8::MediaPlaylist::try_from(body.as_str()).unwrap();
        assert!(!playlist.has_end_list);
        assert_eq!(playlist.segments.values().count(), 30);
        assert_eq!(playlist.media_sequence, 100 + usize::from(count));
        let ordinal = if count < 30 { 7 } else { 8 };
        assert_eq!(playlist.discontinuity_sequence, ordinal);
        assert!((playlist.media_sequence, playlist.discontinuity_sequence) > before);
        before = (playlist.media_sequence, playlist.discontinuity_sequence);
        let last = playlist.segments.values().last().unwrap();
        assert_eq!(last.uri(), &format!("runs/{}/{}.m4s", second.id.0, at(61).as_microsecond()));
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn media_is_served_by_byte_range() {
    let stage = Stage::set().await;
    let first = run(stage.camera, 0, 0, 0);
    stage.begin(&first, INIT).await;
    stage.record(&first, (0, 0), &fragments(3), true).await;
    let init = format!("/hls/fridge/runs/{}/init.mp4", first.id.0);
    let media = format!("/hls/{}/runs/{}/{}.m4s", stage.camera, first.id.0, at(0).as_microsecond());

    let (status, headers, body) = stage.get(&init, &[]).await;
    assert_eq!(
        (status, body.as_ref(), &headers[header::CONTENT_TYPE]),
        (StatusCode::OK, INIT, &"video/mp4".parse().unwrap())
    );

    let (status, headers, body) = stage.get(&media, &[(header::RANGE, "bytes=1000-1999")]).await;
    assert_eq!((status, body.as_ref()), (StatusCode::PARTIAL_CONTENT, [1u8; 1000].as_slice()));
    assert_eq!(headers[header::CONTENT_RANGE], "bytes 1000-1999/3000");
    assert_eq!(headers[header::CONTENT_LENGTH], "1000");
    assert_eq!(headers[header::ACCEPT_RANGES], "bytes");
    let etag = headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(stage.get(&media, &[(header::IF_NONE_MATCH, &etag)]).await.0, StatusCode::NOT_MODIFIED);
    let (status, _, body) = stage.get(&media, &[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, "\"other\"")]).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 3000));
    let (status, headers, _) = stage.get(&media, &[(header::RANGE, "bytes=3000-")]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(headers[header::CONTENT_RANGE], "bytes */3000");

    let head = Request::head(&media).extension(PeerCredentials::own()).body(Body::empty()).unwrap();
    let (status, headers, body) = stage.send(head).await;
    assert_eq!((status, body.len(), &headers[header::CONTENT_LENGTH]), (StatusCode::OK, 0, &"3000".parse().unwrap()));

    // What the writer has not registered yet is not there.
    let file = stage.bench.root().join(first.folder()).join(format!("{}.m4s", at(0).as_microsecond()));
    std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"half"))
        .unwrap();
    assert_eq!(stage.get(&media, &[]).await.2.len(), 3000);
    std::fs::remove_file(&file).unwrap();
    for gone in [media.as_str(), "/hls/fridge/runs/x/init.mp4", &format!("/hls/fridge/runs/{}/5.m4s", first.id.0)] {
        assert_eq!(stage.get(gone, &[]).await.0, StatusCode::NOT_FOUND, "{gone}");
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn a_signed_url_plays_its_range_and_nothing_else() {
    let stage = Stage::set().await;
    let first = run(stage.camera, 0, 0, 0);
    stage.begin(&first, INIT).await;
    stage.record(&first, (0, 0), &fragments(30), true).await;
    let expires_at = Clock::new().now() + SignedDuration::from_hours(1);
    let grant = Grant { camera: stage.camera, from: at(10), to: at(20), expires_at };
    let query = format!("grant={}", stage.access.sign(&grant));
    let all = "bytes=0-";

    assert_eq!(stage.get_as_nobody(&path(10, 20), all).await.0, StatusCode::UNAUTHORIZED);
    let (status, _, body) = stage.get_as_nobody(&format!("{}?{query}", path(10, 20)), all).await;
    assert_eq!(status, StatusCode::OK);
    let playlist = text(&body);
    assert_eq!(playlist.matches("#EXTINF").count(), 5);
    assert_eq!(playlist.matches(&query).count(), 6, "every media URL carries the signature");
    for wider in [path(9, 20), path(10, 21), "/hls/fridge/live.m3u8".to_owned()] {
        assert_eq!(stage.get_as_nobody(&format!("{wider}?{query}"), all).await.0, StatusCode::FORBIDDEN, "{wider}");
    }

    let run = format!("/hls/fridge/runs/{}", first.id.0);
    let media = format!("{run}/{}.m4s?{query}", at(0).as_microsecond());
    assert_eq!(stage.get_as_nobody(&format!("{run}/init.mp4?{query}"), all).await.0, StatusCode::PARTIAL_CONTENT);
    assert_eq!(stage.get_as_nobody(&media, "bytes=5000-9999").await.0, StatusCode::PARTIAL_CONTENT);
    for beyond in ["bytes=4999-9999", "bytes=5000-10000", all] {
        assert_eq!(stage.get_as_nobody(&media, beyond).await.0, StatusCode::FORBIDDEN, "{beyond}");
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn ffprobe_plays_a_range_over_two_runs() {
    let stage = Stage::set().await;
    let (init, media) = encoded(stage.bench.root()).await;
    assert_eq!(media.len(), 4);
    for (ordinal, start) in [(0, 0), (1, 30)] {
        let run = run(stage.camera, ordinal, ordinal * 4, start);
        stage.begin(&run, &init).await;
        stage.record(&run, (ordinal * 4, start), &media, ordinal == 0).await;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = stage.router.clone().layer(Extension(PeerCredentials::own()));
    stage.bench.tasks.spawn_until_stop(async move {
        axum::serve(listener, router).await.unwrap();
    });

    let packets = ffprobe(&format!("{base}{}", path(0, 60))).await;
    assert_eq!(packets.len(), 320, "20 frames a second, 8 s in each of two runs");
    let keys = packets.iter().filter(|packet| packet.contains('K')).count();
    assert_eq!(keys, 8, "each fragment begins with a key frame");
    let some = ffprobe(&format!("{base}{}", path(3, 5))).await;
    assert_eq!(some.len(), 80, "two fragments reach into it");
    stage.bench.stop().await;
}

/// Eight seconds of a test picture in fragments of two seconds: the init section and the fragments.
async fn encoded(folder: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let file = folder.join("encoded.mp4");
    let output = tokio::process::Command::new("ffmpeg")
        .args("-v error -f lavfi -i testsrc=size=160x120:rate=20 -t 8 -c:v libx264 -preset ultrafast".split(' '))
        .args("-tune zerolatency -pix_fmt yuv420p -g 40 -keyint_min 40 -sc_threshold 0 -f mp4".split(' '))
        .args(["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-video_track_timescale", "1000"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(&file).unwrap();
    let (mut init, mut fragments) = (Vec::new(), Vec::<Vec<u8>>::new());
    let mut at = 0;
    while at < bytes.len() {
        let size = usize::try_from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
        let part = &bytes[at..at + size];
        match &part[4..8] {
            b"ftyp" | b"moov" => init.extend_from_slice(part),
            b"moof" => fragments.push(part.to_vec()),
            b"mdat" => fragments.last_mut().unwrap().extend_from_slice(part),
            _ => {}
        }
        at += size;
    }
    (init, fragments)
}

async fn ffprobe(url: &str) -> Vec<String> {
    let output = tokio::process::Command::new("ffprobe")
        .args("-v error -select_streams v -show_entries packet=pts_time,flags -of csv=p=0".split(' '))
        .arg(url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.expect("it ends").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_grant_is_taken_from_a_query_and_nothing_else_is() {
    assert_eq!(grant_of(Some("x=1&grant=Ab_-9")), Some("grant=Ab_-9".to_owned()));
    for query in [None, Some(""), Some("grants=1"), Some("grant=a\"b"), Some("grant=a\nb")] {
        assert_eq!(grant_of(query), None, "{query:?}");
    }
}

#[tokio::test]
async fn a_build_whose_caller_hung_up_keeps_its_turn_until_it_is_done() {
    let builds = Arc::new(Semaphore::new(1));
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let turn = Arc::clone(&builds).try_acquire_owned().unwrap();
    let build = in_turn(turn, move || wait.recv());
    tokio::time::timeout(Duration::from_millis(50), build).await.unwrap_err();
    assert_eq!(builds.available_permits(), 0);
    go_on.send(()).unwrap();
    drop(builds.acquire().await.unwrap());
}

#[tokio::test]
async fn a_playlist_tells_the_temperatures_of_its_time_and_those_that_come_late() {
    let stage = Stage::set().await;
    let first = run(stage.camera, 0, 0, 0);
    stage.begin(&first, INIT).await;
    stage.record(&first, (0, 0), &fragments(30), true).await;
    let client = stage.bench.db.client().await.unwrap();
    let sensor = "INSERT INTO sensors (id, name, probe_camera, probe_index, camera_id)
                  VALUES ($1, 'top', $2, 0, $2) RETURNING key";
    let key: i32 = client.query_one(sensor, &[&uuid::Uuid::new_v4(), &stage.camera.0]).await.unwrap().get(0);
    let tell = async |second: i64, milli: i32| {
        let sql = "INSERT INTO readings (sensor, captured_at, received_at, milli) VALUES ($1, $2, $2, $3)";
        client.execute(sql, &[&key, &at(second), &milli]).await.unwrap();
    };
    tell(5, -18_250).await;
    tell(35, -18_000).await;
    // The hub hears of the sensor through the database.
    let playlist = loop {
        let body = text(&stage.get(&path(0, 60), &[]).await.2);
        if body.contains("DATERANGE") {
            break body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    hls_m3u8::MediaPlaylist::try_from(playlist.as_str()).unwrap();
    assert_eq!(playlist.matches("DATERANGE").count(), 1, "one a minute: {playlist}");
    assert!(playlist.contains("X-TEMP-C=\"-18.250\""), "{playlist}");
    tell(59, -18_000).await;
    assert_eq!(text(&stage.get(&path(0, 60), &[]).await.2), playlist, "the minute has its reading");
    drop(client);
    stage.bench.stop().await;
}
