//! How the hub makes do with a line that does not carry what was wished. Pure: it is told the time.
//!
//! A thin line alone is no matter: the window sends as often as the line takes. But a line that makes frames wait until
//! they are given up (a stall) is better served by fewer, and then by smaller ones. So a stall takes a step down, the rate
//! first and then the size; a time without one takes a step up, and each step up that failed makes that time longer.

use std::{collections::VecDeque, time::Duration};

use larder_proto::wire::relay::Rate;
use tokio::time::Instant;

use super::scaled::Scale;

/// From no limit downwards: frames in ten seconds, and size.
const STEPS: &[(Option<u16>, Scale)] = &[
    (None, Scale::Whole),
    (Some(100), Scale::Whole),
    (Some(50), Scale::Whole),
    (Some(20), Scale::Whole),
    (Some(20), Scale::Half),
    (Some(20), Scale::Quarter),
    (Some(10), Scale::Quarter),
    (Some(10), Scale::Eighth),
];
/// A second is one of a stall when at least one frame in so many was given up: single ones are lost on any radio link.
const STALLED_ONE_IN: u32 = 4;
/// While nothing gets through at all, the line may be cut and not thin: it is taken for thin each time so much passed.
const SILENCE: Duration = Duration::from_secs(4);
/// Seconds over which the rate that gets through is measured.
const RECENT: usize = 5;
/// How long a step must hold before the next one up is tried.
const HOLD: Duration = Duration::from_secs(5);
/// The same after many that failed.
const MOST_HOLD: Duration = Duration::from_secs(160);

/// What became of a second's frames.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Second {
    pub(super) arrived: u32,
    pub(super) given_up: u32,
}

/// One viewer's.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    step: usize,
    changed_at: Instant,
    /// The last second of a stall.
    stalled_at: Option<Instant>,
    hold: Duration,
    /// The last change was upwards.
    is_trial: bool,
    /// Something arrived since the last step down.
    got_through: bool,
    /// What arrived in each second since the last change, the newest last.
    recent: VecDeque<u32>,
}

impl Ladder {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            step: 0,
            changed_at: now,
            stalled_at: None,
            hold: HOLD,
            is_trial: false,
            got_through: true,
            recent: VecDeque::new(),
        }
    }

    /// The highest rate.
    pub(super) fn rate(&self) -> Option<Rate> {
        STEPS.get(self.step).and_then(|(tenths, _)| tenths.and_then(Rate::from_tenths))
    }

    /// The largest size.
    pub(super) fn scale(&self) -> Scale {
        STEPS.get(self.step).map(|(_, scale)| *scale).unwrap_or_default()
    }

    /// Told once a second what became of frames. `wished` is the viewer's own highest rate: a step that is not below it
    /// would change nothing. `true` when the limits changed.
    pub(super) fn second(&mut self, now: Instant, second: Second, wished: Option<Rate>) -> bool {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(second.arrived);
        self.got_through |= second.arrived > 0;
        let all = second.arrived.saturating_add(second.given_up);
        let is_stall = second.given_up > 0 && second.given_up.saturating_mul(STALLED_ONE_IN) >= all;
        if is_stall {
            self.stalled_at = Some(now);
            let is_silent = !self.got_through && now.duration_since(self.changed_at) < SILENCE;
            return !is_silent && self.lower(now, wished);
        }
        let calm_since = self.stalled_at.map_or(self.changed_at, |stalled_at| stalled_at.max(self.changed_at));
        if self.is_trial && now.duration_since(self.changed_at) >= self.hold {
            // It stood: the line got better.
            self.is_trial = false;
            self.hold = (self.hold / 2).max(HOLD);
        }
        // Without frames nothing is learned of the line.
        let may_rise = second.arrived > 0 && now.duration_since(calm_since) >= self.hold;
        may_rise && self.raise(now, wished)
    }

    fn lower(&mut self, now: Instant, wished: Option<Rate>) -> bool {
        if self.is_trial {
            self.hold = (self.hold * 2).min(MOST_HOLD);
        }
        let through = self.through();
        let ceiling = [wished.map(Rate::tenths), through].into_iter().flatten().min();
        let helps = |(tenths, scale): &(Option<u16>, Scale)| {
            let is_slower = tenths.is_some_and(|tenths| ceiling.is_none_or(|ceiling| tenths < ceiling));
            is_slower || *scale > self.scale()
        };
        let below = STEPS.iter().enumerate().skip(self.step + 1).find(|(_, step)| helps(step)).map(|(at, _)| at);
        let Some(step) = below else { return false };
        self.set(step, now);
        self.is_trial = false;
        self.got_through = false;
        true
    }

    fn raise(&mut self, now: Instant, wished: Option<Rate>) -> bool {
        let present = (self.effective(self.step, wished), self.scale());
        let differs = |at: &usize| {
            let scale = STEPS.get(*at).map(|(_, scale)| *scale).unwrap_or_default();
            (self.effective(*at, wished), scale) != present
        };
        match (0..self.step).rev().find(differs) {
            Some(step) => {
                self.set(step, now);
                self.is_trial = true;
                true
            }
            None => {
                // What is left of the limits is the viewer's own wish.
                self.step = 0;
                false
            }
        }
    }

    /// Frames in ten seconds at most in a step; none without a limit.
    fn effective(&self, step: usize, wished: Option<Rate>) -> Option<u16> {
        let own = STEPS.get(step).and_then(|(tenths, _)| *tenths);
        [own, wished.map(Rate::tenths)].into_iter().flatten().min()
    }

    fn set(&mut self, step: usize, now: Instant) {
        self.step = step;
        self.changed_at = now;
        self.recent.clear();
    }

    /// Frames in ten seconds that get through; `None` when none does, or that is not known yet.
    fn through(&self) -> Option<u16> {
        let sum: u32 = self.recent.iter().sum();
        let seconds = u32::try_from(self.recent.len()).ok()?;
        let tenths = u16::try_from(sum.saturating_mul(10).checked_div(seconds)?).unwrap_or(u16::MAX);
        (tenths > 0).then_some(tenths)
    }
}

#[cfg(test)]
mod tests;
