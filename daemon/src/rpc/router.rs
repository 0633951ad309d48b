//! The services and their layers, put together.

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use larder_proto::pb::{
    self,
    access_service_server::{AccessService, AccessServiceServer},
    alarm_service_server::{AlarmService, AlarmServiceServer},
    backup_service_server::{BackupService, BackupServiceServer},
    camera_service_server::{CameraService, CameraServiceServer},
    job_service_server::{JobService, JobServiceServer},
    recording_service_server::{RecordingService, RecordingServiceServer},
    system_service_server::{SystemService, SystemServiceServer},
    temperature_service_server::{TemperatureService, TemperatureServiceServer},
    viewer_service_server::{ViewerService, ViewerServiceServer},
};
use tokio_util::sync::CancellationToken;
use tonic::{codec::CompressionEncoding, service::Routes};
use tonic_reflection::server::Builder;
use tonic_web::GrpcWebLayer;

use super::{Config, deadline, ending, limit, methods, trace};
use crate::{
    access::{self, Access},
    tasks::Tasks,
};

/// A request of a known caller: the largest is a camera's settings.
const REQUEST_BYTES: usize = 256 * 1024;
/// A request for a camera: the largest is its firmware, which has 3 MiB at most.
const CAMERA_BYTES: usize = (3 << 20) + 4 * 1024;
/// A request that anybody may send: the largest is a name and a password.
const SIGN_IN_BYTES: usize = 8 * 1024;

/// What is served.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the service of its name")]
pub struct Services<C, R, T, L, J, B, S, A, V> {
    pub cameras: C,
    pub recordings: R,
    pub temperatures: T,
    pub alarms: L,
    pub jobs: J,
    pub backups: B,
    pub system: S,
    pub access: A,
    pub viewers: V,
}

/// Every service, with health and reflection, behind the layers.
///
/// It has no fallback of its own and can be merged. When `tasks` is told to stop, health says so and streams end.
///
/// # Errors
/// When the descriptors that were compiled in can't be read.
pub async fn router<C, R, T, L, J, B, S, A, V>(
    services: Services<C, R, T, L, J, B, S, A, V>,
    config: &Config,
    access: Access,
    tasks: &Tasks,
) -> Result<Router, tonic_reflection::server::Error>
where
    C: CameraService,
    R: RecordingService,
    T: TemperatureService,
    L: AlarmService,
    J: JobService,
    B: BackupService,
    S: SystemService,
    A: AccessService,
    V: ViewerService,
{
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<CameraServiceServer<C>>().await;
    health.set_serving::<RecordingServiceServer<R>>().await;
    health.set_serving::<TemperatureServiceServer<T>>().await;
    health.set_serving::<AlarmServiceServer<L>>().await;
    health.set_serving::<JobServiceServer<J>>().await;
    health.set_serving::<BackupServiceServer<B>>().await;
    health.set_serving::<SystemServiceServer<S>>().await;
    health.set_serving::<AccessServiceServer<A>>().await;
    health.set_serving::<ViewerServiceServer<V>>().await;
    let stopping = tasks.stopping();
    let stop = stopping.clone();
    tasks.spawn(async move {
        stop.cancelled().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    });

    let recordings = RecordingServiceServer::new(services.recordings)
        .max_decoding_message_size(REQUEST_BYTES)
        // A month's timeline is large and compresses well.
        .send_compressed(CompressionEncoding::Gzip);
    let temperatures = TemperatureServiceServer::new(services.temperatures)
        .max_decoding_message_size(REQUEST_BYTES)
        // Numbers that follow each other closely.
        .send_compressed(CompressionEncoding::Gzip);
    let routes = with_reflection(Routes::new(health_service))?
        .add_service(CameraServiceServer::new(services.cameras).max_decoding_message_size(CAMERA_BYTES))
        .add_service(recordings)
        .add_service(temperatures)
        .add_service(AlarmServiceServer::new(services.alarms).max_decoding_message_size(REQUEST_BYTES))
        .add_service(JobServiceServer::new(services.jobs).max_decoding_message_size(REQUEST_BYTES))
        .add_service(BackupServiceServer::new(services.backups).max_decoding_message_size(REQUEST_BYTES))
        .add_service(SystemServiceServer::new(services.system).max_decoding_message_size(REQUEST_BYTES))
        .add_service(ViewerServiceServer::new(services.viewers).max_decoding_message_size(REQUEST_BYTES))
        .add_service(AccessServiceServer::new(services.access).max_decoding_message_size(SIGN_IN_BYTES));

    Ok(stack(routes, config, access, stopping))
}

/// Both versions of reflection: Python's client and older tools know `v1alpha` alone.
pub(super) fn with_reflection(routes: Routes) -> Result<Routes, tonic_reflection::server::Error> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(routes.add_service(builder().build_v1()?).add_service(builder().build_v1alpha()?))
}

/// The layers around the services. The last that is added stands outermost.
pub(super) fn stack(routes: Routes, config: &Config, access: Access, stopping: CancellationToken) -> Router {
    let streaming = Arc::new(methods::streaming());
    routes
        .into_axum_router()
        // tonic's own fallback would forbid merging.
        .reset_fallback()
        .layer(from_fn_with_state(stopping, ending::enforce))
        .layer(access::layer(access))
        .layer(from_fn_with_state(deadline::Deadlines::new(config, Arc::clone(&streaming)), deadline::enforce))
        .layer(GrpcWebLayer::new())
        .layer(from_fn_with_state(limit::Limits::new(config, streaming), limit::enforce))
        .layer(from_fn(trace::enforce))
}
