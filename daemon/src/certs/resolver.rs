//! The present certificate, for every handshake.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use larder_proto::wire::relay;
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Which protocols a listener speaks over TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alpn {
    /// HTTP/2 and HTTP/1.1, for browsers.
    Http,
    /// HTTP/2 alone, for gRPC.
    Grpc,
    /// `larder/1` over QUIC, and HTTP/3 for the WebTransport of browsers.
    Relay,
}

/// Shows the same certificate whatever name is asked for; it can be replaced at any time.
pub(super) struct Resolver(ArcSwap<CertifiedKey>);

impl Resolver {
    pub(super) fn new(first: Arc<CertifiedKey>) -> Self {
        Self(ArcSwap::new(first))
    }

    pub(super) fn present(&self) -> Arc<CertifiedKey> {
        self.0.load_full()
    }

    pub(super) fn replace(&self, fresh: Arc<CertifiedKey>) {
        self.0.store(fresh);
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present())
    }
}

/// Shows browsers, which pin it by its hash, another certificate than all others.
#[derive(Debug)]
pub(super) struct ByProtocol {
    pub(super) usual: Arc<Resolver>,
    pub(super) browsers: Arc<Resolver>,
}

impl ResolvesServerCert for ByProtocol {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asks = |wanted| hello.alpn().is_some_and(|mut names| names.any(|name| name == wanted));
        // Of both, the hub takes its own.
        let is_browser = asks(relay::WEB_ALPN) && !asks(relay::ALPN);
        Some(if is_browser { self.browsers.present() } else { self.usual.present() })
    }
}

pub(super) fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    alpn: Alpn,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = match alpn {
        Alpn::Http | Alpn::Grpc => builder.with_safe_default_protocol_versions()?,
        // QUIC has no other (RFC 9001, section 4.2).
        Alpn::Relay => builder.with_protocol_versions(&[&rustls::version::TLS13])?,
    };
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = match alpn {
        Alpn::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Alpn::Grpc => vec![b"h2".to_vec()],
        Alpn::Relay => vec![relay::ALPN.to_vec(), relay::WEB_ALPN.to_vec()],
    };
    Ok(Arc::new(config))
}
