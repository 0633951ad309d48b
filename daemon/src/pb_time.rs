//! Times of the domains to and from the messages' own.

use std::{ops::Range, time::Duration};

use jiff::Timestamp;
use larder_proto::pb::TimeRange;

use crate::outcome::Refusal;

/// To a message.
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
    // The message's nanoseconds count forward only (timestamp.proto).
    if nanos < 0 {
        prost_types::Timestamp { seconds: seconds - 1, nanos: nanos + 1_000_000_000 }
    } else {
        prost_types::Timestamp { seconds, nanos }
    }
}

/// From a message, to the microsecond. `None` beyond the years -9999 to 9999.
pub fn parse_timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    let whole = Timestamp::new(time.seconds, time.nanos).ok()?;
    Timestamp::from_microsecond(whole.as_microsecond()).ok()
}

/// To a message; longer than a message can hold is cut.
pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(duration).unwrap_or(prost_types::Duration { seconds: 315_576_000_000, nanos: 0 })
}

/// From a message: a range that has to be there.
///
/// # Errors
/// When it is not, or is no range.
pub fn range(range: Option<&TimeRange>) -> Result<Range<Timestamp>, Refusal> {
    let range = range.ok_or_else(|| Refusal::field("range", "is not set"))?;
    let moment = |field: &str, time: Option<&prost_types::Timestamp>| {
        let time = time.ok_or_else(|| Refusal::field(field, "is not set"))?;
        parse_timestamp(time).ok_or_else(|| Refusal::field(field, "is not a time between the years -9999 and 9999"))
    };
    let parsed = moment("range.from", range.from.as_ref())?..moment("range.to", range.to.as_ref())?;
    if parsed.is_empty() {
        return Err(Refusal::field("range.to", format!("{} is not after {}", parsed.end, parsed.start)));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_went() {
        for us in [0, 1, -1, 1_700_000_000_123_456, -1_500_000] {
            let time = Timestamp::from_microsecond(us).unwrap();
            let message = timestamp(time);
            assert!((0..1_000_000_000).contains(&message.nanos));
            assert_eq!(parse_timestamp(&message), Some(time));
        }
    }
}
