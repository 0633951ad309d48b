//! What a soak has shown.

use std::time::Duration;

use serde::Serialize;

use super::{
    Soak,
    calm::COUNTS,
    faults::Done,
    judge::{Slack, Verdict, judge},
    sample::Sample,
    viewers::Told,
};
use crate::{
    Failure, Out,
    units::{show_bytes, show_duration},
};

/// Memory may be so much higher: allocators keep what they had.
const MEMORY: Slack = Slack { least: 16e6, share: 0.15 };
/// Rows follow the faults of the last minutes, and deletion goes by whole segments.
const ROWS: Slack = Slack { least: 24.0, share: 0.25 };
/// Nothing is deleted before it is some minutes old: in a shorter storm rows grow by what is recorded, and only what is
/// left after deleting it all is judged.
const ROWS_ARE_JUDGED_FROM: Duration = Duration::from_mins(20);

/// Share of the time after which nothing new begins: caches are full, old recordings are deleted.
const WARM_UP_SHARE: u32 = 4;
/// The warm-up of a long run.
const LONGEST_WARM_UP: Duration = Duration::from_mins(10);

/// What was in use at rest.
pub(super) struct Rest {
    pub(super) before: Sample,
    pub(super) after: Sample,
    /// Rows that are left when all is deleted.
    pub(super) rows: f64,
}

/// Reads one number of a sample.
type Read = fn(&Sample) -> Option<f64>;

/// The whole result.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    seed: u64,
    duration_seconds: u64,
    warm_up_seconds: u64,
    cameras: u32,
    viewers: u32,
    faults: Done,
    visits: Told,
    /// Before the storm, and when all had come to rest after it.
    before: Sample,
    after: Sample,
    rows_after_deleting_all: f64,
    verdicts: Vec<Verdict>,
    flat: bool,
}

impl Report {
    pub(super) fn new(soak: &Soak<'_>, samples: &[(Duration, Sample)], rest: Rest, done: (Done, Told)) -> Self {
        let warm_up = (soak.args.duration / WARM_UP_SHARE).min(LONGEST_WARM_UP);
        let Rest { before, after, rows } = rest;
        let (faults, visits) = done;
        let series: [(&'static str, Slack, Read); 5] = [
            ("memory_bytes", MEMORY, |sample| Some(sample.memory_bytes)),
            ("open_fds", COUNTS, |sample| Some(sample.open_fds)),
            ("threads", COUNTS, |sample| Some(sample.threads)),
            ("tasks", COUNTS, |sample| Some(sample.tasks)),
            ("rows", ROWS, |sample| sample.rows),
        ];
        let is_judged = |name: &str| name != "rows" || soak.args.duration >= ROWS_ARE_JUDGED_FROM;
        let verdicts: Vec<_> = series
            .into_iter()
            .filter(|(name, ..)| is_judged(name))
            .map(|(name, slack, read)| {
                let values: Vec<_> =
                    samples.iter().filter_map(|(at, sample)| read(sample).map(|value| (*at, value))).collect();
                judge(name, &values, warm_up, slack)
            })
            .collect();
        let memory = after.memory_bytes - before.memory_bytes <= MEMORY.least.max(before.memory_bytes);
        Self {
            seed: soak.seed,
            duration_seconds: soak.args.duration.as_secs(),
            warm_up_seconds: warm_up.as_secs(),
            cameras: soak.args.cameras,
            viewers: soak.args.viewers,
            flat: memory && verdicts.iter().all(|verdict| verdict.flat),
            faults,
            visits,
            before,
            after,
            rows_after_deleting_all: rows,
            verdicts,
        }
    }

    /// Whether nothing grew.
    pub(super) fn is_flat(&self) -> bool {
        self.flat
    }
}

pub(super) fn show(report: &Report, out: &mut Out) -> Result<(), Failure> {
    let Report { faults, visits, before, after, .. } = report;
    let duration = show_duration(Duration::from_secs(report.duration_seconds));
    out.fields(&[
        ("Soak", format!("{duration}, {} cameras, {} viewers, seed {}", report.cameras, report.viewers, report.seed)),
        (
            "Faults",
            format!(
                "{} encoders killed, {} databases killed, {} restarted",
                faults.encoders_killed, faults.databases_killed, faults.databases_restarted
            ),
        ),
        (
            "Viewers",
            format!(
                "{} visits, {} stalls, {} refused, {} received",
                visits.visits,
                visits.stalls,
                visits.refused,
                show_bytes(visits.bytes)
            ),
        ),
        ("Before", at_rest(before)),
        ("After", at_rest(after)),
        ("Rows", format!("{} when all recordings were deleted", report.rows_after_deleting_all)),
    ])?;
    out.line("")?;
    let header = ["", "FIRST", "LAST", "LOWEST", "HIGHEST", "PER HOUR", "MAY GROW BY", "VERDICT"];
    out.list(&report.verdicts, &header, |verdict| {
        let number = |value: f64| format!("{value:.0}");
        let mut row = vec![verdict.name.to_owned()];
        let values =
            [verdict.first, verdict.last, verdict.lowest, verdict.highest, verdict.slope_per_hour, verdict.allowed];
        row.extend(values.map(number));
        row.push(if verdict.flat { "flat" } else { "GROWS" }.to_owned());
        row
    })
}

fn at_rest(sample: &Sample) -> String {
    let Sample { open_fds, threads, tasks, .. } = sample;
    let megabytes = sample.memory_bytes / 1e6;
    format!("{megabytes:.1} MB, {open_fds} descriptors, {threads} threads, {tasks} tasks")
}
