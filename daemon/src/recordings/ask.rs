//! Requests become ranges, ids and pages here, or an error that names the wrong field: pure.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use larder_proto::pb;
use uuid::Uuid;

use super::{LONGEST_PLAYLIST, Position, RunId};
pub(super) use crate::pb_time::range;
use crate::{clock::from_us, outcome::Refusal, pb_page::List};

/// The longest range of one timeline.
const LONGEST_TIMELINE: SignedDuration = SignedDuration::from_hours(32 * 24);
const LONGEST_NOTE: usize = 200;
const DEFAULT_VALID: SignedDuration = SignedDuration::from_hours(1);
const VALID: std::ops::RangeInclusive<SignedDuration> = SignedDuration::from_mins(1)..=SignedDuration::from_hours(24);
const LIST: List = List("recordings");

/// A timeline's range.
pub(super) fn timeline_range(wanted: Option<&pb::TimeRange>) -> Result<Range<Timestamp>, Refusal> {
    no_longer_than(range(wanted)?, LONGEST_TIMELINE)
}

/// A play URL's range; absent is live.
pub(super) fn play_range(wanted: Option<&pb::TimeRange>) -> Result<Option<Range<Timestamp>>, Refusal> {
    wanted.map(|wanted| no_longer_than(range(Some(wanted))?, LONGEST_PLAYLIST)).transpose()
}

fn no_longer_than(range: Range<Timestamp>, most: SignedDuration) -> Result<Range<Timestamp>, Refusal> {
    if range.end.duration_since(range.start) > most {
        return Err(Refusal::field("range.to", format!("more than {} hours after range.from", most.as_hours())));
    }
    Ok(range)
}

/// How long a play URL is valid.
pub(super) fn valid_for(wanted: Option<prost_types::Duration>) -> Result<SignedDuration, Refusal> {
    let wanted = wanted.map_or(DEFAULT_VALID, |wanted| SignedDuration::from_secs(wanted.seconds));
    if !VALID.contains(&wanted) {
        return Err(Refusal::field("valid_for", "is not a minute at least and a day at most"));
    }
    Ok(wanted)
}

/// A note's length.
pub(super) fn note(note: &str) -> Result<&str, Refusal> {
    let length = note.chars().count();
    if length > LONGEST_NOTE {
        return Err(Refusal::field("note", format!("{length} characters, at most {LONGEST_NOTE}")));
    }
    Ok(note)
}

/// A UUID.
pub(super) fn id(field: &str, text: &str) -> Result<Uuid, Refusal> {
    Uuid::try_parse(text).ok().ok_or_else(|| Refusal::field(field, format!("{text:?} is not a UUID")))
}

/// The token of the page behind a position.
pub(super) fn token_of(position: Position) -> String {
    LIST.token(format_args!("{}_{}", position.placed_at.as_microsecond(), position.run.0.simple()))
}

/// The position of a token; an empty one is the first page.
pub(super) fn position(token: &str) -> Result<Option<Position>, Refusal> {
    LIST.after(token, |last| {
        let (micros, run) = last.split_once('_')?;
        let placed_at = from_us(micros.parse().ok()?);
        Some(Position { placed_at, run: RunId(Uuid::try_parse(run).ok()?) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: i64, to: i64) -> pb::TimeRange {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        pb::TimeRange { from: time(from), to: time(to) }
    }

    fn field_of(refusal: Result<impl Sized, Refusal>) -> String {
        refusal.err().expect("it is refused").fields[0].0.clone()
    }

    #[test]
    fn a_wrong_range_is_named_by_its_field() {
        assert_eq!(field_of(range(None)), "range");
        assert_eq!(field_of(range(Some(&pb::TimeRange { from: None, to: None }))), "range.from");
        assert_eq!(field_of(range(Some(&asked(5, 5)))), "range.to");
        assert_eq!(field_of(range(Some(&asked(i64::MAX, 5)))), "range.from");
        assert_eq!(field_of(timeline_range(Some(&asked(0, 33 * 86_400)))), "range.to");
        assert_eq!(field_of(play_range(Some(&asked(0, 26 * 3600)))), "range.to");
        assert!(play_range(None).unwrap().is_none());
        assert!(range(Some(&asked(5, 6))).is_ok());
    }

    #[test]
    fn sizes_have_their_limits() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        assert_eq!(valid_for(None).unwrap(), SignedDuration::from_hours(1));
        for wrong in [i64::MIN, 0, 59, 86_401, i64::MAX] {
            assert_eq!(field_of(valid_for(seconds(wrong))), "valid_for", "{wrong}");
        }
        assert!(note(&"ä".repeat(200)).is_ok());
        assert_eq!(field_of(note(&"ä".repeat(201))), "note");
    }

    #[test]
    fn a_page_token_comes_back_as_its_position() {
        let position_of = Position { placed_at: from_us(-17), run: RunId(Uuid::from_u128(7)) };
        assert_eq!(position(&token_of(position_of)).unwrap(), Some(position_of));
        assert_eq!(position("").unwrap(), None);
        for token in ["x", "1_x", "_"] {
            assert_eq!(field_of(position(token)), "page_token", "{token}");
            assert_eq!(field_of(position(&LIST.token(token))), "page_token", "{token}");
        }
    }
}
