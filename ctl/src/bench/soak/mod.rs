//! `larderctl bench soak`: does anything grow that should not?
//!
//! A hub of its own with cameras that record, viewers that come, go and stall, and faults at random, all decided by one
//! seed. The hub's memory, descriptors, threads, tasks and rows are sampled throughout; a verdict says of each whether
//! it stayed flat after the warm-up, and whether all came back to where it was when the storm is over.

mod calm;
mod faults;
mod judge;
mod report;
mod sample;
mod viewers;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use larder_proto::{pb::RecordingMode, wire::camera::Size};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Common,
    hub::{Added, BenchHub, State},
};
use crate::{
    Failure, Out, clock,
    simulate::{self, Dice, Faults, Options, Stall},
    units,
};
use report::{Report, Rest};
use sample::{Sample, Sampler};

/// Older recordings are deleted as a person would, so that rows do not grow by what is merely recorded.
const KEPT: Duration = Duration::from_mins(5);
/// How often they are.
const TIDY: Duration = Duration::from_secs(30);
/// Smaller pictures than a real camera's: the hub's work is the same for each, and the machine is for the hub.
const SIZE: Size = Size { width: 400, height: 296 };
const FPS: u8 = 8;

/// How long, with how many, and which faults.
#[derive(Args, Clone, Debug)]
pub struct SoakArgs {
    /// How long the storm lasts
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = units::duration)]
    duration: Duration,
    /// Cameras that record
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    cameras: u32,
    /// Viewers that come and go
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    viewers: u32,
    /// Decides every fault; printed, so that a run can be had again [default: by chance]
    #[arg(long)]
    seed: Option<u64>,
    /// Between two samples
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = units::duration)]
    every: Duration,
    #[command(flatten)]
    common: Common,
}

/// What everything in a soak shares.
struct Soak<'a> {
    args: &'a SoakArgs,
    seed: u64,
    hub: &'a BenchHub,
    cameras: Vec<Added>,
    state: PathBuf,
    http: SocketAddr,
    token: Arc<str>,
}

/// Runs the soak.
///
/// # Errors
///
/// The hub does not start, ends, or does not come to rest after the storm; or something grew.
pub(super) async fn run(args: SoakArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let seed = args.seed.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    out.note(&format!("seed {seed}"));
    let state = State::new()?;
    let folder = state.path().to_owned();
    let larderd = args.common.larderd.clone();
    let hub = BenchHub::start(larderd, &state, stop).await?;
    let report = hub
        .during(stop, async |hub| {
            let mut cameras = Vec::new();
            for number in 0..args.cameras {
                cameras.push(hub.add_camera(&format!("soak-{number}"), FPS.into(), RecordingMode::Continuous).await?);
            }
            let token = hub.token("soak").await?.into();
            let soak =
                Soak { args: &args, seed, hub, cameras, state: folder.clone(), http: hub.address("http")?, token };
            soak.run(out).await
        })
        .await?;
    out.one(&report, |out| report::show(&report, out))?;
    if report.is_flat() { Ok(()) } else { Err(Failure::Other("something grew that should not".to_owned())) }
}

impl Soak<'_> {
    async fn run(&self, out: &Out) -> Result<Report, Failure> {
        let sampler = Sampler::new(self.hub);
        let film = CancellationToken::new();
        let _filming = film.clone().drop_guard();
        let mut tasks = JoinSet::new();
        self.film(&mut tasks, &film)?;
        out.note("waiting for every camera to be recorded");
        let baseline = calm::settled(self, &sampler, None).await?;

        out.note(&format!("storm for {}", units::show_duration(self.args.duration)));
        let storm = CancellationToken::new();
        let counts = Arc::new(viewers::Counts::default());
        for number in 0..self.args.viewers {
            let viewer = viewers::Viewer {
                address: self.http,
                cameras: self.cameras.iter().map(|camera| camera.name.clone()).collect(),
                token: Arc::clone(&self.token),
                dice: Dice::new(self.seed.wrapping_add(1000 + u64::from(number))),
                counts: Arc::clone(&counts),
            };
            let storm = storm.clone();
            tasks.spawn(async move { storm.run_until_cancelled(viewer.run()).await.unwrap_or_default() });
        }
        let began = Instant::now();
        let faults = faults::Storm::new(self.hub.process(), &self.state, Dice::new(self.seed));
        let blowing = faults.blow(self.args.duration);
        let sampling = self.sample(&sampler, began);
        let (faults, samples, ()) = tokio::join!(blowing, sampling, self.tidy(began));
        storm.cancel();

        out.note("waiting for everything to come back to where it was");
        let ended = calm::settled(self, &sampler, Some(&baseline)).await?;
        let rows = calm::forgotten(self, &sampler, &baseline).await?;
        film.cancel();
        while tasks.join_next().await.is_some() {}
        let rest = Rest { before: baseline, after: ended, rows };
        Ok(Report::new(self, &samples, rest, (faults, counts.told())))
    }

    /// Every camera with faults of its own.
    fn film(&self, tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Result<(), Failure> {
        let link = self.hub.address("camera_link")?.to_string();
        for (number, camera) in (0_u32..).zip(&self.cameras) {
            let mut options = Options::new(link.clone(), camera.id, camera.key);
            options.size = Some(SIZE);
            options.fps = Some(FPS);
            options.seed = self.seed.wrapping_add(u64::from(number));
            options.faults = Faults {
                corrupt: 0.02,
                truncate: 0.01,
                // At times of their own, so that cameras fail alone and together.
                stall: Some(Stall {
                    every: Duration::from_secs(61 + 7 * u64::from(number)),
                    lasts: Duration::from_secs(8),
                }),
                drop_every: Some(Duration::from_secs(37 + 5 * u64::from(number))),
                clock_step: None,
            };
            let stop = stop.clone();
            tasks.spawn(async move {
                // A camera that gives up is missed by the samples.
                let _ended = simulate::run(options, stop, |_progress| {}).await;
            });
        }
        Ok(())
    }

    /// Deletes what is older than it may be, again and again.
    async fn tidy(&self, began: Instant) {
        while began.elapsed() + TIDY < self.args.duration {
            tokio::time::sleep(TIDY).await;
            calm::delete_before(self, clock::now() - KEPT).await;
        }
    }

    async fn sample(&self, sampler: &Sampler<'_>, began: Instant) -> Vec<(Duration, Sample)> {
        let mut samples = Vec::new();
        let mut ticks = tokio::time::interval(self.args.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while began.elapsed() < self.args.duration {
            ticks.tick().await;
            // The hub may be busy for a moment; what can't be had is left out.
            if let Ok(sample) = sampler.take().await {
                samples.push((began.elapsed(), sample));
            }
        }
        samples
    }
}
