//! A web server that takes what is posted to it, and keeps it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What was posted.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A web server.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    stop: CancellationToken,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    /// Paths that begin with `/gone` answer 410, with `/away` 302 to another one, all others 204.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener: TcpListener = socket.listen(16).unwrap();
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            posted: Arc::clone(&posted),
            stop: CancellationToken::new(),
        };
        let router = Router::new().fallback(take).with_state(posted);
        let stopped = receiver.stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        receiver
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn take(State(posted): State<Arc<Mutex<Vec<Posted>>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    posted.lock().unwrap().push(Posted { path: path.clone(), headers, body });
    if path.starts_with("/gone") {
        return StatusCode::GONE.into_response();
    }
    if path.starts_with("/away") {
        return (StatusCode::FOUND, [("location", "/in")]).into_response();
    }
    StatusCode::NO_CONTENT.into_response()
}
