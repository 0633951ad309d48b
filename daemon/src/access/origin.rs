//! Whether a browser sent a request for another site's page. Pure.

use http::{HeaderMap, Uri, header, uri::Authority};

/// Whether the request says that it comes from another origin than the one it goes to.
///
/// `Origin` is compared with `Host` (`:authority` in HTTP/2), and `Sec-Fetch-Site` must not say otherwise. A request
/// with neither header is no browser's, or a page that a person opened.
pub(super) fn is_foreign(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
        && site != "none"
    {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = uri.authority().map(Authority::as_str).or_else(|| headers.get(header::HOST)?.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    // `null`, of sandboxed pages and files, has no authority and is foreign.
    match (origin, host) {
        (Some(origin), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn foreign(headers: &[(&'static str, &'static str)], uri: &str) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        is_foreign(&headers.collect(), &uri.parse().unwrap())
    }

    #[test]
    fn the_own_page_is_not_foreign() {
        assert!(!foreign(&[("host", "larder:8080"), ("origin", "http://larder:8080")], "/x"));
        assert!(!foreign(&[("host", "Larder.local"), ("origin", "https://larder.LOCAL")], "/x"));
        assert!(!foreign(&[("origin", "https://larder:8443")], "https://larder:8443/x"));
        assert!(!foreign(&[("host", "larder")], "/x"));
        assert!(!foreign(&[("sec-fetch-site", "none")], "/x"));
    }

    #[test]
    fn another_host_port_or_no_origin_at_all_is_foreign() {
        assert!(foreign(&[("host", "larder:8080"), ("origin", "http://evil:8080")], "/x"));
        assert!(foreign(&[("host", "larder:8080"), ("origin", "http://larder:8081")], "/x"));
        assert!(foreign(&[("host", "larder:8080"), ("origin", "http://larder:8080.evil")], "/x"));
        assert!(foreign(&[("host", "larder:8080"), ("origin", "null")], "/x"));
        assert!(foreign(&[("origin", "http://larder:8080")], "/x"));
        assert!(foreign(&[("host", "larder"), ("sec-fetch-site", "cross-site")], "/x"));
        assert!(foreign(&[("host", "larder"), ("sec-fetch-site", "same-site")], "/x"));
    }
}
