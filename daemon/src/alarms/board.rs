//! Every rule with its state and its alarm: what is observed goes in, what changed comes out. Does no I/O.

use std::{collections::BTreeMap, mem, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use larder_proto::wire::{CameraId, camera::MilliCelsius};
use uuid::{NoContext, Uuid};

use super::{
    Acknowledged, Alarm, AlarmId, ChannelId, Occasion, RuleId,
    cause::{MISSING, Watched},
    engine::{Cause, Machine, Moment, State, Timing, Transition},
    rule::{Condition, Rule, Subject},
    sentence::{About, sentence},
};
use crate::temperatures::SensorId;

/// A moment on both clocks: durations by the first, what people read by the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) moment: Moment,
    pub(super) wall: Timestamp,
}

impl Now {
    /// A moment on the wall clock as it goes now, whatever steps it made since.
    fn wall_at(&self, moment: Moment) -> Timestamp {
        let passed = self.moment.0.saturating_sub(moment.0);
        let us = self.wall.as_microsecond().saturating_sub(i64::try_from(passed.as_micros()).unwrap_or(i64::MAX));
        crate::clock::from_us(us)
    }

    /// A time that was kept, as a moment.
    fn moment_of(&self, wall: Timestamp) -> Moment {
        let passed = self.wall.duration_since(wall);
        Moment(self.moment.0.saturating_sub(passed))
    }
}

/// What is the case with what rules are about.
pub(super) trait Facts {
    /// A sensor's newest value and when it came.
    fn latest(&self, sensor: SensorId) -> Option<(Timestamp, MilliCelsius)>;
    /// Whether a camera sends no pictures. `None`: nobody knows yet.
    fn is_offline(&self, camera: CameraId) -> Option<bool>;
    /// Whether a camera sends pictures that should be recorded and are not.
    fn is_stalled(&self, camera: CameraId) -> Option<bool>;
    /// Whether the recordings' disk has less free than its floor.
    fn is_disk_low(&self) -> Option<bool>;
    /// How people call the subject, and its newest value.
    fn about(&self, subject: &Condition) -> About;
}

/// A cause that is there but not long enough, as it is kept over a restart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pending {
    pub(super) since: Timestamp,
    pub(super) seen_at: Timestamp,
}

/// An alarm that changed, and who is told of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) alarm: Alarm,
    /// `None`: it goes on, and something of it is different.
    pub(super) occasion: Option<Occasion>,
    pub(super) channels: Vec<ChannelId>,
}

/// Every rule with its state and its alarm.
pub(super) struct Board {
    entries: BTreeMap<RuleId, Entry>,
    /// From before the restart, until their rules are known.
    raised: BTreeMap<RuleId, Alarm>,
    pending: BTreeMap<RuleId, Pending>,
    zone: TimeZone,
}

struct Entry {
    rule: Arc<Rule>,
    machine: Machine,
    watched: Watched,
    alarm: Option<Alarm>,
}

impl Board {
    /// A board without rules; what was raised and pending before goes on when they come.
    pub(super) fn new(raised: Vec<Alarm>, pending: Vec<(RuleId, Pending)>, zone: TimeZone) -> Self {
        Self {
            entries: BTreeMap::new(),
            raised: raised.into_iter().map(|alarm| (alarm.rule, alarm)).collect(),
            pending: pending.into_iter().collect(),
            zone,
        }
    }

    /// Takes the rules as they are now. A rule that is gone, switched off or about something else clears its alarm.
    pub(super) fn apply(&mut self, rules: &[Arc<Rule>], now: Now, facts: &dyn Facts) -> Vec<Change> {
        let mut changes = Vec::new();
        let gone: Vec<RuleId> =
            self.entries.keys().copied().filter(|id| !rules.iter().any(|rule| rule.id == *id)).collect();
        for mut entry in gone.iter().filter_map(|id| self.entries.remove(id)) {
            changes.extend(entry.reset(now));
        }
        for rule in rules {
            match self.entries.get_mut(&rule.id) {
                Some(entry) if entry.rule == *rule => {}
                Some(entry) => {
                    changes.extend(entry.change(rule, now, facts));
                    changes.extend(entry.step(now, facts, &self.zone));
                }
                None => {
                    let mut entry = self.begin(rule, now, facts);
                    if !rule.enabled {
                        changes.extend(entry.reset(now));
                    }
                    changes.extend(entry.step(now, facts, &self.zone));
                    self.entries.insert(rule.id, entry);
                }
            }
        }
        // Their rules went while the hub was away: over, and nobody is left to be told.
        for (_, mut alarm) in mem::take(&mut self.raised) {
            alarm.cleared_at = Some(now.wall.max(alarm.raised_at));
            changes.push(Change { alarm, occasion: None, channels: Vec::new() });
        }
        self.pending.clear();
        changes
    }

    fn begin(&mut self, rule: &Arc<Rule>, now: Now, facts: &dyn Facts) -> Entry {
        let mut watched = Watched::new(&rule.condition, now.moment);
        let alarm = self.raised.remove(&rule.id);
        let since = alarm.as_ref().map(|alarm| Pending { since: alarm.since, seen_at: now.wall });
        let kept = since.or_else(|| self.pending.remove(&rule.id));
        let ago = |time: Timestamp| now.wall.duration_since(time);
        if let Some(kept) = kept.filter(|kept| fits(ago(kept.seen_at)) && ago(kept.since) >= ago(kept.seen_at)) {
            watched.resume(now.moment_of(kept.since), now.moment_of(kept.seen_at));
        }
        observe_latest(&mut watched, &rule.condition, now, facts);
        let machine = alarm.as_ref().map_or_else(Machine::new, |alarm| {
            Machine::raised(last_told(alarm, rule.repeat, now), alarm.acknowledged.is_some())
        });
        Entry { rule: Arc::clone(rule), machine, watched, alarm }
    }

    /// Takes a sensor's value.
    pub(super) fn hear(&mut self, sensor: SensorId, value: MilliCelsius, now: Now, facts: &dyn Facts) -> Vec<Change> {
        let mut changes = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| entry.rule.condition.sensor() == Some(sensor)) {
            entry.watched.hear(now.moment, value);
            let told = entry.step(now, facts, &self.zone);
            // One change for both, so that nobody hears of an alarm twice.
            let worse = entry.worsen(value);
            match told {
                Some(mut told) => {
                    if let Some(alarm) = entry.alarm.as_ref() {
                        told.alarm.clone_from(alarm);
                    }
                    changes.push(told);
                }
                None => changes.extend(worse),
            }
        }
        changes
    }

    /// Looks at everything again: time has passed.
    pub(super) fn tick(&mut self, now: Now, facts: &dyn Facts) -> Vec<Change> {
        let mut changes = Vec::new();
        for entry in self.entries.values_mut() {
            changes.extend(entry.step(now, facts, &self.zone));
        }
        changes
    }

    /// Somebody has seen the alarm with this id, or of the rule with this name. `None`: none such is raised.
    pub(super) fn acknowledge(&mut self, which: &str, by: &str, now: Now) -> Option<(Alarm, Option<Change>)> {
        let id = which.parse().ok().map(AlarmId);
        let entry = self.entries.values_mut().find(|entry| {
            let alarm = entry.alarm.as_ref();
            alarm.is_some_and(|alarm| Some(alarm.id) == id || entry.rule.name == which)
        })?;
        let alarm = entry.alarm.as_mut()?;
        entry.machine.acknowledge();
        if alarm.acknowledged.is_some() {
            return Some((alarm.clone(), None));
        }
        alarm.acknowledged = Some(Acknowledged { at: now.wall, by: by.to_owned() });
        Some((alarm.clone(), Some(Change { alarm: alarm.clone(), occasion: None, channels: Vec::new() })))
    }

    /// How a rule stands.
    pub(super) fn state(&self, rule: RuleId) -> State {
        self.entries.get(&rule).map_or(State::Idle, |entry| entry.machine.state())
    }

    /// Raised alarms, the newest first.
    pub(super) fn raised(&self) -> Vec<Alarm> {
        let mut raised: Vec<Alarm> = self.entries.values().filter_map(|entry| entry.alarm.clone()).collect();
        raised.sort_by_key(|alarm| std::cmp::Reverse((alarm.raised_at, alarm.id)));
        raised
    }

    /// Causes that are there but not long enough, to be kept over a restart.
    pub(super) fn pending(&mut self, now: Now) -> BTreeMap<RuleId, Pending> {
        let pending = self.entries.iter_mut().filter(|(_, entry)| entry.machine.state() == State::Pending);
        let kept = pending.filter_map(|(id, entry)| {
            let Cause::There { since } = entry.watched.cause(now.moment) else { return None };
            let seen_at = now.wall_at(entry.watched.seen()?);
            Some((*id, Pending { since: now.wall_at(since), seen_at }))
        });
        kept.collect()
    }

    /// Whether any rule watches the disk.
    pub(super) fn watches_disk(&self) -> bool {
        self.entries.values().any(|entry| entry.rule.condition.subject() == Subject::Disk)
    }
}

impl Entry {
    fn step(&mut self, now: Now, facts: &dyn Facts, zone: &TimeZone) -> Option<Change> {
        if !self.rule.enabled {
            return None;
        }
        let condition = &self.rule.condition;
        let is_there = match condition {
            Condition::CameraOffline { camera, .. } => facts.is_offline(*camera),
            Condition::RecordingStalled { camera, .. } => facts.is_stalled(*camera),
            Condition::DiskFloor { .. } => facts.is_disk_low(),
            Condition::Above(_) | Condition::Below(_) | Condition::Rate(_) | Condition::SensorSilent { .. } => None,
        };
        self.watched.look(now.moment, is_there);
        let cause = self.watched.cause(now.moment);
        let transition = self.machine.step(now.moment, cause, &timing(&self.rule))?;
        if let Transition::Raised { since } = transition {
            self.alarm = Some(self.raise(now, now.wall_at(since), facts, zone));
        }
        self.change_of(transition, now)
    }

    fn raise(&self, now: Now, since: Timestamp, facts: &dyn Facts, zone: &TimeZone) -> Alarm {
        let condition = &self.rule.condition;
        let about = facts.about(condition);
        let has_extreme = matches!(condition, Condition::Above(_) | Condition::Below(_) | Condition::Rate(_));
        Alarm {
            id: AlarmId(id_at(now.wall)),
            rule: self.rule.id,
            rule_name: self.rule.name.clone(),
            message: sentence(condition, &about, since, zone),
            since,
            raised_at: now.wall,
            cleared_at: None,
            acknowledged: None,
            extreme: about.value.filter(|_| has_extreme),
            sensor: condition.sensor(),
            camera: condition.camera(),
        }
    }

    fn change_of(&mut self, transition: Transition, now: Now) -> Option<Change> {
        let channels = self.rule.channels.clone();
        let (alarm, occasion) = match transition {
            Transition::Raised { .. } => (self.alarm.clone()?, Occasion::Raised),
            Transition::Repeated => (self.alarm.clone()?, Occasion::Repeated),
            Transition::Cleared => {
                let mut alarm = self.alarm.take()?;
                // A clock that went back must not end it before it began.
                alarm.cleared_at = Some(now.wall.max(alarm.raised_at));
                (alarm, Occasion::Cleared)
            }
        };
        Some(Change { alarm, occasion: Some(occasion), channels })
    }

    fn reset(&mut self, now: Now) -> Option<Change> {
        let transition = self.machine.reset()?;
        self.change_of(transition, now)
    }

    /// Takes the rule as it was changed. A raised alarm goes on when the rule still says so.
    fn change(&mut self, rule: &Arc<Rule>, now: Now, facts: &dyn Facts) -> Option<Change> {
        let (old, new) = (self.rule.condition, rule.condition);
        let is_about_same = old.kind() == new.kind() && old.subject() == new.subject();
        let before = mem::replace(&mut self.rule, Arc::clone(rule));
        if !rule.enabled || !is_about_same {
            self.watched = Watched::new(&new, now.moment);
            observe_latest(&mut self.watched, &new, now, facts);
            // Those are told who were told that it began.
            let told = self.reset(now);
            return told.map(|told| Change { channels: before.channels.clone(), ..told });
        }
        if old == new {
            return None;
        }
        let watched = mem::replace(&mut self.watched, Watched::new(&new, now.moment));
        self.watched = watched.changed(&new, now.moment);
        observe_latest(&mut self.watched, &new, now, facts);
        if self.watched.cause(now.moment) == Cause::Gone { self.reset(now) } else { None }
    }

    /// Notes the worst value of a raised alarm.
    fn worsen(&mut self, value: MilliCelsius) -> Option<Change> {
        let alarm = self.alarm.as_mut()?;
        let is_worse = |known: MilliCelsius| match &self.rule.condition {
            Condition::Above(_) => value > known,
            Condition::Below(_) => value < known,
            Condition::Rate(rate) => (value > known) == (rate.change.0 > 0) && value != known,
            _ => false,
        };
        let has_extreme = matches!(self.rule.condition, Condition::Above(_) | Condition::Below(_) | Condition::Rate(_));
        if !has_extreme || alarm.extreme.is_some_and(|known| !is_worse(known)) {
            return None;
        }
        alarm.extreme = Some(value);
        Some(Change { alarm: alarm.clone(), occasion: None, channels: Vec::new() })
    }
}

/// A UUID version 7 of that moment: ids sort by it.
fn id_at(at: Timestamp) -> Uuid {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

fn timing(rule: &Rule) -> Timing {
    let after = match rule.condition {
        // Time is part of these causes.
        Condition::Rate(_) | Condition::SensorSilent { .. } => Duration::ZERO,
        condition => condition.time(),
    };
    Timing { after, hold: rule.hold, repeat: rule.repeat }
}

/// A rule that begins to be watched knows the newest value at once.
fn observe_latest(watched: &mut Watched, condition: &Condition, now: Now, facts: &dyn Facts) {
    let Some((received_at, value)) = condition.sensor().and_then(|sensor| facts.latest(sensor)) else { return };
    let ago = now.wall.duration_since(received_at);
    let moment = now.moment_of(received_at);
    match watched {
        Watched::Silence(silence) if !ago.is_negative() => silence.heard_before(moment),
        _ if fits(ago) => watched.hear(moment, value),
        _ => {}
    }
}

/// Whether something so long ago counts as what is now. Not from the future: a wrong clock wrote that.
fn fits(ago: SignedDuration) -> bool {
    !ago.is_negative() && ago.unsigned_abs() <= MISSING
}

/// When an alarm that was raised before a restart was told of last: on its beat.
fn last_told(alarm: &Alarm, repeat: Option<Duration>, now: Now) -> Moment {
    let raised = now.moment_of(alarm.raised_at);
    let passed = now.moment.since(raised);
    let Some(late) = repeat.and_then(|repeat| passed.as_nanos().checked_rem(repeat.as_nanos())) else {
        return raised;
    };
    now.moment.before(Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
