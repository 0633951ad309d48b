//! Rows that become `camera.json`, and come back from it.

use std::collections::HashSet;

use larder_proto::wire::CameraId;
use serde_json::Value;
use tokio_postgres::Transaction;

use super::{
    Candidate,
    kept::{self, Kept, Row},
};
use crate::{
    db::{self, Db},
    outcome::Refusal,
    secrets::{self, HubKey},
};

/// Names that are tried for a camera whose own is taken.
const MOST_NAMES: u32 = 100;

/// The ids of all cameras.
pub(super) async fn cameras(db: &Db) -> Result<HashSet<CameraId>, db::Error> {
    let rows = db.client().await?.query("SELECT id FROM cameras", &[]).await?;
    rows.iter().map(|row| Ok(CameraId(row.try_get(0)?))).collect()
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

/// Writes a found camera's rows; one that is there already is left as it is.
pub(super) async fn insert(db: &Db, hub_key: &HubKey, found: &Candidate) -> Result<(), Refusal> {
    let id = found.footage.camera;
    let mut client = db.client().await?;
    let transaction = client.transaction().await.map_err(db::Error::from)?;
    let mut camera = match &found.kept {
        Some(kept) => kept.camera.clone(),
        None => unknown(found, hub_key)?,
    };
    // Whatever the file says: it lies in this camera's folder.
    camera.insert("id".to_owned(), id.to_string().into());
    let name = camera.get("name").and_then(Value::as_str).map_or_else(|| kept::name_of(id), str::to_owned);
    let name = free_name(&transaction, &name).await?;
    camera.insert("name".to_owned(), name.into());
    insert_row(&transaction, "cameras", &camera).await?;
    if let Some(kept) = &found.kept {
        for sensor in &kept.sensors {
            insert_row(&transaction, "sensors", sensor).await?;
        }
        for pin in &kept.pins {
            insert_row(&transaction, "pins", pin).await?;
        }
    }
    let pins = "INSERT INTO pins (id, camera_id, started_at, ended_at)
        SELECT gen_random_uuid(), $1, $2, $3 WHERE NOT EXISTS (
            SELECT FROM pins WHERE camera_id = $1 AND started_at = $2 AND ended_at = $3)";
    for (from, to) in &found.footage.pins {
        transaction.execute(pins, &[&id.0, from, to]).await.map_err(db::Error::from)?;
    }
    transaction.commit().await.map_err(db::Error::from)?;
    Ok(())
}

/// A camera of which there is footage alone; it gets a key that its board does not know.
fn unknown(found: &Candidate, hub_key: &HubKey) -> Result<Row, Refusal> {
    let key = secrets::random::<{ secrets::KEY_LEN }>().map_err(Refusal::internal)?;
    let sealed = hub_key.seal(found.footage.camera.0.as_bytes(), &key).map_err(Refusal::internal)?;
    let sealed: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    let (width, height) = found.footage.size;
    let row = serde_json::json!({
        "sealed_key": format!("\\x{sealed}"),
        "width": width, "height": height, "quality": 12, "active_fps": 10, "idle_fps": 10,
        "recording_mode": "continuous",
    });
    let Value::Object(row) = row else { return Ok(Row::new()) };
    Ok(row)
}

/// The name, or one like it that no camera has.
async fn free_name(transaction: &Transaction<'_>, wanted: &str) -> Result<String, Refusal> {
    let names = (1..=MOST_NAMES).map(|number| match number {
        1 => wanted.to_owned(),
        // 32 characters are allowed.
        number => format!("{}-{number}", wanted.get(..28).unwrap_or(wanted)),
    });
    for name in names {
        let taken = transaction.query_opt("SELECT 1 FROM cameras WHERE name = $1", &[&name]).await;
        if taken.map_err(db::Error::from)?.is_none() {
            return Ok(name);
        }
    }
    Ok(kept::name_of(CameraId::random()))
}

/// Inserts a row of any release: columns that it lacks get their defaults, and those that are no more are left out.
async fn insert_row(transaction: &Transaction<'_>, table: &str, row: &Row) -> Result<(), db::Error> {
    let sql = "SELECT column_name::text FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'";
    let rows = transaction.query(sql, &[&table]).await?;
    let columns: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let given: Vec<&str> = columns.iter().map(String::as_str).filter(|column| row.contains_key(*column)).collect();
    let given = given.join(", ");
    // Names of columns are the database's own, whatever the file says.
    let sql = format!(
        "INSERT INTO {table} ({given}) SELECT {given} FROM jsonb_populate_record(NULL::{table}, $1) ON CONFLICT DO NOTHING"
    );
    transaction.execute(&sql, &[&Value::Object(row.clone())]).await?;
    Ok(())
}
