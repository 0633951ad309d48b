//! A hub of the benchmark's own: `larderd` in a temporary state folder, on free ports of the loopback.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use larder_proto::{
    pb::{
        Camera, CaptureSettings, CreateCameraRequest, CreateTokenRequest, GetStatusRequest, RecordingMode,
        RecordingSettings, Role, SystemStatus,
    },
    wire::{CameraId, camera::KEY_LEN},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::process::Process;
use crate::{
    Failure,
    client::{Hub, quick},
    daemon::{Daemon, gone, here, up},
    simulate::key_from_hex,
    target::Target,
};

/// As many as the hub takes by itself.
const CONNECTIONS: u32 = 1024;

/// A temporary state folder. It outlives the hubs that run on it, one behind the other.
pub(super) struct State(TempDir);

impl State {
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir();
        let made = tempfile::Builder::new().prefix("larder-bench-").tempdir_in(&folder);
        let state = made.map_err(|source| Failure::file(&folder, source))?;
        // The database of a hub that is started as root runs as another user, who must be able to pass through.
        let opened = fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755));
        opened.map_err(|source| Failure::file(state.path(), source))?;
        Ok(Self(state))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A hub that runs.
pub(super) struct BenchHub {
    daemon: Daemon,
    process: Process,
    client: Hub,
    status: SystemStatus,
}

/// A camera that was added.
#[derive(Clone)]
pub(super) struct Added {
    pub(super) id: CameraId,
    pub(super) name: String,
    pub(super) key: [u8; KEY_LEN],
}

impl BenchHub {
    /// Starts one and waits until it answers with its database.
    pub(super) async fn start(
        larderd: Option<PathBuf>,
        state: &State,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let ports = [
            "http.address",
            "http.https_address",
            "grpc.address",
            "camera_link.address",
            "thermometers.address",
            "relay.address",
        ];
        let mut options: Vec<String> = ports.iter().map(|port| format!("--set={port}=127.0.0.1:0")).collect();
        // All viewers come from this machine.
        options.push(format!("--set=http.max_connections_per_address={CONNECTIONS}"));
        // Nothing else is to be measured.
        options.push("--set=backups.keep=0".to_owned());
        let mut daemon = Daemon::start(larderd, state.path(), &options)?;
        let process = Process(daemon.pid().ok_or_else(|| gone(Err(io::ErrorKind::NotFound.into())))?);
        let ready = async {
            let client = up(Target::Socket(state.path().join("larder.sock"))).await?;
            let status = client.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
            Ok::<_, Failure>((client, status))
        };
        let ready = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Failure::Interrupted),
            status = daemon.ended() => return Err(gone(status)),
            ready = ready => ready,
        };
        match ready {
            Ok((client, status)) => Ok(Self { daemon, process, client, status }),
            Err(failure) => daemon.stop().await.and(Err(failure)),
        }
    }

    /// Does the work, unless it is stopped meanwhile, and then stops the hub in order.
    pub(super) async fn during<T>(
        self,
        stop: &CancellationToken,
        work: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Failure::Interrupted),
            done = work(&self) => done,
        };
        let stopped = self.daemon.stop().await;
        done.and_then(|done| stopped.map(|()| done))
    }

    /// Its process.
    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// Speaks with it as admin.
    pub(super) fn client(&self) -> &Hub {
        &self.client
    }

    /// Where it listens for `http` or `camera_link`.
    pub(super) fn address(&self, name: &str) -> Result<SocketAddr, Failure> {
        let listener = self.status.listeners.iter().find(|listener| listener.name == name);
        let address = listener.and_then(|listener| here(&listener.address).parse().ok());
        address.ok_or_else(|| Failure::Other(format!("the hub tells no address of its {name}")))
    }

    /// Adds a camera.
    pub(super) async fn add_camera(&self, name: &str, fps: u32, mode: RecordingMode) -> Result<Added, Failure> {
        let camera = Camera {
            name: name.to_owned(),
            capture: Some(CaptureSettings { active_fps: fps, idle_fps: fps, ..CaptureSettings::default() }),
            recording: Some(RecordingSettings { mode: mode.into(), ..RecordingSettings::default() }),
            ..Camera::default()
        };
        let request = quick(CreateCameraRequest { camera: Some(camera) });
        let answer = self.client.cameras().create_camera(request).await?.into_inner();
        let broken = || Failure::Other("the hub answered without a camera and its key".to_owned());
        let id = answer.camera.and_then(|camera| camera.id.parse().ok()).ok_or_else(broken)?;
        let key = answer.key.and_then(|key| key_from_hex(&key.key_hex)).ok_or_else(broken)?;
        Ok(Added { id, name: name.to_owned(), key })
    }

    /// Makes a token that may look.
    pub(super) async fn token(&self, name: &str) -> Result<String, Failure> {
        let request = CreateTokenRequest { name: name.to_owned(), role: Role::Viewer.into(), valid_for: None };
        Ok(self.client.access().create_token(quick(request)).await?.into_inner().secret)
    }
}
