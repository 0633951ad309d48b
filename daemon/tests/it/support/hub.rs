//! A whole hub in this process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hyper_util::rt::TokioIo;
use larder_daemon::{
    app::{Addresses, App},
    clock::Clock,
    config::Config,
    temperatures::Temperatures,
    testing::prepare_cluster,
};
use larder_proto::{
    pb::{
        self, access_service_client::AccessServiceClient, alarm_service_client::AlarmServiceClient,
        backup_service_client::BackupServiceClient, camera_service_client::CameraServiceClient,
        job_service_client::JobServiceClient, recording_service_client::RecordingServiceClient,
        system_service_client::SystemServiceClient, temperature_service_client::TemperatureServiceClient,
        viewer_service_client::ViewerServiceClient,
    },
    wire::CameraId,
};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{get, until};

/// A running hub and its state folder.
pub(crate) struct Hub {
    state: TempDir,
    settings: Vec<String>,
    app: Option<App>,
    /// As the admin on the local socket.
    pub(crate) clients: Clients,
}

/// Every service, over one channel.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) cameras: CameraServiceClient<Channel>,
    pub(crate) recordings: RecordingServiceClient<Channel>,
    pub(crate) temperatures: TemperatureServiceClient<Channel>,
    pub(crate) alarms: AlarmServiceClient<Channel>,
    pub(crate) jobs: JobServiceClient<Channel>,
    pub(crate) backups: BackupServiceClient<Channel>,
    pub(crate) system: SystemServiceClient<Channel>,
    pub(crate) access: AccessServiceClient<Channel>,
    pub(crate) viewers: ViewerServiceClient<Channel>,
}

impl Hub {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings as `--set` takes them.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        Self::start_in(state_folder(settings), settings).await
    }

    /// On a machine whose clock is this one.
    pub(crate) async fn start_on(clock: Clock) -> Self {
        Self::begin(state_folder(&[]), &[], clock).await
    }

    /// In a folder that holds a state already.
    pub(crate) async fn start_in(state: TempDir, settings: &[&str]) -> Self {
        Self::begin(state, settings, Clock::new()).await
    }

    async fn begin(state: TempDir, settings: &[&str], clock: Clock) -> Self {
        // Set by whichever test is first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let app = App::start_on(clock, state_config(state.path(), &settings), None).await.unwrap();
        let clients = Clients::new(over_socket(&app.addresses().socket).await);
        let hub = Self { state, settings, app: Some(app), clients };
        hub.ready().await;
        hub
    }

    /// The recorder looks at its folder before it begins.
    async fn ready(&self) {
        until("every part to be ready", || async { (get(self.http(), "/readyz").await.status == 200).then_some(()) })
            .await;
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        self.app.as_ref().unwrap().addresses()
    }

    pub(crate) fn temperatures(&self) -> &Temperatures {
        self.app.as_ref().unwrap().temperatures()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.addresses().http
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    pub(crate) fn recordings(&self) -> PathBuf {
        self.state().join("recordings")
    }

    /// Stops it in order; nothing may overrun.
    pub(crate) async fn stop(mut self) {
        assert!(self.app.take().unwrap().stop().await, "something overran the grace period");
    }

    /// Stops it and starts it again on the same state.
    pub(crate) async fn restart(self) -> Self {
        Box::pin(self.restart_on(Clock::new())).await
    }

    /// The same, on a machine whose clock is this one.
    pub(crate) async fn restart_on(self, clock: Clock) -> Self {
        let hub = Box::pin(self.restart_after(clock, || ())).await;
        hub.ready().await;
        hub
    }

    /// As that; something is done to the state while it is stopped, and no part need be ready after it.
    pub(crate) async fn restart_after(mut self, clock: Clock, meanwhile: impl FnOnce()) -> Self {
        assert!(self.app.take().unwrap().stop().await, "something overran the grace period");
        meanwhile();
        let app = App::start_on(clock, state_config(self.state.path(), &self.settings), None).await.unwrap();
        self.clients = Clients::new(over_socket(&app.addresses().socket).await);
        self.app = Some(app);
        self
    }

    /// Adds a camera with these settings; its id and key.
    pub(crate) async fn add(&self, camera: pb::Camera) -> (CameraId, [u8; 32]) {
        let request = pb::CreateCameraRequest { camera: Some(camera) };
        let added = self.clients.cameras.clone().create_camera(request).await.unwrap().into_inner();
        let key = larder_ctl::simulate::key_from_hex(&added.key.unwrap().key_hex).unwrap();
        (added.camera.unwrap().id.parse().unwrap(), key)
    }

    /// Adds a camera of that name, all else by default.
    pub(crate) async fn add_named(&self, name: &str) -> (CameraId, [u8; 32]) {
        self.add(pb::Camera { name: name.to_owned(), ..pb::Camera::default() }).await
    }

    /// A token's secret.
    pub(crate) async fn token(&self, name: &str, role: pb::Role) -> String {
        let request = pb::CreateTokenRequest { name: name.to_owned(), role: role.into(), valid_for: None };
        self.clients.access.clone().create_token(request).await.unwrap().into_inner().secret
    }
}

impl Clients {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            cameras: CameraServiceClient::new(channel.clone()),
            recordings: RecordingServiceClient::new(channel.clone()),
            temperatures: TemperatureServiceClient::new(channel.clone()),
            alarms: AlarmServiceClient::new(channel.clone()),
            jobs: JobServiceClient::new(channel.clone()),
            backups: BackupServiceClient::new(channel.clone()),
            system: SystemServiceClient::new(channel.clone()),
            access: AccessServiceClient::new(channel.clone()),
            viewers: ViewerServiceClient::new(channel),
        }
    }
}

impl Clients {
    /// A job as it ended.
    pub(crate) async fn ended(&self, id: &str) -> pb::Job {
        let request = pb::WatchJobsRequest { id: id.to_owned() };
        let mut states = self.jobs.clone().watch_jobs(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(job) = states.message().await.unwrap() {
            last = Some(job);
        }
        last.unwrap()
    }
}

/// A channel over a hub's local socket.
pub(crate) async fn over_socket(path: &Path) -> Channel {
    let path = path.to_owned();
    let connect = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://local").connect_with_connector(connect).await.unwrap()
}

/// A state folder, with a database cluster in it unless the settings name a server elsewhere.
pub(crate) fn state_folder(settings: &[&str]) -> TempDir {
    let state = tempfile::tempdir().unwrap();
    if !settings.iter().any(|setting| setting.starts_with("database.url")) {
        prepare_cluster(state.path());
    }
    state
}

/// A hub's configuration: free ports on loopback, and these settings.
pub(crate) fn state_config(state: &Path, settings: &[String]) -> Config {
    let mut all: Vec<String> = [
        "http.address",
        "http.https_address",
        "grpc.address",
        "camera_link.address",
        "thermometers.address",
        "relay.address",
    ]
    .iter()
    .map(|key| format!("{key}=127.0.0.1:0"))
    .collect();
    // The machine may be nearly full; the floor has tests of its own.
    all.push("recordings.free_mib=16".to_owned());
    all.push("backups.keep=0".to_owned());
    all.extend_from_slice(settings);
    let mut config = Config::load(None, &all).unwrap();
    config.state = Some(state.to_owned());
    config
}
