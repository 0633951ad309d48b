//! How the hub makes do with a line that does not carry what was wished. Pure: it is told the time.
//!
//! A thin line alone is no matter: the window sends as often as the line takes. But a line that makes frames wait until
//! they are given up (a stall) is better served by fewer, and then by smaller ones. So a stall takes a step down, the rate
//! first and then the size; a rate that more than gets through is passed over, all of them when nothing does. A time in
//! which the line has room takes a step up, and each step up that failed makes that time longer.
//!
//! A line that is cut looks the same from the frames alone. What tells them apart is whether the viewer acknowledges
//! anything: no limit helps on a line that carries nothing, and what it carried before is what it will carry again.

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
/// Seconds in which nothing is heard of the viewer until the line is taken for cut: on a thin one a packet takes long.
const CUT: u32 = 2;
/// A line that is cut for so long may be very thin instead: a step each time.
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
    /// Of those that began after the last change: older ones tell of the limits before it.
    pub(super) given_up: u32,
    /// Frames that were sent later than the rate allows, or in place of skipped ones: the line had no room.
    pub(super) late: u32,
    /// The viewer acknowledged something, be it a part of a frame, or had nothing to acknowledge.
    pub(super) is_heard: bool,
}

impl Second {
    fn is_stall(self) -> bool {
        self.many(self.given_up)
    }

    /// The line is full.
    fn is_full(self) -> bool {
        self.many(self.late)
    }

    fn many(self, frames: u32) -> bool {
        frames > 0 && frames.saturating_mul(STALLED_ONE_IN) >= self.arrived.saturating_add(self.given_up)
    }
}

/// One viewer's.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    step: usize,
    changed_at: Instant,
    /// The last second in which the line had no room for more.
    full_at: Option<Instant>,
    /// How many seconds it is that something was heard.
    silent: u32,
    hold: Duration,
    /// The last change was upwards, from this step.
    tried_from: Option<usize>,
    /// What arrived in each second since the last change, the newest last; not while the line is cut.
    recent: VecDeque<u32>,
}

impl Ladder {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            step: 0,
            changed_at: now,
            full_at: None,
            silent: 0,
            hold: HOLD,
            tried_from: None,
            recent: VecDeque::new(),
        }
    }

    /// When the limits changed last.
    pub(super) fn changed_at(&self) -> Instant {
        self.changed_at
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
        let was_cut = self.silent >= CUT;
        self.silent = if second.is_heard { 0 } else { self.silent.saturating_add(1) };
        if self.silent >= CUT {
            let is_long = u64::from(self.silent) >= SILENCE.as_secs() && now.duration_since(self.changed_at) >= SILENCE;
            return second.given_up > 0 && is_long && self.lower(now, wished);
        }
        if was_cut {
            // The line is back: what was given up, or the pause before it, tells nothing of it.
            self.full_at = Some(now);
            return false;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(second.arrived);
        if second.is_stall() {
            self.full_at = Some(now);
            return self.lower(now, wished);
        }
        if second.is_full() {
            self.full_at = Some(now);
        }
        let calm_since = self.full_at.map_or(self.changed_at, |full_at| full_at.max(self.changed_at));
        if self.tried_from.is_some() && now.duration_since(self.changed_at) >= self.hold {
            // It stood: the line got better.
            self.tried_from = None;
            self.hold = (self.hold / 2).max(HOLD);
        }
        // Without frames nothing is learned of the line.
        let may_rise = second.arrived > 0 && now.duration_since(calm_since) >= self.hold;
        may_rise && self.raise(now, wished)
    }

    fn lower(&mut self, now: Instant, wished: Option<Rate>) -> bool {
        if let Some(from) = self.tried_from.take() {
            self.hold = (self.hold * 2).min(MOST_HOLD);
            self.set(from, now);
            return true;
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
                self.tried_from = Some(self.step);
                self.set(step, now);
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

    /// Frames in ten seconds that get through; `None` when that is not known. None in a single second is no measure.
    fn through(&self) -> Option<u16> {
        let sum: u32 = self.recent.iter().sum();
        let seconds = u32::try_from(self.recent.len()).ok()?;
        let tenths = u16::try_from(sum.saturating_mul(10).checked_div(seconds)?).unwrap_or(u16::MAX);
        (tenths > 0 || seconds > 1).then_some(tenths)
    }
}

#[cfg(test)]
mod tests;
