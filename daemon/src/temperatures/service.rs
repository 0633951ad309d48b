//! `TemperatureService` over gRPC.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _};
use larder_proto::{
    pb::{self, temperature_service_server::TemperatureService},
    wire::CameraId,
};
use tonic::{Request, Response, Status};

use super::{Discovered, Error, Sensor, Source, Temperatures, export, messages, parse, watch};
use crate::{
    access::Caller,
    cameras::Directory,
    clock::Clock,
    events::{Events, Kind as EventKind},
    outcome::Refusal,
    pb_page::{self, List},
};

/// What the service commands.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub temperatures: Temperatures,
    pub cameras: Directory,
    pub clock: Clock,
    pub events: Events,
}

/// `TemperatureService`.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

impl Service {
    /// A service over the hub's parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    fn find(&self, id_or_name: &str) -> Result<Arc<Sensor>, Refusal> {
        self.0.temperatures.find(id_or_name).ok_or_else(|| Error::NotFound(id_or_name.to_owned()).into())
    }

    /// The sensors of a request; all when it names none.
    fn named(&self, names: &[String]) -> Result<Vec<Arc<Sensor>>, Refusal> {
        parse::sensors(names)?;
        if names.is_empty() {
            return Ok(self.0.temperatures.all());
        }
        names.iter().map(|name| self.find(name)).collect()
    }

    fn camera(&self, id_or_name: &str) -> Option<CameraId> {
        self.0.cameras.find(id_or_name).map(|camera| camera.id)
    }

    fn message(&self, sensor: &Sensor) -> pb::Sensor {
        let temperatures = &self.0.temperatures;
        messages::sensor(sensor, temperatures.latest(sensor.id).as_ref(), temperatures.state(sensor.id))
    }

    async fn changed(&self, sensor: &Sensor, what: &str) -> Result<(), Refusal> {
        self.0.temperatures.reload().await?;
        tracing::info!(sensor.id = %sensor.id, sensor.name = sensor.name, change = what, "a sensor was changed");
        self.0.events.tell(EventKind::SensorChanged, sensor.camera, format!("sensor {} was {what}", sensor.name));
        Ok(())
    }

    async fn create(&self, wanted: Option<&pb::Sensor>) -> Result<pb::Sensor, Refusal> {
        let wanted = wanted.ok_or_else(|| Refusal::field("sensor", "is not set"))?;
        let sensor = parse::new_sensor(wanted, &|camera| self.camera(camera), self.0.clock.now())?;
        let sensor = self.0.temperatures.store().insert(&sensor).await?;
        self.changed(&sensor, "added").await?;
        Ok(self.message(&sensor))
    }

    async fn update(&self, request: pb::UpdateSensorRequest) -> Result<pb::Sensor, Refusal> {
        let wanted = request.sensor.ok_or_else(|| Refusal::field("sensor", "is not set"))?;
        let known = self.find(&wanted.id)?;
        let find = |camera: &str| self.camera(camera);
        let sensor = parse::updated(&known, &wanted, request.update_mask.as_ref(), &find)?;
        let sensor = self.0.temperatures.store().update(&sensor).await?;
        self.changed(&sensor, "changed").await?;
        Ok(self.message(&sensor))
    }

    async fn delete(&self, id_or_name: &str) -> Result<(), Refusal> {
        let sensor = self.find(id_or_name)?;
        self.0.temperatures.store().delete(sensor.id).await?;
        self.changed(&sensor, "removed").await
    }

    fn discovered(&self, found: &Discovered) -> pb::DiscoveredSensor {
        let wanted = match &found.source {
            Source::Probe { camera, index } => {
                let name = self.0.cameras.get(*camera).map(|camera| camera.name.clone()).unwrap_or_default();
                // The first probe of a camera is the one that most have.
                if *index == 0 { name } else { format!("{name}-{}", index + 1) }
            }
            Source::Text { device, .. } => device.clone(),
        };
        let name = messages::suggested_name(&wanted, |name| self.0.temperatures.find(name).is_some());
        messages::discovered(found, name)
    }
}

#[tonic::async_trait]
impl TemperatureService for Service {
    async fn create_sensor(&self, request: Request<pb::CreateSensorRequest>) -> Result<Response<pb::Sensor>, Status> {
        Ok(Response::new(self.create(request.get_ref().sensor.as_ref()).await?))
    }

    async fn get_sensor(&self, request: Request<pb::GetSensorRequest>) -> Result<Response<pb::Sensor>, Status> {
        let sensor = self.find(&request.get_ref().sensor)?;
        Ok(Response::new(self.message(&sensor)))
    }

    async fn list_sensors(
        &self,
        request: Request<pb::ListSensorsRequest>,
    ) -> Result<Response<pb::ListSensorsResponse>, Status> {
        let request = request.get_ref();
        let all = self.0.temperatures.all();
        let (sensors, next_page_token) =
            pb_page::by_name(List("sensors"), &all, request.page_size, &request.page_token)?;
        let sensors = sensors.iter().map(|sensor| self.message(sensor)).collect();
        Ok(Response::new(pb::ListSensorsResponse { sensors, next_page_token }))
    }

    async fn update_sensor(&self, request: Request<pb::UpdateSensorRequest>) -> Result<Response<pb::Sensor>, Status> {
        Ok(Response::new(self.update(request.into_inner()).await?))
    }

    async fn delete_sensor(
        &self,
        request: Request<pb::DeleteSensorRequest>,
    ) -> Result<Response<pb::DeleteSensorResponse>, Status> {
        self.delete(&request.get_ref().sensor).await?;
        Ok(Response::new(pb::DeleteSensorResponse {}))
    }

    async fn list_discovered_sensors(
        &self,
        _: Request<pb::ListDiscoveredSensorsRequest>,
    ) -> Result<Response<pb::ListDiscoveredSensorsResponse>, Status> {
        let found = self.0.temperatures.discovered();
        let sensors = found.iter().map(|found| self.discovered(found)).collect();
        Ok(Response::new(pb::ListDiscoveredSensorsResponse { sensors }))
    }

    async fn get_readings(
        &self,
        request: Request<pb::GetReadingsRequest>,
    ) -> Result<Response<pb::GetReadingsResponse>, Status> {
        let request = request.get_ref();
        let sensors = self.named(&request.sensors)?;
        let range = parse::range(request.range.as_ref())?;
        let points = parse::points(request.points)?;
        let series = self.0.temperatures.series(&sensors, &range, points).await.map_err(Refusal::from)?;
        Ok(Response::new(pb::GetReadingsResponse { series: series.iter().map(messages::series).collect() }))
    }

    type ExportReadingsStream = Pin<Box<dyn Stream<Item = Result<pb::ExportReadingsResponse, Status>> + Send>>;

    async fn export_readings(
        &self,
        request: Request<pb::ExportReadingsRequest>,
    ) -> Result<Response<Self::ExportReadingsStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let request = request.get_ref();
        let sensors = self.named(&request.sensors)?;
        let range = parse::range(request.range.as_ref())?;
        let batches = export::export(self.0.temperatures.store().clone(), &sensors, range).map(|batch| {
            let batch = batch.map_err(Refusal::from)?;
            Ok(pb::ExportReadingsResponse { readings: batch.iter().map(messages::reading).collect() })
        });
        Ok(Response::new(Box::pin(caller.until_revoked(batches))))
    }

    type WatchReadingsStream = Pin<Box<dyn Stream<Item = Result<pb::Reading, Status>> + Send>>;

    async fn watch_readings(
        &self,
        request: Request<pb::WatchReadingsRequest>,
    ) -> Result<Response<Self::WatchReadingsStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let names = &request.get_ref().sensors;
        let mut wanted = Vec::with_capacity(names.len());
        for name in names {
            wanted.push(self.find(name)?.id);
        }
        let readings = watch::readings(&self.0.temperatures, wanted);
        Ok(Response::new(Box::pin(caller.until_revoked(readings.map(|reading| Ok(messages::reading(&reading)))))))
    }
}
