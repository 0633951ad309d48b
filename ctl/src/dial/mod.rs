//! Opens the connection to a hub: its local socket, or TLS with a pinned certificate authority.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use rustls::{CertificateError, ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::target::{Remote, Target, Trust};

/// For the name, the TCP and the TLS handshake together: a hub far away answers within a second or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, whatever is below it.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What is spoken over the connection; TLS names it by ALPN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// gRPC's.
    Http2,
    /// For pictures.
    Http1,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody answers on a local socket.
    #[error("larderd is not running here: nobody answers on {}", .tried.join(" or "))]
    NotRunning {
        /// The sockets tried.
        tried: Vec<String>,
    },
    /// The socket is there, but not for this user.
    #[error("permission denied on {path}")]
    Denied {
        /// The socket.
        path: String,
    },
    /// The name, the network or the port.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// No connection in time.
    #[error("cannot reach {address}: no answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout {
        /// Host and port.
        address: String,
    },
    /// The certificate is signed by somebody else.
    #[error("{address} shows a certificate of another authority than the trusted one")]
    WrongAuthority {
        /// Host and port.
        address: String,
    },
    /// The certificate is for other names.
    #[error("{address} shows a certificate that is not for this name")]
    WrongName {
        /// Host and port.
        address: String,
    },
    /// The TLS handshake failed otherwise.
    #[error("{address} does not speak TLS as expected: {source}")]
    Tls {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The trust cannot be set up.
    #[error("cannot use the trusted certificates: {0}")]
    Trust(String),
    /// Connected, but it does not speak HTTP/2.
    #[error("{address} answers, but does not speak gRPC: {reason}")]
    NotGrpc {
        /// Host and port, or the socket.
        address: String,
        /// Why.
        reason: String,
    },
}

impl DialError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotRunning { .. } => "start it (`make run`, or `sudo systemctl start larderd`), name its state \
                 folder with --state or LARDER_STATE, or a hub elsewhere with --hub https://HOST:7442"
                .to_owned(),
            Self::Denied { .. } => {
                "the socket is for root and for the user and group that run larderd: use sudo, join \
                 the group, or sign in with `larderctl login`"
                    .to_owned()
            }
            Self::WrongAuthority { .. } => "pass the hub's own authority with --ca FILE (it is certs/ca.crt in its \
                 state folder), or sign in again with `larderctl login`; if the hub was not set up anew, somebody \
                 may stand between"
                .to_owned(),
            Self::WrongName { .. } => "use one of the hub's names: `larderctl status` on the hub lists them".to_owned(),
            Self::Tls { .. } | Self::NotGrpc { .. } => {
                "gRPC is on port 7442 unless the hub's configuration says otherwise".to_owned()
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "see whether the hub runs, and that nothing blocks the port between".to_owned()
            }
            Self::Trust(_) => return None,
        })
    }
}

/// Connects. Cancel safe: a dropped call closes what it opened.
///
/// # Errors
///
/// Nobody answers, or not the one who is trusted.
pub async fn dial(target: &Target, protocol: Protocol) -> Result<Box<dyn Io>, DialError> {
    match target {
        Target::Socket(path) => Ok(Box::new(socket(path).await?)),
        Target::Remote(remote) => {
            let config = config(&remote.trust, protocol)?;
            let Ok(stream) = timeout(CONNECT_TIMEOUT, tls(remote, config)).await else {
                return Err(DialError::Timeout { address: remote.address() });
            };
            Ok(Box::new(stream?))
        }
    }
}

async fn socket(path: &PathBuf) -> Result<UnixStream, DialError> {
    UnixStream::connect(path).await.map_err(|source| {
        let path = path.display().to_string();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => DialError::NotRunning { tried: vec![path] },
            io::ErrorKind::PermissionDenied => DialError::Denied { path },
            _ => DialError::Unreachable { address: path, source },
        }
    })
}

pub(crate) async fn tls(
    remote: &Remote,
    config: ClientConfig,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, DialError> {
    let address = remote.address();
    let stream = TcpStream::connect((remote.host.as_str(), remote.port))
        .await
        .map_err(|source| DialError::Unreachable { address: address.clone(), source })?;
    stream.set_nodelay(true).map_err(|source| DialError::Unreachable { address: address.clone(), source })?;
    let name = ServerName::try_from(remote.host.clone())
        .map_err(|source| DialError::Unreachable { address: address.clone(), source: io::Error::other(source) })?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|source| refused(address, source))
}

fn refused(address: String, source: io::Error) -> DialError {
    let certificate = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match certificate {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnknownRevocationStatus,
        )) => DialError::WrongAuthority { address },
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => DialError::WrongName { address },
        _ => DialError::Tls { address, source },
    }
}

fn config(trust: &Trust, protocol: Protocol) -> Result<ClientConfig, DialError> {
    let mut roots = RootCertStore::empty();
    for certificate in trust.certificates()? {
        roots.add(certificate).map_err(|error| DialError::Trust(error.to_string()))?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DialError::Trust(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![match protocol {
        Protocol::Http2 => b"h2".to_vec(),
        Protocol::Http1 => b"http/1.1".to_vec(),
    }];
    Ok(config)
}

#[cfg(test)]
pub(crate) mod tests;
