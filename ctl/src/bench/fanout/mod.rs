//! `larderctl bench fanout`: what it costs to show one camera to many.

mod crowd;
mod report;
mod server;
pub(super) mod viewer;
pub(super) mod wire;

use std::{collections::HashMap, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::{
    crowd::Crowd,
    report::{Burst, Row, Stalled},
    server::{Needs, Server},
};
use super::{
    Common,
    camera::Reel,
    hub::State,
    pace::every,
    pictures,
    samples::{millis, round, slope},
    stamp::Epoch,
};
use crate::{Failure, Out, progress::Progress};

/// Pictures a second.
const FPS: u32 = 25;
/// Between the first pictures and the measurement: connecting is another benchmark's matter.
const WARM_UP: Duration = Duration::from_secs(1);
/// Until a fresh hub's memory has settled.
const SETTLE: Duration = Duration::from_secs(5);
/// Who looks on while one is stalled.
const BESIDE_STALLED: usize = 10;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Open files beside one for each viewer.
const OTHER_FILES: usize = 64;

/// How many look, how, and for how long.
#[derive(Args, Clone, Debug)]
pub struct FanoutArgs {
    #[command(flatten)]
    common: Common,
    /// How many look at once, a measurement for each
    #[arg(long, value_delimiter = ',', default_value = "1,50,200,800", value_parser = viewers)]
    viewers: Vec<usize>,
    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How they look
    #[arg(long, value_delimiter = ',', default_value = "websocket,mjpeg", value_enum)]
    protocols: Vec<Protocol>,
    /// How many connect at once in the burst; 0 leaves it out
    #[arg(long, value_name = "COUNT", default_value_t = 800)]
    burst: usize,
    /// Leave the stalled viewer out
    #[arg(long)]
    no_stall: bool,
}

fn viewers(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=900).contains(count));
    count.ok_or_else(|| format!("\"{text}\" is not 1 to 900 (the hub takes 1024 connections)"))
}

/// How a viewer looks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// Bare TCP from a program that does nothing else: what the others are compared with.
    #[value(skip)]
    Floor,
    /// As the page looks.
    #[value(name = "websocket")]
    WebSocket,
    /// As players look.
    Mjpeg,
}

/// What all measurements share.
struct Bench<'a> {
    args: &'a FanoutArgs,
    state: State,
    reel: Reel,
    frame_bytes: usize,
    stop: &'a CancellationToken,
}

pub(super) async fn run(args: FanoutArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let most = args.viewers.iter().copied().max().unwrap_or_default().max(args.burst);
    super::process::open_files(most + OTHER_FILES);
    let pictures = pictures::make(FPS);
    let frame_bytes = pictures::mean_bytes(&pictures) + super::stamp::STAMP_LEN;
    let reel = Reel { pictures: Arc::new(pictures), fps: FPS, epoch: Epoch::new() };
    let bench = Bench { args: &args, state: State::new()?, reel, frame_bytes, stop };
    let per_protocol = usize::from(args.burst > 0) + usize::from(!args.no_stall);
    let steps = args.viewers.len() * (1 + args.protocols.len()) + per_protocol * args.protocols.len();
    let progress = Progress::new(out, steps);

    let mut rows = Vec::new();
    for viewers in &args.viewers {
        rows.extend(bench.rows(*viewers, out, &progress).await?);
    }
    let (mut stalled, mut bursts) = (Vec::new(), Vec::new());
    for protocol in &args.protocols {
        if !args.no_stall {
            progress.at(format!("one stalled viewer, {protocol:?}"));
            let row = bench.stalled(*protocol).await?;
            report::emit(out, &row)?;
            stalled.push(row);
            progress.step();
        }
        if args.burst > 0 {
            progress.at(format!("a burst of {} connects, {protocol:?}", args.burst));
            let row = bench.burst(*protocol).await?;
            report::emit(out, &row)?;
            bursts.push(row);
            progress.step();
        }
    }
    drop(progress);
    report::tables(out, frame_bytes, &rows, &stalled, &bursts)
}

impl Bench<'_> {
    /// The floor and each protocol with so many viewers.
    async fn rows(&self, viewers: usize, out: &mut Out, progress: &Progress) -> Result<Vec<Row>, Failure> {
        let mut floor = HashMap::new();
        let mut rows = Vec::new();
        for protocol in std::iter::once(Protocol::Floor).chain(self.args.protocols.iter().copied()) {
            progress.at(format!("{viewers} viewers, {protocol:?}"));
            let mut row = self.row(protocol, viewers).await?;
            if protocol == Protocol::Floor {
                floor.insert(viewers, row.cpu_us_per_frame);
            }
            row.ratio_to_floor = floor.get(&viewers).map_or(0.0, |floor| round(row.cpu_us_per_frame / floor));
            report::emit(out, &row)?;
            rows.push(row);
            progress.step();
        }
        Ok(rows)
    }

    async fn with<T>(
        &self,
        protocol: Protocol,
        work: impl AsyncFnOnce(&Server) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let needs =
            Needs { larderd: self.args.common.larderd.clone(), state: &self.state, reel: &self.reel, stop: self.stop };
        server::with(protocol, needs, work).await
    }

    async fn row(&self, protocol: Protocol, viewers: usize) -> Result<Row, Failure> {
        let length = Duration::from_secs(self.args.seconds.into());
        self.with(protocol, async |server| {
            let mut crowd = Crowd::gather(&server.endpoint, viewers, self.reel.epoch).await;
            sleep(WARM_UP).await;
            crowd.begin();
            let before = server.process.cpu()?;
            sleep(length).await;
            let cpu = server.process.cpu()?.saturating_sub(before);
            let mut seen = crowd.together()?;
            let frames = seen.delays.len();
            if frames == 0 {
                return Err(Failure::Other(format!("{viewers} viewers of {protocol:?} saw nothing")));
            }
            Ok(Row {
                protocol,
                viewers,
                frame_bytes: self.frame_bytes,
                frames,
                frames_per_second: round(frames as f64 / length.as_secs_f64()),
                skipped: seen.skipped,
                cpu_us_per_frame: round(cpu.as_secs_f64() * 1e6 / frames as f64),
                cpu_percent: round(cpu.as_secs_f64() * 100.0 / length.as_secs_f64()),
                ratio_to_floor: 0.0,
                p50_ms: millis(seen.delays.percentile(50)),
                p99_ms: millis(seen.delays.percentile(99)),
                peak_rss_bytes: server.process.peak_rss()?,
            })
        })
        .await
    }

    /// One viewer connects and then reads nothing, beside others that read. Before it, the same is measured without it:
    /// a young process grows a little whatever happens.
    async fn stalled(&self, protocol: Protocol) -> Result<Stalled, Failure> {
        let length = Duration::from_secs(self.args.seconds.into());
        self.with(protocol, async |server| {
            let memory = async || {
                let mut seen = Vec::new();
                every(LOOK, length, |at| seen.extend(server.process.rss().ok().map(|rss| (at, rss)))).await;
                slope(&seen).round()
            };
            let mut crowd = Crowd::gather(&server.endpoint, BESIDE_STALLED, self.reel.epoch).await;
            sleep(SETTLE).await;
            let control = memory().await;
            let before = server.process.rss()?;
            let lost = |error| Failure::Other(format!("the viewer that stalls could not connect: {error}"));
            let held = server.endpoint.connect().await.map_err(lost)?;
            // Its queues fill first: that is bounded, and is told as what it holds.
            sleep(WARM_UP).await;
            crowd.begin();
            let growth = memory().await;
            let after = server.process.rss()?;
            drop(held);
            Ok(Stalled {
                protocol,
                beside: BESIDE_STALLED,
                seconds: self.args.seconds,
                rss_before_bytes: before,
                rss_after_bytes: after,
                growth_before_bytes_per_second: control,
                growth_bytes_per_second: growth,
                skipped_by_others: crowd.together()?.skipped,
            })
        })
        .await
    }

    async fn burst(&self, protocol: Protocol) -> Result<Burst, Failure> {
        self.with(protocol, async |server| {
            let crowd = Crowd::gather(&server.endpoint, self.args.burst, self.reel.epoch).await;
            let mut firsts = crowd.firsts();
            Ok(Burst {
                protocol,
                connects: self.args.burst,
                served: firsts.len(),
                first_frame_p50_ms: millis(firsts.percentile(50)),
                first_frame_last_ms: millis(firsts.max()),
            })
        })
        .await
    }
}
