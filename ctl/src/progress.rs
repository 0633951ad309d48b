//! How far long work is, for people who wait.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Out;

/// A bar on standard error while it lives; nothing unless somebody looks.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps.
    pub(crate) fn new(out: &Out, steps: usize) -> Self {
        if !out.is_interactive() || out.is_json() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:30}] {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// What is done now.
    pub(crate) fn at(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// So many steps are done.
    pub(crate) fn set(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
