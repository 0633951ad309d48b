//! Watches a camera through a relay of Media over QUIC: `moq_watch URL CA.pem BROADCAST TRACK VIEWERS SECONDS`.
//!
//! Each viewer is a connection of its own. At the end each one's pictures are counted; it fails when one got none.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use larder_daemon::trust;
use larder_proto::wire::jpeg;
use moq_net::{origin, track};
use quinn::{Endpoint, crypto::rustls::QuicClientConfig};
use web_transport_quinn::{ALPN, Client, proto::ConnectRequest};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, authority, broadcast, name, viewers, seconds] = words.as_slice() else {
        bail!("usage: moq_watch URL CA.pem BROADCAST TRACK VIEWERS SECONDS");
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut tls = Arc::unwrap_or_clone(trust::alone(&trust::certificates(Path::new(authority))?));
    tls.alpn_protocols = vec![ALPN.as_bytes().to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let request = ConnectRequest::new(url.parse::<url::Url>()?)
        .with_protocols(moq_net::ALPNS.iter().map(|alpn| (*alpn).to_owned()));
    let span = Duration::from_secs(seconds.parse()?);
    let mut watching = tokio::task::JoinSet::new();
    for _ in 0..viewers.parse()? {
        // A socket each, as viewers have: pictures for all of them at once are more than one socket's buffer holds.
        let client = Client::new(Endpoint::client(([127, 0, 0, 1], 0).into())?, config.clone());
        watching.spawn(watch(client, request.clone(), broadcast.clone(), name.clone(), span));
    }
    let counts: Vec<u64> = watching.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    eprintln!("{url}: {} viewers, {least} to {most} pictures each in {} s", counts.len(), span.as_secs());
    if least == 0 { bail!("a viewer got no picture") } else { Ok(()) }
}

/// How many pictures one viewer gets.
async fn watch(
    client: Client,
    request: ConnectRequest,
    broadcast: String,
    name: String,
    span: Duration,
) -> anyhow::Result<u64> {
    let session = client.connect(request).await.context("reaching the relay")?;
    let (published, driver) = origin::Producer::new(origin::Config::default());
    let watched = published.consume();
    let (_session, connection) =
        moq_net::Client::new().with_subscriber(published).connect(Instant::now(), session).await?;
    // As a page would look: a picture that comes a little later than the next one still counts.
    let wanted = track::Subscription::default().with_max_age(Duration::from_secs(1));
    let looking = async {
        let mut track = watched.routed_broadcast(broadcast).await?.track(&name)?.subscribe(wanted).await?;
        let (mut count, end) = (0, tokio::time::Instant::now() + span);
        while let Ok(picture) = tokio::time::timeout_at(end, next(&mut track)).await {
            jpeg::check(&picture?).context("no picture")?;
            count += 1;
        }
        Ok(count)
    };
    tokio::select! {
        count = looking => count,
        ended = moq_net::time::run(driver) => bail!("the broadcasts ended: {ended}"),
        ended = moq_net::time::run(connection) => bail!("the relay ended the session: {ended}"),
    }
}

/// The next picture. A group that a newer one has overtaken on its way ends unread, and is passed over.
async fn next(track: &mut track::Subscriber) -> anyhow::Result<bytes::Bytes> {
    loop {
        let mut group = track.recv_group().await?.context("the track ended")?;
        if let Ok(Some(frame)) = group.read_frame().await {
            return Ok(frame.payload);
        }
    }
}
