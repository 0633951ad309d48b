//! `larderctl temperature export`: readings as CSV.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use clap::Args;
use jiff::Timestamp;
use larder_proto::pb::{ExportReadingsRequest, Reading, TimeRange};
use tokio_util::sync::CancellationToken;

use super::{range, views};
use crate::{
    Failure, Out,
    client::Hub,
    progress::Progress,
    recording::OptionalRange,
    sensor::{ReadingView, SensorView},
    units::show_count,
    when,
};

/// What to export.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Their names or ids [default: all]
    pub sensors: Vec<String>,
    /// Write into this file, over what is there, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which time.
    #[command(flatten)]
    pub range: OptionalRange,
}

const HEADER: &str = "time,sensor,celsius,fahrenheit\n";

pub(super) async fn export(hub: &Hub, args: ExportArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let range = range(&args.range, out)?;
    let sensors = views(hub, &args.sensors, None).await?;
    let names: BTreeMap<String, String> = sensors.iter().map(|view| (view.id.clone(), view.name.clone())).collect();
    let ids = if args.sensors.is_empty() {
        Vec::new()
    } else {
        sensors.into_iter().map(|view: SensorView| view.id).collect()
    };
    let request = ExportReadingsRequest { sensors: ids, range: Some(range) };
    let mut stream = hub.temperatures().export_readings(request).await?.into_inner();
    let reached = Reached::new(&range, out);
    let mut file = args.output.as_ref().map(create).transpose()?;
    let mut written = 0;
    let json = out.is_json();
    if !json {
        write(&mut file, HEADER, &args, out)?;
    }
    loop {
        let batch = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Failure::Interrupted),
            batch = stream.message() => batch?,
        };
        let Some(batch) = batch else { break };
        let mut text = String::new();
        for reading in &batch.readings {
            text.push_str(&line(reading, &names, json)?);
        }
        written += u64::try_from(batch.readings.len()).unwrap_or(u64::MAX);
        write(&mut file, &text, &args, out)?;
        if let Some(reached) = &reached {
            reached.at(batch.readings.last());
        }
    }
    drop(reached);
    if let Some((file, path)) = file.as_mut().zip(args.output.as_ref()) {
        file.flush().map_err(|source| Failure::file(path, source))?;
        out.done(&format!("wrote {} to {}", show_count(written, "reading"), path.display()))?;
    }
    Ok(())
}

fn create(path: &PathBuf) -> Result<BufWriter<File>, Failure> {
    File::create(path).map(BufWriter::new).map_err(|source| Failure::file(path, source))
}

fn write(file: &mut Option<BufWriter<File>>, text: &str, args: &ExportArgs, out: &mut Out) -> Result<(), Failure> {
    match (file, &args.output) {
        (Some(file), Some(path)) => file.write_all(text.as_bytes()).map_err(|source| Failure::file(path, source)),
        _ => out.bytes(text.as_bytes()),
    }
}

/// One row, its time in UTC: an hour that is there twice when clocks go back stays in order.
fn line(reading: &Reading, names: &BTreeMap<String, String>, json: bool) -> Result<String, Failure> {
    let mut view = ReadingView::from(reading.clone());
    view.sensor = names.get(&view.sensor_id).cloned();
    if json {
        let text = serde_json::to_string(&view).map_err(|error| Failure::Output(error.into()))?;
        return Ok(text + "\n");
    }
    let at = view.captured_at.map(|at| at.to_string()).unwrap_or_default();
    let name = view.sensor.unwrap_or(view.sensor_id);
    let celsius = view.celsius.map(|celsius| format!("{celsius:.3}")).unwrap_or_default();
    let fahrenheit = view.celsius.map(|celsius| format!("{:.2}", celsius * 1.8 + 32.0)).unwrap_or_default();
    Ok(format!("{at},{name},{celsius},{fahrenheit}\n"))
}

/// How much of the time is written.
struct Reached {
    progress: Progress,
    from: Timestamp,
}

impl Reached {
    /// `None` when the range has an open end.
    fn new(range: &TimeRange, out: &Out) -> Option<Self> {
        let (from, to) = when::from_wire(range.from.as_ref()).zip(when::from_wire(range.to.as_ref()))?;
        Some(Self { progress: Progress::of_whole(out, seconds(from, to)), from })
    }

    fn at(&self, newest: Option<&Reading>) {
        if let Some(at) = newest.and_then(|reading| when::from_wire(reading.captured_at.as_ref())) {
            self.progress.set(seconds(self.from, at));
            self.progress.at(at.strftime("%Y-%m-%d").to_string());
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_time_in_utc_and_both_scales() {
        let names = [("0193".to_owned(), "top".to_owned())].into();
        let captured_at = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 250_000_000 });
        let reading = Reading { sensor_id: "0193".into(), captured_at, celsius: Some(4.25), ..Default::default() };
        assert_eq!(line(&reading, &names, false).expect("a row"), "2023-11-14T22:13:20.25Z,top,4.250,39.65\n");
        let row = line(&reading, &names, true).expect("a row");
        assert!(row.contains(r#""sensor":"top""#) && row.ends_with("}\n"), "{row}");
    }
}
