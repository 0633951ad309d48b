//! From what is observed to whether a rule's cause is there: pure, in monotonic time.

use std::{collections::VecDeque, time::Duration};

use larder_proto::wire::camera::MilliCelsius;

use super::{
    engine::{Cause, Moment},
    rule::{Condition, Rate, Threshold},
};

/// What is missing counts as what was there before, for this long.
pub(super) const MISSING: Duration = Duration::from_mins(10);
/// After the hub's start a sensor gets this long to be heard again.
const GRACE: Duration = Duration::from_mins(2);
/// Turning points that are remembered of a change, at most.
const TURNS: u128 = 1024;

/// What is remembered for one rule.
#[derive(Clone, Debug)]
pub(super) enum Watched {
    Value(Value),
    Change(Change),
    Silence(Silence),
    Flag(Flag),
}

impl Watched {
    /// For a rule that begins to be watched.
    pub(super) fn new(condition: &Condition, now: Moment) -> Self {
        match condition {
            Condition::Above(threshold) => Self::Value(Value::new(threshold, Side::Above)),
            Condition::Below(threshold) => Self::Value(Value::new(threshold, Side::Below)),
            Condition::Rate(rate) => Self::Change(Change { rate: *rate, turns: VecDeque::new(), newest: None }),
            Condition::SensorSilent { after, .. } => {
                Self::Silence(Silence { after: *after, heard: now, not_before: now.after((*after).min(GRACE)) })
            }
            Condition::CameraOffline { .. } | Condition::RecordingStalled { .. } | Condition::DiskFloor { .. } => {
                Self::Flag(Flag::default())
            }
        }
    }

    /// For a rule that was changed: what is remembered goes on where it still means the same.
    pub(super) fn changed(self, condition: &Condition, now: Moment) -> Self {
        match (self, condition) {
            (Self::Value(mut value), Condition::Above(to)) if value.is_same(to, Side::Above) => {
                value.threshold = *to;
                Self::Value(value)
            }
            (Self::Value(mut value), Condition::Below(to)) if value.is_same(to, Side::Below) => {
                value.threshold = *to;
                Self::Value(value)
            }
            (Self::Change(mut change), Condition::Rate(to)) if change.is_same(to) => {
                change.rate = *to;
                Self::Change(change)
            }
            (Self::Silence(silence), Condition::SensorSilent { after, .. }) => {
                Self::Silence(Silence { after: *after, ..silence })
            }
            (
                Self::Flag(flag),
                Condition::CameraOffline { .. } | Condition::RecordingStalled { .. } | Condition::DiskFloor { .. },
            ) => Self::Flag(flag),
            (_, condition) => Self::new(condition, now),
        }
    }

    /// Takes a sensor's value.
    pub(super) fn hear(&mut self, at: Moment, value: MilliCelsius) {
        match self {
            Self::Value(memory) => memory.hear(at, value),
            Self::Change(memory) => memory.hear(at, value),
            Self::Silence(memory) => memory.heard = memory.heard.max(at),
            Self::Flag(_) => {}
        }
    }

    /// Takes what is the case with a camera or the disk. `None`: nobody knows.
    pub(super) fn look(&mut self, at: Moment, is_there: Option<bool>) {
        if let (Self::Flag(memory), Some(is_there)) = (self, is_there) {
            memory.look(at, is_there);
        }
    }

    /// Goes on with a cause that was there since before the hub started, seen last then.
    pub(super) fn resume(&mut self, since: Moment, seen: Moment) {
        match self {
            Self::Value(value) => {
                (value.is_beyond, value.since, value.heard) = (true, since, Some(seen));
            }
            Self::Flag(flag) => *flag = Flag { is_there: true, since, seen: Some(seen) },
            Self::Change(_) | Self::Silence(_) => {}
        }
    }

    /// When a cause that is there was seen last; what [`Watched::resume`] needs after a restart.
    pub(super) fn seen(&self) -> Option<Moment> {
        match self {
            Self::Value(value) => value.heard,
            Self::Flag(flag) => flag.seen,
            Self::Change(_) | Self::Silence(_) => None,
        }
    }

    /// Whether the cause is there.
    pub(super) fn cause(&mut self, now: Moment) -> Cause {
        match self {
            Self::Value(value) => {
                if value.heard.is_none_or(|heard| now.since(heard) > MISSING) {
                    Cause::Unknown
                } else if value.is_beyond {
                    Cause::There { since: value.since }
                } else {
                    Cause::Gone
                }
            }
            Self::Change(change) => change.cause(now),
            Self::Silence(silence) => {
                let is_silent = now.since(silence.heard) >= silence.after && now >= silence.not_before;
                if is_silent { Cause::There { since: silence.heard } } else { Cause::Gone }
            }
            Self::Flag(flag) => {
                if flag.seen.is_none_or(|seen| now.since(seen) > MISSING) {
                    Cause::Unknown
                } else if flag.is_there {
                    Cause::There { since: flag.since }
                } else {
                    Cause::Gone
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Above,
    Below,
}

/// A value and its limit.
#[derive(Clone, Debug)]
pub(super) struct Value {
    threshold: Threshold,
    side: Side,
    is_beyond: bool,
    since: Moment,
    heard: Option<Moment>,
}

impl Value {
    fn new(threshold: &Threshold, side: Side) -> Self {
        let since = Moment(jiff::SignedDuration::ZERO);
        Self { threshold: *threshold, side, is_beyond: false, since, heard: None }
    }

    fn is_same(&self, threshold: &Threshold, side: Side) -> bool {
        self.side == side && self.threshold.sensor == threshold.sensor && self.threshold.limit == threshold.limit
    }

    fn hear(&mut self, at: Moment, value: MilliCelsius) {
        let is_gap = self.heard.is_none_or(|heard| at.since(heard) > MISSING);
        let hysteresis = if self.is_beyond { i64::from(self.threshold.hysteresis.0) } else { 0 };
        let (value, limit) = (i64::from(value.0), i64::from(self.threshold.limit.0));
        let beyond_by = match self.side {
            Side::Above => value - limit,
            Side::Below => limit - value,
        };
        let was_beyond = std::mem::replace(&mut self.is_beyond, beyond_by > -hysteresis);
        if self.is_beyond && (is_gap || !was_beyond) {
            self.since = at;
        }
        self.heard = Some(at);
    }
}

/// A value's way, as far as it matters for a change: of the values within the time, those below all later ones (above
/// them, where a fall is watched).
#[derive(Clone, Debug)]
pub(super) struct Change {
    rate: Rate,
    turns: VecDeque<(Moment, i64)>,
    newest: Option<(Moment, i64)>,
}

impl Change {
    fn is_same(&self, rate: &Rate) -> bool {
        self.rate.sensor == rate.sensor && (self.rate.change.0 < 0) == (rate.change.0 < 0)
    }

    /// Turned so that a rise is watched.
    fn turned(&self, value: MilliCelsius) -> i64 {
        i64::from(value.0) * i64::from(self.rate.change.0.signum())
    }

    fn hear(&mut self, at: Moment, value: MilliCelsius) {
        let value = self.turned(value);
        self.newest = Some((at, value));
        while self.turns.back().is_some_and(|(_, turn)| *turn >= value) {
            self.turns.pop_back();
        }
        // A sensor that sends without a pause takes no memory: what is so close to a lower value adds nothing.
        let apart = self.turns.back().map_or(Duration::MAX, |(turn, _)| at.since(*turn));
        if apart.as_nanos() * TURNS >= self.rate.within.as_nanos() {
            self.turns.push_back((at, value));
        }
    }

    fn cause(&mut self, now: Moment) -> Cause {
        let Some((_, newest)) = self.newest.filter(|(heard, _)| now.since(*heard) <= MISSING) else {
            return Cause::Unknown;
        };
        while self.turns.front().is_some_and(|(turn, _)| now.since(*turn) > self.rate.within) {
            self.turns.pop_front();
        }
        let wanted = self.turned(self.rate.change);
        let began = self.turns.front().filter(|(_, lowest)| newest - lowest >= wanted);
        began.map_or(Cause::Gone, |(since, _)| Cause::There { since: *since })
    }
}

/// A sensor from which nothing comes.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    after: Duration,
    heard: Moment,
    not_before: Moment,
}

impl Silence {
    /// It was heard before the hub began to watch.
    pub(super) fn heard_before(&mut self, at: Moment) {
        self.heard = at;
    }
}

/// Something that is or is not the case.
#[derive(Clone, Debug)]
pub(super) struct Flag {
    is_there: bool,
    since: Moment,
    seen: Option<Moment>,
}

impl Default for Flag {
    fn default() -> Self {
        Self { is_there: false, since: Moment(jiff::SignedDuration::ZERO), seen: None }
    }
}

impl Flag {
    fn look(&mut self, at: Moment, is_there: bool) {
        let is_gap = self.seen.is_none_or(|seen| at.since(seen) > MISSING);
        if is_there && (is_gap || !self.is_there) {
            self.since = at;
        }
        self.is_there = is_there;
        self.seen = Some(at);
    }
}

#[cfg(test)]
mod tests;
