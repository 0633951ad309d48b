use proptest::prelude::*;

use super::*;

const UNKNOWN: Cause = Cause::Unknown;
const GONE: Cause = Cause::Gone;

fn at(second: i64) -> Moment {
    Moment(SignedDuration::from_secs(second))
}

fn there(second: i64) -> Cause {
    Cause::There { since: at(second) }
}

fn raised(second: i64) -> Option<Transition> {
    Some(Transition::Raised { since: at(second) })
}

const REPEATED: Option<Transition> = Some(Transition::Repeated);
const CLEARED: Option<Transition> = Some(Transition::Cleared);

fn timing(after: u64, hold: u64, repeat: Option<u64>) -> Timing {
    Timing {
        after: Duration::from_secs(after),
        hold: Duration::from_secs(hold),
        repeat: repeat.map(Duration::from_secs),
    }
}

/// Steps through a table of second, cause, expected transition and state.
fn table(timing: &Timing, rows: &[(i64, Cause, Option<Transition>, State)]) {
    let mut machine = Machine::new();
    for (second, cause, expected, state) in rows {
        assert_eq!(machine.step(at(*second), *cause, timing), *expected, "at {second} s");
        assert_eq!(machine.state(), *state, "at {second} s");
    }
}

#[test]
fn an_alarm_is_raised_once_when_its_cause_was_there_for_its_time() {
    table(
        &timing(60, 0, None),
        &[
            (0, UNKNOWN, None, State::Idle),
            (1, GONE, None, State::Ok),
            (10, there(10), None, State::Pending),
            (69, there(10), None, State::Pending),
            (70, there(10), raised(10), State::Raised),
            (71, there(10), None, State::Raised),
            (9_999, there(10), None, State::Raised),
            (10_000, GONE, CLEARED, State::Ok),
            (10_001, GONE, None, State::Ok),
        ],
    );
}

#[test]
fn a_cause_that_breaks_off_begins_anew() {
    table(
        &timing(60, 0, None),
        &[
            (0, there(0), None, State::Pending),
            (59, GONE, None, State::Ok),
            (60, there(60), None, State::Pending),
            (119, there(60), None, State::Pending),
            (120, there(60), raised(60), State::Raised),
        ],
    );
    table(
        &timing(60, 0, None),
        &[
            (0, there(0), None, State::Pending),
            (59, UNKNOWN, None, State::Idle),
            (61, there(61), None, State::Pending),
            (121, there(61), raised(61), State::Raised),
        ],
    );
}

#[test]
fn a_raised_alarm_is_held_until_its_cause_was_gone_for_the_hold_time() {
    table(
        &timing(0, 60, None),
        &[
            (0, there(0), raised(0), State::Raised),
            (10, GONE, None, State::Holding),
            (69, GONE, None, State::Holding),
            (69, there(69), None, State::Raised),
            (80, GONE, None, State::Holding),
            (139, GONE, None, State::Holding),
            (140, GONE, CLEARED, State::Ok),
            (141, there(141), raised(141), State::Raised),
        ],
    );
}

#[test]
fn what_is_not_known_clears_nothing() {
    table(
        &timing(0, 60, None),
        &[
            (0, there(0), raised(0), State::Raised),
            (10, UNKNOWN, None, State::Raised),
            (99_999, UNKNOWN, None, State::Raised),
            (100_000, GONE, None, State::Holding),
            (100_059, UNKNOWN, None, State::Raised),
            (100_060, GONE, None, State::Holding),
            (100_120, GONE, CLEARED, State::Ok),
        ],
    );
}

#[test]
fn it_is_repeated_on_its_beat_while_the_cause_is_there() {
    table(
        &timing(0, 60, Some(100)),
        &[
            (0, there(0), raised(0), State::Raised),
            (99, there(0), None, State::Raised),
            (101, there(0), REPEATED, State::Raised),
            (199, there(0), None, State::Raised),
            (200, there(0), REPEATED, State::Raised),
            // The hub slept: what was missed is told once.
            (777, there(0), REPEATED, State::Raised),
            (799, there(0), None, State::Raised),
            (800, GONE, None, State::Holding),
            (801, there(801), REPEATED, State::Raised),
            (850, GONE, None, State::Holding),
            (910, GONE, CLEARED, State::Ok),
        ],
    );
}

#[test]
fn acknowledgement_ends_the_repetition_of_this_alarm_alone() {
    let timing = timing(0, 0, Some(10));
    let mut machine = Machine::new();
    assert!(!machine.acknowledge(), "nothing is raised");
    assert_eq!(machine.step(at(0), there(0), &timing), raised(0));
    assert!(machine.acknowledge());
    assert!(machine.acknowledge(), "again is the same as once");
    assert_eq!(machine.step(at(100), there(0), &timing), None);
    assert_eq!(machine.step(at(101), GONE, &timing), CLEARED);
    assert_eq!(machine.step(at(102), there(102), &timing), raised(102));
    assert_eq!(machine.step(at(112), there(102), &timing), REPEATED);
}

#[test]
fn a_reset_clears_what_was_raised_and_forgets_the_rest() {
    let timing = timing(60, 60, None);
    let mut machine = Machine::new();
    machine.step(at(0), there(0), &timing);
    assert_eq!((machine.reset(), machine.state()), (None, State::Idle));
    machine.step(at(60), there(0), &timing);
    assert_eq!((machine.reset(), machine.state()), (CLEARED, State::Idle));
    machine.step(at(60), there(0), &timing);
    machine.step(at(61), GONE, &timing);
    assert_eq!((machine.reset(), machine.state()), (CLEARED, State::Idle));
}

#[test]
fn after_a_restart_a_raised_alarm_goes_on_in_its_beat() {
    let timing = timing(60, 0, Some(100));
    let mut machine = Machine::raised(at(-70), false);
    assert_eq!(machine.step(at(0), UNKNOWN, &timing), None);
    assert_eq!(machine.state(), State::Raised);
    assert_eq!(machine.step(at(30), there(1), &timing), REPEATED);
    assert_eq!(machine.step(at(31), GONE, &timing), CLEARED);
}

/// A step of a made-up life.
#[derive(Clone, Copy, Debug)]
enum Act {
    Step { seconds: u8, cause: u8 },
    Acknowledge,
    Reset,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => (0..40_u8, 0..3_u8).prop_map(|(seconds, cause)| Act::Step { seconds, cause }),
        1 => Just(Act::Acknowledge),
        1 => Just(Act::Reset),
    ]
}

/// What a rule promises, kept by other means than the machine's.
#[derive(Default)]
struct Promise {
    raised: bool,
    acknowledged: bool,
    told: i64,
    there_since: Option<i64>,
    gone_since: Option<i64>,
}

impl Promise {
    fn check(&mut self, now: i64, transition: Option<Transition>, timing: &Timing) {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap();
        match transition {
            Some(Transition::Raised { since }) => {
                assert!(!self.raised, "raised twice without being cleared");
                let began = self.there_since.expect("the cause is there");
                assert_eq!(since, at(began));
                assert!(now - began >= seconds(timing.after), "raised too early");
                (self.raised, self.acknowledged, self.told) = (true, false, now);
            }
            Some(Transition::Repeated) => {
                assert!(self.raised && !self.acknowledged && self.gone_since.is_none());
                assert!(now - self.told >= seconds(timing.repeat.expect("it repeats")), "repeated too early");
                self.told = now - (now - self.told) % seconds(timing.repeat.unwrap());
            }
            Some(Transition::Cleared) => {
                assert!(self.raised, "cleared without being raised");
                let gone = self.gone_since.expect("the cause is gone");
                assert!(now - gone >= seconds(timing.hold), "cleared too early");
                self.raised = false;
            }
            None => {}
        }
        let due = self.there_since.is_some_and(|since| now - since >= seconds(timing.after));
        assert!(self.raised || !due, "not raised though it is due");
        let over = self.gone_since.is_some_and(|since| now - since >= seconds(timing.hold));
        assert!(!(self.raised && over), "not cleared though it is over");
    }
}

proptest! {
    #[test]
    fn whatever_happens_an_alarm_keeps_its_rules_promise(
        acts in prop::collection::vec(act(), 1..200),
        after in 0..100_u64,
        hold in 0..100_u64,
        repeat in prop::option::of(1..100_u64),
    ) {
        let timing = timing(after, hold, repeat);
        let (mut machine, mut promise, mut now) = (Machine::new(), Promise::default(), 0_i64);
        for act in acts {
            match act {
                Act::Step { seconds, cause } => {
                    now += i64::from(seconds);
                    let cause = match cause {
                        0 => UNKNOWN,
                        1 => GONE,
                        _ => there(promise.there_since.unwrap_or(now)),
                    };
                    let is_there = matches!(cause, Cause::There { .. });
                    promise.there_since = is_there.then(|| promise.there_since.unwrap_or(now));
                    promise.gone_since = (cause == GONE).then(|| promise.gone_since.unwrap_or(now));
                    let transition = machine.step(at(now), cause, &timing);
                    promise.check(now, transition, &timing);
                }
                Act::Acknowledge => {
                    prop_assert_eq!(machine.acknowledge(), promise.raised);
                    promise.acknowledged |= promise.raised;
                }
                Act::Reset => {
                    prop_assert_eq!(machine.reset().is_some(), promise.raised);
                    promise = Promise { told: promise.told, ..Promise::default() };
                }
            }
        }
    }
}
