//! How far long work is, for people who wait.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Out;

/// A bar on standard error while it lives; nothing unless somebody looks.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps, which people can count.
    pub(crate) fn new(out: &Out, steps: usize) -> Self {
        Self::like(out, u64::try_from(steps).unwrap_or(u64::MAX), "{spinner} [{bar:30}] {pos}/{len} {msg}")
    }

    /// A bar of many, whose number is told later.
    pub(crate) fn of_count(out: &Out) -> Self {
        Self::like(out, 0, "{spinner} [{bar:30}] {human_pos} of {human_len}, {eta} left  {wide_msg}")
    }

    /// So many there are.
    pub(crate) fn of(&self, whole: u64) {
        self.0.set_length(whole);
    }

    /// A bar of something large, in percent.
    pub(crate) fn of_whole(out: &Out, whole: u64) -> Self {
        Self::like(out, whole, "{spinner} [{bar:30}] {percent:>3} % {msg}")
    }

    fn like(out: &Out, len: u64, template: &str) -> Self {
        if !out.is_interactive() || out.is_json() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(len);
        if let Ok(style) = ProgressStyle::with_template(template) {
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
