//! How a rule's alarm is raised, held, repeated and cleared: pure, in monotonic time.
//!
//! ```text
//! idle ◀─unknown─▶ ok ◀──▶ pending ──cause there for the rule's time──▶ raised ◀──▶ holding
//!                   ▲                                                                  │
//!                   └──────────────── cause gone for the rule's hold time ─────────────┘
//! ```
//! What is not known raises nothing and clears nothing.

use std::time::Duration;

use jiff::SignedDuration;

/// A moment of monotonic time, counted from the hub's start; negative before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Moment(pub(super) SignedDuration);

impl Moment {
    /// The time from an earlier moment to this one; zero from a later one.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let forward = self.0.saturating_sub(earlier.0);
        if forward.is_negative() { Duration::ZERO } else { forward.unsigned_abs() }
    }

    /// So much earlier.
    pub(super) fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)))
    }

    /// So much later.
    pub(super) fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)))
    }
}

/// Whether what a rule watches for is the case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// Nobody knows.
    Unknown,
    /// All is well.
    Gone,
    /// It is, without a break since then.
    There { since: Moment },
}

/// How a rule stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Nothing is known, or it is switched off.
    Idle,
    /// All is well.
    Ok,
    /// The cause is there, but not long enough.
    Pending,
    /// The alarm is raised.
    Raised,
    /// The cause is gone, but not long enough.
    Holding,
}

/// The times a rule names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timing {
    pub(super) after: Duration,
    pub(super) hold: Duration,
    pub(super) repeat: Option<Duration>,
}

/// What people are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Transition {
    /// The alarm begins; its cause began then.
    Raised {
        since: Moment,
    },
    Repeated,
    Cleared,
}

/// One rule's state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Machine(Phase);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    Ok,
    Pending,
    Raised(Raised),
    Holding { raised: Raised, gone_since: Moment },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Raised {
    told: Moment,
    acknowledged: bool,
}

impl Machine {
    /// A rule of which nothing is known.
    pub(super) fn new() -> Self {
        Self(Phase::Idle)
    }

    /// A rule whose alarm was raised before, and told of last then.
    pub(super) fn raised(told: Moment, acknowledged: bool) -> Self {
        Self(Phase::Raised(Raised { told, acknowledged }))
    }

    pub(super) fn state(&self) -> State {
        match self.0 {
            Phase::Idle => State::Idle,
            Phase::Ok => State::Ok,
            Phase::Pending => State::Pending,
            Phase::Raised(_) => State::Raised,
            Phase::Holding { .. } => State::Holding,
        }
    }

    /// Judges the cause as it is now.
    pub(super) fn step(&mut self, now: Moment, cause: Cause, timing: &Timing) -> Option<Transition> {
        match (self.0, cause) {
            (Phase::Raised(raised) | Phase::Holding { raised, .. }, Cause::There { .. } | Cause::Unknown) => {
                self.goes_on(now, raised, timing)
            }
            (Phase::Raised(raised), Cause::Gone) => {
                self.0 = Phase::Holding { raised, gone_since: now };
                self.held(now, now, timing)
            }
            (Phase::Holding { gone_since, .. }, Cause::Gone) => self.held(now, gone_since, timing),
            (_, Cause::There { since }) => {
                let is_due = now.since(since) >= timing.after;
                let raised = Raised { told: now, acknowledged: false };
                self.0 = if is_due { Phase::Raised(raised) } else { Phase::Pending };
                is_due.then_some(Transition::Raised { since })
            }
            (_, Cause::Gone) => {
                self.0 = Phase::Ok;
                None
            }
            (_, Cause::Unknown) => {
                self.0 = Phase::Idle;
                None
            }
        }
    }

    fn goes_on(&mut self, now: Moment, mut raised: Raised, timing: &Timing) -> Option<Transition> {
        let passed = now.since(raised.told);
        let due = timing.repeat.filter(|repeat| !raised.acknowledged && passed >= *repeat);
        if let Some(repeat) = due {
            // On the rule's beat, however late this is: what was missed is told once.
            let late = passed.as_nanos().checked_rem(repeat.as_nanos()).unwrap_or_default();
            raised.told = now.before(Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX)));
        }
        self.0 = Phase::Raised(raised);
        due.map(|_| Transition::Repeated)
    }

    fn held(&mut self, now: Moment, gone_since: Moment, timing: &Timing) -> Option<Transition> {
        if now.since(gone_since) < timing.hold {
            return None;
        }
        self.0 = Phase::Ok;
        Some(Transition::Cleared)
    }

    /// Somebody has seen the alarm: it is not repeated. `false` when none is raised.
    pub(super) fn acknowledge(&mut self) -> bool {
        match &mut self.0 {
            Phase::Raised(raised) | Phase::Holding { raised, .. } => {
                raised.acknowledged = true;
                true
            }
            Phase::Idle | Phase::Ok | Phase::Pending => false,
        }
    }

    /// The rule is switched off, gone, or about something else.
    pub(super) fn reset(&mut self) -> Option<Transition> {
        let was_raised = matches!(self.0, Phase::Raised(_) | Phase::Holding { .. });
        self.0 = Phase::Idle;
        was_raised.then_some(Transition::Cleared)
    }
}

#[cfg(test)]
mod tests;
