//! `larderctl bench relay`: how a far viewer sees a camera over lines that are thin, lossy, long or cut, beside MJPEG
//! over HTTP on the same line; and what a picture costs the hub, beside QUIC alone.

mod lines;
mod log;
mod raw;
mod report;
mod viewer;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use larder_proto::pb::RecordingMode;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(super) use raw::serve;

use self::{
    lines::Known,
    log::Log,
    raw::Raw,
    report::{Cost, Cut, Moved, Protocol, Report, Row},
    viewer::{Looker, Viewer},
};
use super::{
    Common,
    camera::{Reel, feed, film},
    hub::{Added, BenchHub, State},
    impair::{Conditions, DatagramProxy, Link, StreamProxy, Truth, measure},
    pictures,
    process::Process,
    samples::{millis, round},
    stamp::Epoch,
};
use crate::{Failure, Out, progress::Progress};

/// Pictures a second.
const FPS: u32 = 20;
/// Bytes of each.
const FRAME_BYTES: usize = 54_000;
/// For the first picture on the worst line.
const PATIENCE: Duration = Duration::from_secs(30);
/// A picture that is younger shows what is.
const CURRENT: Duration = Duration::from_secs(1);
/// How long is waited for a picture after a cut.
const AFTER_CUT: Duration = Duration::from_secs(10);
/// How long is looked on after the path has changed.
const AFTER_MOVE: Duration = Duration::from_secs(3);
/// Decides what is lost.
const SEED: u64 = 20_261_123;

/// What is measured, and for how long.
#[derive(Args, Clone, Debug)]
pub struct RelayArgs {
    #[command(flatten)]
    common: Common,
    /// What to measure
    #[arg(long, value_delimiter = ',', default_value = "lines,cut,move,cost", value_enum)]
    parts: Vec<Part>,
    /// How long each line is measured
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How long a viewer and the hub have to find the line's rate, before anything is measured
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u32).range(0..=60))]
    warm_up: u32,
    /// How long the cut lasts
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=60))]
    cut: u32,
    /// How many look at once when the CPU time is measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    viewers: u32,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Rate and age on three lines
    Lines,
    /// A line that carries nothing for a while
    Cut,
    /// A viewer that goes on from another address
    Move,
    /// CPU time of a picture
    Cost,
}

/// What all measurements share.
struct Bench<'a> {
    args: &'a RelayArgs,
    reel: Reel,
    looker: Looker,
    relay: SocketAddr,
    http: SocketAddr,
    process: Process,
}

pub(super) async fn run(args: RelayArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let reel = Reel { pictures: Arc::new(pictures::of_bytes(FPS, FRAME_BYTES)), fps: FPS, epoch: Epoch::new() };
    let state = State::new()?;
    let authority = state.path().join("certs").join("ca.crt");
    let hub = BenchHub::start(args.common.larderd.clone(), &state, stop).await?;
    let report = hub
        .during(stop, async |hub| {
            let camera = hub.add_camera("bench", FPS, RecordingMode::Off).await?;
            let looker =
                Looker { camera: camera.name.clone(), token: hub.token("bench").await?, authority, epoch: reel.epoch };
            let (relay, http) = (hub.address("relay")?, hub.address("http")?);
            let bench = Bench { args: &args, reel: reel.clone(), looker, relay, http, process: hub.process() };
            filmed(hub.address("camera_link")?, camera, reel, bench.all(out)).await
        })
        .await?;
    report.tables(out)
}

/// Works while the camera films.
async fn filmed<T>(
    link: SocketAddr,
    camera: Added,
    reel: Reel,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let stop = CancellationToken::new();
    tokio::select! {
        biased;
        done = work => done,
        filmed = film(link, camera, reel, stop.clone()) => Err(Failure::Other(match filmed {
            Ok(_) => "the benchmark's camera ended".to_owned(),
            Err(error) => format!("the benchmark's camera gave up: {error}"),
        })),
    }
}

impl Bench<'_> {
    async fn all(&self, out: &mut Out) -> Result<Report, Failure> {
        let lines = lines::all();
        let has = |part| self.args.parts.contains(&part);
        let steps = [(Part::Lines, 2 * lines.len()), (Part::Cut, 2), (Part::Move, 1), (Part::Cost, 2)];
        let progress = Progress::new(out, steps.iter().filter(|(part, _)| has(*part)).map(|(_, steps)| steps).sum());
        let mut report = Report::new(FPS, FRAME_BYTES);
        if has(Part::Lines) {
            for line in lines {
                progress.at(format!("{}, what it truly does", line.name));
                let truth = measure(line.conditions, SEED).await.map_err(Failure::Output)?;
                for protocol in [Protocol::Relay, Protocol::Mjpeg] {
                    progress.at(format!("{}, {}", line.name, protocol.name()));
                    report.line(self.line(&line, truth, protocol).await?, out)?;
                    progress.step();
                }
            }
        }
        if has(Part::Cut) {
            for protocol in [Protocol::Relay, Protocol::Mjpeg] {
                progress.at(format!("a cut of {} s, {}", self.args.cut, protocol.name()));
                report.cut(self.cut(protocol).await?, out)?;
                progress.step();
            }
        }
        if has(Part::Move) {
            progress.at("another address");
            report.moved(self.moved().await?, out)?;
            progress.step();
        }
        if has(Part::Cost) {
            progress.at("CPU time of QUIC alone");
            let raw = self.raw().await?;
            progress.step();
            progress.at("CPU time of the relay");
            report.cost(self.cost(raw).await?, out)?;
            progress.step();
        }
        Ok(report)
    }

    /// A viewer behind a line.
    async fn behind(&self, link: &Link, protocol: Protocol) -> Result<(Viewer, Proxy), Failure> {
        Ok(match protocol {
            Protocol::Relay => {
                let proxy = DatagramProxy::start(link, self.relay).await.map_err(Failure::Output)?;
                (self.looker.relay(proxy.address()).await?, Proxy::Datagrams(proxy))
            }
            Protocol::Mjpeg => {
                let proxy = StreamProxy::start(link, self.http).await.map_err(Failure::Output)?;
                (self.looker.mjpeg(proxy.address()), Proxy::Stream(proxy))
            }
        })
    }

    async fn line(&self, line: &Known, truth: Truth, protocol: Protocol) -> Result<Row, Failure> {
        let link = Link::new(line.conditions, SEED);
        let (mut viewer, _proxy) = self.behind(&link, protocol).await?;
        viewer.has(1, PATIENCE).await?;
        self.warm_up().await;
        let (seen, length) = self.watched(&viewer.log).await;
        let (lost, dropped) = link.losses();
        let true_rate = match protocol {
            Protocol::Relay => truth.datagram_mbit_s,
            Protocol::Mjpeg => truth.stream_mbit_s,
        };
        let can = (true_rate * 1e6 / 8.0 / FRAME_BYTES as f64).min(FPS.into());
        let fps = seen.frames as f64 / length.as_secs_f64();
        let mut ages = seen.ages;
        let age_p50 = ages.percentile(50);
        let of_line_percent = round(fps * 100.0 / can);
        Ok(Row {
            line: line.name,
            protocol,
            truth,
            fps: round(fps),
            of_line_percent,
            age_p50_ms: millis(age_p50),
            age_p95_ms: millis(ages.percentile(95)),
            age_max_ms: millis(ages.max()),
            skipped: seen.skipped,
            lost,
            dropped,
            meets_aim: (protocol == Protocol::Relay).then(|| line.aim.is_met(fps, of_line_percent, age_p50)),
        })
    }

    /// What comes from now on for as long as is measured.
    async fn watched(&self, log: &Log) -> (log::Part, Duration) {
        let from = self.now();
        sleep(Duration::from_secs(self.args.seconds.into())).await;
        let to = self.now();
        (log.part(from, to), to - from)
    }

    /// 8 Mbit/s, cut, and mended.
    async fn cut(&self, protocol: Protocol) -> Result<Cut, Failure> {
        let link = Link::new(Conditions::new(8_000_000, Duration::from_millis(10)), SEED);
        let (mut viewer, _proxy) = self.behind(&link, protocol).await?;
        viewer.has(1, PATIENCE).await?;
        self.warm_up().await;
        link.cut();
        sleep(Duration::from_secs(self.args.cut.into())).await;
        let mended = self.now();
        link.mend();
        let current = async {
            loop {
                if let Some(after) = viewer.log.current_after(mended, CURRENT) {
                    return millis(after);
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let current_after_ms = timeout(AFTER_CUT, current).await.ok();
        let connects = *viewer.connects.borrow();
        Ok(Cut { protocol, seconds: self.args.cut, current_after_ms, connects })
    }

    /// Without a line between, so that the hub sees the address change.
    async fn moved(&self) -> Result<Moved, Failure> {
        let mut viewer = self.looker.relay(self.relay).await?;
        viewer.has(1, PATIENCE).await?;
        self.warm_up().await;
        let moved = self.now();
        // All of 127.0.0.0/8 is this machine.
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
        if let Some(dialer) = &viewer.dialer {
            dialer.rebind(elsewhere).map_err(Failure::Output)?;
        }
        sleep(AFTER_MOVE).await;
        let seen = viewer.log.part(moved, self.now());
        let connects = *viewer.connects.borrow();
        Ok(Moved { longest_gap_ms: millis(seen.longest_gap), frames: seen.frames, skipped: seen.skipped, connects })
    }

    /// CPU time of a picture handed to QUIC by a program that does nothing else, in microseconds.
    async fn raw(&self) -> Result<f64, Failure> {
        let raw = Raw::start().await?;
        let stop = CancellationToken::new();
        let work = async {
            let mut viewers = JoinSet::new();
            let logs: Vec<_> = (0..self.args.viewers).map(|_| raw.view(&mut viewers, self.looker.epoch)).collect();
            let (used, mut seen) = self.spent(Process(raw.pid()), &logs).await?;
            stop.cancel();
            self.per_frame(used, &mut seen)
        };
        let (fed, spent) = tokio::join!(feed(raw.source(), self.reel.clone(), stop.clone()), work);
        fed.map_err(|error| Failure::Other(format!("the source of QUIC alone gave up: {error}")))?;
        raw.stop().await;
        spent
    }

    async fn cost(&self, raw_us: f64) -> Result<Cost, Failure> {
        let mut viewers = Vec::new();
        for _ in 0..self.args.viewers {
            viewers.push(self.looker.relay(self.relay).await?);
        }
        let logs: Vec<_> = viewers.iter().map(|viewer| Arc::clone(&viewer.log)).collect();
        let (used, mut seen) = self.spent(self.process, &logs).await?;
        let relay_us = self.per_frame(used, &mut seen)?;
        let mut ages = seen.ages;
        Ok(Cost {
            viewers: self.args.viewers,
            cpu_us_per_frame: round(relay_us),
            raw_us_per_frame: round(raw_us),
            ratio: round(relay_us / raw_us),
            frames: seen.frames,
            skipped: seen.skipped,
            age_p50_ms: millis(ages.percentile(50)),
            age_p95_ms: millis(ages.percentile(95)),
        })
    }

    /// CPU time of a process while these look, and what they saw meanwhile.
    async fn spent(&self, process: Process, logs: &[Arc<Log>]) -> Result<(Duration, log::Part), Failure> {
        let all_see = async {
            while logs.iter().any(|log| log.len() == 0) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let late = |_elapsed| Failure::Other("a viewer saw nothing".to_owned());
        timeout(PATIENCE, all_see).await.map_err(late)?;
        self.warm_up().await;
        let (from, before) = (self.now(), process.cpu()?);
        sleep(Duration::from_secs(self.args.seconds.into())).await;
        let (to, after) = (self.now(), process.cpu()?);
        let mut together = log::Part::default();
        for log in logs {
            let part = log.part(from, to);
            together.frames += part.frames;
            together.skipped += part.skipped;
            together.ages.append(part.ages);
        }
        Ok((after.saturating_sub(before), together))
    }

    fn per_frame(&self, used: Duration, seen: &mut log::Part) -> Result<f64, Failure> {
        match seen.frames {
            0 => Err(Failure::Other("the viewers saw nothing".to_owned())),
            frames => Ok(used.as_secs_f64() * 1e6 / frames as f64),
        }
    }

    async fn warm_up(&self) {
        sleep(Duration::from_secs(self.args.warm_up.into())).await;
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.looker.epoch.now_ns())
    }
}

/// Stands between while it lives.
enum Proxy {
    #[expect(dead_code, reason = "kept for as long as it is to run")]
    Datagrams(DatagramProxy),
    #[expect(dead_code, reason = "kept for as long as it is to run")]
    Stream(StreamProxy),
}
