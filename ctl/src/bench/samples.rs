//! Delays and their percentiles.

use std::time::Duration;

/// Measured times, in no order.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    pub(super) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The sample that `percent` of all are not above (nearest rank); zero when there is none.
    pub(super) fn percentile(&mut self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        if rank >= self.0.len() {
            return Duration::ZERO;
        }
        *self.0.select_nth_unstable(rank).1
    }

    pub(super) fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

/// Milliseconds, to a hundredth.
pub(super) fn millis(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1e3)
}

/// To a hundredth.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// How many bytes a second memory grows: the slope of the least squares line through what was seen.
pub(super) fn slope(seen: &[(Duration, u64)]) -> f64 {
    let points: Vec<(f64, f64)> = seen.iter().map(|(at, bytes)| (at.as_secs_f64(), *bytes as f64)).collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if points.len() < 2 || spread == 0.0 {
        return 0.0;
    }
    points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile(50), Duration::ZERO);
        (1..=100).rev().for_each(|ms| samples.add(Duration::from_millis(ms)));
        assert_eq!(samples.percentile(50), Duration::from_millis(50));
        assert_eq!(samples.percentile(99), Duration::from_millis(99));
        assert_eq!(samples.max(), Duration::from_millis(100));
        let mut one = Samples::default();
        one.add(Duration::from_millis(3));
        assert_eq!((one.percentile(50), one.percentile(99)), (Duration::from_millis(3), Duration::from_millis(3)));
    }

    #[test]
    fn a_line_has_its_slope_and_a_flat_one_none() {
        let line: Vec<_> = (0..10).map(|second| (Duration::from_secs(second), 1000 + second * 50)).collect();
        assert!((slope(&line) - 50.0).abs() < 1e-6);
        assert_eq!(slope(&[(Duration::ZERO, 5), (Duration::from_secs(1), 5)]), 0.0);
        assert_eq!(slope(&[]), 0.0);
    }
}
