//! Sensors.

use std::net::IpAddr;

use larder_proto::wire::{CameraId, camera::MilliCelsius};
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::{Store, get};
use crate::{
    db,
    temperatures::{Error, Sensor, SensorId, Source, Unit},
};

const COLUMNS: &str = "id, key, name, title, probe_camera, probe_index, text_address, text_device, offset_milli, \
                       unit, camera_id, created_at, updated_at";

impl Store {
    pub(in crate::temperatures) async fn all(&self) -> Result<Vec<Sensor>, Error> {
        let client = self.db.client().await?;
        let sql = format!("SELECT {COLUMNS} FROM sensors ORDER BY name");
        let rows = client.query(&sql, &[]).await.map_err(db::Error::from)?;
        rows.iter().map(sensor).collect()
    }

    /// Adds a sensor; its key and times are made here.
    pub(in crate::temperatures) async fn insert(&self, sensor: &Sensor) -> Result<Sensor, Error> {
        let sql = format!(
            "INSERT INTO sensors (id, name, title, probe_camera, probe_index, text_address, text_device, \
             offset_milli, unit, camera_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {COLUMNS}"
        );
        self.save(&sql, sensor).await
    }

    /// Changes everything but id, key and times.
    pub(in crate::temperatures) async fn update(&self, sensor: &Sensor) -> Result<Sensor, Error> {
        let sql = format!(
            "UPDATE sensors SET name = $2, title = $3, probe_camera = $4, probe_index = $5, text_address = $6, \
             text_device = $7, offset_milli = $8, unit = $9, camera_id = $10, updated_at = now() \
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        self.save(&sql, sensor).await
    }

    pub(in crate::temperatures) async fn delete(&self, id: SensorId) -> Result<(), Error> {
        let client = self.db.client().await?;
        let gone = client.execute("DELETE FROM sensors WHERE id = $1", &[&id.0]).await.map_err(db::Error::from)?;
        if gone == 0 { Err(Error::NotFound(id.to_string())) } else { Ok(()) }
    }

    async fn save(&self, sql: &str, sensor: &Sensor) -> Result<Sensor, Error> {
        let kept = Kept::of(&sensor.source);
        let client = self.db.client().await?;
        let row = client
            .query_opt(
                sql,
                &[
                    &sensor.id.0,
                    &sensor.name,
                    &sensor.title,
                    &kept.camera,
                    &kept.index,
                    &kept.address,
                    &kept.device,
                    &sensor.offset.0,
                    &unit_name(sensor.unit),
                    &sensor.camera.map(|camera| camera.0),
                ],
            )
            .await
            .map_err(|error| taken(error, sensor))?;
        self::sensor(&row.ok_or_else(|| Error::NotFound(sensor.id.to_string()))?)
    }
}

/// A source as its row keeps it.
#[derive(Default)]
struct Kept<'a> {
    camera: Option<Uuid>,
    index: Option<i32>,
    address: Option<IpAddr>,
    device: Option<&'a str>,
}

impl<'a> Kept<'a> {
    fn of(source: &'a Source) -> Self {
        match source {
            Source::Probe { camera, index } => {
                Self { camera: Some(camera.0), index: Some((*index).into()), ..Self::default() }
            }
            Source::Text { address, device } => {
                Self { address: Some(*address), device: Some(device), ..Self::default() }
            }
        }
    }
}

fn sensor(row: &Row) -> Result<Sensor, Error> {
    let unit: String = get(row, "unit")?;
    let camera: Option<Uuid> = get(row, "camera_id")?;
    Ok(Sensor {
        id: SensorId(get(row, "id")?),
        key: get(row, "key")?,
        name: get(row, "name")?,
        title: get(row, "title")?,
        source: source(row)?,
        offset: MilliCelsius(get(row, "offset_milli")?),
        unit: match unit.as_str() {
            "celsius" => Unit::Celsius,
            "fahrenheit" => Unit::Fahrenheit,
            _ => return Err(broken(format!("unit is {unit:?}"))),
        },
        camera: camera.map(CameraId),
        created_at: get(row, "created_at")?,
        updated_at: get(row, "updated_at")?,
    })
}

fn source(row: &Row) -> Result<Source, Error> {
    let probe: Option<Uuid> = get(row, "probe_camera")?;
    let index: Option<i32> = get(row, "probe_index")?;
    if let Some((camera, index)) = probe.zip(index) {
        let index = u8::try_from(index).map_err(|_too_large| broken(format!("probe_index is {index}")))?;
        return Ok(Source::Probe { camera: CameraId(camera), index });
    }
    let address: Option<IpAddr> = get(row, "text_address")?;
    let device: Option<String> = get(row, "text_device")?;
    let text = address.zip(device).map(|(address, device)| Source::Text { address, device });
    text.ok_or_else(|| broken("it has no source".to_owned()))
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Celsius => "celsius",
        Unit::Fahrenheit => "fahrenheit",
    }
}

fn broken(why: String) -> Error {
    Error::Database(db::Error::Broken { table: "sensors", why })
}

fn taken(error: tokio_postgres::Error, sensor: &Sensor) -> Error {
    let constraint = error.as_db_error().and_then(tokio_postgres::error::DbError::constraint).unwrap_or_default();
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
        if constraint == "sensors_name_key" { Error::NameTaken(sensor.name.clone()) } else { Error::SourceTaken }
    } else {
        Error::Database(error.into())
    }
}
