//! Temperatures: `larderctl temperature …`.

mod braille;
mod export;
mod graph;
mod watch;

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use larder_proto::pb::{GetReadingsRequest, Series, TimeRange};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out,
    client::{Hub, quick},
    recording::OptionalRange,
    sensor::{self, Scale, SensorView},
    units, when,
};

pub use export::ExportArgs;
pub use graph::GraphArgs;

/// What is looked at when no time is given.
const DAY: Duration = Duration::from_secs(86_400);

/// What `larderctl temperature` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the newest value of every sensor
    #[command(visible_alias = "ls")]
    List {
        /// Show all in this unit [default: each sensor's own]
        #[arg(long, value_enum)]
        unit: Option<Scale>,
    },
    /// A sensor's newest value, and the least, mean and largest of a time [default: the last day]
    Show {
        /// Its name or id
        sensor: String,
        /// Show it in this unit [default: its own]
        #[arg(long, value_enum)]
        unit: Option<Scale>,
        /// Which time.
        #[command(flatten)]
        range: OptionalRange,
    },
    /// Tell each reading as it comes, until Ctrl-C
    Watch(WatchArgs),
    /// Draw a graph that fits the window [default: all sensors, the last day]
    Graph(GraphArgs),
    /// Write every reading of a time as CSV [default: all sensors, the last day]
    Export(ExportArgs),
}

/// What to watch.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Their names or ids [default: all, those added later too]
    pub sensors: Vec<String>,
    /// Show all in this unit [default: each sensor's own]
    #[arg(long, value_enum)]
    pub unit: Option<Scale>,
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List { unit } => list(hub, unit, out).await,
        Command::Show { sensor, unit, range } => show(hub, &sensor, unit, &range, out).await,
        Command::Watch(args) => watch::watch(hub, args, out, stop).await,
        Command::Graph(args) => graph::graph(hub, args, out).await,
        Command::Export(args) => export::export(hub, args, out, stop).await,
    }
}

/// A temperature for people, to a tenth of a degree.
pub(crate) fn show_degrees(celsius: Option<f64>, scale: Scale) -> String {
    match celsius {
        None => "failed".to_owned(),
        Some(celsius) => format!("{:.1} {}", scale.of_celsius(celsius), scale.sign()),
    }
}

impl Scale {
    /// A value on this scale.
    pub(crate) fn of_celsius(self, celsius: f64) -> f64 {
        match self {
            Self::Celsius => celsius,
            Self::Fahrenheit => celsius * 9.0 / 5.0 + 32.0,
        }
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Celsius => "°C",
            Self::Fahrenheit => "°F",
        }
    }
}

/// All sensors, or those that are named, in that order, shown in one unit if one is given.
async fn views(hub: &Hub, named: &[String], unit: Option<Scale>) -> Result<Vec<SensorView>, Failure> {
    let all = sensor::all(hub).await?;
    let mut views: Vec<_> = all.into_iter().map(|sensor| SensorView::of(sensor, &Default::default())).collect();
    if !named.is_empty() {
        let find = |name: &String| {
            let found = views.iter().find(|view| view.name == *name || view.id == *name).cloned();
            found.ok_or_else(|| Failure::Other(format!("no such sensor \"{name}\"")))
        };
        views = named.iter().map(find).collect::<Result<_, _>>()?;
    }
    for view in &mut views {
        view.scale = unit.unwrap_or(view.scale);
    }
    Ok(views)
}

/// The range that was given, or the last day.
fn range(given: &OptionalRange, out: &Out) -> Result<TimeRange, Failure> {
    let now = out.now();
    let day = TimeRange { from: Some(when::to_wire(now - DAY)), to: Some(when::to_wire(now)) };
    Ok(given.wire(out)?.unwrap_or(day))
}

async fn readings(hub: &Hub, sensors: &[SensorView], range: TimeRange, points: u32) -> Result<Vec<Series>, Failure> {
    let sensors = sensors.iter().map(|view| view.id.clone()).collect();
    let request = GetReadingsRequest { sensors, range: Some(range), points };
    Ok(hub.temperatures().get_readings(quick(request)).await?.into_inner().series)
}

async fn list(hub: &Hub, unit: Option<Scale>, out: &mut Out) -> Result<(), Failure> {
    let views = views(hub, &[], unit).await?;
    if views.is_empty() && !out.is_json() {
        return out.line("no sensors yet; see what was heard: larderctl sensor discovered");
    }
    let now = out.now();
    out.list(&views, &["SENSOR", "VALUE", "READ", "STATE"], |view| {
        vec![view.name.clone(), view.value(), view.age(now), view.state.to_owned()]
    })
}

/// A sensor and a time, for programs.
#[derive(Serialize)]
struct Summary {
    #[serde(flatten)]
    sensor: SensorView,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Absent when nothing was read in that time, as the others.
    least_celsius: Option<f64>,
    mean_celsius: Option<f64>,
    most_celsius: Option<f64>,
    readings: u64,
}

async fn show(hub: &Hub, name: &str, unit: Option<Scale>, given: &OptionalRange, out: &mut Out) -> Result<(), Failure> {
    let range = range(given, out)?;
    let views = views(hub, &[name.to_owned()], unit).await?;
    let series = readings(hub, &views, range, 2000).await?;
    for (sensor, series) in views.into_iter().zip(&series) {
        let summary = Summary::new(sensor, series, &range);
        let (now, zone) = (out.now(), out.zone().clone());
        out.one(&summary, |out| {
            let shown = |celsius: Option<f64>| celsius.map(|value| show_degrees(Some(value), summary.sensor.scale));
            let stamp = |at: Option<Timestamp>| at.map(|at| when::show(at, &zone)).unwrap_or_default();
            out.fields(&[
                ("Sensor", summary.sensor.name.clone()),
                ("Value", summary.sensor.value()),
                ("Read", summary.sensor.age(now)),
                ("State", summary.sensor.state.to_owned()),
                ("From", stamp(summary.from)),
                ("To", stamp(summary.to)),
                ("Least", shown(summary.least_celsius).unwrap_or_default()),
                ("Mean", shown(summary.mean_celsius).unwrap_or_default()),
                ("Largest", shown(summary.most_celsius).unwrap_or_default()),
                ("Readings", units::show_count(summary.readings, "reading")),
            ])
        })?;
    }
    Ok(())
}

impl Summary {
    fn new(sensor: SensorView, series: &Series, range: &TimeRange) -> Self {
        let celsius = |milli: i32| f64::from(milli) / 1000.0;
        let readings: u64 = series.count.iter().map(|count| u64::from(*count)).sum();
        let weighed = series.mean_milli_celsius.iter().zip(&series.count);
        let total: f64 = weighed.map(|(mean, count)| celsius(*mean) * f64::from(*count)).sum();
        let count: f64 = series.count.iter().map(|count| f64::from(*count)).sum();
        Self {
            sensor,
            from: when::from_wire(range.from.as_ref()),
            to: when::from_wire(range.to.as_ref()),
            least_celsius: series.min_milli_celsius.iter().min().map(|least| celsius(*least)),
            mean_celsius: (readings > 0).then(|| total / count),
            most_celsius: series.max_milli_celsius.iter().max().map(|most| celsius(*most)),
            readings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_shown_on_both_scales() {
        assert_eq!(show_degrees(Some(-40.0), Scale::Fahrenheit), "-40.0 °F");
        assert_eq!(show_degrees(Some(5.0), Scale::Fahrenheit), "41.0 °F");
        assert_eq!(show_degrees(Some(4.26), Scale::Celsius), "4.3 °C");
        assert_eq!(show_degrees(None, Scale::Celsius), "failed");
    }
}
