//! `larderctl temperature graph`: a graph that fits the window.

use std::ops::RangeInclusive;

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use larder_proto::pb::{Series, TimeRange};
use serde::Serialize;

use super::{braille::Canvas, range, readings, views};
use crate::{
    Failure, Out,
    client::Hub,
    output::Window,
    recording::OptionalRange,
    sensor::{Scale, SensorView},
    units, when,
};

/// Characters of the values beside a graph.
const LABELS: usize = 8;
/// Rows of one sensor's graph.
const ROWS: RangeInclusive<usize> = 4..=24;
const COLUMNS: RangeInclusive<usize> = 16..=400;
/// The least span of values: noise of a tenth of a degree is not to look like a storm.
const LEAST_SPAN: f64 = 2.0;

/// What to draw.
#[derive(Args, Clone, Debug)]
pub struct GraphArgs {
    /// Their names or ids [default: all]
    pub sensors: Vec<String>,
    /// Draw all in this unit [default: each sensor's own]
    #[arg(long, value_enum)]
    pub unit: Option<Scale>,
    /// Which time.
    #[command(flatten)]
    pub range: OptionalRange,
}

/// A sensor's graph, for programs.
#[derive(Serialize)]
struct SeriesView {
    sensor_id: String,
    sensor: String,
    step_seconds: f64,
    gap_after_seconds: f64,
    points: Vec<PointView>,
}

#[derive(Serialize)]
struct PointView {
    at: Option<Timestamp>,
    least_celsius: f64,
    mean_celsius: f64,
    most_celsius: f64,
    readings: u32,
}

pub(super) async fn graph(hub: &Hub, args: GraphArgs, out: &mut Out) -> Result<(), Failure> {
    let range = range(&args.range, out)?;
    let sensors = views(hub, &args.sensors, args.unit).await?;
    if sensors.is_empty() && !out.is_json() {
        return out.line("no sensors yet; see what was heard: larderctl sensor discovered");
    }
    let window = out.window();
    let columns = window.columns.saturating_sub(LABELS + 2).clamp(*COLUMNS.start(), *COLUMNS.end());
    let points = u32::try_from(columns * 2).unwrap_or(u32::MAX);
    let series = readings(hub, &sensors, range, points).await?;
    if out.is_json() {
        let series: Vec<_> = sensors.iter().zip(&series).map(|(sensor, series)| view(sensor, series)).collect();
        return out.list(&series, &[], |_| Vec::new());
    }
    let size = Size { columns, rows: rows(&window, sensors.len()) };
    for (sensor, series) in sensors.iter().zip(&series) {
        for line in panel(sensor, series, &range, size) {
            out.line(&line)?;
        }
        out.line(&axis(&range, size.columns, &out.zone().clone()))?;
    }
    Ok(())
}

/// The size of one graph in characters.
#[derive(Clone, Copy)]
struct Size {
    columns: usize,
    rows: usize,
}

/// Rows for each of some graphs, with a title, an axis, and the prompt below all.
fn rows(window: &Window, graphs: usize) -> usize {
    let each = window.rows.saturating_sub(2) / graphs.max(1);
    each.saturating_sub(2).clamp(*ROWS.start(), *ROWS.end())
}

/// One sensor's graph: a title, then rows with their values at the left.
fn panel(sensor: &SensorView, series: &Series, range: &TimeRange, size: Size) -> Vec<String> {
    let scale = sensor.scale;
    let points = points(series, scale);
    let least = points.iter().map(|point| point.least).fold(f64::INFINITY, f64::min);
    let most = points.iter().map(|point| point.most).fold(f64::NEG_INFINITY, f64::max);
    if points.is_empty() {
        return vec![format!("{}  nothing was read in this time", sensor.name)];
    }
    let title =
        format!("{}  {}  ({least:.1} to {most:.1} {})", sensor.name, newest(sensor, &points, scale), scale.sign());
    let padding = ((LEAST_SPAN - (most - least)) / 2.0).max(0.0);
    let (bottom, top) = (least - padding, most + padding);
    let mut canvas = Canvas::new(size.columns, size.rows);
    draw(&mut canvas, &points, series, range, bottom..=top);
    let mut lines = vec![title];
    for (row, text) in canvas.text().into_iter().enumerate() {
        let label = label(row, size.rows, bottom, top);
        lines.push(format!("{label:>LABELS$} ┤{text}"));
    }
    lines
}

/// The newest value as the sensor has it, or the last of the graph.
fn newest(sensor: &SensorView, points: &[Point], scale: Scale) -> String {
    if sensor.latest.is_some() {
        return sensor.value();
    }
    points.last().map(|point| format!("{:.1} {}", point.mean, scale.sign())).unwrap_or_default()
}

/// The value of a row's middle, on the first, the last and every fourth row.
fn label(row: usize, rows: usize, bottom: f64, top: f64) -> String {
    if !row.is_multiple_of(4) && row + 1 != rows {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "rows of a window")]
    let from_top = (row as f64 + 0.5) / rows as f64;
    format!("{:.1}", top - (top - bottom) * from_top)
}

struct Point {
    at_us: i64,
    least: f64,
    mean: f64,
    most: f64,
}

fn points(series: &Series, scale: Scale) -> Vec<Point> {
    let value =
        |values: &[i32], at: usize| scale.of_celsius(f64::from(values.get(at).copied().unwrap_or_default()) / 1000.0);
    let point = |(index, at_us): (usize, &i64)| Point {
        at_us: *at_us,
        least: value(&series.min_milli_celsius, index),
        mean: value(&series.mean_milli_celsius, index),
        most: value(&series.max_milli_celsius, index),
    };
    series.at_us.iter().enumerate().map(point).collect()
}

/// A line through the means, and behind it everything between least and most. Across a gap there is none.
fn draw(canvas: &mut Canvas, points: &[Point], series: &Series, range: &TimeRange, values: RangeInclusive<f64>) {
    let us = |stamp: Option<&prost_types::Timestamp>| when::from_wire(stamp).map_or(0, Timestamp::as_microsecond);
    let (from, to) = (us(range.from.as_ref()), us(range.to.as_ref()));
    let gap = units::from_wire(series.gap_after.as_ref()).and_then(|gap| i64::try_from(gap.as_micros()).ok());
    let (width, height) = (canvas.width(), canvas.height());
    let x = |at: i64| place(to_f64(at - from) / to_f64((to - from).max(1)), width);
    let y = |value: f64| place((values.end() - value) / (values.end() - values.start()), height);
    let mut before: Option<&Point> = None;
    for point in points {
        let here = (x(point.at_us), y(point.mean));
        canvas.line((here.0, y(point.most)), (here.0, y(point.least)));
        match before {
            Some(before) if point.at_us - before.at_us <= gap.unwrap_or(i64::MAX) => {
                canvas.line((x(before.at_us), y(before.mean)), here);
            }
            _ => canvas.dot(here.0, here.1),
        }
        before = Some(point);
    }
}

/// Which of `count` dots lies at a share from 0 to 1; beyond, the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the dots of a window"
)]
fn place(share: f64, count: usize) -> usize {
    let last = count.saturating_sub(1);
    (share.clamp(0.0, 1.0) * last as f64).round() as usize
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a graph, drawn to a dot")]
fn to_f64(us: i64) -> f64 {
    us as f64
}

/// The line below: when it begins, its middle and its end, in the zone of whoever looks.
fn axis(range: &TimeRange, columns: usize, zone: &TimeZone) -> String {
    let (Some(from), Some(to)) = (when::from_wire(range.from.as_ref()), when::from_wire(range.to.as_ref())) else {
        return String::new();
    };
    let length = to.duration_since(from);
    let form = match length.as_hours() {
        ..=48 => "%m-%d %H:%M",
        49..=17_520 => "%Y-%m-%d",
        _ => "%Y-%m",
    };
    let show = |at: Timestamp| at.to_zoned(zone.clone()).strftime(form).to_string();
    let (first, middle, last) = (show(from), show(from + length / 2), show(to));
    let width = columns + 1;
    let labels = if width >= first.len() * 3 + 4 { vec![first, middle, last] } else { vec![first, last] };
    let taken: usize = labels.iter().map(String::len).sum();
    let space = width.saturating_sub(taken) / (labels.len() - 1);
    format!("{:LABELS$} {}", "", labels.join(&" ".repeat(space.max(1))))
}

fn view(sensor: &SensorView, series: &Series) -> SeriesView {
    let seconds = |duration: Option<&prost_types::Duration>| {
        units::from_wire(duration).map(|duration| duration.as_secs_f64()).unwrap_or_default()
    };
    let point = |(point, count): (Point, &u32)| PointView {
        at: Timestamp::from_microsecond(point.at_us).ok(),
        least_celsius: point.least,
        mean_celsius: point.mean,
        most_celsius: point.most,
        readings: *count,
    };
    SeriesView {
        sensor_id: sensor.id.clone(),
        sensor: sensor.name.clone(),
        step_seconds: seconds(series.step.as_ref()),
        gap_after_seconds: seconds(series.gap_after.as_ref()),
        points: points(series, Scale::Celsius).into_iter().zip(&series.count).map(point).collect(),
    }
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::{Reading, Sensor};
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_795_348_800;

    fn hours(hours: i64) -> TimeRange {
        let at = |second| Some(prost_types::Timestamp { seconds: second, nanos: 0 });
        TimeRange { from: at(NOON), to: at(NOON + hours * 3600) }
    }

    fn series(values: &[(i64, i32)]) -> Series {
        let milli: Vec<i32> = values.iter().map(|(_, milli)| *milli).collect();
        Series {
            at_us: values.iter().map(|(second, _)| (NOON + second) * 1_000_000).collect(),
            min_milli_celsius: milli.clone(),
            max_milli_celsius: milli.clone(),
            mean_milli_celsius: milli,
            count: vec![1; values.len()],
            gap_after: Some(prost_types::Duration { seconds: 900, nanos: 0 }),
            ..Default::default()
        }
    }

    fn sensor() -> SensorView {
        let latest = Some(Reading { celsius: Some(4.5), ..Default::default() });
        SensorView::of(Sensor { name: "top".into(), latest, ..Default::default() }, &Default::default())
    }

    #[test]
    fn a_graph_has_values_times_and_its_gaps() {
        // A cooling cycle, and three hours without readings.
        let values: Vec<(i64, i32)> = (0..288_i64)
            .filter(|index| !(120..156).contains(index))
            .map(|index| (index * 300, 4000 + i32::try_from((index % 24 - 12).abs() * 200).unwrap()))
            .collect();
        let lines = panel(&sensor(), &series(&values), &hours(24), Size { columns: 48, rows: 5 });
        assert_eq!(lines[0], "top  4.5 °C  (4.0 to 6.4 °C)");
        assert_eq!(lines.len(), 6);
        let drawn = |line: &String, column: usize| {
            line.split_once('┤').and_then(|(_, dots)| dots.chars().nth(column)).is_some_and(|dots| dots != ' ')
        };
        for column in 0..48 {
            // The last reading before the hole lies in column 19, the first behind it in column 25.
            let any = lines[1..].iter().any(|line| drawn(line, column));
            assert_eq!(any, !(20..25).contains(&column), "column {column}");
        }
    }

    #[test]
    fn a_window_is_shared_and_small_ones_still_show_something() {
        let window = |columns, rows| Window { columns, rows };
        assert_eq!(rows(&window(80, 24), 1), 20);
        assert_eq!(rows(&window(80, 24), 2), 9);
        assert_eq!(rows(&window(10, 3), 8), 4);
    }

    #[test]
    fn times_are_local_and_fit() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        let text = axis(&hours(24), 60, &berlin);
        assert!(
            text.contains("11-22 13:00") && text.contains("11-23 01:00") && text.ends_with("11-23 13:00"),
            "{text}"
        );
        assert!(axis(&hours(24 * 400), 60, &berlin).contains("2026-11-22"));
        assert_eq!(axis(&hours(24), 16, &berlin).matches(':').count(), 2, "the middle has no room");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_window(
            values in proptest::collection::vec((-7200_i64..100_000, -60_000_i32..130_000), 0..200),
            columns in 16_usize..200, rows in 4_usize..24,
        ) {
            let mut values = values;
            values.sort_unstable();
            let size = Size { columns, rows };
            for line in panel(&sensor(), &series(&values), &hours(24), size).iter().skip(1) {
                prop_assert!(line.chars().count() <= columns + LABELS + 2);
            }
        }
    }
}
