//! The gate in front of a router, asked over its routes.

use axum::{
    Extension, Router,
    body::Body,
    routing::{get, post},
};
use http::{HeaderMap, request::Builder};
use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tower::ServiceExt as _;

use super::*;
use crate::{
    access::{
        Caller, Grant, Links, PeerCredentials, Permission, Role, Secure,
        directory::{Identity, Kind, Loaded},
        policy,
        secret::{self, Secret},
    },
    clock::Clock,
    secrets::HubKey,
};

const LIVE: &str = "/cameras/fridge/snapshot.jpg";
const MEDIA: &str = "/hls/fridge/live.m3u8";

struct Gate {
    access: Access,
    token: String,
    session: String,
}

/// A gate that knows an operator's token and a viewer's session.
fn gate() -> Gate {
    let state = tempfile::tempdir().unwrap();
    let access = Access::new(&HubKey::load_or_create(state.path()).unwrap(), &Links::default(), Clock::new());
    let (token, session) = (Secret::new(secret::Kind::Token).unwrap(), Secret::new(secret::Kind::Session).unwrap());
    let identity = |secret: &Secret, kind, role| Identity {
        hash: secret.hash(),
        kind,
        name: "somebody".to_owned(),
        role,
        expires_at: None,
        last_used_at: Some(access.clock().now()),
    };
    let identities =
        vec![identity(&token, Kind::Token, Role::Operator), identity(&session, Kind::Session, Role::Viewer)];
    access.directory().replace(Loaded { has_admin: true, identities });
    Gate { access, token: token.into_text(), session: session.into_text() }
}

async fn who(caller: Option<Extension<Caller>>) -> String {
    caller.map_or_else(|| "nobody".to_owned(), |caller| format!("{:?} {}", caller.role, caller.name))
}

impl Gate {
    /// Every stated route, every stated method, two that nobody stated, and a fallback.
    fn router(&self) -> Router {
        let mut router = Router::new().route("/forgotten", get(who)).route("/x.Forgotten/{*rest}", post(who));
        for (_, pattern, _) in policy::ROUTES {
            router = router.route(pattern, get(who).post(who));
        }
        for (path, _) in policy::METHODS {
            router = router.route(path, post(who).get(who));
        }
        router.fallback(who).layer(layer(self.access.clone()))
    }

    async fn ask(&self, request: Builder) -> Response {
        self.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn status(&self, request: Builder) -> u16 {
        self.ask(request).await.status().as_u16()
    }

    async fn text(&self, request: Builder) -> String {
        let response = self.ask(request).await;
        assert_eq!(response.status(), 200);
        String::from_utf8(axum::body::to_bytes(response.into_body(), 999).await.unwrap().to_vec()).unwrap()
    }

    fn grant(&self, seconds: i64) -> String {
        let expires_at = self.access.clock().now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
        let all = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        self.access.sign(&Grant { camera: CameraId::random(), from: all.0, to: all.1, expires_at })
    }
}

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

#[tokio::test]
async fn nobody_gets_through_a_route_that_is_not_public() {
    let gate = gate();
    for (verb, pattern, permission) in policy::ROUTES {
        let path = pattern.replace(['{', '}'], "");
        let response = gate.ask(Request::builder().method(*verb).uri(&path)).await;
        let expected = if *permission == Permission::Public { 200 } else { 401 };
        assert_eq!(response.status(), expected, "{verb} {path}");
        if expected == 401 {
            assert_eq!(response.headers()["www-authenticate"], CHALLENGE);
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
}

#[tokio::test]
async fn nobody_gets_through_a_method_that_is_not_public() {
    let gate = gate();
    for kind in ["application/grpc", "application/grpc-web+proto", "application/grpc-web-text"] {
        for (path, permission) in policy::METHODS {
            let response = gate.ask(Request::post(*path).header("content-type", kind)).await;
            assert_eq!(response.status(), 200, "{path}");
            if *permission == Permission::Public {
                assert!(response.headers().get("grpc-status").is_none(), "{path}");
            } else {
                assert_eq!(response.headers()["grpc-status"], "16", "{path}");
                assert_eq!(response.headers()["content-type"], kind);
            }
            assert_eq!(gate.status(Request::get(*path)).await, 401, "{path}");
        }
    }
    assert_eq!(gate.status(Request::post("/larder.v1.CameraService/ListCameras")).await, 401);
}

#[tokio::test]
async fn what_has_no_stated_permission_is_denied_to_everybody() {
    let gate = gate();
    let admin = PeerCredentials::own();
    assert_eq!(gate.status(Request::get("/forgotten")).await, 401);
    assert_eq!(gate.status(Request::get("/forgotten").extension(admin)).await, 404);
    assert_eq!(gate.status(Request::post("/metrics").extension(admin)).await, 404);
    assert_eq!(gate.status(Request::delete("/").extension(admin)).await, 404);
    let forgotten = || Request::post("/x.Forgotten/Method").header("content-type", "application/grpc");
    assert_eq!(gate.ask(forgotten()).await.headers()["grpc-status"], "16");
    assert_eq!(gate.ask(forgotten().extension(admin)).await.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn each_credential_opens_its_way_and_no_other() {
    let gate = gate();
    let Gate { token, session, .. } = &gate;
    let basic = |secret: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("vlc:{secret}")))
    };
    let authorized = |value: String| Request::get(LIVE).header("authorization", value);
    assert_eq!(gate.text(authorized(bearer(token))).await, "Operator somebody");
    assert_eq!(gate.text(authorized(bearer(session))).await, "Viewer somebody");
    assert_eq!(gate.text(authorized(basic(token))).await, "Operator somebody");
    assert_eq!(gate.status(authorized(basic(session))).await, 401);
    assert_eq!(gate.status(authorized(bearer(&token.replace("lrd_", "lrs_")))).await, 401);

    let cookie = |name: &str, secret: &str| Request::get(LIVE).header("cookie", format!("{name}={secret}"));
    assert_eq!(gate.text(cookie("larder_session", session)).await, "Viewer somebody");
    assert_eq!(gate.status(cookie("larder_session", token)).await, 401);
    assert_eq!(gate.status(cookie("larder_session", session).extension(Secure)).await, 401);
    assert_eq!(gate.text(cookie("__Host-larder_session", session).extension(Secure)).await, "Viewer somebody");

    let stranger = PeerCredentials { uid: u32::MAX - 1, gid: u32::MAX - 1 };
    assert_eq!(gate.text(Request::get(LIVE).extension(PeerCredentials::own())).await, "Admin local");
    assert_eq!(gate.status(Request::get(LIVE).extension(stranger)).await, 401);
}

#[tokio::test]
async fn a_wrong_credential_is_not_saved_by_a_right_one() {
    let gate = gate();
    let cookie = format!("larder_session={}", gate.session);
    let request = Request::get(LIVE).header("authorization", "Bearer lrd_x").header("cookie", cookie);
    assert_eq!(gate.status(request.extension(PeerCredentials::own())).await, 401);
}

#[tokio::test]
async fn a_role_is_enough_or_it_is_named() {
    let gate = gate();
    let ask = |path: &str| {
        Request::post(path).header("content-type", "application/grpc").header("authorization", bearer(&gate.token))
    };
    let allowed = gate.ask(ask("/larder.v1.RecordingService/StartRecording")).await;
    assert!(allowed.headers().get("grpc-status").is_none());
    let denied = gate.ask(ask("/larder.v1.AccessService/CreateToken")).await;
    assert_eq!(denied.headers()["grpc-status"], "7");
    assert_eq!(Status::from_header_map(denied.headers()).unwrap().message(), "this needs the role admin");
}

#[tokio::test]
async fn a_play_url_opens_media_alone_until_it_expires() {
    let gate = gate();
    let url = |path: &str, grant: &str| Request::get(format!("{path}?grant={grant}"));
    let grant = gate.grant(60);
    assert_eq!(gate.text(url(MEDIA, &grant)).await, "Viewer play url");
    assert_eq!(gate.status(url(LIVE, &grant)).await, 401);
    assert_eq!(gate.status(url("/metrics", &grant)).await, 401);
    assert_eq!(gate.status(url(MEDIA, &gate.grant(-1))).await, 401);
    assert_eq!(gate.status(url(MEDIA, &grant[1..])).await, 401);
    assert_eq!(gate.status(url(MEDIA, &self::gate().grant(60))).await, 401);
}

#[tokio::test]
async fn another_sites_page_can_not_use_a_browsers_session() {
    let gate = gate();
    let cookie = format!("larder_session={}", gate.session);
    let from = |origin: &str| {
        Request::get(LIVE).header("host", "larder:8080").header("origin", origin).header("cookie", &cookie)
    };
    assert_eq!(gate.status(from("http://larder:8080")).await, 200);
    assert_eq!(gate.status(from("http://evil:8080")).await, 403);
    assert_eq!(gate.status(from("null")).await, 403);
    let sign_in = |origin: &str| {
        let request = Request::post("/larder.v1.AccessService/SignIn").header("host", "larder:8080");
        request.header("origin", origin).header("content-type", "application/grpc-web+proto")
    };
    assert!(gate.ask(sign_in("http://larder:8080")).await.headers().get("grpc-status").is_none());
    assert_eq!(gate.ask(sign_in("http://evil")).await.headers()["grpc-status"], "7");
    // The page itself may be opened from anywhere, as nobody.
    let page = Request::get("/").header("host", "larder").header("sec-fetch-site", "cross-site");
    assert_eq!(gate.text(page.header("cookie", &cookie)).await, "nobody");
}

#[tokio::test]
async fn a_stale_cookie_does_not_stand_in_the_way_of_signing_in() {
    let gate = gate();
    let request = Request::post("/larder.v1.AccessService/SignIn").header("content-type", "application/grpc-web");
    assert_eq!(gate.text(request.header("cookie", "larder_session=old")).await, "nobody");
}

#[tokio::test]
async fn before_the_rows_were_read_a_secret_is_neither_right_nor_wrong() {
    let Gate { access: _, token, session } = gate();
    let state = tempfile::tempdir().unwrap();
    let access = Access::new(&HubKey::load_or_create(state.path()).unwrap(), &Links::default(), Clock::new());
    let gate = Gate { access, token, session };
    assert_eq!(gate.status(Request::get(LIVE).header("authorization", bearer(&gate.token))).await, 503);
    assert_eq!(gate.status(Request::get(LIVE)).await, 401);
    assert_eq!(gate.status(Request::get(LIVE).extension(PeerCredentials::own())).await, 200);
}

#[test]
fn a_pages_own_requests_pop_up_no_dialogue() {
    let asked = |pairs: &[(&'static str, &'static str)]| {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        wants_challenge(&pairs.collect::<HeaderMap>())
    };
    assert!(asked(&[("user-agent", "VLC/3.0.18"), ("accept", "*/*")]));
    assert!(asked(&[]));
    assert!(!asked(&[("user-agent", "Mozilla/5.0 (X11) Chrome/140"), ("accept", "*/*")]));
    assert!(asked(&[("user-agent", "Mozilla/5.0"), ("accept", "text/html,application/xhtml+xml")]));
}

#[tokio::test]
async fn standing_twice_in_the_way_asks_once() {
    let gate = gate();
    let router = gate.router().layer(layer(gate.access.clone()));
    let request = Request::get(LIVE).header("authorization", bearer(&gate.token)).body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 200);
    let request = Request::get(LIVE).body(Body::empty()).unwrap();
    let router = gate.router().layer(layer(gate.access.clone()));
    assert_eq!(router.oneshot(request).await.unwrap().status(), 401);
}
