//! The hub's services over one connection.

use std::{error::Error, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use larder_proto::pb::{
    access_service_client::AccessServiceClient, alarm_service_client::AlarmServiceClient,
    backup_service_client::BackupServiceClient, camera_service_client::CameraServiceClient,
    job_service_client::JobServiceClient, recording_service_client::RecordingServiceClient,
    system_service_client::SystemServiceClient, temperature_service_client::TemperatureServiceClient,
    viewer_service_client::ViewerServiceClient,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status, Streaming,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Uri},
};
use tower::service_fn;

use crate::{
    Failure,
    dial::{DialError, Protocol, dial},
    target::{Secret, Target},
};

/// A call that only looks something up.
const PATIENCE: Duration = Duration::from_secs(20);
/// A call that deletes files: a year of footage is half a million of them.
const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// A hub that vanished (Wi-Fi, power) ends a stream after about two of these.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A channel that sends the credentials.
pub type Authenticated = InterceptedService<Channel, Credentials>;

/// A connected hub; clones share the connection.
#[derive(Clone)]
pub struct Hub {
    channel: Authenticated,
    target: Arc<Target>,
}

impl Hub {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Nobody answers, or not the one who is trusted.
    pub async fn connect(target: Target) -> Result<Self, Failure> {
        let credentials = Credentials::new(target.token())?;
        let target = Arc::new(target);
        let origin = target.origin();
        let uri: Uri = origin.parse().map_err(|error| Failure::Usage(format!("{origin} is no address: {error}")))?;
        // Opened here, since tonic would bury the reason of a failure; it dials again when this one breaks.
        let mut first = Some(dial(&target, Protocol::Http2).await?);
        // TLS is the connector's business, so tonic is to see plain HTTP, and only the request's origin says https.
        let channel = Endpoint::from_static("http://larder")
            .origin(uri)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .connect_with_connector(service_fn({
                let target = Arc::clone(&target);
                move |_: Uri| {
                    let (target, opened) = (Arc::clone(&target), first.take());
                    async move {
                        let io = match opened {
                            Some(io) => io,
                            None => dial(&target, Protocol::Http2).await?,
                        };
                        Ok::<_, DialError>(TokioIo::new(io))
                    }
                }
            }))
            .await
            .map_err(|error| DialError::NotGrpc { address: target.to_string(), reason: deepest(&error) })?;
        Ok(Self { channel: InterceptedService::new(channel, credentials), target })
    }

    /// Which hub this is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Cameras.
    pub fn cameras(&self) -> CameraServiceClient<Authenticated> {
        CameraServiceClient::new(self.channel.clone())
    }

    /// Recordings.
    pub fn recordings(&self) -> RecordingServiceClient<Authenticated> {
        RecordingServiceClient::new(self.channel.clone())
    }

    /// Sensors and their readings.
    pub fn temperatures(&self) -> TemperatureServiceClient<Authenticated> {
        TemperatureServiceClient::new(self.channel.clone()).accept_compressed(CompressionEncoding::Gzip)
    }

    /// Alarms.
    pub fn alarms(&self) -> AlarmServiceClient<Authenticated> {
        AlarmServiceClient::new(self.channel.clone())
    }

    /// Long work that it does by itself.
    pub fn jobs(&self) -> JobServiceClient<Authenticated> {
        JobServiceClient::new(self.channel.clone())
    }

    /// Backups of its database.
    pub fn backups(&self) -> BackupServiceClient<Authenticated> {
        BackupServiceClient::new(self.channel.clone())
    }

    /// The hub itself.
    pub fn system(&self) -> SystemServiceClient<Authenticated> {
        SystemServiceClient::new(self.channel.clone())
    }

    /// Live views and passes for them.
    pub fn viewers(&self) -> ViewerServiceClient<Authenticated> {
        ViewerServiceClient::new(self.channel.clone())
    }

    /// Tokens and sessions.
    pub fn access(&self) -> AccessServiceClient<Authenticated> {
        AccessServiceClient::new(self.channel.clone())
    }
}

/// A request that is answered at once or not at all.
pub fn quick<T>(message: T) -> Request<T> {
    with_timeout(message, PATIENCE)
}

/// A request whose work takes time.
pub fn long<T>(message: T) -> Request<T> {
    with_timeout(message, LONG_PATIENCE)
}

/// The next message of a stream that ends by `stop` alone; `None` then. Cancel safe.
///
/// # Errors
///
/// The hub refuses, goes away, or ends the stream.
pub async fn next<T>(stream: &mut Streaming<T>, stop: &CancellationToken) -> Result<Option<T>, Failure> {
    let message = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(None),
        message = stream.message() => message?,
    };
    let ended = || Failure::Other("the hub ended the stream: it stops or has ended your session".to_owned());
    message.map(Some).ok_or_else(ended)
}

fn with_timeout<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

fn deepest(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}

/// Who the caller is.
#[derive(Clone, Default)]
pub struct Credentials(Option<MetadataValue<Ascii>>);

impl Credentials {
    fn new(token: Option<&Secret>) -> Result<Self, Failure> {
        let Some(token) = token else { return Ok(Self(None)) };
        let Ok(mut value) = MetadataValue::try_from(format!("Bearer {}", token.expose())) else {
            return Err(Failure::Usage("the token holds characters that no token has".to_owned()));
        };
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}
