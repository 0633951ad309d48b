//! The upgrade of `GET /cameras/{camera}/live`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::{HeaderMap, Uri, header, request::Parts};
use hyper::upgrade::OnUpgrade;

use super::{
    Live, handshake,
    peer::Peer,
    round::Rounds,
    session::{self, Leave, Session},
};
use crate::{
    access::{Caller, Secure},
    outcome::{Kind, Refusal},
    viewers::Protocol,
};

/// What all WebSocket views share; clones share it too.
#[derive(Clone)]
pub(super) struct Sockets {
    live: Live,
    rounds: Rounds,
}

impl Sockets {
    pub(super) fn new(live: Live) -> Self {
        Self { live, rounds: Rounds::default() }
    }
}

pub(super) async fn upgrade(
    State(Sockets { live, rounds }): State<Sockets>,
    Path(camera): Path<String>,
    mut parts: Parts,
) -> Result<Response, Refusal> {
    let revoked = Caller::of(&parts.extensions)?.revoked.clone();
    check_origin(&parts.uri, &parts.headers)?;
    let topic = live.topic(&camera)?;
    let answer = handshake::answer(&parts.headers)?;
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade.ok_or_else(|| Refusal::new(Kind::InvalidArgument, "this connection can't become another"))?;
    // TLS costs far more than a wake-up, and is spread over all cores only if each view has its own task.
    let rounds = parts.extensions.get::<Secure>().is_none().then_some(rounds);
    let (viewer, seat) = (topic.viewer(), live.enter(Protocol::WebSocket, topic.camera(), &parts)?);
    live.tasks.clone().spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let place = session::Place { camera: topic.camera(), viewer, seat, rounds, revoked };
                Session::new(Peer::new(upgraded), place, live).serve(Leave::Waits).await;
            }
            Err(error) => tracing::debug!(%error, "a live view was gone before it began"),
        }
    });
    Ok(answer)
}

/// A page of another site must not open a socket with the cookie of this one: browsers send it along and leave the
/// decision to the server (RFC 6455 10.2). Programs that are not browsers send no origin.
fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let from = origin.as_ref().and_then(Uri::authority).map(http::uri::Authority::as_str);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    match (from, host) {
        (Some(from), Some(host)) if from.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Refusal::new(Kind::PermissionDenied, "a page of another site may not look")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: Option<&str>, host: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::ORIGIN, origin), (header::HOST, host)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().expect("a value"));
            }
        }
        check_origin(&Uri::from_static("/cameras/fridge/live"), &headers).is_ok()
    }

    #[test]
    fn only_the_hubs_own_pages_may_look() {
        assert!(check(Some("http://fridgepi:8080"), Some("fridgepi:8080")));
        assert!(check(Some("https://FridgePi.local"), Some("fridgepi.local")));
        assert!(check(None, Some("fridgepi:8080")));
        assert!(!check(Some("http://fridgepi:8081"), Some("fridgepi:8080")));
        assert!(!check(Some("https://evil.example"), Some("fridgepi:8080")));
        assert!(!check(Some("null"), Some("fridgepi:8080")));
        assert!(!check(Some("http://fridgepi:8080"), None));
    }
}
