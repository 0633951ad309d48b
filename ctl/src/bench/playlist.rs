//! `larderctl bench playlist`: how long a player waits for its playlist when a year is recorded.

use std::net::SocketAddr;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use larder_proto::pb::RecordingMode;
use serde::Serialize;
use tokio::{net::TcpStream, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Common,
    hub::{BenchHub, State},
    samples::{Samples, millis, round},
    seed::{FRAGMENT_SECONDS, seed},
};
use crate::{Failure, Out, output::table, progress::Progress, units::show_bytes};

/// How much is recorded, and how often each is asked for.
#[derive(Args, Clone, Debug)]
pub struct PlaylistArgs {
    #[command(flatten)]
    common: Common,
    /// Days of recordings
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(40..=3650))]
    days: u32,
    /// How often an hour and the live edge are asked for; a day a tenth as often
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=400))]
    requests: u32,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Case {
    /// An hour that nobody asked for before.
    Hour,
    /// The same hour again.
    HourAgain,
    /// A day that nobody asked for before.
    Day,
    /// The same day again.
    DayAgain,
    /// The live edge.
    Live,
}

/// One case, compressed or not.
#[derive(Debug, Serialize)]
struct Row {
    case: Case,
    gzip: bool,
    requests: usize,
    /// Rows of segments that a playlist is made of.
    segments: u32,
    fragments: u32,
    bytes: usize,
    p50_ms: f64,
    p99_ms: f64,
    rows_per_second: f64,
}

pub(super) async fn run(args: PlaylistArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let state = State::new()?;
    let progress = Progress::new(out, 11);
    progress.at("starting a hub");
    let hub = BenchHub::start(args.common.larderd.clone(), &state, stop).await?;
    let measured = async |hub: &BenchHub| {
        let camera = hub.add_camera("bench", 15, RecordingMode::Off).await?;
        progress.at(format!("writing {} days of rows", args.days));
        seed(&state, camera.id, args.days).await?;
        progress.step();
        let mut asking = Asking::connect(hub.address("http")?, hub.token("bench").await?).await?;
        let mut rows = Vec::new();
        for gzip in [false, true] {
            for case in [Case::Hour, Case::HourAgain, Case::Day, Case::DayAgain, Case::Live] {
                progress.at(format!("{case:?}, {}", if gzip { "gzip" } else { "plain" }));
                let row = asking.measure(case, gzip, &args).await?;
                if out.is_json() {
                    out.json_line(&row)?;
                }
                rows.push(row);
                progress.step();
            }
        }
        Ok(rows)
    };
    let rows = hub.during(stop, measured).await?;
    drop(progress);
    report(out, args.days, &rows)
}

/// A kept connection that asks.
struct Asking {
    sender: SendRequest<Empty<Bytes>>,
    token: String,
    host: String,
    now: Timestamp,
    /// Drives the connection.
    _connection: JoinSet<()>,
}

impl Asking {
    async fn connect(address: SocketAddr, token: String) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await.map_err(|error| Failure::Lost(Box::new(error)))?;
        stream.set_nodelay(true).map_err(|error| Failure::Lost(Box::new(error)))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| Failure::Lost(Box::new(error)))?;
        let mut driven = JoinSet::new();
        driven.spawn(async move {
            // Its end shows itself to the next request.
            let _ended = connection.await;
        });
        Ok(Self { sender, token, host: address.to_string(), now: crate::clock::now(), _connection: driven })
    }

    async fn measure(&mut self, case: Case, gzip: bool, args: &PlaylistArgs) -> Result<Row, Failure> {
        let seconds = case.seconds();
        let requests = if seconds > 3600 { args.requests / 10 } else { args.requests };
        let (mut delays, mut bytes) = (Samples::default(), 0);
        let began = Instant::now();
        for number in 0..requests {
            let path = self.path(case, gzip, number)?;
            let asked = Instant::now();
            bytes = self.get(&path, gzip).await?.len();
            delays.add(asked.elapsed());
        }
        let fragments = seconds / FRAGMENT_SECONDS;
        let segments = seconds.div_ceil(60);
        let took = began.elapsed().as_secs_f64();
        Ok(Row {
            case,
            gzip,
            requests: delays.len(),
            segments,
            fragments,
            bytes,
            p50_ms: millis(delays.percentile(50)),
            p99_ms: millis(delays.percentile(99)),
            rows_per_second: round(f64::from(segments) * f64::from(requests) / took),
        })
    }

    /// What to ask for. Plain and compressed requests ask for different hours and days, so that neither finds what was
    /// built for the other.
    fn path(&self, case: Case, gzip: bool, number: u32) -> Result<String, Failure> {
        let number = if matches!(case, Case::HourAgain | Case::DayAgain) { 0 } else { number };
        // Hours lie within the newest days, days behind each other further back; odd ones are for gzip.
        let back = match case {
            Case::Live => return Ok("/hls/bench/live.m3u8".to_owned()),
            Case::Hour | Case::HourAgain => number * 2 + u32::from(gzip) + 2,
            Case::Day | Case::DayAgain => (number * 2 + u32::from(gzip)) % 38 + 2,
        };
        let seconds = i64::from(case.seconds());
        let from = self.now - SignedDuration::from_secs(seconds * i64::from(back));
        let to = from + SignedDuration::from_secs(seconds);
        let text = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(format!("/hls/bench/{}/{}.m3u8", text(from), text(to)))
    }

    async fn get(&mut self, path: &str, gzip: bool) -> Result<Bytes, Failure> {
        let mut request = Request::get(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if gzip {
            request = request.header(header::ACCEPT_ENCODING, "gzip");
        }
        let request = request.body(Empty::new()).map_err(|error| Failure::Other(format!("{path}: {error}")))?;
        let lost = |error: hyper::Error| Failure::Lost(Box::new(error));
        self.sender.ready().await.map_err(lost)?;
        let answer = self.sender.send_request(request).await.map_err(lost)?;
        let (status, packed) = (answer.status(), answer.headers().contains_key(header::CONTENT_ENCODING));
        let body = answer.into_body().collect().await.map_err(lost)?.to_bytes();
        if status != StatusCode::OK || packed != gzip {
            let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            return Err(Failure::Other(format!("{path} was answered with {status}: {text}")));
        }
        Ok(body)
    }
}

impl Case {
    /// Length of what is listed.
    fn seconds(self) -> u32 {
        match self {
            Self::Hour | Self::HourAgain => 3600,
            Self::Day | Self::DayAgain => 86_400,
            Self::Live => 60,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hour => "an hour",
            Self::HourAgain => "the same hour again",
            Self::Day => "a day",
            Self::DayAgain => "the same day again",
            Self::Live => "the live edge",
        }
    }
}

fn report(out: &mut Out, days: u32, rows: &[Row]) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(());
    }
    let segments = u64::from(days) * 1440;
    out.line(&format!("Playlists of one camera with {days} days of recordings, {segments} segments\n"))?;
    let cells = rows.iter().map(|row| {
        vec![
            row.case.name().to_owned(),
            if row.gzip { "gzip" } else { "plain" }.to_owned(),
            row.requests.to_string(),
            row.fragments.to_string(),
            show_bytes(u64::try_from(row.bytes).unwrap_or(u64::MAX)),
            format!("{:.1} ms", row.p50_ms),
            format!("{:.1} ms", row.p99_ms),
            format!("{:.0}", row.rows_per_second),
        ]
    });
    out.line(&table(&["WHAT", "", "REQUESTS", "FRAGMENTS", "SIZE", "P50", "P99", "ROWS/S"], cells))
}
