//! The `Range` header (RFC 9110, 14.1.2) and conditions (13.1): pure.

use std::ops::Range;

use http::{HeaderMap, header};

/// What part of a file is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// All of it: no range, a form of range that is not understood, or several ranges.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that it does not have.
    Unsatisfiable,
}

/// What a request asks of a file of `size` bytes that has this ETag.
pub(super) fn asked(headers: &HeaderMap, size: u64, etag: &str) -> Part {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let Some(range) = text(header::RANGE) else { return Part::Whole };
    // A date never matches: files have no modification time that means anything.
    if text(header::IF_RANGE).is_some_and(|condition| condition != etag) {
        return Part::Whole;
    }
    parse(range, size)
}

fn parse(range: &str, size: u64) -> Part {
    let Some((unit, spec)) = range.split_once('=') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| -> Option<u64> {
        // `parse` alone would take a sign.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let bytes = match (first.trim(), last.trim()) {
        ("", last) => number(last).map(|suffix| size.saturating_sub(suffix)..size),
        (first, "") => number(first).map(|first| first..size),
        (first, last) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..size.min(last.saturating_add(1))),
    };
    match bytes {
        None => Part::Whole,
        Some(bytes) if bytes.is_empty() => Part::Unsatisfiable,
        Some(bytes) => Part::Bytes(bytes),
    }
}

/// Whether the client has the version with one of these ETags already.
pub(super) fn has_already(headers: &HeaderMap, etags: &[&str]) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || etags.contains(&tag))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_form_of_one_range_is_understood() {
        assert_eq!(parse("bytes=0-99", 1000), Part::Bytes(0..100));
        assert_eq!(parse("bytes=900-", 1000), Part::Bytes(900..1000));
        assert_eq!(parse("bytes=-100", 1000), Part::Bytes(900..1000));
        assert_eq!(parse("bytes=-5000", 1000), Part::Bytes(0..1000));
        assert_eq!(parse("bytes=990-2000", 1000), Part::Bytes(990..1000));
    }

    #[test]
    fn what_is_beyond_the_end_is_unsatisfiable_and_nonsense_is_the_whole() {
        for range in ["bytes=1000-", "bytes=1000-2000", "bytes=-0"] {
            assert_eq!(parse(range, 1000), Part::Unsatisfiable, "{range}");
        }
        for range in ["bytes=5-4", "bytes=0-1,5-6", "bytes=a-b", "lines=1-2", "bytes", "bytes=-", "bytes=+1-2"] {
            assert_eq!(parse(range, 1000), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-9".parse().unwrap());
        headers.insert(header::IF_RANGE, "\"old\"".parse().unwrap());
        assert_eq!(asked(&headers, 100, "\"new\""), Part::Whole);
        assert_eq!(asked(&headers, 100, "\"old\""), Part::Bytes(0..10));
    }

    #[test]
    fn any_of_the_listed_etags_counts() {
        let mut headers = HeaderMap::new();
        assert!(!has_already(&headers, &["\"a\""]));
        headers.insert(header::IF_NONE_MATCH, "\"x\", W/\"a\"".parse().unwrap());
        assert!(has_already(&headers, &["\"a\"", "\"a-gz\""]));
        assert!(!has_already(&headers, &["\"b\""]));
    }

    proptest! {
        #[test]
        fn bytes_answered_lie_within_the_file(range in "bytes=[0-9]{0,5}-[0-9]{0,5}", size in 0u64..20_000) {
            if let Part::Bytes(bytes) = parse(&range, size) {
                prop_assert!(bytes.start < bytes.end && bytes.end <= size);
            }
        }
    }
}
