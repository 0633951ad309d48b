//! Cameras in PostgreSQL.

use std::{net::IpAddr, time::Duration};

use larder_proto::wire::CameraId;
use tokio_postgres::{Row, error::SqlState, types::ToSql};

use super::{Camera, Capture, Error, Key, Mode, PullUrl, Recording, Source};
use crate::{
    db::{self, Db},
    secrets::{self, HubKey},
};

const COLUMNS: &str = "id, name, title, sealed_key, width, height, quality, active_fps, idle_fps, recording_mode, \
                       max_age, max_bytes, source, sealed_url, source_addresses, created_at, updated_at";

/// Cameras in PostgreSQL; clones share the pool.
#[derive(Clone)]
pub struct Store {
    db: Db,
    hub_key: HubKey,
}

impl Store {
    /// A store whose keys are sealed with the hub's key.
    pub fn new(db: Db, hub_key: HubKey) -> Self {
        Self { db, hub_key }
    }

    /// All cameras and their keys. A key that does not open is left out and logged: its camera can't connect until
    /// the key is rotated.
    pub(super) async fn all(&self) -> Result<Vec<(Camera, Option<Key>)>, Error> {
        let client = self.db.client().await?;
        let sql = format!("SELECT {COLUMNS} FROM cameras ORDER BY name");
        let rows = client.query(&sql, &[]).await.map_err(db::Error::from)?;
        rows.iter().map(|row| Ok((self.camera(row)?, self.key(row)?))).collect()
    }

    /// Adds a camera with a new key.
    pub(super) async fn insert(&self, camera: &Camera) -> Result<(Camera, Key), Error> {
        let key = Key(secrets::random()?);
        let sealed = self.hub_key.seal(camera.id.0.as_bytes(), &key.0)?;
        let kept = Kept::of(camera, &self.hub_key)?;
        let client = self.db.client().await?;
        let sql =
            format!("INSERT INTO cameras (id, sealed_key, {KEPT}) VALUES ($1, $2, {}) RETURNING {COLUMNS}", places(3));
        let values = [&[&camera.id.0 as &(dyn ToSql + Sync), &sealed], &kept.values()[..]].concat();
        let row = client.query_one(&sql, &values).await.map_err(|error| name_taken(error, &camera.name))?;
        Ok((self.camera(&row)?, key))
    }

    /// Changes everything but id, key and times.
    pub(super) async fn update(&self, camera: &Camera) -> Result<Camera, Error> {
        let kept = Kept::of(camera, &self.hub_key)?;
        let client = self.db.client().await?;
        let sql = format!(
            "UPDATE cameras SET ({KEPT}) = ROW ({}), updated_at = now() WHERE id = $1 RETURNING {COLUMNS}",
            places(2)
        );
        let values = [&[&camera.id.0 as &(dyn ToSql + Sync)], &kept.values()[..]].concat();
        let row = client.query_opt(&sql, &values).await.map_err(|error| name_taken(error, &camera.name))?;
        self.camera(&row.ok_or_else(|| Error::NotFound(camera.id.to_string()))?)
    }

    /// Replaces a camera's key.
    pub(super) async fn rotate_key(&self, id: CameraId) -> Result<Key, Error> {
        let key = Key(secrets::random()?);
        let sealed = self.hub_key.seal(id.0.as_bytes(), &key.0)?;
        let client = self.db.client().await?;
        let sql = "UPDATE cameras SET sealed_key = $2, updated_at = now() WHERE id = $1";
        let changed = client.execute(sql, &[&id.0, &sealed]).await.map_err(db::Error::from)?;
        if changed == 0 { Err(Error::NotFound(id.to_string())) } else { Ok(key) }
    }

    /// Fails when the database is away or the camera is gone, before anything that can't be undone is begun.
    pub(super) async fn expect(&self, id: CameraId) -> Result<(), Error> {
        let client = self.db.client().await?;
        let row = client.query_opt("SELECT 1 FROM cameras WHERE id = $1", &[&id.0]).await.map_err(db::Error::from)?;
        row.map(drop).ok_or_else(|| Error::NotFound(id.to_string()))
    }

    /// Removes a camera's row; its recordings must be gone before.
    pub(super) async fn delete(&self, id: CameraId) -> Result<(), Error> {
        let client = self.db.client().await?;
        let gone = client.execute("DELETE FROM cameras WHERE id = $1", &[&id.0]).await.map_err(db::Error::from)?;
        if gone == 0 { Err(Error::NotFound(id.to_string())) } else { Ok(()) }
    }

    /// Changes as the database tells them.
    pub(super) fn changes(&self) -> tokio::sync::broadcast::Receiver<db::Change> {
        self.db.changes()
    }

    fn camera(&self, row: &Row) -> Result<Camera, Error> {
        let mode: String = get(row, "recording_mode")?;
        let max_age: Option<i64> = get(row, "max_age")?;
        let max_bytes: Option<i64> = get(row, "max_bytes")?;
        Ok(Camera {
            id: CameraId(get(row, "id")?),
            name: get(row, "name")?,
            title: get(row, "title")?,
            source: self.source(row)?,
            capture: Capture {
                width: small(row, "width")?,
                height: small(row, "height")?,
                quality: small(row, "quality")?,
                active_fps: small(row, "active_fps")?,
                idle_fps: small(row, "idle_fps")?,
            },
            recording: Recording {
                mode: Mode::from_name(&mode).ok_or_else(|| broken(format!("recording_mode is {mode:?}")))?,
                max_age: max_age.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
                max_bytes: max_bytes.map(i64::unsigned_abs),
            },
            created_at: get(row, "created_at")?,
            updated_at: get(row, "updated_at")?,
        })
    }

    /// A URL that does not open is none: nothing is fetched until it is set again.
    fn source(&self, row: &Row) -> Result<Source, Error> {
        let name: String = get(row, "source")?;
        let id = CameraId(get(row, "id")?);
        match name.as_str() {
            "link" => Ok(Source::Link),
            "websocket" => Ok(Source::WebSocket(get(row, "source_addresses")?)),
            "mjpeg" => {
                let sealed: Vec<u8> = get(row, "sealed_url")?;
                let opened = self.hub_key.open(&owner_of_url(id), &sealed).ok();
                let url = opened.and_then(|bytes| PullUrl::parse(str::from_utf8(&bytes).ok()?).ok());
                if url.is_none() {
                    tracing::error!(camera.id = %id, "the address of the camera's pictures does not open with this \
                        hub's key; set it again");
                }
                Ok(url.map_or(Source::Link, Source::Mjpeg))
            }
            _ => Err(broken(format!("source is {name:?}"))),
        }
    }

    fn key(&self, row: &Row) -> Result<Option<Key>, Error> {
        let id: uuid::Uuid = get(row, "id")?;
        let sealed: Vec<u8> = get(row, "sealed_key")?;
        let key = self.hub_key.open(id.as_bytes(), &sealed).ok().and_then(|bytes| bytes.try_into().ok().map(Key));
        if key.is_none() {
            tracing::error!(camera.id = %id, "the camera's key does not open with this hub's key; rotate it");
        }
        Ok(key)
    }
}

/// Whose a sealed URL is: not the camera's key's owner, so that neither opens as the other.
fn owner_of_url(camera: CameraId) -> Vec<u8> {
    [&camera.0.as_bytes()[..], b"url"].concat()
}

/// The columns that people set, in the order of [`Kept::values`].
const KEPT: &str = "name, title, width, height, quality, active_fps, idle_fps, recording_mode, max_age, max_bytes, \
                    source, sealed_url, source_addresses";

/// The placeholders of those columns, from `$first` on.
fn places(first: usize) -> String {
    let last = first + KEPT.split(',').count();
    (first..last).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

/// A camera's settings as its row keeps them.
struct Kept {
    name: String,
    title: String,
    width: i32,
    height: i32,
    quality: i32,
    active_fps: i32,
    idle_fps: i32,
    mode: &'static str,
    max_age: Option<i64>,
    max_bytes: Option<i64>,
    source: &'static str,
    sealed_url: Option<Vec<u8>>,
    addresses: Vec<IpAddr>,
}

impl Kept {
    fn of(camera: &Camera, hub_key: &HubKey) -> Result<Self, Error> {
        let Camera { capture, recording, .. } = camera;
        let (url, addresses) = match &camera.source {
            Source::Link => (None, Vec::new()),
            Source::Mjpeg(url) => (Some(url.secret()), Vec::new()),
            Source::WebSocket(addresses) => (None, addresses.clone()),
        };
        let sealed_url = url.map(|url| hub_key.seal(&owner_of_url(camera.id), url.as_bytes())).transpose()?;
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Ok(Self {
            name: camera.name.clone(),
            title: camera.title.clone(),
            width: capture.width.into(),
            height: capture.height.into(),
            quality: capture.quality.into(),
            active_fps: capture.active_fps.into(),
            idle_fps: capture.idle_fps.into(),
            mode: recording.mode.name(),
            max_age: recording.max_age.map(|age| whole(age.as_secs())),
            max_bytes: recording.max_bytes.map(whole),
            source: camera.source.name(),
            sealed_url,
            addresses,
        })
    }

    fn values(&self) -> [&(dyn ToSql + Sync); 13] {
        let Self { name, title, width, height, quality, active_fps, idle_fps, mode, max_age, max_bytes, .. } = self;
        let Self { source, sealed_url, addresses, .. } = self;
        [
            name, title, width, height, quality, active_fps, idle_fps, mode, max_age, max_bytes, source, sealed_url,
            addresses,
        ]
    }
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, db::Error> {
    row.try_get(column).map_err(db::Error::Statement)
}

fn small<T: TryFrom<i32>>(row: &Row, column: &str) -> Result<T, Error> {
    let value: i32 = get(row, column)?;
    T::try_from(value).ok().ok_or_else(|| broken(format!("{column} is {value}")))
}

fn broken(why: String) -> Error {
    Error::Database(db::Error::Broken { table: "cameras", why })
}

fn name_taken(error: tokio_postgres::Error, name: &str) -> Error {
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
        Error::NameTaken(name.to_owned())
    } else {
        Error::Database(error.into())
    }
}
