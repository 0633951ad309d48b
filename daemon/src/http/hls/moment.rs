//! A moment in a path: pure.

use jiff::Timestamp;
use thiserror::Error;

/// A text that is no moment.
#[derive(Debug, Error)]
#[error("{0:?} is neither RFC 3339 (2026-01-31T12:00:00Z) nor microseconds since 1970")]
pub(super) struct NoMoment(String);

/// RFC 3339, or microseconds since 1970.
pub(super) fn parse(text: &str) -> Result<Timestamp, NoMoment> {
    let micros = text.parse::<i64>().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    micros.or_else(|| text.parse().ok()).ok_or_else(|| NoMoment(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mean_the_same_moment() {
        let expected = Timestamp::from_microsecond(1_769_860_800_250_000).unwrap();
        for text in ["1769860800250000", "2026-01-31T12:00:00.25Z", "2026-01-31T14:00:00.250+02:00"] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_named() {
        for text in ["", "yesterday", "2026-01-31", "1769860800.5", "99999999999999999999"] {
            assert!(parse(text).unwrap_err().to_string().starts_with(&format!("{text:?}")), "{text}");
        }
    }
}
