//! A relay of Media over QUIC, small but real: whoever has the token may publish, and the test watches.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use moq_net::{broadcast, origin, track};
use quinn::{Endpoint, ServerConfig, crypto::rustls::QuicServerConfig};
use tokio::task::JoinHandle;
use web_transport_quinn::{
    ALPN, Request,
    http::StatusCode,
    proto::{ConnectRequest, ConnectResponse},
};

use super::{Trusted, until};

/// A running relay; dropping it ends it at once, as a crash would.
pub(crate) struct MoqRelay {
    endpoint: Endpoint,
    tasks: Vec<JoinHandle<()>>,
    watched: origin::Consumer,
}

impl MoqRelay {
    /// On that port of the loopback, 0 for a free one.
    pub(crate) async fn start(port: u16, trusted: &Trusted, token: &'static str) -> Self {
        let mut tls = Arc::unwrap_or_clone(trusted.server());
        tls.alpn_protocols = vec![ALPN.as_bytes().to_vec()];
        let tls = QuicServerConfig::try_from(tls).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let config = ServerConfig::with_crypto(Arc::new(tls));
        // One that ended a moment ago may still have the port.
        let endpoint = until("the relay's port", || async { Endpoint::server(config.clone(), address).ok() }).await;
        let (published, driver) = origin::Producer::new(origin::Config::default());
        let driving = tokio::spawn(async move {
            moq_net::time::run(driver).await;
        });
        let watched = published.consume();
        let accepting = tokio::spawn(accept(endpoint.clone(), published, token));
        Self { endpoint, tasks: vec![driving, accepting], watched }
    }

    pub(crate) fn port(&self) -> u16 {
        self.endpoint.local_addr().unwrap().port()
    }

    /// A broadcast, as soon as it is there.
    pub(crate) async fn broadcast(&self, path: &str) -> broadcast::Consumer {
        self.watched.routed_broadcast(path).await.unwrap()
    }

    /// A track, followed from now on.
    pub(crate) async fn track(&self, path: &str, name: &str) -> track::Subscriber {
        self.broadcast(path).await.track(name).unwrap().subscribe(None).await.unwrap()
    }
}

impl Drop for MoqRelay {
    fn drop(&mut self) {
        self.endpoint.close(0_u32.into(), b"");
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(endpoint: Endpoint, published: origin::Producer, token: &'static str) {
    while let Some(incoming) = endpoint.accept().await {
        let Ok(connection) = incoming.await else { continue };
        let request = Request::accept(connection).await.unwrap();
        if !may(request.connect(), token) {
            request.reject(StatusCode::UNAUTHORIZED).await.unwrap();
            continue;
        }
        let newest = request.protocols.first().unwrap().clone();
        let session = request.respond(ConnectResponse::OK.with_protocol(newest)).await.unwrap();
        let server = moq_net::Server::new().with_subscriber(published.clone());
        let (session, driver) = server.accept(Instant::now(), session).await.unwrap();
        // The session lives as long as it is driven.
        tokio::spawn(async move {
            moq_net::time::run(driver).await;
            drop(session);
        });
    }
}

fn may(request: &ConnectRequest, token: &str) -> bool {
    request.url.query_pairs().any(|(key, value)| key == "jwt" && value == token)
}
