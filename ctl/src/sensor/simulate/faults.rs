//! What goes wrong with a simulated thermometer, on request.

use std::time::Duration;

use clap::Args;

use super::Said;
use crate::simulate::{Stall, stall};

/// What goes wrong, on request.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Faults, each every so often and for so long")]
pub struct FaultArgs {
    /// Say 85.0, as a probe that has lost power before it had measured
    #[arg(long, value_name = "EVERY:LASTS", value_parser = stall)]
    pub power_on: Option<Stall>,
    /// Say -127, as of a probe that does not answer
    #[arg(long, value_name = "EVERY:LASTS", value_parser = stall)]
    pub no_answer: Option<Stall>,
    /// Say nothing
    #[arg(long, value_name = "EVERY:LASTS", value_parser = stall)]
    pub silence: Option<Stall>,
    /// Send the last datagrams again behind each new one, as somebody would who has listened
    #[arg(long, value_name = "EVERY:LASTS", value_parser = stall)]
    pub replay: Option<Stall>,
}

/// Faults to show. The default shows none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "as in `FaultArgs`")]
pub struct Faults {
    pub power_on: Option<Stall>,
    pub no_answer: Option<Stall>,
    pub silence: Option<Stall>,
    pub replay: Option<Stall>,
}

impl From<FaultArgs> for Faults {
    fn from(FaultArgs { power_on, no_answer, silence, replay }: FaultArgs) -> Self {
        Self { power_on, no_answer, silence, replay }
    }
}

impl Faults {
    /// How a reading is said so long after the start; the worst fault counts.
    pub(super) fn say(&self, elapsed: Duration) -> Said {
        if is_on(self.silence, elapsed) {
            Said::Silent
        } else if is_on(self.no_answer, elapsed) {
            Said::NoAnswer
        } else if is_on(self.power_on, elapsed) {
            Said::PowerOn
        } else {
            Said::Measured
        }
    }

    /// Whether old datagrams are sent again.
    pub(super) fn replays(&self, elapsed: Duration) -> bool {
        is_on(self.replay, elapsed)
    }
}

fn is_on(fault: Option<Stall>, elapsed: Duration) -> bool {
    fault.is_some_and(|Stall { every, lasts }| {
        let turn = (every + lasts).as_micros().max(1);
        elapsed.as_micros() % turn >= every.as_micros() && !lasts.is_zero()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_and_goes_and_the_worst_counts() {
        let seconds = Duration::from_secs;
        let every = |from, lasts| Some(Stall { every: seconds(from), lasts: seconds(lasts) });
        let faults = Faults { power_on: every(10, 20), no_answer: every(20, 10), silence: every(25, 5), replay: None };
        let said = [0, 9, 10, 19, 20, 25, 29, 30, 40].map(|second| faults.say(seconds(second)));
        use Said::{Measured, NoAnswer, PowerOn, Silent};
        assert_eq!(said, [Measured, Measured, PowerOn, PowerOn, NoAnswer, Silent, Silent, Measured, PowerOn]);
        assert!(!faults.replays(seconds(29)));
        let always = Faults { replay: every(0, 5), ..Faults::default() };
        assert!((0..60).all(|second| always.replays(seconds(second))));
    }
}
