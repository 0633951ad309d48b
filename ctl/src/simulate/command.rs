//! `larderctl camera simulate`: runs a simulated camera and says how it is doing.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use larder_proto::{pb::GetCameraRequest, wire::CameraId};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Error, LinkError, Progress, Report, SimulateArgs, run};
use crate::{
    Failure, Out,
    client::{Hub, quick},
    units,
};

/// Runs a simulated camera until it is done or `stop` is cancelled. A camera given by its name is looked up on `hub`;
/// one given by its id needs the camera link alone.
///
/// # Errors
///
/// The arguments make no sense, the hub refuses the camera, or there are no pictures.
pub async fn execute(
    args: SimulateArgs,
    hub: Option<&Hub>,
    out: &mut Out,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let camera = match (args.camera.parse(), hub) {
        (Ok(id), _) => id,
        (Err(_name), Some(hub)) => look_up(&args.camera, hub).await?,
        (Err(error), None) => return Err(Failure::Usage(format!("\"{}\" is no camera id: {error}", args.camera))),
    };
    let options = args.options(camera)?;
    let show = Show::new(out.is_interactive() && !out.is_json());
    let report = run(options, stop, |progress| show.tell(progress)).await;
    show.bar.finish_and_clear();
    summary(&report.map_err(explain)?, out)
}

/// The id of a camera of that name.
///
/// # Errors
///
/// The hub knows none, or goes away.
pub(crate) async fn look_up(name: &str, hub: &Hub) -> Result<CameraId, Failure> {
    let camera = hub.cameras().get_camera(quick(GetCameraRequest { camera: name.to_owned() })).await?.into_inner();
    camera.id.parse().map_err(|error| Failure::Other(format!("the hub's camera id \"{}\" is none: {error}", camera.id)))
}

fn explain(error: Error) -> Failure {
    match error {
        Error::Link(refused) if refused.is_refusal() => Failure::Other(format!(
            "{refused}\n  the hub does not know this camera with this key: see `larderctl camera list`, or make a new \
             key with `larderctl camera key`"
        )),
        Error::Link(error @ LinkError::Connect { .. }) => Failure::Other(format!(
            "{error}\n  the camera link listens on port 7440: is larderd running there? See --link"
        )),
        error => Failure::Other(error.to_string()),
    }
}

/// One line on a terminal that is written over, or a line a step elsewhere.
struct Show {
    bar: ProgressBar,
    interactive: bool,
    started: tokio::time::Instant,
    frames: AtomicU64,
    rate: Mutex<(tokio::time::Instant, u64, f64)>,
}

impl Show {
    fn new(interactive: bool) -> Self {
        let bar = if interactive { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let now = tokio::time::Instant::now();
        Self { bar, interactive, started: now, frames: AtomicU64::new(0), rate: Mutex::new((now, 0, 0.0)) }
    }

    fn tell(&self, progress: Progress) {
        match progress {
            Progress::Connected { hub, size, fps } => {
                self.line(&format!("connected to {hub}: {}x{}, {fps} pictures a second", size.width, size.height));
            }
            Progress::Commanded { command, result } => self.line(&format!("command {command}: {}", result.name())),
            Progress::Disconnected { reason, retry_in } => {
                self.line(&format!("{reason}; dialling again in {:.1} s", retry_in.as_secs_f64()));
            }
            Progress::Sent { frames, bytes } => {
                self.frames.store(frames, Ordering::Relaxed);
                self.bar.set_message(format!(
                    "{frames} pictures, {}, {:.1} a second, for {}",
                    units::show_bytes(bytes),
                    self.rate(frames),
                    units::show_duration(Duration::from_secs(self.started.elapsed().as_secs())),
                ));
                self.bar.tick();
            }
        }
    }

    /// Pictures a second over the last whole second.
    fn rate(&self, frames: u64) -> f64 {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, before, shown) = *rate;
        let passed = since.elapsed().as_secs_f64();
        if passed < 1.0 {
            return shown;
        }
        let sent = u32::try_from(frames.saturating_sub(before)).unwrap_or(u32::MAX);
        *rate = (tokio::time::Instant::now(), frames, f64::from(sent) / passed);
        rate.2
    }

    fn line(&self, text: &str) {
        if self.interactive {
            self.bar.println(text);
        } else {
            eprintln!("{text}");
        }
    }
}

#[derive(Serialize)]
struct Summary {
    frames: u64,
    damaged: u64,
    dropped: u64,
    size_bytes: u64,
    sessions: u64,
}

fn summary(report: &Report, out: &mut Out) -> Result<(), Failure> {
    let Report { frames, damaged, dropped, bytes, sessions } = *report;
    let view = Summary { frames, damaged, dropped, size_bytes: bytes, sessions };
    let faults = if damaged > 0 { format!(", {damaged} of them damaged on purpose") } else { String::new() };
    let sessions = if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") };
    let sentence = format!("sent {frames} pictures{faults} ({}) in {sessions}", units::show_bytes(bytes));
    out.one(&view, |out| out.line(&sentence))
}
