//! `/metrics` as a collector reads it, and `/readyz` as a monitor does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use larder_proto::pb;

use crate::{
    support::{Answer, Hub, get_with, simulated, until},
    temperatures::sensor,
};

/// One metric of a page.
#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: String,
    /// Suffix, labels and value of each sample.
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads the text format 0.0.4 and fails on whatever a strict reader may refuse.
fn parse(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line ends");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            current = name.to_owned();
            let family = families.entry(current.clone()).or_default();
            assert!(family.help.replace(help.to_owned()).is_none(), "{name} is described twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current, "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let family = families.get_mut(name).unwrap();
            assert!(family.kind.is_empty() && family.samples.is_empty(), "{name} has one TYPE, before its samples");
            kind.clone_into(&mut family.kind);
        } else {
            let (name, labels, value) = sample(line);
            let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("{line} stands below {current}"));
            let family = families.get_mut(&current).unwrap();
            let suffixes: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix), "{line}");
            let known = family.samples.iter().any(|(other, known, _)| other == suffix && *known == labels);
            assert!(!known, "{line} stands twice");
            family.samples.push((suffix.to_owned(), labels, value));
        }
    }
    families
}

/// `name{label="value",…} value`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    let (name, labels) =
        series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
    let is_name = |text: &str| {
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        first && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    assert!(is_name(name), "{line}");
    let mut read = BTreeMap::new();
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (key, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        let value = value.strip_suffix('"').unwrap_or(value);
        assert!(is_name(key) && !value.contains(['"', '\\']), "{line}");
        assert!(read.insert(key.to_owned(), value.to_owned()).is_none(), "{line}");
    }
    (name.to_owned(), read, value)
}

/// Names, types and labels from the documentation.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `larder_") || line.starts_with("| `process_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        (
            cells[1].trim_matches('`').to_owned(),
            (cells[2].to_owned(), labels.filter(|label| !label.is_empty()).collect()),
        )
    })
    .collect()
}

async fn scrape(hub: &Hub, token: &str) -> BTreeMap<String, Family> {
    let answer = get_with(hub.http(), "/metrics", &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    parse(answer.text())
}

fn value(page: &BTreeMap<String, Family>, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let found = page[name].samples.iter().find(|(suffix, found, _)| {
        suffix.is_empty() && labels.iter().all(|(key, value)| found.get(*key).is_some_and(|found| found == value))
    });
    found.map(|(_, _, value)| *value)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_those_of_the_documentation_and_tell_what_happens() {
    let hub = Hub::start().await;
    let token = hub.token("prometheus", pb::Role::Viewer).await;
    let (camera, key) = hub.add_named("fridge").await;
    let id = camera.to_string();
    let sensor = sensor(&hub.clients, "shelf", camera).await.id;
    let (stop, task) = simulated(&hub, camera, key, |options| options.telemetry = Some(Duration::from_secs(1)));
    // A wrong key, a request without credentials, a call that is refused, a page that is not there.
    let (other, _) = simulated(&hub, camera, [7; 32], |_| {});
    let _ = get_with(hub.http(), "/metrics", &[]).await;
    let unknown = pb::GetCameraRequest { camera: "nobody".to_owned() };
    hub.clients.cameras.clone().get_camera(unknown).await.unwrap_err();

    let page = until("a recorded camera and a refused one", || async {
        let page = scrape(&hub, &token).await;
        let recorded = value(&page, "larder_recorder_fragments_total", &[]).unwrap() >= 1.0;
        let refused = value(&page, "larder_camera_connections_refused_total", &[("reason", "unproven")]).is_some();
        let read = value(&page, "larder_sensor_fresh", &[("sensor", &sensor)]) == Some(1.0);
        let online = value(&page, "larder_camera_online", &[("camera", &id)]) == Some(1.0);
        (recorded && refused && read && online).then_some(page)
    })
    .await;
    other.cancel();

    let documented = documented();
    let names = |page: &BTreeMap<String, Family>| page.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&page), documented.keys().cloned().collect::<BTreeSet<_>>());
    for (name, family) in &page {
        let (kind, labels) = &documented[name];
        assert_eq!(&family.kind, kind, "{name}");
        assert!(family.help.as_ref().is_some_and(|help| !help.is_empty()), "{name} is described");
        for (suffix, found, value) in &family.samples {
            let found: BTreeSet<String> = found.keys().filter(|label| *label != "le").cloned().collect();
            assert_eq!(&found, labels, "{name}{suffix}");
            assert!(value.is_finite(), "{name}{suffix} is {value}");
        }
    }
    let at_least = |name: &str, labels: &[(&str, &str)], least: f64| {
        let found = value(&page, name, labels);
        assert!(found.is_some_and(|found| found >= least), "{name} {labels:?} is {found:?}");
    };
    at_least("larder_camera_info", &[("camera", &id), ("name", "fridge")], 1.0);
    at_least("larder_sensor_info", &[("sensor", &sensor), ("name", "shelf"), ("camera", &id)], 1.0);
    at_least("larder_sensor_celsius", &[("sensor", &sensor)], 3.0);
    at_least("larder_sensor_newest_reading_timestamp_seconds", &[("sensor", &sensor)], 1.7e9);
    at_least("larder_camera_frames_total", &[("camera", &id)], 1.0);
    at_least("larder_camera_recording", &[("camera", &id)], 1.0);
    at_least("larder_camera_recording_lag_seconds", &[("camera", &id)], 0.0);
    at_least("larder_recorder_written_bytes_total", &[], 1.0);
    at_least("larder_camera_sessions", &[], 1.0);
    at_least("larder_denied_total", &[("reason", "unauthenticated")], 1.0);
    at_least("larder_rpc_requests_total", &[("code", "NotFound")], 1.0);
    at_least("larder_rpc_requests_total", &[("code", "Ok")], 1.0);
    at_least("larder_http_requests_total", &[("status", "4xx")], 1.0);
    at_least("larder_part_ready", &[("part", "recorder")], 1.0);
    at_least("larder_database_up", &[], 1.0);
    at_least("larder_tasks", &[("group", "servers")], 1.0);
    at_least("larder_disk_free_bytes", &[], 1.0);
    at_least("process_resident_memory_bytes", &[], 1_048_576.0);

    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_not_ready_is_named_with_its_reason() {
    let hub = Hub::start().await;
    let token = hub.token("monitor", pb::Role::Viewer).await;
    let bearer = format!("Bearer {token}");
    let json = ("accept", "application/json");
    let reasons = |answer: &Answer| {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let parts = body["parts"].as_array().unwrap().clone();
        let part = |part: &serde_json::Value| (part["name"].as_str().unwrap().to_owned(), part["reason"].clone());
        parts.iter().map(part).collect::<BTreeMap<_, _>>()
    };
    let well = get_with(hub.http(), "/readyz", &[json]).await;
    assert_eq!(well.status, 200);
    let parts = [
        "alarms",
        "backups",
        "camera_link",
        "cameras",
        "certificates",
        "clock",
        "database",
        "disk",
        "grpc",
        "http",
        "https",
        "recorder",
        "relay",
        "socket",
        "temperatures",
    ];
    assert_eq!(reasons(&well).into_keys().collect::<Vec<_>>(), parts);
    assert!(reasons(&well).values().all(serde_json::Value::is_null), "{}", well.text());
    assert!(get_with(hub.http(), "/readyz", &[]).await.text().starts_with("ready\ndatabase: ready\n"));

    // The recordings' disk is not mounted any more.
    fs::rename(hub.recordings(), hub.state().join("away")).unwrap();
    fs::create_dir(hub.recordings()).unwrap();
    let ill = until("the missing disk to be told", || async {
        let answer = get_with(hub.http(), "/readyz", &[json]).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(reasons(&ill)["recorder"], "marker_missing");
    let folder = hub.recordings().display().to_string();
    assert!(!ill.text().contains(&folder), "strangers read no path: {}", ill.text());
    let known = get_with(hub.http(), "/readyz", &[("authorization", &bearer)]).await;
    let line = known.text().lines().find(|line| line.starts_with("recorder: ")).unwrap();
    assert!(line.starts_with("recorder: not ready (marker_missing): ") && line.contains(&folder), "{line}");

    fs::remove_dir(hub.recordings()).unwrap();
    fs::rename(hub.state().join("away"), hub.recordings()).unwrap();
    until("the disk's return", || async { (get_with(hub.http(), "/readyz", &[]).await.status == 200).then_some(()) })
        .await;
    hub.stop().await;
}
