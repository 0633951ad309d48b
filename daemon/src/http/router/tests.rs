//! The whole router behind the real gate.

use std::sync::Arc;

use axum::{body::Body, routing::get};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::{
    access::{self, Access, PeerCredentials, Permission, policy},
    clock::Clock,
    events::Events,
    hub::Hub,
    parts,
    secrets::HubKey,
    tasks::Tasks,
};

fn whole(ready: bool) -> Router {
    let folder = tempfile::tempdir().expect("a folder");
    let key = HubKey::load_or_create(folder.path()).expect("a key");
    let clock = Clock::new();
    let hub = Hub::new(clock.clone(), Events::new(clock.clone()));
    let viewers = crate::viewers::Viewers::new(clock.clone());
    let find = Arc::new(|_: &str| None);
    let live = Live { hub: hub.clone(), find, viewers: viewers.clone(), clock: clock.clone(), tasks: Tasks::new() };
    // Recordings need a database; who gets in is decided before them.
    let hls = hls::ROUTES.iter().fold(Router::new(), |hls, (_, pattern)| hls.route(pattern, get(async || "media")));
    let parts = Parts {
        rpc: Router::new().route("/larder.v1.SystemService/GetVersion", axum::routing::post(async || "version")),
        hls,
        live,
        parts: parts::Parts::new(vec![(
            "database",
            Box::new(move || (!ready).then(|| parts::Trouble::new("away", "it is away"))),
        )]),
        metrics: Metrics {
            recorder: page::install().expect("a recorder"),
            hub,
            viewers,
            name: Arc::new(|_| None),
            sensors: Arc::new(Vec::new),
            measure: Arc::new(|| {}),
        },
        authority: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
        relay: 7443,
    };
    router(parts, access::layer(Access::new(&key, &access::Links::default(), clock)))
}

fn request(path: &str) -> http::request::Builder {
    http::Request::get(path).header("host", "localhost")
}

async fn answer(router: Router, request: http::Request<Body>) -> (StatusCode, http::HeaderMap, String) {
    let response = router.oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, head.headers, String::from_utf8_lossy(&body).into_owned())
}

async fn ask(router: Router, path: &str) -> (StatusCode, http::HeaderMap, String) {
    answer(router, request(path).body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn every_route_has_a_stated_permission_and_is_closed_to_strangers_unless_public() {
    let mut closed = 0;
    for (method, pattern) in routes() {
        let method: Method = method.parse().expect("a method");
        let permission = policy::of_route(&method, pattern);
        assert!(permission.is_some(), "{method} {pattern} has no stated permission");
        let path = pattern.replace(['{', '}'], "");
        let (status, headers, _) = ask(whole(true), &path).await;
        if permission == Some(Permission::Public) {
            assert_eq!(status, StatusCode::OK, "{path}");
        } else {
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(headers.contains_key(header::WWW_AUTHENTICATE), "{path}: players ask for a password then");
            closed += 1;
        }
    }
    assert_eq!(closed, 8);
}

#[tokio::test]
async fn one_who_may_look_gets_to_the_handlers() {
    for (path, status) in [
        ("/metrics", StatusCode::OK),
        ("/hls/fridge/live.m3u8", StatusCode::OK),
        ("/cameras/fridge/snapshot.jpg", StatusCode::NOT_FOUND),
    ] {
        let mut request = request(path).body(Body::empty()).expect("a request");
        request.extensions_mut().insert(PeerCredentials::own());
        let (found, _, body) = answer(whole(true), request).await;
        assert_eq!(found, status, "{path}: {body}");
    }
}

#[tokio::test]
async fn anybody_may_know_whether_the_hub_lives_and_is_ready() {
    assert_eq!(ask(whole(false), "/healthz").await.0, StatusCode::OK);
    let json = async |ready| {
        let asked = request("/readyz").header("accept", "application/json").body(Body::empty());
        answer(whole(ready), asked.expect("a request")).await
    };
    let (status, _, body) = json(true).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, r#"{"ready":true,"parts":[{"name":"database","ready":true}]}"#)
    );
    let (status, _, body) = json(false).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = r#"{"ready":false,"parts":[{"name":"database","ready":false,"reason":"away"}]}"#;
    assert_eq!(body, expected, "the detail is not for all");
    let (status, _, body) = ask(whole(false), "/readyz").await;
    assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "not ready\ndatabase: not ready (away)\n"));
}

#[tokio::test]
async fn what_no_route_matches_is_the_page_with_its_security_headers() {
    let page = request("/recordings/fridge/2026-06-01").header("accept", "text/html").body(Body::empty());
    let (_, headers, body) = answer(whole(true), page.expect("a request")).await;
    assert!(body.starts_with("<!doctype html>"), "{body}");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self'"), "{policy}");
    for (host, allowed) in [("larder.local:8080", true), ("192.0.2.1", true), ("[::1]:8080", false), ("a;b", false)] {
        let page = http::Request::get("/").header("accept", "text/html").header("host", host).body(Body::empty());
        let (_, headers, _) = answer(whole(true), page.expect("a request")).await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        let name = host.trim_end_matches(":8080");
        let relay = format!("connect-src 'self' https://{name}:7443;");
        assert!(if allowed { policy.contains(&relay) } else { policy.contains("connect-src 'self';") }, "{policy}");
    }
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(ask(whole(true), "/assets/nothing.js").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_authoritys_certificate_is_there_for_everyone() {
    let (status, headers, body) = ask(whole(true), "/ca.crt").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-x509-ca-cert");
}

#[tokio::test]
async fn a_call_of_a_method_that_is_not_there_ends_in_a_grpc_status() {
    let call = http::Request::post("/larder.v1.Nothing/Nothing").header("content-type", "application/grpc");
    let mut call = call.body(Body::empty()).expect("a request");
    call.extensions_mut().insert(PeerCredentials::own());
    let (status, headers, _) = answer(whole(true), call).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["grpc-status"], "12", "UNIMPLEMENTED");
}
