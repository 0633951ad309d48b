//! The connection to the relay, made again whenever it is lost.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use moq_net::origin;
use quinn::{Endpoint, TransportConfig, VarInt, crypto::rustls::QuicClientConfig};
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;
use web_transport_quinn::{ALPN, Client, Session, proto::ConnectRequest};

use super::{Config, Reached};
use crate::{backoff::Backoff, outcome::chain, repeats, trust};

/// For the relay to answer.
const DIAL: Duration = Duration::from_secs(10);
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const IDLE_MS: u32 = 20_000;
/// For the relay to hear that the hub leaves.
const LEAVE: Duration = Duration::from_secs(1);

/// Why nothing can be published.
#[derive(Debug, Error)]
pub enum StartError {
    /// The token can't be read.
    #[error("cannot read moq.token_file {path}")]
    Token {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The authority can't be used.
    #[error("moq.ca_file")]
    Trust(#[from] trust::Error),
    /// No UDP socket, or no TLS 1.3.
    #[error("cannot open a QUIC endpoint for moq.url")]
    Endpoint(#[source] io::Error),
    /// The URL can't be used.
    #[error("moq.url {0}")]
    Url(&'static str),
}

/// Why there is no session.
#[derive(Debug, Error)]
enum DialError {
    #[error("the relay did not answer in time")]
    TimedOut,
    #[error("the relay is not reached")]
    Dial(#[from] web_transport_quinn::ClientError),
    #[error("the relay speaks no version that the hub does")]
    Moq(#[from] moq_net::Error),
}

/// The way to the relay.
pub(super) struct Link {
    client: Client,
    url: Url,
}

impl Link {
    /// Reads what is needed; `None` when no relay is configured.
    pub(super) fn prepare(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(mut url) = config.place().map_err(StartError::Url)? else { return Ok(None) };
        if let Some(path) = &config.token_file {
            let read = fs::read_to_string(path);
            let token = read.map_err(|source| StartError::Token { path: path.clone(), source })?;
            url.query_pairs_mut().append_pair("jwt", token.trim());
        }
        let authorities = config.ca_file.as_deref().map(trust::certificates).transpose()?;
        let tls = authorities.map_or_else(|| trust::beside_the_system(&[]), |authorities| trust::alone(&authorities));
        let mut tls = Arc::unwrap_or_clone(tls);
        tls.alpn_protocols = vec![ALPN.as_bytes().to_vec()];
        let no_tls13 = |error| StartError::Endpoint(io::Error::other(error));
        let mut client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).map_err(no_tls13)?));
        let mut transport = TransportConfig::default();
        transport.keep_alive_interval(Some(KEEP_ALIVE)).max_idle_timeout(Some(VarInt::from_u32(IDLE_MS).into()));
        client.transport_config(Arc::new(transport));
        Ok(Some(Self { client: Client::new(endpoint().map_err(StartError::Endpoint)?, client), url }))
    }

    /// Keeps a session, until told to stop.
    pub(super) async fn keep(self, published: origin::Producer, reached: Reached, stop: CancellationToken) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        loop {
            let began = Instant::now();
            let cause = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                session = self.dial() => match session {
                    Ok(session) => self.serve(session, &published, &reached, &stop).await,
                    Err(error) => Some(chain(&error)),
                },
            };
            let Some(cause) = cause else { return };
            repeats::say!(warn, "", { cause }, "the relay is not reached");
            if began.elapsed() > GOOD {
                backoff.reset();
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.pause()) => {}
            }
        }
    }

    async fn dial(&self) -> Result<Session, DialError> {
        let protocols = moq_net::ALPNS.iter().map(|alpn| (*alpn).to_owned());
        let request = ConnectRequest::new(self.url.clone()).with_protocols(protocols);
        let dialled = tokio::time::timeout(DIAL, self.client.connect(request)).await;
        Ok(dialled.ok().ok_or(DialError::TimedOut)??)
    }

    /// Publishes over a session until it ends; why, or `None` when told to stop.
    async fn serve(
        &self,
        session: Session,
        published: &origin::Producer,
        reached: &Reached,
        stop: &CancellationToken,
    ) -> Option<String> {
        let client = moq_net::Client::new().with_publisher(published);
        let greeted = tokio::time::timeout(DIAL, client.connect(Instant::now().into_std(), session)).await;
        let (session, driver) = match greeted {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(error)) => return Some(chain(&DialError::Moq(error))),
            Err(_elapsed) => return Some(chain(&DialError::TimedOut)),
        };
        tracing::info!(relay.version = ?session.version(), "the relay is reached");
        metrics::counter!("larder_moq_connections_total").increment(1);
        reached.set(true);
        let mut driven = std::pin::pin!(moq_net::time::run(driver));
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            error = &mut driven => Some(error.to_string()),
        };
        reached.set(false);
        if ended.is_none() {
            // Told, the relay ends the broadcasts at once and not when it has heard nothing for long.
            let told = async { tokio::join!(session.close(), driven) };
            let _ = tokio::time::timeout(LEAVE, told).await;
        }
        ended
    }
}

/// Of both families where the machine has both.
fn endpoint() -> io::Result<Endpoint> {
    let any = |ip: std::net::IpAddr| Endpoint::client(SocketAddr::new(ip, 0));
    any(Ipv6Addr::UNSPECIFIED.into()).or_else(|_no_ipv6| any(Ipv4Addr::UNSPECIFIED.into()))
}
