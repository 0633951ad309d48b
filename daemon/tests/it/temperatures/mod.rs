//! Temperatures: what is heard is kept once, whatever happens to the hub and its database, and people can read it.

mod kept;
mod probe;
mod read;

use larder_proto::{pb, wire::CameraId};

use crate::support::{Clients, until};

/// A sensor of that name for a camera's first probe.
pub(crate) async fn sensor(clients: &Clients, name: &str, camera: CameraId) -> pb::Sensor {
    use pb::sensor_source::{CameraProbe, Source};
    let probe = Source::Probe(CameraProbe { camera_id: camera.to_string(), index: 0 });
    let source = Some(pb::SensorSource { source: Some(probe) });
    let sensor = pb::Sensor { name: name.to_owned(), source, ..Default::default() };
    let request = pb::CreateSensorRequest { sensor: Some(sensor) };
    clients.temperatures.clone().create_sensor(request).await.unwrap().into_inner()
}

/// From that second of UTC to another.
fn seconds(from: i64, to: i64) -> Option<pb::TimeRange> {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    Some(pb::TimeRange { from: at(from), to: at(to) })
}

fn all_time() -> Option<pb::TimeRange> {
    seconds(0, 4_000_000_000)
}

/// The graph of the only sensor; `None` while the database is away.
async fn series(clients: &Clients, range: Option<pb::TimeRange>, points: u32) -> Option<pb::Series> {
    let request = pb::GetReadingsRequest { sensors: Vec::new(), range, points };
    let answer = clients.temperatures.clone().get_readings(request).await.ok()?.into_inner();
    let [series] = <[pb::Series; 1]>::try_from(answer.series).unwrap();
    Some(series)
}

/// How many readings the days count.
async fn counted(clients: &Clients) -> Option<u32> {
    series(clients, all_time(), 100).await.map(|series| series.count.iter().sum())
}

async fn rows(clients: &Clients, wanted: u32) {
    until(&format!("{wanted} rows"), || async { (counted(clients).await == Some(wanted)).then_some(()) }).await;
}

/// What an export tells, in thousandths of a degree and in its order.
async fn exported(clients: &Clients) -> Vec<i32> {
    let request = pb::ExportReadingsRequest { sensors: Vec::new(), range: all_time() };
    let mut stream = clients.temperatures.clone().export_readings(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(batch) = stream.message().await.unwrap() {
        #[expect(clippy::cast_possible_truncation, reason = "thousandths of a degree")]
        all.extend(batch.readings.iter().map(|reading| (reading.celsius.unwrap() * 1000.0).round() as i32));
    }
    all
}
