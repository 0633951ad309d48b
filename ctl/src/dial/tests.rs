use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{Failure, client::Hub};

/// An authority that exists for one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A server's TLS settings for `name`, which shows leaf and authority as a hub does.
    pub(crate) fn server(&self, name: &str) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.config(name)))
    }

    /// The same for whatever carries TLS.
    pub(crate) fn config(&self, name: &str) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let leaf = params.signed_by(&key, &self.0).expect("a leaf");
        let chain = vec![leaf.der().clone(), self.certificate()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate")
    }
}

/// Dials a server that has a certificate of `signer` for `name`, trusting `trusted`; the server says "hello".
async fn meet(signer: &Authority, name: &str, trusted: &Authority) -> Result<String, DialError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let remote = Remote {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().expect("an address").port(),
        trust: Trust::Pinned(vec![trusted.certificate()]),
        token: None,
    };
    let acceptor = signer.server(name);
    let server = async {
        let (stream, _) = listener.accept().await.expect("a caller");
        if let Ok(mut stream) = acceptor.accept(stream).await {
            stream.write_all(b"hello").await.expect("written");
            stream.shutdown().await.expect("closed");
        }
    };
    let target = Target::Remote(remote);
    let client = async {
        let mut stream = dial(&target, Protocol::Http1).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("read");
        Ok(text)
    };
    tokio::join!(server, client).1
}

#[tokio::test]
async fn a_hub_of_the_pinned_authority_is_trusted() {
    let authority = Authority::new();
    assert_eq!(meet(&authority, "127.0.0.1", &authority).await.ok().as_deref(), Some("hello"));
}

#[tokio::test]
async fn a_hub_of_another_authority_is_refused_with_advice() {
    let error = meet(&Authority::new(), "127.0.0.1", &Authority::new()).await.expect_err("refused");
    assert!(matches!(error, DialError::WrongAuthority { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--ca")));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let error = meet(&authority, "pi.local", &authority).await.expect_err("refused");
    assert!(matches!(error, DialError::WrongName { .. }), "{error:?}");
}

#[tokio::test]
async fn a_port_without_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = Target::Remote(Remote {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().expect("an address").port(),
        trust: Trust::Pinned(vec![Authority::new().certificate()]),
        token: None,
    });
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    };
    let error = tokio::join!(server, dial(&target, Protocol::Http2)).1.err().expect("refused");
    assert!(matches!(error, DialError::Tls { .. }), "{error:?}");
}

async fn unanswered(path: &std::path::Path) -> DialError {
    dial(&Target::Socket(path.to_owned()), Protocol::Http2).await.err().expect("refused")
}

#[tokio::test]
async fn nobody_on_the_socket_means_not_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("larder.sock");
    assert!(matches!(unanswered(&path).await, DialError::NotRunning { .. }));
    // The socket of a hub that was killed stays behind.
    drop(UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists());
    assert!(matches!(unanswered(&path).await, DialError::NotRunning { .. }));
}

#[tokio::test]
async fn something_else_on_the_socket_is_no_hub() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("larder.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.expect("written");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    };
    let hub = async {
        let hub = Hub::connect(Target::Socket(path)).await?;
        let request = crate::client::quick(larder_proto::pb::GetVersionRequest {});
        hub.system().get_version(request).await.map(drop).map_err(Failure::from)
    };
    let failure = tokio::join!(server, hub).1.expect_err("no hub");
    assert_eq!(failure.exit_code(), 3, "{failure:?}");
}
