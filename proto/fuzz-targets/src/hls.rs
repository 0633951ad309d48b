//! What a player sends.

#[path = "../../../daemon/src/http/hls/moment.rs"]
mod moment_of_path;
#[path = "../../../daemon/src/http/hls/ranges.rs"]
mod ranges;

use http::{HeaderMap, HeaderValue, header};
use ranges::Part;

use crate::input::Input;

const ETAG: &str = "\"a\"";

/// Bytes of a file that are answered lie in it, whatever the header says; a plain range is answered as it is asked.
pub(crate) fn range(data: &[u8]) {
    let mut input = Input::new(data);
    let (size, first, last) = (input.u64(), input.u64(), input.u64());
    let plain = ranges::asked(&headers(header::RANGE, format!("bytes={first}-{last}").as_bytes()), size, ETAG);
    if first > last {
        assert_eq!(plain, Part::Whole, "it is no range");
    } else if first >= size {
        assert_eq!(plain, Part::Unsatisfiable);
    } else {
        assert_eq!(plain, Part::Bytes(first..size.min(last.saturating_add(1))));
    }

    let text = input.rest();
    let mut headers = headers(header::RANGE, text);
    if let Part::Bytes(bytes) = ranges::asked(&headers, size, ETAG) {
        assert!(bytes.start < bytes.end && bytes.end <= size, "{bytes:?} of {size}");
    }
    headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
    assert_eq!(ranges::asked(&headers, size, ETAG), Part::Whole, "a part of another version is of no use");

    let conditions = self::headers(header::IF_NONE_MATCH, text);
    if ranges::has_already(&conditions, &[ETAG]) {
        assert!(text.contains(&b'*') || text.windows(ETAG.len()).any(|window| window == ETAG.as_bytes()));
    }
}

fn headers(name: header::HeaderName, value: &[u8]) -> HeaderMap {
    HeaderValue::from_bytes(value).map(|value| HeaderMap::from_iter([(name, value)])).unwrap_or_default()
}

/// A moment that is understood is the same in each of its forms.
pub(crate) fn moment(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(moment) = moment_of_path::parse(text) else { return };
    assert_eq!(moment_of_path::parse(&moment.to_string()).ok(), Some(moment));
    let micros = moment.as_microsecond();
    let again = moment_of_path::parse(&micros.to_string()).ok();
    assert_eq!(again.map(jiff::Timestamp::as_microsecond), Some(micros));
}
