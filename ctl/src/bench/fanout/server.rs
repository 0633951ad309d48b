//! What is measured: a hub with a camera, or the floor with a source, each fresh for each measurement.

use std::{io, net::Ipv4Addr, path::PathBuf, process::Stdio, sync::Mutex};

use larder_proto::pb::RecordingMode;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    super::{
        camera::{Reel, feed, film},
        floor::Ports,
        hub::{BenchHub, State},
        process::Process,
    },
    FPS, Protocol,
    viewer::Endpoint,
};
use crate::{Failure, simulate::LinkError};

/// A server that shows the reel.
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) endpoint: Endpoint,
}

/// What it takes to start one.
pub(super) struct Needs<'a> {
    pub(super) larderd: Option<PathBuf>,
    pub(super) state: &'a State,
    pub(super) reel: &'a Reel,
    pub(super) stop: &'a CancellationToken,
}

/// Starts what the protocol needs, works with it, and stops it.
pub(super) async fn with<T>(
    protocol: Protocol,
    needs: Needs<'_>,
    work: impl AsyncFnOnce(&Server) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if protocol == Protocol::Floor { floor(needs, work).await } else { hub(protocol, needs, work).await }
}

async fn hub<T>(
    protocol: Protocol,
    needs: Needs<'_>,
    work: impl AsyncFnOnce(&Server) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let hub = BenchHub::start(needs.larderd, needs.state, needs.stop).await?;
    hub.during(needs.stop, async |hub| {
        // A new camera each time: names are unique, and the state folder is the same.
        let name = format!("bench-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let camera = hub.add_camera(&name, FPS, RecordingMode::Off).await?;
        let token = hub.token(&name).await?;
        let link = hub.address("camera_link")?;
        let endpoint = Endpoint { protocol, address: hub.address("http")?, camera: name, token };
        let server = Server { process: hub.process(), endpoint };
        showing(async |stop| film(link, camera, needs.reel.clone(), stop).await, work(&server)).await
    })
    .await
}

async fn floor<T>(needs: Needs<'_>, work: impl AsyncFnOnce(&Server) -> Result<T, Failure>) -> Result<T, Failure> {
    let (mut child, ports) = start_floor().await.map_err(|error| Failure::Other(format!("no floor: {error}")))?;
    let process = Process(child.id().unwrap_or_default());
    let address = (Ipv4Addr::LOCALHOST, ports.viewers).into();
    let endpoint = Endpoint { protocol: Protocol::Floor, address, camera: String::new(), token: String::new() };
    let server = Server { process, endpoint };
    let source = (Ipv4Addr::LOCALHOST, ports.source).into();
    let work = async {
        tokio::select! {
            biased;
            () = needs.stop.cancelled() => Err(Failure::Interrupted),
            done = work(&server) => done,
        }
    };
    let done = showing(async |stop| feed(source, needs.reel.clone(), stop).await, work).await;
    // Without its source it ends; killed, it ends too.
    let _ended = child.kill().await;
    done
}

async fn start_floor() -> io::Result<(Child, Ports)> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["bench", "floor"]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    Ok((child, serde_json::from_str(&line)?))
}

/// Works while the source sends; the work ends it.
async fn showing<T>(
    source: impl AsyncFnOnce(CancellationToken) -> Result<u64, LinkError>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let stop = CancellationToken::new();
    let done = Mutex::new(None);
    let working = async {
        let result = work.await;
        stop.cancel();
        *done.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
    };
    let (sent, ()) = tokio::join!(source(stop.clone()), working);
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    match (sent, done) {
        (Err(error), _) => Err(Failure::Other(format!("the benchmark's camera gave up: {error}"))),
        (Ok(_), Some(done)) => done,
        (Ok(_), None) => Err(Failure::Interrupted),
    }
}
