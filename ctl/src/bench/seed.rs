//! Rows without what they are about: written into the benchmark's own cluster over its socket, by `psql`.
//!
//! A year of recordings is one segment a minute of 30 fragments each, and one run a day, as the recorder writes them; sizes vary as they do.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use larder_proto::wire::CameraId;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::hub::State;
use crate::Failure;

/// Where Debian has its programs, one folder a version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Rows up to now. `$CAMERA` and `$DAYS` are filled in. Fragment indexes (`recordings::index`): version 1, then silence,
/// duration and size of each as LEB128; 64 different ones are made and dealt out.
const SQL: &str = r"
CREATE TEMP TABLE indexes AS
SELECT n, 30 * 40000 + sum(size)::bigint AS bytes,
       decode('01' || string_agg('00d00f' || lpad(to_hex((40000 + size) & 127 | 128), 2, '0')
           || lpad(to_hex(((40000 + size) >> 7) & 127 | 128), 2, '0') || lpad(to_hex((40000 + size) >> 14), 2, '0'), ''),
           'hex') AS index
FROM (SELECT n, (n * 7919 + f * 104729) % 20000 AS size FROM generate_series(0, 63) n, generate_series(0, 29) f) sizes
GROUP BY n;
INSERT INTO runs (id, camera_id, ordinal, first_sequence, started_at, ended_at, placed_at, end_reason, width, height, codec)
SELECT gen_random_uuid(), '$CAMERA', day, day * 43200, start, start + interval '1 day', start, 'midnight', 640, 480, 'avc1.42c01e'
FROM (SELECT day, date_trunc('minute', now()) - ($DAYS - day) * interval '1 day' AS start
      FROM generate_series(0, $DAYS - 1) day) days;
INSERT INTO segments (run_id, camera_id, first_sequence, started_at, ended_at, size_bytes, fragments, fragment_index, closed)
SELECT r.id, r.camera_id, r.first_sequence + minute * 30, r.started_at + minute * interval '1 minute',
       r.started_at + (minute + 1) * interval '1 minute', i.bytes, 30, i.index, true
FROM runs r, generate_series(0, 1439) minute, indexes i
WHERE r.camera_id = '$CAMERA' AND i.n = (r.ordinal * 1440 + minute) % 64
ORDER BY r.ordinal, minute;
ANALYZE runs, segments;
";

/// Seconds between two fragments' starts.
pub(super) const FRAGMENT_SECONDS: u32 = 2;

/// Writes so many days of a camera, up to now.
pub(super) async fn seed(state: &State, camera: CameraId, days: u32) -> Result<(), Failure> {
    let sql = SQL.replace("$CAMERA", &camera.to_string()).replace("$DAYS", &days.to_string());
    run(state, &sql).await.map(drop)
}

/// Runs SQL as one transaction. What it answers, a row a line.
pub(super) async fn run(state: &State, sql: &str) -> Result<String, Failure> {
    let psql = psql().ok_or_else(|| Failure::Other(format!("no psql below {POSTGRESQL}: install postgresql")))?;
    let failed = |source| Failure::file(&psql, source);
    let mut command = Command::new(&psql);
    command
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--single-transaction",
            "--file=-",
            "--tuples-only",
            "--no-align",
        ])
        .arg("--host")
        .arg(state.path().join("postgres/run"))
        .args(["--username=larder", "--dbname=postgres"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(sql.as_bytes()).await.map_err(failed)?;
    }
    let ended = child.wait_with_output().await.map_err(failed)?;
    if !ended.status.success() {
        return Err(Failure::Other(format!("psql ended with {}", ended.status)));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// The newest one.
fn psql() -> Option<PathBuf> {
    let versions = std::fs::read_dir(Path::new(POSTGRESQL)).ok()?;
    let found = versions.flatten().filter_map(|version| {
        let number = version.file_name().to_str()?.parse::<u32>().ok()?;
        let psql = version.path().join("bin/psql");
        psql.exists().then_some((number, psql))
    });
    found.max().map(|(_, psql)| psql)
}
