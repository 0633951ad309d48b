//! Ranges of time on the command line.

use clap::Args;
use jiff::civil;
use larder_proto::pb::TimeRange;

use crate::{Failure, Out, when};

/// A time, or all time.
#[derive(Args, Clone, Debug, Default)]
#[command(
    next_help_heading = "Time",
    after_help = "Times are `now`, `-2h` (ago), `14:30` (today), `2026-11-22`, `2026-11-22 14:30`, or RFC 3339."
)]
pub struct OptionalRange {
    /// From this time on, for example -2h or 14:30
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub from: Option<String>,
    /// Up to this time [default: now]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", requires = "from")]
    pub to: Option<String>,
    /// The whole of this day, for example 2026-11-22
    #[arg(long, conflicts_with_all = ["from", "to"], value_name = "DATE")]
    pub day: Option<civil::Date>,
}

/// A time that has to be given.
#[derive(Args, Clone, Debug)]
#[command(mut_group("OptionalRange", |group| group.required(true)))]
pub struct RequiredRange {
    /// The time.
    #[command(flatten)]
    pub range: OptionalRange,
}

impl OptionalRange {
    /// The range, if one was given, in the time zone of `out`.
    ///
    /// # Errors
    ///
    /// A time cannot be read, or the range is empty.
    pub fn wire(&self, out: &Out) -> Result<Option<TimeRange>, Failure> {
        if let Some(day) = self.day {
            return day_of(day, out).map(Some);
        }
        let Some(from) = &self.from else { return Ok(None) };
        let read = |text: &str| when::parse(text, out.now(), out.zone()).map_err(Failure::Usage);
        let (from, to) = (read(from)?, read(self.to.as_deref().unwrap_or("now"))?);
        if from >= to {
            let (from, to) = (when::show(from, out.zone()), when::show(to, out.zone()));
            return Err(Failure::Usage(format!("the time from {from} to {to} is empty")));
        }
        Ok(Some(TimeRange { from: Some(when::to_wire(from)), to: Some(when::to_wire(to)) }))
    }
}

impl RequiredRange {
    /// The range in the time zone of `out`.
    ///
    /// # Errors
    ///
    /// A time cannot be read, or the range is empty.
    pub fn wire(self, out: &Out) -> Result<TimeRange, Failure> {
        self.range.wire(out)?.ok_or_else(|| Failure::Usage("a time is needed: --from and --to, or --day".to_owned()))
    }
}

/// The day that it is.
pub(super) fn today(out: &Out) -> Result<TimeRange, Failure> {
    day_of(out.now().to_zoned(out.zone().clone()).date(), out)
}

/// `from … to …`, for people.
pub(super) fn show(range: &TimeRange, out: &Out) -> String {
    let shown = |stamp: Option<&prost_types::Timestamp>| {
        when::from_wire(stamp).map(|at| when::show(at, out.zone())).unwrap_or_default()
    };
    format!("from {} to {}", shown(range.from.as_ref()), shown(range.to.as_ref()))
}

fn day_of(date: civil::Date, out: &Out) -> Result<TimeRange, Failure> {
    let (from, to) =
        when::day(date, out.zone()).map_err(|error| Failure::Usage(format!("{date} is no usable day: {error}")))?;
    Ok(TimeRange { from: Some(when::to_wire(from)), to: Some(when::to_wire(to)) })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::output::tests::Written;

    #[derive(Debug, Parser)]
    struct Optional {
        #[command(flatten)]
        range: OptionalRange,
    }

    #[derive(Debug, Parser)]
    struct Required {
        #[command(flatten)]
        range: RequiredRange,
    }

    fn shown(line: &[&str]) -> Result<Option<String>, Failure> {
        let out = Written::default().out(false);
        let parsed = Optional::try_parse_from([&["x"], line].concat()).expect("parsed");
        Ok(parsed.range.wire(&out)?.map(|range| show(&range, &out)))
    }

    #[test]
    fn a_range_goes_up_to_now_unless_it_says_otherwise() {
        let read = |line: &[&str]| shown(line).expect("a range").expect("given");
        assert_eq!(read(&["--from", "-2h"]), "from 2026-11-22 13:00:00 to 2026-11-22 15:00:00");
        assert_eq!(read(&["--from", "10:00", "--to", "-4h"]), "from 2026-11-22 10:00:00 to 2026-11-22 11:00:00");
        assert_eq!(read(&["--day", "2026-11-21"]), "from 2026-11-21 00:00:00 to 2026-11-22 00:00:00");
        assert_eq!(shown(&[]).expect("none"), None);
    }

    #[test]
    fn an_empty_range_is_refused() {
        assert!(matches!(shown(&["--from", "now", "--to", "-1h"]), Err(Failure::Usage(_))));
        assert!(Optional::try_parse_from(["x", "--to", "now"]).is_err());
        assert!(Optional::try_parse_from(["x", "--day", "2026-11-21", "--from", "now"]).is_err());
    }

    #[test]
    fn a_time_that_is_needed_is_asked_for() {
        assert!(Required::try_parse_from(["x"]).is_err());
        assert!(Required::try_parse_from(["x", "--from", "-1h"]).is_ok());
        assert!(Required::try_parse_from(["x", "--day", "2026-11-21"]).is_ok());
    }
}
