//! The web UI, embedded. A debug build reads it from `web/dist` at each request.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::Authority};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

/// What Vite made; empty when it was not run.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../web/dist"]
#[allow_missing = true]
struct Dist;

/// Only the hub's own scripts, and its own WebSockets, which `'self'` covers by CSP level 3 (Chromium since 71, Safari
/// since 16); its own relay; blobs for the players' workers and buffers; no embedding by other sites. Styles may be
/// inline, as the framework sets them.
fn content_security_policy(relay: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob:; \
         media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'{relay}; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    )
}

/// The relay as the page sees it, with a space before: another port of the host that the page came from. Nothing for a
/// host that can't stand in a policy, as addresses of IPv6 can't (CSP level 3, section 2.3.1): such a page has its
/// pictures over WebSocket.
fn relay_source(uri: &Uri, headers: &HeaderMap, port: u16) -> String {
    let of_header = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    let authority: Option<Authority> = uri.authority().cloned().or_else(of_header);
    let can_stand = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    match authority.as_ref().map(Authority::host) {
        Some(host) if can_stand(host) => format!(" https://{host}:{port}"),
        _ => String::new(),
    }
}
/// Vite puts files whose name holds a hash of their content here: they never change.
const HASHED: &str = "assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Kept, but asked about each time: the entity tag makes that cheap.
const ASK: &str = "no-cache";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Larder</title>\
    <body><h1>The web UI is not built</h1><p>This <code>larderd</code> was built without it. In the source folder, \
    run <code>make web</code>, then build <code>larderd</code> again. Everything else works: try \
    <code>larderctl status</code>.</p></body></html>\n";

/// Where the authority's certificate is offered: it is public, and a phone can fetch nothing else.
const AUTHORITY: &str = "/ca.crt";

/// Answers whatever no route matches: files, the page, and the authority's certificate. `relay` is the port that the
/// page may reach over WebTransport.
pub(super) fn fallback(authority: Option<String>, relay: u16) -> Router {
    Router::new().fallback(get(asset)).with_state((Arc::new(authority), relay)).layer(CompressionLayer::new())
}

async fn asset(State((authority, relay)): State<(Arc<Option<String>>, u16)>, request: Request) -> Response {
    let mut response = match authority.as_deref() {
        Some(pem) if request.uri().path() == AUTHORITY => {
            ([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], pem.to_owned()).into_response()
        }
        _ => serve(request.uri().path(), request.headers(), Dist::get),
    };
    let policy = content_security_policy(&relay_source(request.uri(), request.headers(), relay));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A file; for anything else that a browser navigates to, the page, which routes by itself.
fn serve(path: &str, headers: &HeaderMap, dist: impl Fn(&str) -> Option<EmbeddedFile>) -> Response {
    let path = path.trim_start_matches('/');
    if let Some(file) = dist(path) {
        return answer(path, file, headers);
    }
    if !navigates(headers) {
        return (StatusCode::NOT_FOUND, format!("there is no /{path}\n")).into_response();
    }
    match dist("index.html") {
        Some(page) => answer("index.html", page, headers),
        None => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CACHE_CONTROL, "no-store")], Html(NOT_BUILT)).into_response()
        }
    }
}

fn navigates(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = tag(&file);
    let cache = if path.starts_with(HASHED) { FOR_EVER } else { ASK };
    let common = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, cache.to_owned())];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, media_type(path))], file.data).into_response()
}

fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// The kinds of file that Vite makes.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use rust_embed::Metadata;

    use super::*;

    fn dist(path: &str) -> Option<EmbeddedFile> {
        let data: &[u8] = match path {
            "index.html" => b"<!doctype html>",
            "assets/index-Ab12.js" => b"let x;",
            _ => return None,
        };
        Some(EmbeddedFile { data: data.into(), metadata: Metadata::__rust_embed_new([7; 32], None, None) })
    }

    fn accept(accept: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))])
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).expect("a header").to_str().expect("text")
    }

    #[test]
    fn a_path_that_the_page_knows_is_the_page() {
        let page = serve("/recordings/fridge/2026-06-01", &accept("text/html,*/*"), dist);
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(header(&page, header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(header(&page, header::CACHE_CONTROL), ASK);
        let lost = serve("/assets/index-Old.js", &accept("*/*"), dist);
        assert_eq!(lost.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn hashed_files_are_kept_for_ever_and_others_asked_about() {
        let script = serve("/assets/index-Ab12.js", &HeaderMap::new(), dist);
        assert_eq!(header(&script, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
        assert_eq!(header(&script, header::CACHE_CONTROL), FOR_EVER);

        let tag = header(&script, header::ETAG).to_owned();
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, format!("W/{tag}").parse().expect("a value"))]);
        let page = serve("/index.html", &known, dist);
        assert_eq!(page.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn without_a_built_ui_the_page_says_how_to_build_it() {
        let page = serve("/", &accept("text/html"), |_| None);
        assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(NOT_BUILT.contains("make web"));
    }
}
