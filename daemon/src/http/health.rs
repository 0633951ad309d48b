//! `GET /healthz` and `GET /readyz`, for systemd, containers and monitors.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use http::StatusCode;
use serde::Serialize;

/// One part of the hub. No detail here: anybody may ask, and `larderctl status` tells more to those who may know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Part {
    /// Which, as in `larderctl status`.
    pub name: String,
    /// Whether it works.
    pub ready: bool,
}

/// Tells how the parts are.
pub type Readiness = Arc<dyn Fn() -> Vec<Part> + Send + Sync>;

/// The answer to `/readyz`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    parts: Vec<Part>,
}

/// Method and pattern of each route here.
pub(super) const ROUTES: &[(&str, &str)] = &[("GET", "/healthz"), ("GET", "/readyz")];

pub(super) fn routes(readiness: Readiness) -> Router {
    Router::new()
        // The process answers: that is all that is asked.
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, Json<Ready>) {
    let parts = readiness();
    let ready = parts.iter().all(|part| part.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, parts }))
}
