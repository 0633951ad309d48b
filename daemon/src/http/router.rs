//! Everything the HTTP port answers, in one router.

use std::convert::Infallible;

use axum::{
    Router,
    extract::Request,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::Route,
};
use http::{HeaderValue, header};
use tower::{Layer, Service};
use tower_http::{set_header::SetResponseHeaderLayer, trace::TraceLayer};

use super::{
    assets, health, hls,
    live::{self, Live},
    metrics::{self as page, Metrics},
};
use crate::parts;

/// Method and pattern of every route that is not gRPC. What matches none of them is the web UI.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    [live::ROUTES, hls::ROUTES, health::ROUTES, page::ROUTES].into_iter().flatten().copied()
}

/// What answers.
pub struct Parts {
    /// gRPC and gRPC-web, with layers of its own, access among them.
    pub rpc: Router,
    /// Recordings.
    pub hls: Router,
    /// Live pictures.
    pub live: Live,
    /// How the parts are.
    pub parts: parts::Parts,
    /// What is counted.
    pub metrics: Metrics,
    /// The authority's certificate in PEM, for clients to trust.
    pub authority: Option<String>,
    /// The relay's UDP port, which pages may reach.
    pub relay: u16,
}

/// The router of the HTTP ports. `access` decides who gets in; it is around all but gRPC, which brings its own.
pub fn router<L>(parts: Parts, access: L) -> Router
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    let pages = Router::new()
        .merge(live::routes(parts.live))
        .merge(parts.hls)
        .merge(health::routes(parts.parts))
        .merge(page::routes(parts.metrics))
        .merge(assets::fallback(parts.authority, parts.relay));
    let pages = pages
        .layer(access)
        .layer(map_response(count))
        // What went wrong is logged where it went wrong, once.
        .layer(TraceLayer::new_for_http().make_span_with(span).on_failure(()))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        ));
    pages.merge(parts.rpc)
}

/// By the class of its status: a label for every code would say no more.
async fn count(response: Response) -> Response {
    let status = match response.status().as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("larder_http_requests_total", "status" => status).increment(1);
    response
}

/// Without the query: it may hold a grant.
fn span(request: &Request) -> tracing::Span {
    tracing::debug_span!("http", http.method = %request.method(), http.path = request.uri().path())
}

#[cfg(test)]
mod tests;
