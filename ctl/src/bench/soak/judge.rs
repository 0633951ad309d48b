//! Whether a series of numbers stayed flat. Pure.

use std::time::Duration;

use serde::Serialize;

/// How much a number may be higher at the end than at the start: so much, or such a share of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slack {
    pub(super) least: f64,
    pub(super) share: f64,
}

/// What is to be said of one series.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) name: &'static str,
    pub(super) samples: usize,
    pub(super) lowest: f64,
    pub(super) highest: f64,
    /// The median of the first quarter after the warm-up, and of the last.
    pub(super) first: f64,
    pub(super) last: f64,
    /// Of the least squares line after the warm-up.
    pub(super) slope_per_hour: f64,
    /// By how much `last` may be above `first`.
    pub(super) allowed: f64,
    pub(super) flat: bool,
}

/// Judges what came after the warm-up. Too few samples to judge by count as flat with `samples` saying so.
pub(super) fn judge(name: &'static str, series: &[(Duration, f64)], warm_up: Duration, slack: Slack) -> Verdict {
    let judged: Vec<(f64, f64)> =
        series.iter().filter(|(at, _)| *at >= warm_up).map(|(at, value)| (at.as_secs_f64(), *value)).collect();
    let quarter = judged.len().div_ceil(4);
    let first = median(judged.iter().take(quarter));
    let last = median(judged.iter().rev().take(quarter));
    let allowed = slack.least.max(first * slack.share);
    let of = |pick: fn(f64, f64) -> f64| judged.iter().map(|(_, value)| *value).reduce(pick).unwrap_or_default();
    Verdict {
        name,
        samples: judged.len(),
        lowest: of(f64::min),
        highest: of(f64::max),
        first,
        last,
        slope_per_hour: slope(&judged) * 3600.0,
        allowed,
        flat: last - first <= allowed,
    }
}

fn median<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> f64 {
    let mut values: Vec<f64> = points.map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Of the least squares line.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count: f64 = points.iter().map(|_| 1.0).sum();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count.max(1.0);
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if spread == 0.0 { 0.0 } else { points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: Slack = Slack { least: 5.0, share: 0.1 };

    fn series(value: impl Fn(f64) -> f64) -> Vec<(Duration, f64)> {
        (0_u32..1000).map(|second| (Duration::from_secs(second.into()), value(second.into()))).collect()
    }

    #[test]
    fn a_leak_is_found_under_noise_and_a_warm_up_is_none() {
        let noise = |at: f64| (at * 12.9898).sin() * 20.0;
        let warm_up = Duration::from_secs(200);
        let leak = judge("x", &series(|at| 100.0 + at * 0.1 + noise(at)), warm_up, SLACK);
        assert!(!leak.flat, "{leak:?}");
        assert!((leak.slope_per_hour - 360.0).abs() < 40.0, "{leak:?}");
        let steady = judge("x", &series(|at| 100.0 + noise(at)), warm_up, SLACK);
        assert!(steady.flat, "{steady:?}");
        let warmed = judge("x", &series(|at| at.min(150.0)), warm_up, SLACK);
        assert!(warmed.flat && warmed.slope_per_hour.abs() < 1e-6, "{warmed:?}");
    }

    #[test]
    fn a_single_peak_is_no_leak_and_is_told() {
        let peak =
            judge("x", &series(|at| if (500.0..510.0).contains(&at) { 900.0 } else { 10.0 }), Duration::ZERO, SLACK);
        assert!(peak.flat && (peak.highest - 900.0).abs() < 1e-9, "{peak:?}");
    }

    #[test]
    fn nothing_to_judge_by_is_said() {
        let none = judge("x", &[], Duration::ZERO, SLACK);
        assert!(none.flat && none.samples == 0);
    }
}
