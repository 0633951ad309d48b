//! Gets a file from the hub's HTTP side: over the local socket, or from its HTTPS port with the same trust and token.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use larder_proto::pb::GetStatusRequest;
use tokio::time::timeout;

use crate::{
    Failure,
    client::{Hub, quick},
    dial::{DialError, Protocol, dial},
    target::Target,
};

/// A picture is below 1 MiB; anything much larger is no picture.
const LIMIT: usize = 16 << 20;
/// For the request and the whole answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of a refusal's text is shown.
const REASON_CHARACTERS: usize = 300;

/// What came.
#[derive(Debug)]
pub struct Fetched {
    /// Its headers.
    pub headers: HeaderMap,
    /// Itself.
    pub body: Bytes,
}

/// Gets `path`, which begins with a slash.
///
/// # Errors
///
/// The hub cannot be reached, or answers with anything but 200.
pub async fn fetch(hub: &Hub, path: &str) -> Result<Fetched, Failure> {
    let target = match hub.target() {
        Target::Socket(_) => hub.target().clone(),
        Target::Remote(remote) => {
            Target::Remote(crate::target::Remote { port: https_port(hub).await?, ..remote.clone() })
        }
    };
    timeout(PATIENCE, get(&target, path))
        .await
        .unwrap_or_else(|_| Err(DialError::Timeout { address: target.to_string() }.into()))
}

/// The port that HTTPS is on, as the hub says.
async fn https_port(hub: &Hub) -> Result<u16, Failure> {
    let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
    let https = status.listeners.iter().find(|listener| listener.name == "https");
    https
        .and_then(|listener| listener.address.parse::<SocketAddr>().ok())
        .map(|address| address.port())
        .ok_or_else(|| Failure::Other("the hub has no HTTPS port, and pictures come from there".to_owned()))
}

async fn get(target: &Target, path: &str) -> Result<Fetched, Failure> {
    let io = TokioIo::new(dial(target, Protocol::Http1).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(lost)?;
    let origin = target.origin();
    let host = origin.split_once("://").map_or("localhost", |(_, host)| host);
    let mut request = Request::get(path).header(header::HOST, host);
    if let Some(token) = target.token() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Usage(format!("\"{path}\" cannot be asked for: {error}")))?;
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(lost)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LIMIT).collect().await.map_err(Failure::Lost)?.to_bytes();
        if head.status == StatusCode::OK {
            Ok(Fetched { headers: head.headers, body })
        } else {
            Err(refused(head.status, &body))
        }
    };
    // The connection is driven beside the exchange and dropped with it.
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        result = &mut exchange => result,
        _ = connection => exchange.await,
    }
}

fn lost(error: hyper::Error) -> Failure {
    Failure::Lost(Box::new(error))
}

/// HTTP's refusal as the gRPC one of the same meaning, so that hints and exit codes are the same.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let reason: String = String::from_utf8_lossy(body).trim().chars().take(REASON_CHARACTERS).collect();
    let reason = if reason.is_empty() { format!("the hub answered {status}") } else { reason };
    let refusal = match status {
        StatusCode::UNAUTHORIZED => tonic::Status::unauthenticated(reason),
        StatusCode::FORBIDDEN => tonic::Status::permission_denied(reason),
        StatusCode::NOT_FOUND => tonic::Status::not_found(reason),
        _ => return Failure::Other(reason),
    };
    Failure::Refused(Box::new(refusal))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixListener,
    };

    use super::*;

    async fn answer(bytes: &'static [u8]) -> (Result<Fetched, Failure>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("larder.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let hub = async {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.expect("a request");
            stream.write_all(bytes).await.expect("answered");
            String::from_utf8_lossy(&asked[..length]).into_owned()
        };
        let target = Target::Socket(path);
        let (result, asked) = tokio::join!(get(&target, "/cameras/fridge/snapshot.jpg"), hub);
        (result, asked)
    }

    #[tokio::test]
    async fn a_picture_comes_over_the_socket() {
        let (result, asked) =
            answer(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-captured-at: now\r\nconnection: close\r\n\r\njpeg")
                .await;
        let fetched = result.expect("a picture");
        assert_eq!((&fetched.body[..], fetched.headers["x-captured-at"].as_bytes()), (&b"jpeg"[..], &b"now"[..]));
        assert!(asked.starts_with("GET /cameras/fridge/snapshot.jpg HTTP/1.1\r\nhost: localhost\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_refusal_carries_the_hubs_reason_and_the_exit_code_of_its_kind() {
        let (result, _) = answer(b"HTTP/1.1 503 Busy\r\ncontent-length: 12\r\n\r\nno frame yet").await;
        let failure = result.expect_err("refused");
        assert_eq!((failure.to_string().as_str(), failure.exit_code()), ("no frame yet", 1));
        let (result, _) = answer(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        let failure = result.expect_err("refused");
        assert_eq!(failure.exit_code(), 4);
    }

    #[tokio::test]
    async fn half_an_answer_is_no_picture() {
        let (result, _) = answer(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\njpeg").await;
        assert!(matches!(result, Err(Failure::Lost(_))), "{result:?}");
    }
}
