//! Rows for programs, tables for people.

use serde::Serialize;

use super::super::impair::Truth;
use crate::{Failure, Out, output::table, units::show_count};

/// How a viewer looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// `larder/1` over QUIC.
    Relay,
    /// Over HTTP.
    Mjpeg,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Mjpeg => "MJPEG",
        }
    }
}

/// One protocol on one line.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) line: &'static str,
    pub(super) protocol: Protocol,
    /// What the line was measured to do.
    #[serde(flatten)]
    pub(super) truth: Truth,
    pub(super) fps: f64,
    /// Of the pictures that the true rate has room for, without any protocol's own bytes.
    pub(super) of_line_percent: f64,
    pub(super) age_p50_ms: f64,
    pub(super) age_p95_ms: f64,
    pub(super) age_max_ms: f64,
    pub(super) skipped: u64,
    /// Datagrams that the line lost, from the first one on.
    pub(super) lost: u64,
    /// Datagrams that found its queue full.
    pub(super) dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meets_aim: Option<bool>,
}

/// A line that was cut for a while.
#[derive(Debug, Serialize)]
pub(super) struct Cut {
    pub(super) protocol: Protocol,
    pub(super) seconds: u32,
    /// From the line's return to a picture younger than a second; none: it never came.
    pub(super) current_after_ms: Option<f64>,
    pub(super) connects: u64,
}

/// A viewer that went on from another address.
#[derive(Debug, Serialize)]
pub(super) struct Moved {
    pub(super) longest_gap_ms: f64,
    pub(super) frames: usize,
    pub(super) skipped: u64,
    /// 1: it was the same connection all the time.
    pub(super) connects: u64,
}

/// What a picture costs.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    pub(super) viewers: u32,
    pub(super) cpu_us_per_frame: f64,
    pub(super) raw_us_per_frame: f64,
    pub(super) ratio: f64,
    pub(super) frames: usize,
    pub(super) skipped: u64,
    pub(super) age_p50_ms: f64,
    pub(super) age_p95_ms: f64,
}

#[derive(Serialize)]
#[serde(tag = "case", rename_all = "snake_case")]
enum Told<'a> {
    Line(&'a Row),
    Cut(&'a Cut),
    Moved(&'a Moved),
    Cost(&'a Cost),
}

/// All that was measured.
pub(super) struct Report {
    fps: u32,
    frame_bytes: usize,
    rows: Vec<Row>,
    cuts: Vec<Cut>,
    moved: Option<Moved>,
    cost: Option<Cost>,
}

impl Report {
    pub(super) fn new(fps: u32, frame_bytes: usize) -> Self {
        Self { fps, frame_bytes, rows: Vec::new(), cuts: Vec::new(), moved: None, cost: None }
    }

    pub(super) fn line(&mut self, row: Row, out: &mut Out) -> Result<(), Failure> {
        emit(out, &Told::Line(&row))?;
        self.rows.push(row);
        Ok(())
    }

    pub(super) fn cut(&mut self, cut: Cut, out: &mut Out) -> Result<(), Failure> {
        emit(out, &Told::Cut(&cut))?;
        self.cuts.push(cut);
        Ok(())
    }

    pub(super) fn moved(&mut self, moved: Moved, out: &mut Out) -> Result<(), Failure> {
        emit(out, &Told::Moved(&moved))?;
        self.moved = Some(moved);
        Ok(())
    }

    pub(super) fn cost(&mut self, cost: Cost, out: &mut Out) -> Result<(), Failure> {
        emit(out, &Told::Cost(&cost))?;
        self.cost = Some(cost);
        Ok(())
    }

    /// For people, at the end.
    pub(super) fn tables(&self, out: &mut Out) -> Result<(), Failure> {
        if out.is_json() {
            return Ok(());
        }
        out.line(&format!("One camera, {} frames a second of {} bytes", self.fps, self.frame_bytes))?;
        self.lines(out)?;
        for cut in &self.cuts {
            let after = cut.current_after_ms.map_or("never".to_owned(), |ms| format!("after {ms:.0} ms"));
            let Cut { protocol, seconds, connects, .. } = cut;
            out.line(&format!(
                "\nA cut of {seconds} s, {}: current {after} of the line's return ({})",
                protocol.name(),
                show_count(*connects, "connect")
            ))?;
        }
        if let Some(Moved { longest_gap_ms, frames, skipped, connects }) = &self.moved {
            out.line(&format!(
                "\nFrom another address: {longest_gap_ms:.0} ms without a picture at most, {frames} came, {skipped} \
                 skipped, {}",
                show_count(*connects, "connect")
            ))?;
        }
        if let Some(cost) = &self.cost {
            out.line(&format!(
                "\n{} viewers: {:.1} µs of CPU a frame, QUIC alone {:.1} µs: x{:.2}; age {:.1} ms, p95 {:.1} ms; {} of {} \
                 skipped",
                cost.viewers,
                cost.cpu_us_per_frame,
                cost.raw_us_per_frame,
                cost.ratio,
                cost.age_p50_ms,
                cost.age_p95_ms,
                cost.skipped,
                u64::try_from(cost.frames).unwrap_or(u64::MAX).saturating_add(cost.skipped),
            ))?;
        }
        Ok(())
    }

    fn lines(&self, out: &mut Out) -> Result<(), Failure> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let headers = [
            "LINE",
            "TRUE RATE",
            "ROUND TRIP",
            "LOSS",
            "PROTOCOL",
            "FRAMES/S",
            "OF LINE",
            "AGE P50",
            "P95",
            "SKIPPED",
            "AIM",
        ];
        let cells = self.rows.iter().map(|row| {
            let rate = match row.protocol {
                Protocol::Relay => row.truth.datagram_mbit_s,
                Protocol::Mjpeg => row.truth.stream_mbit_s,
            };
            vec![
                row.line.to_owned(),
                format!("{rate:.2} Mbit/s"),
                format!("{:.0} ms", row.truth.round_trip_ms),
                format!("{:.1} %", row.truth.loss_percent),
                row.protocol.name().to_owned(),
                format!("{:.1}", row.fps),
                format!("{:.0} %", row.of_line_percent),
                format!("{:.0} ms", row.age_p50_ms),
                format!("{:.0} ms", row.age_p95_ms),
                row.skipped.to_string(),
                row.meets_aim.map_or("", |met| if met { "met" } else { "missed" }).to_owned(),
            ]
        });
        out.line(&format!("\n{}", table(&headers, cells)))
    }
}

fn emit(out: &mut Out, line: &Told<'_>) -> Result<(), Failure> {
    if out.is_json() { out.json_line(line) } else { Ok(()) }
}
