//! Rows that become `camera.json`, and come back from it.

use std::collections::HashSet;

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use serde_json::Value;

use super::{
    Candidate,
    kept::{self, Kept, Row},
};
use crate::{
    db::{self, Db},
    outcome::{Refusal, chain},
    recordings::Store,
    secrets::{self, HubKey},
};

/// Names that are tried for a camera whose own is taken.
const MOST_NAMES: u32 = 100;

/// The ids of all cameras.
pub(super) async fn cameras(db: &Db) -> Result<HashSet<CameraId>, db::Error> {
    Store::new(db.clone()).cameras().await
}

/// All cameras with what belongs to them.
pub(super) async fn kept(db: &Db) -> Result<Vec<(CameraId, Kept)>, db::Error> {
    let sql = "SELECT c.id, to_jsonb(c),
            (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.id), '[]') FROM sensors s
             WHERE coalesce(s.camera_id, s.probe_camera) = c.id),
            (SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.id), '[]') FROM pins p WHERE p.camera_id = c.id)
        FROM cameras c";
    let rows = db.client().await?.query(sql, &[]).await?;
    let object = |value: Value| match value {
        Value::Object(row) => row,
        _ => Row::new(),
    };
    let objects = |value: Value| match value {
        Value::Array(rows) => rows.into_iter().map(object).collect(),
        _ => Vec::new(),
    };
    rows.iter()
        .map(|row| {
            let kept = Kept::new(object(row.try_get(1)?), objects(row.try_get(2)?), objects(row.try_get(3)?));
            Ok((CameraId(row.try_get(0)?), kept))
        })
        .collect()
}

/// Writes the rows of found cameras, and then what belongs to them, which may name several. What is there already is left
/// as it is; what the database does not take is told, and keeps nothing else from coming back.
pub(super) async fn insert(db: &Db, hub_key: &HubKey, found: &[Candidate]) -> Result<(), Refusal> {
    for candidate in found {
        let inserted = match &candidate.kept {
            Some(kept) => insert_camera(db, candidate, kept.camera.clone()).await?,
            None => false,
        };
        if !inserted {
            let unknown = unknown(candidate, hub_key)?;
            insert_camera(db, candidate, unknown).await?;
        }
    }
    for candidate in found {
        let id = candidate.footage.camera;
        for sensor in candidate.kept.iter().flat_map(|kept| &kept.sensors) {
            let mut sensor = sensor.clone();
            if !is_there(db, sensor.get("camera_id")).await? {
                sensor.insert("camera_id".to_owned(), Value::Null);
            }
            insert_alone(db, "sensors", &sensor).await?;
        }
        for pin in candidate.kept.iter().flat_map(|kept| &kept.pins) {
            let mut pin = pin.clone();
            pin.insert("camera_id".to_owned(), id.to_string().into());
            insert_alone(db, "pins", &pin).await?;
        }
        for (from, to) in &candidate.footage.pins {
            pin_range(db, id, *from, *to).await?;
        }
    }
    Ok(())
}

/// `false`: the database does not take it.
async fn insert_camera(db: &Db, found: &Candidate, mut camera: Row) -> Result<bool, Refusal> {
    let id = found.footage.camera;
    // Whatever the file says: it lies in this camera's folder.
    camera.insert("id".to_owned(), id.to_string().into());
    if cameras(db).await?.contains(&id) {
        return Ok(true);
    }
    let name = camera.get("name").and_then(Value::as_str).map_or_else(|| kept::name_of(id), str::to_owned);
    camera.insert("name".to_owned(), free_name(db, &name).await?.into());
    Ok(insert_alone(db, "cameras", &camera).await?)
}

/// Whether the camera that a row names has a row.
async fn is_there(db: &Db, camera: Option<&Value>) -> Result<bool, db::Error> {
    let id = camera.and_then(Value::as_str).and_then(|id| id.parse::<CameraId>().ok());
    Ok(match id {
        Some(id) => cameras(db).await?.contains(&id),
        None => false,
    })
}

async fn pin_range(db: &Db, camera: CameraId, from: Timestamp, to: Timestamp) -> Result<(), db::Error> {
    let sql = "INSERT INTO pins (id, camera_id, started_at, ended_at)
        SELECT gen_random_uuid(), $1, $2, $3 WHERE NOT EXISTS (
            SELECT FROM pins WHERE camera_id = $1 AND started_at = $2 AND ended_at = $3)";
    let done = db.client().await?.execute(sql, &[&camera.0, &from, &to]).await;
    taken("pins", done).map(drop)
}

/// Rows that were written; none when the database does not take such a one.
fn taken(table: &str, done: Result<u64, tokio_postgres::Error>) -> Result<u64, db::Error> {
    match done {
        // Data exceptions and violated constraints (PostgreSQL, appendix A).
        Err(error) if error.code().is_some_and(|code| ["22", "23"].contains(&&code.code()[..2])) => {
            tracing::error!(
                table,
                error = chain(&error),
                "a row that was kept beside the recordings does not come back"
            );
            Ok(0)
        }
        done => Ok(done?),
    }
}

/// A camera of which there is footage alone; it gets a key that its board does not know.
fn unknown(found: &Candidate, hub_key: &HubKey) -> Result<Row, Refusal> {
    let key = secrets::random::<{ secrets::KEY_LEN }>().map_err(Refusal::internal)?;
    let sealed = hub_key.seal(found.footage.camera.0.as_bytes(), &key).map_err(Refusal::internal)?;
    let sealed: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    let (width, height) = found.footage.size.unwrap_or((640, 480));
    let row = serde_json::json!({
        "sealed_key": format!("\\x{sealed}"),
        "width": width, "height": height, "quality": 12, "active_fps": 10, "idle_fps": 10,
        "recording_mode": "continuous",
    });
    let Value::Object(row) = row else { return Ok(Row::new()) };
    Ok(row)
}

/// The name, or one like it that no camera has.
async fn free_name(db: &Db, wanted: &str) -> Result<String, db::Error> {
    let client = db.client().await?;
    let names = (1..=MOST_NAMES).map(|number| match number {
        1 => wanted.to_owned(),
        // 32 characters are allowed.
        number => format!("{}-{number}", wanted.get(..28).unwrap_or(wanted)),
    });
    for name in names {
        if client.query_opt("SELECT 1 FROM cameras WHERE name = $1", &[&name]).await?.is_none() {
            return Ok(name);
        }
    }
    Ok(kept::name_of(CameraId::random()))
}

/// Inserts a row of any release: columns that it lacks get their defaults, and those that are no more are left out. `false`:
/// the database does not take it.
async fn insert_alone(db: &Db, table: &str, row: &Row) -> Result<bool, db::Error> {
    let client = db.client().await?;
    let sql = "SELECT column_name::text FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'";
    let rows = client.query(sql, &[&table]).await?;
    let columns: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let given: Vec<&str> = columns.iter().map(String::as_str).filter(|column| row.contains_key(*column)).collect();
    let given = given.join(", ");
    // Names of columns are the database's own, whatever the file says.
    let sql = format!(
        "INSERT INTO {table} ({given}) SELECT {given} FROM jsonb_populate_record(NULL::{table}, $1) ON CONFLICT DO NOTHING"
    );
    let done = client.execute(&sql, &[&Value::Object(row.clone())]).await;
    let is_new = taken(table, done)? > 0;
    if !is_new {
        tracing::warn!(table, "a row that was kept beside the recordings is there already, or is not taken");
    }
    Ok(is_new)
}
