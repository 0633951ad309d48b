//! The newest readings, for what is in memory.

use larder_proto::wire::camera::MilliCelsius;

use super::{Store, get};
use crate::{
    db,
    temperatures::{Reading, SensorId, live::REMEMBERED},
};

impl Store {
    /// The newest few readings of each sensor that has any, oldest first.
    pub(in crate::temperatures) async fn newest(&self) -> Result<Vec<Vec<Reading>>, db::Error> {
        let most = i64::try_from(REMEMBERED).unwrap_or(i64::MAX);
        let sql = "SELECT sensors.id, newest.captured_at, newest.received_at, newest.milli
                   FROM sensors CROSS JOIN LATERAL (
                       SELECT captured_at, received_at, milli FROM readings WHERE sensor = sensors.key
                       ORDER BY captured_at DESC LIMIT $1) AS newest
                   ORDER BY sensors.key, newest.captured_at";
        let mut sensors: Vec<Vec<Reading>> = Vec::new();
        for row in self.db.client().await?.query(sql, &[&most]).await? {
            let reading = Reading {
                sensor: SensorId(get(&row, "id")?),
                captured_at: get(&row, "captured_at")?,
                received_at: get(&row, "received_at")?,
                value: Some(MilliCelsius(get(&row, "milli")?)),
            };
            match sensors.last_mut().filter(|readings| readings.iter().all(|known| known.sensor == reading.sensor)) {
                Some(readings) => readings.push(reading),
                None => sensors.push(vec![reading]),
            }
        }
        Ok(sensors)
    }
}
