//! Listeners on real sockets, with real clients.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{Extension, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use super::*;
use crate::{
    access::{PeerAddress, PeerCredentials, Secure},
    certs::{self, Alpn, Certs},
    clock::Clock,
    parts::Recent,
};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const GRACE: Duration = Duration::from_secs(10);

/// Answers what it knows of the connection.
fn router() -> Router {
    async fn who(
        address: Option<Extension<PeerAddress>>,
        credentials: Option<Extension<PeerCredentials>>,
        secure: Option<Extension<Secure>>,
    ) -> String {
        let address = address.map(|Extension(PeerAddress(address))| address.ip());
        let credentials = credentials.map(|Extension(peer)| (peer.uid, peer.gid));
        format!("{address:?} {credentials:?} {}", secure.is_some())
    }
    Router::new().route("/", get(who))
}

fn serve(bound: Bound, router: Router, tls: Option<Arc<rustls::ServerConfig>>, max_connections: usize) -> Tasks {
    let tasks = Tasks::new();
    let limits = Limits { max_connections, max_per_address: 1 };
    bound.serve(Serve { name: "test", router, tls, limits, tasks: tasks.clone(), trouble: Recent::default() });
    tasks
}

fn plain(max_connections: usize) -> (SocketAddr, Tasks) {
    let bound = bind_tcp(LOCAL, "http.address").expect("a port");
    let address = bound.address().expect("an address");
    (address, serve(bound, router(), None, max_connections))
}

#[expect(clippy::disallowed_methods, reason = "a client's connection in a test ends with the test")]
async fn ask<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> String {
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).expect("a request");
    text(send.send_request(request).await.expect("an answer")).await
}

async fn text(response: http::Response<hyper::body::Incoming>) -> String {
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

async fn tls_client(certs: &Certs, address: SocketAddr, alpn: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let authority = certs.authority_pem().expect("an authority");
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
}

#[tokio::test]
async fn a_taken_port_names_the_port_and_the_setting() {
    let (address, _tasks) = plain(1);
    let error = bind_tcp(address, "http.address").err().expect("taken");
    let expected = format!("port {} is taken: set http.address or stop the other program", address.port());
    assert_eq!(error.to_string(), expected);
    let any = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, address.port()));
    let error = bind_tcp(any, "http.address").err().expect("taken");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn one_listener_on_any_address_takes_ipv4_and_shows_it_as_such() {
    let bound = bind_tcp(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)), "http.address").expect("a port");
    let port = bound.address().expect("an address").port();
    let tasks = serve(bound, router(), None, 8);
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a connection");
    assert_eq!(ask(stream).await, "Some(127.0.0.1) None false");
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a client's connection in a test ends with the test")]
async fn https_speaks_both_versions_and_says_that_it_is_secure() {
    let folder = tempfile::tempdir().expect("a folder");
    let owner = Tasks::new();
    let certs = Certs::start(&certs::Config::default(), folder.path(), Clock::new(), &owner).expect("certificates");
    let bound = bind_tcp(LOCAL, "http.https_address").expect("a port");
    let address = bound.address().expect("an address");
    let tasks = serve(bound, router(), Some(certs.server_config(Alpn::Http).expect("TLS")), 8);

    assert_eq!(ask(tls_client(&certs, address, b"http/1.1").await).await, "Some(127.0.0.1) None true");

    let stream = TokioIo::new(tls_client(&certs, address, b"h2").await);
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), stream).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/").body(Empty::<Bytes>::new()).expect("a request");
    let response = send.send_request(request).await.expect("an answer");
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(text(response).await, "Some(127.0.0.1) None true");
    drop(send);
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test]
async fn a_handshake_that_never_comes_does_not_hold_up_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let certs =
        Certs::start(&certs::Config::default(), folder.path(), Clock::new(), &Tasks::new()).expect("certificates");
    let bound = bind_tcp(LOCAL, "http.https_address").expect("a port");
    let address = bound.address().expect("an address");
    let tasks = serve(bound, router(), Some(certs.server_config(Alpn::Http).expect("TLS")), 8);
    let _silent = TcpStream::connect(address).await.expect("a connection");
    assert_eq!(ask(tls_client(&certs, address, b"http/1.1").await).await, "Some(127.0.0.1) None true");
    assert!(tasks.stop(GRACE).await, "the silent one does not hold up the end either");
}

#[tokio::test]
async fn the_local_socket_says_who_is_there_and_is_closed_to_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("larder.sock");
    let tasks = serve(bind_unix(&path).expect("a socket"), router(), None, 8);
    let me = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let stream = UnixStream::connect(&path).await.expect("a connection");
    assert_eq!(ask(stream).await, format!("None {:?} false", Some(me)));
    assert_eq!(path.metadata().expect("a socket").permissions().mode() & 0o777, 0o660);

    let error = bind_unix(&path).err().expect("answered");
    assert!(matches!(error, BindError::Answered(_)), "{error}");
    assert!(tasks.stop(GRACE).await);
    assert!(!path.exists(), "it goes with its listener");
}

#[tokio::test]
async fn a_socket_that_nobody_answers_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("larder.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists(), "it was left behind");
    let bound = bind_unix(&path).expect("nobody answers");
    drop(bound);
    assert!(!path.exists());

    std::fs::write(&path, "precious").expect("written");
    let error = bind_unix(&path).err().expect("in the way");
    assert!(matches!(error, BindError::InTheWay(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "precious");

    let error = bind_unix(&folder.path().join("x".repeat(120))).err().expect("too long");
    assert!(matches!(error, BindError::LongPath { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_too_many_waits_until_another_ends() {
    let (address, tasks) = plain(1);
    let first = TcpStream::connect(address).await.expect("a connection");
    let second = TcpStream::connect(address).await.expect("a connection: the kernel takes it");
    let mut answer = std::pin::pin!(ask(second));
    let waiting = tokio::time::timeout(Duration::from_millis(200), answer.as_mut()).await;
    assert!(waiting.is_err(), "it is not served: {waiting:?}");
    drop(first);
    assert_eq!(answer.await, "Some(127.0.0.1) None false");
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test]
async fn a_burst_of_connections_is_taken_whole() {
    let (address, tasks) = plain(1024);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..300 {
        clients.spawn(async move { ask(TcpStream::connect(address).await.expect("a connection")).await });
    }
    let mut served = 0;
    while let Some(answer) = clients.join_next().await {
        assert_eq!(answer.expect("no panic"), "Some(127.0.0.1) None false");
        served += 1;
    }
    assert_eq!(served, 300);
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test]
async fn a_request_that_has_begun_is_answered_and_idle_connections_end() {
    let begun = Arc::new(tokio::sync::Notify::new());
    let go_on = Arc::new(tokio::sync::Notify::new());
    let (begin, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = Router::new().route(
        "/",
        get(async move || {
            begin.notify_one();
            wait.notified().await;
            "done"
        }),
    );
    let bound = bind_tcp(LOCAL, "http.address").expect("a port");
    let address = bound.address().expect("an address");
    let tasks = serve(bound, slow, None, 8);
    let mut idle = TcpStream::connect(address).await.expect("a connection");
    let mut busy = TcpStream::connect(address).await.expect("a connection");
    busy.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    begun.notified().await;
    let stopping = tasks.stopping();
    let (stopped, ()) = tokio::join!(tasks.stop(GRACE), async {
        stopping.cancelled().await;
        assert_eq!(idle.read(&mut [0; 1]).await.expect("an end"), 0);
        go_on.notify_one();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    });
    assert!(stopped);
    TcpStream::connect(address).await.expect_err("nobody listens");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_for_nothing_gives_its_place_back() {
    let (address, _tasks) = plain(1);
    // Nothing at all, and not enough to tell which HTTP it is.
    for said in [&b""[..], b"PRI * HT"] {
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        silent.write_all(said).await.expect("written");
        let end = tokio::time::timeout(connection::HEADER_TIMEOUT * 10, silent.read(&mut [0; 1])).await;
        assert_eq!(end.expect("it ends").expect("an end"), 0);
    }
    assert_eq!(ask(TcpStream::connect(address).await.expect("a connection")).await, "Some(127.0.0.1) None false");
}

#[tokio::test]
async fn the_kernel_asks_whether_a_quiet_peer_is_still_there() {
    let bound = bind_tcp(LOCAL, "http.address").expect("a port");
    let address = bound.address().expect("an address");
    let bind::Listener::Tcp(listener) = bound.0 else { panic!("a TCP listener") };
    let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (accepted, _) = accepted.expect("a connection");
    assert!(socket2::SockRef::from(&accepted).keepalive().expect("an option"));
}

/// A client of HTTP/2 without TLS; the connection ends when the handle does.
async fn http2_client(
    address: SocketAddr,
    window: u32,
) -> (http2::SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let stream = TokioIo::new(TcpStream::connect(address).await.expect("a connection"));
    let mut client = http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(window);
    let (send, connection) = client.handshake(stream).await.expect("a handshake");
    #[expect(clippy::disallowed_methods, reason = "a client's connection in a test ends with the test")]
    (send, tokio::spawn(connection))
}

fn request(path: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(format!("http://localhost{path}")).body(Empty::new()).expect("a request")
}

/// Bodies without an end, and how many bytes of them were made.
fn endless() -> (Router, Arc<AtomicU64>) {
    let made = Arc::<AtomicU64>::default();
    let count = Arc::clone(&made);
    let answer = move || {
        let count = Arc::clone(&count);
        let pieces = futures_util::stream::repeat_with(move || {
            count.fetch_add(64 * 1024, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[0; 64 * 1024]))
        });
        std::future::ready(axum::body::Body::from_stream(pieces))
    };
    (Router::new().route("/endless", get(answer)).merge(router()), made)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_gives_its_streams_no_window_holds_little_and_loses_its_connection() {
    let bound = bind_tcp(LOCAL, "http.address").expect("a port");
    let address = bound.address().expect("an address");
    let (router, made) = endless();
    let tasks = serve(bound, router, None, 1);
    // Nothing at all, and a single byte.
    for window in [0, 1] {
        made.store(0, Ordering::Relaxed);
        let (mut send, connection) = http2_client(address, window).await;
        let began = tokio::time::Instant::now();
        let mut answers = Vec::new();
        for _ in 0..100 {
            answers.push(send.send_request(request("/endless")).await.expect("an answer's head"));
        }
        let end = tokio::time::timeout(streams::UNREAD * 3, connection).await;
        assert!(end.is_ok(), "it ends");
        assert!(began.elapsed() >= streams::UNREAD, "{:?}", began.elapsed());
        // One piece each, which waits for a window that never comes.
        assert!(made.load(Ordering::Relaxed) <= 100 * 64 * 1024, "{} bytes were made", made.load(Ordering::Relaxed));
    }
    let stream = TcpStream::connect(address).await.expect("a connection");
    assert_eq!(ask(stream).await, "Some(127.0.0.1) None false", "its place is free");
    assert!(tasks.stop(GRACE).await, "and nothing of it is left");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_is_reset_and_the_others_of_its_connection_go_on() {
    let bound = bind_tcp(LOCAL, "http.address").expect("a port");
    let address = bound.address().expect("an address");
    let (router, made) = endless();
    let tasks = serve(bound, router, None, 1);
    let (mut send, connection) = http2_client(address, 65_535).await;
    let mut unread = send.send_request(request("/endless")).await.expect("an answer").into_body();
    let began = tokio::time::Instant::now();
    while began.elapsed() < streams::UNREAD + Duration::from_secs(5) {
        let response = send.send_request(request("/")).await.expect("an answer");
        assert_eq!(text(response).await, "Some(127.0.0.1) None false");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(made.load(Ordering::Relaxed) <= 256 * 1024, "{} bytes were made", made.load(Ordering::Relaxed));
    let mut read = 0;
    let end = loop {
        match unread.frame().await.expect("it does not end by itself") {
            Ok(frame) => read += frame.into_data().map_or(0, |data| data.len()),
            Err(error) => break error,
        }
    };
    assert!(read <= 65_535, "{read}");
    assert!(end.to_string().contains("body"), "{end}");
    assert!(!connection.is_finished());
    drop((send, unread));
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http2_on_which_nothing_goes_on_ends_in_order() {
    let (address, tasks) = plain(1);
    let (mut send, connection) = http2_client(address, 65_535).await;
    let response = send.send_request(request("/")).await.expect("an answer");
    assert_eq!(text(response).await, "Some(127.0.0.1) None false");
    let began = tokio::time::Instant::now();
    connection.await.expect("no panic").expect("it is told so");
    let idle = began.elapsed();
    assert!((streams::IDLE..streams::IDLE + Duration::from_secs(20)).contains(&idle), "{idle:?}");
    assert!(tasks.stop(GRACE).await);
}
