//! `GET /healthz` and `GET /readyz`, for systemd, containers and monitors.

use std::fmt::Write as _;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{Extensions, HeaderMap, StatusCode, header};
use serde::Serialize;

use crate::{
    access::Caller,
    parts::{self, Parts},
};

/// One part of the hub. Anybody may read the reason, which is one word; the detail names paths and is for those who
/// are known.
#[derive(Serialize)]
struct Part {
    name: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
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

/// 200 while every part works, also with a warning; else 503.
async fn ready(State(parts): State<Parts>, headers: HeaderMap, extensions: Extensions) -> Response {
    let is_known = Caller::of(&extensions).is_ok();
    let parts: Vec<Part> = parts.ask().into_iter().map(|part| Part::new(part, is_known)).collect();
    let answer = Ready { ready: parts.iter().all(|part| part.ready), parts };
    let status = if answer.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    if wants_json(&headers) {
        (status, uncached, Json(answer)).into_response()
    } else {
        (status, uncached, answer.text()).into_response()
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|accepted| accepted.contains("application/json"))
}

impl Part {
    fn new(part: parts::Part, is_known: bool) -> Self {
        let (name, ready) = (part.name, part.is_ready());
        let reason = part.trouble.as_ref().map(|trouble| trouble.reason);
        let detail = part.trouble.filter(|_| is_known).map(|trouble| trouble.detail);
        Self { name, ready, reason, detail }
    }
}

impl Ready {
    fn text(&self) -> String {
        let mut text = String::from(if self.ready { "ready\n" } else { "not ready\n" });
        for Part { name, ready, reason, detail } in &self.parts {
            let word = match (ready, reason) {
                (true, None) => "ready",
                (true, Some(_)) => "ready, with a warning",
                (false, _) => "not ready",
            };
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}: {word}{reason}{detail}");
        }
        text
    }
}
