//! `GET /healthz` and `GET /readyz`, for systemd, containers and monitors.

use axum::{Json, Router, extract::State, routing::get};
use http::StatusCode;
use serde::Serialize;

use crate::parts::{self, Parts};

/// One part of the hub. No detail here: anybody may ask, and `larderctl status` tells more to those who may know.
#[derive(Serialize)]
struct Part {
    name: &'static str,
    ready: bool,
}

/// The answer to `/readyz`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    parts: Vec<Part>,
}

/// Method and pattern of each route here.
pub(super) const ROUTES: &[(&str, &str)] = &[("GET", "/healthz"), ("GET", "/readyz")];

pub(super) fn routes(parts: Parts) -> Router {
    Router::new()
        // The process answers: that is all that is asked.
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(parts)
}

async fn ready(State(parts): State<Parts>) -> (StatusCode, Json<Ready>) {
    let told = |part: parts::Part| Part { name: part.name, ready: part.trouble.is_none() };
    let parts: Vec<Part> = parts.ask().into_iter().map(told).collect();
    let ready = parts.iter().all(|part| part.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, parts }))
}
