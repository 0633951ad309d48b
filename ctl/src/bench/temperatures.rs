//! `larderctl bench temperatures`: how long a graph takes when ten years are kept.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use larder_proto::pb::{GetReadingsRequest, TimeRange};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Common,
    hub::{BenchHub, State},
    samples::{Samples, millis},
    seed,
};
use crate::{
    Failure, Out,
    client::{Hub, long},
    output::table,
    progress::Progress,
    sensor,
    units::show_bytes,
    when,
};

/// How much is kept, and how often each range is asked for.
#[derive(Args, Clone, Debug)]
pub struct TemperaturesArgs {
    #[command(flatten)]
    common: Common,
    /// Sensors, each with a reading every 30 s
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=32))]
    sensors: u32,
    /// Days of readings, as retention leaves them
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(2..=10_950))]
    days: u32,
    /// Points of each sensor's graph
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=5000))]
    points: u32,
    /// How often each range is asked for
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    requests: u32,
}

const DAY: i64 = 86_400;
/// Names and lengths of what is asked for.
const RANGES: [(&str, i64); 6] =
    [("hour", 3600), ("day", DAY), ("week", 7 * DAY), ("month", 30 * DAY), ("year", 365 * DAY), ("all", 0)];

/// What retention leaves of so many days, ending with today: single readings of 90 days, minutes of 1100, hours and days
/// of all. Written in the order of time, as the hub writes them.
const SQL: &str = r"
INSERT INTO sensors (id, name, text_address, text_device)
SELECT gen_random_uuid(), 'sensor-' || n, '192.0.2.1', 'device-' || n FROM generate_series(1, $SENSORS) n;
CREATE TEMP TABLE spans AS
SELECT date_bin('1 day', now(), 'epoch') + interval '1 day' AS upto;
CREATE FUNCTION pg_temp.milli(at timestamptz, sensor integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT (4000 + 1500 * sin(extract(epoch FROM at)::float8 / 86400 * 6.2832) + 400 * sin(extract(epoch FROM at)::float8
            / 2400 * 6.2832 + sensor))::integer $$;
INSERT INTO readings (sensor, captured_at, received_at, milli)
SELECT key, at + key * interval '1 s', at + key * interval '1 s', pg_temp.milli(at, key)
FROM spans, generate_series(greatest(upto - interval '90 days', upto - interval '$DAYS days'), upto - interval '30 s',
    interval '30 s') at, sensors;
INSERT INTO reading_minutes (sensor, began_at, least, most, total, count)
SELECT key, at, pg_temp.milli(at, key), pg_temp.milli(at, key) + 63, 2 * pg_temp.milli(at, key) + 63, 2
FROM spans, generate_series(greatest(upto - interval '1100 days', upto - interval '$DAYS days'),
    upto - interval '1 minute', interval '1 minute') at, sensors;
INSERT INTO reading_hours (sensor, began_at, least, most, total, count)
SELECT key, at, pg_temp.milli(at, key) - 400, pg_temp.milli(at, key) + 400, 120 * pg_temp.milli(at, key), 120
FROM spans, generate_series(upto - interval '$DAYS days', upto - interval '1 hour', interval '1 hour') at, sensors;
INSERT INTO reading_days (sensor, began_at, least, most, total, count)
SELECT key, at, 2100, 5900, 2880 * 4000::bigint, 2880
FROM spans, generate_series(upto - interval '$DAYS days', upto - interval '1 day', interval '1 day') at, sensors;
ANALYZE sensors, readings, reading_minutes, reading_hours, reading_days;
SELECT (SELECT count(*) FROM readings) + (SELECT count(*) FROM reading_minutes) + (SELECT count(*) FROM reading_hours)
           + (SELECT count(*) FROM reading_days),
       pg_total_relation_size('readings') + pg_total_relation_size('reading_minutes')
           + pg_total_relation_size('reading_hours') + pg_total_relation_size('reading_days');
";

/// What is in the database.
#[derive(Clone, Copy, Debug, Serialize)]
struct Kept {
    rows: u64,
    /// With their indexes.
    bytes: u64,
}

/// One range.
#[derive(Debug, Serialize)]
struct Row {
    range: &'static str,
    sensors: u32,
    requests: usize,
    /// Of one sensor.
    points: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

pub(super) async fn run(args: TemperaturesArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let state = State::new()?;
    let progress = Progress::new(out, RANGES.len() + 1);
    progress.at("starting a hub");
    let hub = BenchHub::start(args.common.larderd.clone(), &state, stop).await?;
    let measured = async |hub: &BenchHub| {
        progress.at(format!("writing {} days of {} sensors", args.days, args.sensors));
        let sql = SQL.replace("$SENSORS", &args.sensors.to_string()).replace("$DAYS", &args.days.to_string());
        let kept = kept(&seed::run(&state, &sql).await?)?;
        progress.step();
        if out.is_json() {
            out.json_line(&kept)?;
        }
        // The hub hears of its sensors through the database.
        while sensor::all(hub.client()).await?.len() < usize::try_from(args.sensors).unwrap_or(usize::MAX) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut rows = Vec::new();
        for (name, seconds) in RANGES {
            progress.at(name);
            let seconds = if seconds == 0 { i64::from(args.days) * DAY } else { seconds };
            let row = measure(hub.client(), name, seconds, &args).await?;
            if out.is_json() {
                out.json_line(&row)?;
            }
            rows.push(row);
            progress.step();
        }
        Ok((kept, rows))
    };
    let (kept, rows) = hub.during(stop, measured).await?;
    drop(progress);
    if out.is_json() { Ok(()) } else { report(out, &args, kept, &rows) }
}

/// What the last statement of [`SQL`] tells.
fn kept(answer: &str) -> Result<Kept, Failure> {
    let numbers = answer.lines().rev().find_map(|line| line.split_once('|'));
    let parsed = numbers.and_then(|(rows, bytes)| Some(Kept { rows: rows.parse().ok()?, bytes: bytes.parse().ok()? }));
    parsed.ok_or_else(|| Failure::Other(format!("psql answered {answer:?}")))
}

async fn measure(hub: &Hub, range: &'static str, seconds: i64, args: &TemperaturesArgs) -> Result<Row, Failure> {
    let (mut delays, mut points) = (Samples::default(), 0);
    let now = crate::clock::now();
    for number in 0..args.requests {
        // Each ends somewhere else within the newest half, or the newest month of what is longer, but where something
        // was read, so that not the same rows are read again and again.
        let most = (seconds / 2).min(30 * DAY).min(i64::from(args.days) * DAY / 4);
        let back = i64::from(number) * 7_919_000_003 % most.max(1);
        let to = now - SignedDuration::from_secs(back);
        let request = request(to - SignedDuration::from_secs(seconds), to, args.points);
        let asked = Instant::now();
        let answer = hub.temperatures().get_readings(long(request)).await?.into_inner();
        delays.add(asked.elapsed());
        points = answer.series.iter().map(|series| series.at_us.len()).max().unwrap_or_default();
        if answer.series.len() != usize::try_from(args.sensors).unwrap_or(usize::MAX) || points < 2 {
            return Err(Failure::Other(format!("a graph of {range} has {points} points")));
        }
    }
    Ok(Row {
        range,
        sensors: args.sensors,
        requests: delays.len(),
        points,
        p50_ms: millis(delays.percentile(50)),
        p99_ms: millis(delays.percentile(99)),
        max_ms: millis(delays.max()),
    })
}

/// All sensors.
fn request(from: Timestamp, to: Timestamp, points: u32) -> GetReadingsRequest {
    let range = TimeRange { from: Some(when::to_wire(from)), to: Some(when::to_wire(to)) };
    GetReadingsRequest { sensors: Vec::new(), range: Some(range), points }
}

fn report(out: &mut Out, args: &TemperaturesArgs, kept: Kept, rows: &[Row]) -> Result<(), Failure> {
    let (rows_kept, bytes) = (kept.rows, show_bytes(kept.bytes));
    let TemperaturesArgs { sensors, days, .. } = args;
    out.line(&format!("Graphs of {sensors} sensors with {days} days of readings ({rows_kept} rows, {bytes})\n"))?;
    let cells = rows.iter().map(|row| {
        vec![
            row.range.to_owned(),
            row.requests.to_string(),
            row.points.to_string(),
            format!("{:.1} ms", row.p50_ms),
            format!("{:.1} ms", row.p99_ms),
            format!("{:.1} ms", row.max_ms),
        ]
    });
    out.line(&table(&["RANGE", "REQUESTS", "POINTS", "P50", "P99", "MAX"], cells))
}
