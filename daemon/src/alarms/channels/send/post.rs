//! A POST that goes to one place and no further: no redirects, plain HTTP to private addresses alone, everything bounded.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::WebUrl;
use crate::db::jobs::Failed;

/// To find the host, reach it, and agree on TLS: each.
const REACH: Duration = Duration::from_secs(5);
/// For the answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Of the answer's head.
const LONGEST_HEAD: usize = 16 * 1024;
/// Of the answer's body, which nobody reads: it only lets the other side finish.
const LONGEST_BODY: usize = 64 * 1024;

/// What is sent where.
pub(super) struct Post<'a> {
    pub(super) url: &'a WebUrl,
    pub(super) headers: Vec<(&'static str, HeaderValue)>,
    /// JSON.
    pub(super) body: String,
}

/// Sends it; the status of the answer. Nothing else of the answer is told: it may come from a machine that those who
/// see deliveries have no business with.
pub(super) async fn post(tls: &Arc<ClientConfig>, post: Post<'_>) -> Result<String, Failed> {
    let stream = reach(post.url).await?;
    let status = if post.url.is_tls {
        let name = ServerName::try_from(post.url.host.clone())
            .ok()
            .ok_or_else(|| Failed::forever("the host is neither a name nor an address"))?;
        let connect = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let stream = within(REACH, "TLS", connect).await?;
        exchange(stream, post).await?
    } else {
        exchange(stream, post).await?
    };
    judge(status)
}

async fn within<T, E: std::fmt::Display>(
    most: Duration,
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failed> {
    match timeout(most, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failed::now(format!("{what}: {error}"))),
        Err(_) => Err(Failed::now(format!("{what}: nothing within {} s", most.as_secs()))),
    }
}

/// Connects to an address that was looked at: a name that leads elsewhere a moment later changes nothing.
async fn reach(url: &WebUrl) -> Result<TcpStream, Failed> {
    let found = within(REACH, "finding the host", lookup_host((url.host.as_str(), url.port))).await?;
    let (may, may_not): (Vec<SocketAddr>, Vec<SocketAddr>) =
        found.partition(|address| url.is_tls || is_private(address.ip()));
    if may.is_empty() && !may_not.is_empty() {
        return Err(Failed::forever("plain http leads to no private address; use https"));
    }
    let mut failed = Failed::now("the host has no address");
    for address in may {
        match within(REACH, "connecting", TcpStream::connect(address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A house's own network, or this machine. Not link-local ones: 169.254.169.254 tells clouds' machines their secrets.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

async fn exchange<S>(stream: S, post: Post<'_>) -> Result<StatusCode, Failed>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| Failed::now(format!("HTTP: {error}"));
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(LONGEST_HEAD).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut request = Request::post(post.url.path.as_str())
        .header(header::HOST, post.url.authority.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, concat!("larder/", env!("CARGO_PKG_VERSION")));
    for (name, value) in post.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(bytes::Bytes::from(post.body)));
    let request = request.map_err(|error| Failed::forever(format!("HTTP: {error}")))?;
    let asked = std::pin::pin!(async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        drain(answer.into_body()).await;
        Ok::<_, hyper::Error>(status)
    });
    let exchange = async {
        match select(asked, connection).await {
            Either::Left((status, _)) => status,
            // The answer may have come with the end of the connection.
            Either::Right((_, asked)) => asked.await,
        }
    };
    timeout(ANSWER, exchange)
        .await
        .ok()
        .ok_or_else(|| Failed::now(format!("no answer within {} s", ANSWER.as_secs())))?
        .map_err(broken)
}

/// Reads the body up to a limit, then hangs up.
async fn drain(mut body: Incoming) {
    let mut left = LONGEST_BODY;
    while let Some(Ok(frame)) = body.frame().await {
        let len = frame.data_ref().map_or(0, bytes::Bytes::len);
        let Some(rest) = left.checked_sub(len) else { return };
        left = rest;
    }
}

fn judge(status: StatusCode) -> Result<String, Failed> {
    if status.is_success() {
        return Ok(status.to_string());
    }
    let may_work_later = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    let why = if status.is_redirection() {
        format!("answered {status}; redirects are not followed")
    } else {
        format!("answered {status}")
    };
    Err(Failed { why, is_permanent: !may_work_later })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_the_house_alone() {
        for private in ["10.0.0.1", "192.168.1.1", "172.16.9.9", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in
            ["8.8.8.8", "169.254.169.254", "172.32.0.1", "0.0.0.0", "fe80::1", "2001:db8::1", "::ffff:8.8.8.8"]
        {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn refusals_are_told_from_what_may_work_later() {
        let is_permanent =
            |status: u16| judge(StatusCode::from_u16(status).unwrap()).map_err(|failed| failed.is_permanent);
        assert!(judge(StatusCode::NO_CONTENT).is_ok());
        for (status, expected) in [(301, true), (401, true), (404, true), (408, false), (429, false), (500, false)] {
            assert_eq!(is_permanent(status), Err(expected), "{status}");
        }
        assert!(judge(StatusCode::FOUND).unwrap_err().why.contains("redirects are not followed"));
    }
}
