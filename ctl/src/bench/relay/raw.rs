//! What the relay's CPU time is compared with: a program that does nothing but hand the same bytes to QUIC.
//!
//! Pictures come over TCP as the fan-out's floor gets them. Each viewer's connection has one stream, on which every
//! picture is written whole, its length before it; a viewer that is late gets the newest. No hello, no permission, no
//! header, no pacing beside QUIC's own, nothing counted.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use quinn::{
    ClientConfig, Endpoint, ServerConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};

use super::super::{
    fanout::wire::{Floor, Heard, Parser},
    floor::relay,
    stamp::Epoch,
};
use super::log::Log;
use crate::Failure;

const ALPN: &[u8] = b"larder-bench";
const NAME: &str = "localhost";

/// The first line of its output.
#[derive(Debug, Deserialize, Serialize)]
struct Told {
    source: u16,
    viewers: u16,
    /// DER in base64.
    certificate: String,
}

/// Serves one source and any number of viewers, until the source hangs up.
pub(in super::super) async fn serve() -> Result<(), Failure> {
    let other = |error: &dyn std::error::Error| Failure::Other(error.to_string());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![NAME.to_owned()]).map_err(|error| other(&error))?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
        .map_err(|error| other(&error))?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let quic = QuicServerConfig::try_from(tls).map_err(|error| other(&error))?;
    let endpoint = Endpoint::server(ServerConfig::with_crypto(Arc::new(quic)), (Ipv4Addr::LOCALHOST, 0).into())
        .map_err(Failure::Output)?;
    let source = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Failure::Output)?;
    let port = |address: io::Result<SocketAddr>| address.map(|address| address.port()).map_err(Failure::Output);
    let told = Told {
        source: port(source.local_addr())?,
        viewers: port(endpoint.local_addr())?,
        certificate: BASE64_STANDARD.encode(cert.der()),
    };
    let line = serde_json::to_string(&told).map_err(|error| Failure::Output(error.into()))?;
    let mut output = tokio::io::stdout();
    output.write_all(format!("{line}\n").as_bytes()).await.map_err(Failure::Output)?;
    output.flush().await.map_err(Failure::Output)?;
    let newest = watch::Sender::new(Bytes::new());
    let mut serving = JoinSet::new();
    serving.spawn(accept(endpoint, newest.subscribe()));
    // Hanging up is how the source ends it.
    let _ended = relay(source, newest).await;
    Ok(())
}

async fn accept(endpoint: Endpoint, newest: watch::Receiver<Bytes>) {
    let mut viewers = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        let mut newest = newest.clone();
        newest.mark_unchanged();
        viewers.spawn(async move {
            let Ok(connection) = incoming.await else { return };
            let Ok(mut stream) = connection.open_uni().await else { return };
            while newest.changed().await.is_ok() {
                let frame = newest.borrow_and_update().clone();
                if stream.write_chunk(frame).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The program that serves.
pub(super) struct Raw {
    child: Child,
    told: Told,
    client: ClientConfig,
}

impl Raw {
    /// Starts it.
    pub(super) async fn start() -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::Other(format!("no QUIC to compare with: {error}"));
        let started = async {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["bench", "raw-quic"]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn()?;
            let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).await?;
            let told: Told = serde_json::from_str(&line)?;
            Ok::<_, io::Error>((child, told))
        };
        let (child, told) = started.await.map_err(|error| failed(&error))?;
        let certificate = BASE64_STANDARD.decode(&told.certificate).map_err(|error| failed(&error))?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate)).map_err(|error| failed(&error))?;
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let quic = QuicClientConfig::try_from(tls).map_err(|error| failed(&error))?;
        Ok(Self { child, told, client: ClientConfig::new(Arc::new(quic)) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Where the source dials.
    pub(super) fn source(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.told.source).into()
    }

    /// A viewer that looks until the set is dropped.
    pub(super) fn view(&self, viewers: &mut JoinSet<io::Result<()>>, epoch: Epoch) -> Arc<Log> {
        let log = Arc::new(Log::default());
        let (noted, client) = (Arc::clone(&log), self.client.clone());
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, self.told.viewers));
        viewers.spawn(async move { look(client, server, epoch, &noted).await });
        log
    }

    pub(super) async fn stop(mut self) {
        let _ended = self.child.kill().await;
    }
}

async fn look(client: ClientConfig, server: SocketAddr, epoch: Epoch, log: &Log) -> io::Result<()> {
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    let connecting = endpoint.connect_with(client, server, NAME).map_err(io::Error::other)?;
    let connection = connecting.await?;
    let mut stream = connection.accept_uni().await?;
    let mut parser = Parser::Floor(Floor::default());
    let mut heard = Vec::new();
    while let Some(chunk) = stream.read_chunk(64 * 1024, true).await? {
        parser.feed(&chunk.bytes, &mut heard).map_err(io::Error::other)?;
        for heard in heard.drain(..) {
            if let Heard::Picture(stamp, _) = heard {
                log.add(std::time::Duration::from_nanos(epoch.now_ns()), stamp);
            }
        }
    }
    Ok(())
}
