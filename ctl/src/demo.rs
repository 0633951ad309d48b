//! `larderctl demo`: a whole Larder in one terminal. Starts `larderd`, adds a camera, is that camera, and stops it all.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use larder_proto::pb::{
    Camera, CameraKey, CreateCameraRequest, CreateSensorRequest, CreateSignInLinkRequest, GetCameraRequest,
    GetStatusRequest, RotateCameraKeyRequest, Sensor, SensorSource, SystemStatus,
    sensor_source::{CameraProbe, Source, TextDevice},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    Failure, Out,
    client::{Hub, quick},
    daemon::{Daemon, gone, here, up},
    profile::write_private,
    sensor,
    simulate::{self, Climate, Stall, key_from_hex},
    target::{Target, TargetArgs},
};

/// The second thermometer, and what its datagrams call it.
const FREEZER: &str = "freezer";

/// A whole Larder in one terminal.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// The daemon [default: the one beside this program, else the one in PATH]
    #[arg(long, value_name = "FILE")]
    pub larderd: Option<PathBuf>,
    /// The simulated camera's name
    #[arg(long, default_value = "fridge")]
    pub camera: String,
    /// Passed on to larderd, after `--`
    #[arg(last = true, value_name = "LARDERD OPTIONS")]
    pub options: Vec<String>,
}

/// Runs everything until `stop` is cancelled, then stops it in order: the camera, then the hub.
///
/// # Errors
///
/// `larderd` does not start or ends by itself, or the camera cannot be added.
pub async fn run(args: DemoArgs, target: &TargetArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let state = target.state.clone().unwrap_or_else(|| PathBuf::from("var"));
    let socket = Target::Socket(state.join("larder.sock"));
    if Hub::connect(socket.clone()).await.is_ok() {
        let state = state.display();
        return Err(Failure::Other(format!("larderd runs on {state} already: stop it, or set another LARDER_STATE")));
    }
    let mut daemon = Daemon::start(args.larderd.clone(), &state, &args.options)?;
    let show = async {
        let prepared = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            prepared = prepare(&args, socket, &state, out) => prepared?,
        };
        // It watches `stop` by itself, so that the camera says goodbye.
        Box::pin(film(&prepared, &stop)).await
    };
    let ended = tokio::select! {
        biased;
        shown = show => shown,
        status = daemon.ended() => return Err(gone(status)),
    };
    out.note("stopping");
    let stopped = daemon.stop().await;
    ended.and(stopped)
}

/// What the simulated camera needs to know.
struct Prepared {
    status: SystemStatus,
    camera: Camera,
    key: String,
}

async fn prepare(args: &DemoArgs, socket: Target, state: &Path, out: &mut Out) -> Result<Prepared, Failure> {
    let hub = up(socket).await?;
    let (camera, key) = camera(&hub, &args.camera, state).await?;
    let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
    thermometers(&hub, &camera).await?;
    greet(&hub, &args.camera, state, out).await?;
    Ok(Prepared { status, camera, key })
}

/// The camera and its key, which is kept in the state folder for the next time.
async fn camera(hub: &Hub, name: &str, state: &Path) -> Result<(Camera, String), Failure> {
    let file = state.join("secrets").join(format!("{name}.key"));
    let found = hub.cameras().get_camera(quick(GetCameraRequest { camera: name.to_owned() })).await;
    let (camera, key) = match found {
        Ok(camera) => {
            let camera = camera.into_inner();
            if let Ok(key) = fs::read_to_string(&file) {
                return Ok((camera, key));
            }
            let request = RotateCameraKeyRequest { camera: camera.id.clone() };
            (camera, hub.cameras().rotate_camera_key(quick(request)).await?.into_inner().key)
        }
        Err(status) if status.code() == Code::NotFound => {
            let camera = Camera { name: name.to_owned(), ..Camera::default() };
            let request = CreateCameraRequest { camera: Some(camera) };
            let answer = hub.cameras().create_camera(quick(request)).await?.into_inner();
            // The key of an earlier camera of this name opens nothing any more.
            let _none = fs::remove_file(&file);
            (answer.camera.unwrap_or_default(), answer.key)
        }
        Err(status) => return Err(status.into()),
    };
    let CameraKey { key_hex, .. } = key.unwrap_or_default();
    fs::create_dir_all(state.join("secrets")).map_err(|source| Failure::file(state, source))?;
    write_private(&file, &format!("{key_hex}\n")).map_err(|source| Failure::file(&file, source))?;
    Ok((camera, key_hex))
}

/// The sensors: the camera's own probe, and a board in the freezer that sends text. Those of an earlier time stay.
async fn thermometers(hub: &Hub, camera: &Camera) -> Result<(), Failure> {
    let probe = Source::Probe(CameraProbe { camera_id: camera.id.clone(), index: 0 });
    let text = Source::Text(TextDevice { address: Ipv4Addr::LOCALHOST.to_string(), device: FREEZER.to_owned() });
    for (name, source) in [(camera.name.as_str(), probe), (FREEZER, text)] {
        let source = Some(SensorSource { source: Some(source) });
        let sensor = Some(Sensor { name: name.to_owned(), source, ..Sensor::default() });
        match hub.temperatures().create_sensor(quick(CreateSensorRequest { sensor })).await {
            Err(status) if status.code() != Code::AlreadyExists => return Err(status.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

async fn greet(hub: &Hub, camera: &str, state: &Path, out: &mut Out) -> Result<(), Failure> {
    let link = hub.access().create_sign_in_link(quick(CreateSignInLinkRequest {})).await?.into_inner();
    let program = program(state);
    out.line("\nLarder runs. This link opens the page and signs you in as admin, once:\n")?;
    for url in &link.urls {
        out.line(&format!("  {url}"))?;
    }
    out.line("\nTo try in another terminal:\n")?;
    for command in ["status", "camera watch", &format!("recording timeline {camera}"), "temperature graph --from -1h"] {
        out.line(&format!("  {program} {command}"))?;
    }
    out.line(&format!("\nRecordings are kept in {}. Ctrl-C stops everything.\n", state.display()))
}

/// How this program was called, with the state folder when commands would not find it by themselves.
fn program(state: &Path) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "larderctl".to_owned());
    if state == Path::new("var") { program } else { format!("{program} --state {}", state.display()) }
}

/// Is the camera and the thermometers until `stop`.
async fn film(Prepared { status, camera, key }: &Prepared, stop: &CancellationToken) -> Result<(), Failure> {
    let id = camera.id.parse().map_err(|error| Failure::Other(format!("camera id \"{}\": {error}", camera.id)))?;
    let key = key_from_hex(key.trim())
        .ok_or_else(|| Failure::Other(format!("the key of {} is no key: remove its file", camera.name)))?;
    let listener = |name| status.listeners.iter().find(|listener| listener.name == name);
    let link = listener("camera_link").map_or("", |link| &link.address);
    let mut options = simulate::Options::new(here(link), id, key);
    options.readings = listener("thermometers").map(|thermometers| here(&thermometers.address));
    options.boot = simulate::starts();
    options.zone = jiff::tz::TimeZone::system();
    let freezer = options.readings.clone().map(freezer);
    let film = async {
        let report = simulate::run(options, stop.child_token(), |_progress| {}).await;
        report.map(drop).map_err(|error| Failure::Other(format!("the simulated camera gave up: {error}")))
    };
    let freeze = async {
        match &freezer {
            Some(freezer) => sensor::simulate::run(freezer, stop, |_told| Ok(())).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(film, freeze).map(|((), ())| ())
}

/// The board in the freezer, whose door is opened now and then.
fn freezer(to: String) -> sensor::simulate::Options {
    let door = Some(Stall { every: Duration::from_secs(15 * 60), lasts: Duration::from_secs(45) });
    let climate = Climate { door, ..Climate::freezer() };
    sensor::simulate::Options::text(to, FREEZER, climate, Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::output::tests::Written;

    fn args(larderd: &Path) -> DemoArgs {
        DemoArgs { larderd: Some(larderd.to_owned()), camera: "fridge".to_owned(), options: Vec::new() }
    }

    #[tokio::test]
    async fn a_daemon_that_ends_by_itself_is_told_at_once() {
        let folder = tempfile::tempdir().expect("folder");
        let target = TargetArgs { state: Some(folder.path().to_owned()), ..TargetArgs::default() };
        let stop = CancellationToken::new();
        let ended = run(args(Path::new("/bin/false")), &target, &mut Written::default().out(false), stop).await;
        assert!(ended.expect_err("no daemon").to_string().contains("ended by itself (exit status: 1)"));
    }

    #[tokio::test]
    async fn the_daemon_is_gone_when_the_demo_has_stopped() {
        let folder = tempfile::tempdir().expect("folder");
        let (script, pid) = (folder.path().join("larderd"), folder.path().join("pid"));
        // Stands in for a daemon that takes its time to start; it stops well when it is asked to.
        let text = format!("#!/bin/sh\ntrap 'exit 0' TERM\necho $$ > {}\nsleep 60 & wait\n", pid.display());
        fs::write(&script, text).expect("script");
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
        let target = TargetArgs { state: Some(folder.path().to_owned()), ..TargetArgs::default() };
        let stop = CancellationToken::new();
        let mut out = Written::default().out(false);
        let demo = run(args(&script), &target, &mut out, stop.clone());
        let (ended, pid) = tokio::join!(demo, async {
            loop {
                if let Some(pid) = fs::read_to_string(&pid).ok().and_then(|text| text.trim().parse::<i32>().ok()) {
                    stop.cancel();
                    return pid;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        ended.expect("stopped well");
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
