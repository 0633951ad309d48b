//! The lines that are measured, and what is aimed at on each.

use std::time::Duration;

use super::super::impair::Conditions;

/// A line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) conditions: Conditions,
    pub(super) aim: Aim,
}

/// What the relay is to reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aim {
    /// Of the pictures that the line can carry, in percent.
    pub(super) of_line_percent: Option<f64>,
    /// Pictures a second.
    pub(super) fps: Option<f64>,
    /// From capture to the last byte, the median.
    pub(super) age_p50: Option<Duration>,
}

const MS: Duration = Duration::from_millis(1);

/// All of them. Each one's queue holds a tenth of a second.
pub(super) fn all() -> [Known; 3] {
    let thin = Conditions::new(8_000_000, 10 * MS);
    let lossy = Conditions { loss: 0.01, ..Conditions::new(3_000_000, 20 * MS) };
    let far = Conditions::new(50_000_000, 100 * MS);
    [
        Known {
            name: "8 Mbit/s",
            conditions: thin,
            aim: Aim { of_line_percent: Some(85.0), age_p50: Some(150 * MS), ..Aim::default() },
        },
        Known {
            name: "3 Mbit/s, 1 % loss",
            conditions: lossy,
            aim: Aim { of_line_percent: Some(70.0), ..Aim::default() },
        },
        Known { name: "50 Mbit/s, far", conditions: far, aim: Aim { fps: Some(15.0), ..Aim::default() } },
    ]
}

impl Aim {
    /// Whether what was measured is what was aimed at.
    pub(super) fn is_met(&self, fps: f64, of_line_percent: f64, age_p50: Duration) -> bool {
        self.of_line_percent.is_none_or(|aim| of_line_percent >= aim)
            && self.fps.is_none_or(|aim| fps >= aim)
            && self.age_p50.is_none_or(|aim| age_p50 < aim)
    }
}
