//! Rows for programs, tables for people.

use serde::Serialize;

use super::Protocol;
use crate::{Failure, Out, output::table, units::show_bytes};

/// One protocol with so many viewers.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) protocol: Protocol,
    pub(super) viewers: usize,
    /// Mean size of a picture.
    pub(super) frame_bytes: usize,
    /// Pictures delivered to the last byte.
    pub(super) frames: usize,
    pub(super) frames_per_second: f64,
    /// Pictures that viewers were not sent because they, or the machine, were too slow.
    pub(super) skipped: u64,
    pub(super) cpu_us_per_frame: f64,
    /// Of one core.
    pub(super) cpu_percent: f64,
    pub(super) ratio_to_floor: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) peak_rss_bytes: u64,
}

/// One viewer that reads nothing.
#[derive(Debug, Serialize)]
pub(super) struct Stalled {
    pub(super) protocol: Protocol,
    /// Viewers that read, beside it.
    pub(super) beside: usize,
    pub(super) seconds: u32,
    pub(super) rss_before_bytes: u64,
    pub(super) rss_after_bytes: u64,
    /// Without it, as long before.
    pub(super) growth_before_bytes_per_second: f64,
    pub(super) growth_bytes_per_second: f64,
    pub(super) skipped_by_others: u64,
}

/// Many connects at once.
#[derive(Debug, Serialize)]
pub(super) struct Burst {
    pub(super) protocol: Protocol,
    pub(super) connects: usize,
    pub(super) served: usize,
    pub(super) first_frame_p50_ms: f64,
    pub(super) first_frame_last_ms: f64,
}

#[derive(Serialize)]
#[serde(tag = "case", rename_all = "snake_case")]
enum Line<'a> {
    Fanout(&'a Row),
    Stalled(&'a Stalled),
    Burst(&'a Burst),
}

/// What can be a line.
pub(super) trait Emitted {
    /// With its case, for programs.
    fn line(&self, out: &mut Out) -> Result<(), Failure>;
}

impl Emitted for Row {
    fn line(&self, out: &mut Out) -> Result<(), Failure> {
        out.json_line(&Line::Fanout(self))
    }
}

impl Emitted for Stalled {
    fn line(&self, out: &mut Out) -> Result<(), Failure> {
        out.json_line(&Line::Stalled(self))
    }
}

impl Emitted for Burst {
    fn line(&self, out: &mut Out) -> Result<(), Failure> {
        out.json_line(&Line::Burst(self))
    }
}

/// A row as soon as it is known, for programs; people get tables at the end.
pub(super) fn emit(out: &mut Out, row: &impl Emitted) -> Result<(), Failure> {
    if out.is_json() { row.line(out) } else { Ok(()) }
}

pub(super) fn tables(
    out: &mut Out,
    frame_bytes: usize,
    rows: &[Row],
    stalled: &[Stalled],
    bursts: &[Burst],
) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(());
    }
    out.line(&format!("One camera, 25 frames a second of 640x480, {frame_bytes} bytes each\n"))?;
    let headers =
        ["PROTOCOL", "VIEWERS", "FRAMES/S", "SKIPPED", "CPU", "CPU/FRAME", "FLOOR", "P50", "P99", "PEAK MEMORY"];
    let cells = rows.iter().map(|row| {
        vec![
            name(row.protocol).to_owned(),
            row.viewers.to_string(),
            format!("{:.0}", row.frames_per_second),
            row.skipped.to_string(),
            format!("{:.1} %", row.cpu_percent),
            format!("{:.1} µs", row.cpu_us_per_frame),
            format!("x{:.2}", row.ratio_to_floor),
            format!("{:.1} ms", row.p50_ms),
            format!("{:.1} ms", row.p99_ms),
            show_bytes(row.peak_rss_bytes),
        ]
    });
    out.line(&table(&headers, cells))?;
    if !stalled.is_empty() {
        out.line("\nOne viewer that reads nothing, beside ten that read\n")?;
        let cells = stalled.iter().map(|row| {
            vec![
                name(row.protocol).to_owned(),
                show_bytes(row.rss_before_bytes),
                show_bytes(row.rss_after_bytes),
                format!("{:.0} bytes/s", row.growth_before_bytes_per_second),
                format!("{:.0} bytes/s", row.growth_bytes_per_second),
                row.skipped_by_others.to_string(),
            ]
        });
        out.line(&table(
            &["PROTOCOL", "BEFORE", "AFTER", "GROWTH WITHOUT", "GROWTH WITH", "SKIPPED BY OTHERS"],
            cells,
        ))?;
    }
    if !bursts.is_empty() {
        out.line("\nAll connect at once\n")?;
        let cells = bursts.iter().map(|row| {
            vec![
                name(row.protocol).to_owned(),
                row.connects.to_string(),
                row.served.to_string(),
                format!("{:.0} ms", row.first_frame_p50_ms),
                format!("{:.0} ms", row.first_frame_last_ms),
            ]
        });
        out.line(&table(&["PROTOCOL", "CONNECTS", "SERVED", "FIRST FRAME P50", "LAST"], cells))?;
    }
    Ok(())
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Floor => "bare TCP",
        Protocol::WebSocket => "WebSocket",
        Protocol::Mjpeg => "MJPEG",
    }
}
