//! Re-serves the view as MJPEG over HTTP, so that any player on this machine sees a far camera: one view comes over the
//! line, however many look.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet, time::sleep};
use tokio_util::sync::ReusableBoxFuture;

use super::{files::Newest, picture::Picture};
use crate::Failure;

/// Players at once; more wait until one goes.
const MOST_PLAYERS: usize = 64;
/// A player that says nothing after connecting goes.
const HEAD_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// What is held for a player that is slow: about two pictures.
const MOST_HELD: usize = 128 * 1024;
const BOUNDARY: &str = "larder";

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// A server that listens.
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    camera: String,
    newest: Newest,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    ///
    /// The address cannot be had.
    pub(super) async fn bind(address: SocketAddr, camera: &str, newest: Newest) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| Failure::file(address.to_string(), source))?;
        let address = listener.local_addr().map_err(|source| Failure::file(address.to_string(), source))?;
        Ok(Self { listener, address, camera: camera.to_owned(), newest })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub(super) async fn run(self) -> Infallible {
        let site =
            Arc::new(Site { camera: self.camera, newest: self.newest, is_private: self.address.ip().is_loopback() });
        let (room, mut players) = (Arc::new(Semaphore::new(MOST_PLAYERS)), JoinSet::new());
        loop {
            while players.try_join_next().is_some() {}
            let permit = Arc::clone(&room).acquire_owned().await;
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors, mostly: some are free again soon.
                sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let site = Arc::clone(&site);
            players.spawn(async move {
                let _permit = permit;
                let service = service_fn(move |request| {
                    let answer = site.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(MOST_HELD);
                // A player that hangs up is no failure.
                let _gone = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// Serves, when there is something to serve.
pub(super) async fn or_never(server: Option<Server>) -> Infallible {
    match server {
        Some(server) => server.run().await,
        None => std::future::pending().await,
    }
}

/// What is served.
struct Site {
    camera: String,
    newest: Newest,
    /// For this machine alone.
    is_private: bool,
}

impl Site {
    fn answer(&self, request: &Request<Incoming>) -> Answer {
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
        }
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.is_private && !is_here(host) {
            return text(StatusCode::FORBIDDEN, "this is for this machine alone: ask for localhost or 127.0.0.1\n");
        }
        match request.uri().path() {
            "/" => self.index(),
            "/stream.mjpeg" => stream(self.newest.clone()),
            "/snapshot.jpg" => self.snapshot(),
            _ => text(StatusCode::NOT_FOUND, "here are /, /stream.mjpeg and /snapshot.jpg\n"),
        }
    }

    fn index(&self) -> Answer {
        // Names are letters, digits and hyphens, and ids too: the hub takes no others.
        let name: String = self.camera.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let page = format!(
            "<!doctype html><meta charset=utf-8><title>{name}</title><style>body{{margin:0;background:#111;color:#eee;\
             font:16px sans-serif}}img{{display:block;max-width:100%;max-height:92vh;margin:auto}}p{{text-align:center}}\
             a{{color:#9cf}}</style><img src=/stream.mjpeg alt=\"{name}, live\"><p>{name}: \
             <a href=/stream.mjpeg>stream.mjpeg</a>, <a href=/snapshot.jpg>snapshot.jpg</a>\n"
        );
        answer(StatusCode::OK, "text/html; charset=utf-8", Full::from(page).boxed())
    }

    fn snapshot(&self) -> Answer {
        let newest = self.newest.borrow().clone();
        match newest {
            Some(picture) => answer(StatusCode::OK, "image/jpeg", Full::from(picture.jpeg.clone()).boxed()),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "no picture has come yet\n"),
        }
    }
}

/// Whether a request means this machine by name: a page of somewhere else, whose own name was made to lead here, does
/// not.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn text(status: StatusCode, text: &'static str) -> Answer {
    answer(status, "text/plain; charset=utf-8", Full::from(text).boxed())
}

fn answer(status: StatusCode, content_type: &str, body: BoxBody<Bytes, Infallible>) -> Answer {
    let answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer.body(body).expect("the headers are constant")
}

fn stream(newest: Newest) -> Answer {
    let mut newest = newest;
    // One that is there already is shown at once.
    newest.mark_changed();
    let content_type = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    answer(
        StatusCode::OK,
        &content_type,
        BoxBody::new(Parts { next: ReusableBoxFuture::new(next(newest)), is_first: true }),
    )
}

/// A part for each picture that a player has time for. Browsers show a part when the boundary after it has come, so it
/// follows each part at once.
struct Parts {
    next: ReusableBoxFuture<'static, (Option<Arc<Picture>>, Newest)>,
    is_first: bool,
}

async fn next(mut newest: Newest) -> (Option<Arc<Picture>>, Newest) {
    loop {
        if newest.changed().await.is_err() {
            return (None, newest);
        }
        let picture = newest.borrow_and_update().clone();
        if picture.is_some() {
            return (picture, newest);
        }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Poll::Ready((picture, newest)) = self.next.poll(context) else { return Poll::Pending };
        let Some(picture) = picture else { return Poll::Ready(None) };
        self.next.set(next(newest));
        let part = part(&picture.jpeg, std::mem::take(&mut self.is_first));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}

fn part(jpeg: &[u8], is_first: bool) -> Bytes {
    let mut part = BytesMut::with_capacity(jpeg.len() + 128);
    if is_first {
        part.put_slice(format!("--{BOUNDARY}\r\n").as_bytes());
    }
    part.put_slice(format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len()).as_bytes());
    part.put_slice(jpeg);
    part.put_slice(format!("\r\n--{BOUNDARY}\r\n").as_bytes());
    part.freeze()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::watch,
        time::{Instant, timeout},
    };

    use super::{super::tally::tests::picture, *};

    async fn asked(address: SocketAddr, path: &str, host: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }

    /// What came until `end` did.
    async fn until(stream: &mut TcpStream, end: &str) -> String {
        let mut came = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&came).contains(end) {
                assert!(stream.read_buf(&mut came).await.unwrap() > 0, "{}", String::from_utf8_lossy(&came));
            }
        };
        timeout(Duration::from_secs(10), reading).await.unwrap();
        String::from_utf8_lossy(&came).into_owned()
    }

    /// A server whose pictures are set by hand.
    async fn served(work: impl AsyncFnOnce(SocketAddr, watch::Sender<Option<Arc<Picture>>>)) {
        let (newest, looking) = watch::channel(None);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), "fridge", looking).await.unwrap();
        let address = server.address();
        tokio::select! {
            _ = server.run() => unreachable!("it serves until it is dropped"),
            () = work(address, newest) => {}
        }
    }

    #[tokio::test]
    async fn a_player_gets_each_picture_whole_and_a_snapshot_is_the_newest() {
        served(async |address, newest| {
            let mut early = asked(address, "/snapshot.jpg", "localhost:8000").await;
            assert!(until(&mut early, "yet").await.starts_with("HTTP/1.1 503 "));
            let mut player = asked(address, "/stream.mjpeg", "localhost:8000").await;
            let head = until(&mut player, "\r\n\r\n").await;
            assert!(head.contains("multipart/x-mixed-replace; boundary=larder"), "{head}");
            for number in 0..3 {
                newest.send_replace(Some(Arc::new(picture(number, Instant::now(), None))));
                let part = until(&mut player, "\r\n--larder\r\n\r\n").await;
                assert!(part.contains("Content-Length: 4\r\n\r\n"), "{part}");
                assert_eq!(part.contains("--larder\r\nContent-Type"), number == 0, "{part}");
            }
            let mut snapshot = asked(address, "/snapshot.jpg", "[::1]:8000").await;
            assert!(until(&mut snapshot, "content-length: 4").await.starts_with("HTTP/1.1 200 "));
            let mut page = asked(address, "/", "127.0.0.1").await;
            assert!(until(&mut page, "/snapshot.jpg").await.contains("<title>fridge</title>"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_page_of_elsewhere_whose_name_leads_here_sees_nothing() {
        served(async |address, newest| {
            newest.send_replace(Some(Arc::new(picture(1, Instant::now(), None))));
            for host in ["evil.example", "localhost.evil.example:80", "192.168.1.4", ""] {
                let mut player = asked(address, "/snapshot.jpg", host).await;
                assert!(until(&mut player, "\r\n\r\n").await.starts_with("HTTP/1.1 403 "), "{host}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_player_that_does_not_read_keeps_no_other_from_the_newest() {
        served(async |address, newest| {
            let large = |number| {
                let small = picture(number, Instant::now(), None);
                Some(Arc::new(Picture { jpeg: Bytes::from(vec![7; 200_000]), ..small }))
            };
            newest.send_replace(large(0));
            let _stalled = asked(address, "/stream.mjpeg", "localhost").await;
            let mut player = asked(address, "/stream.mjpeg", "localhost").await;
            let mut buffer = vec![0; 1 << 20];
            for number in 1..100 {
                newest.send_replace(large(number));
                let came = timeout(Duration::from_secs(10), player.read(&mut buffer)).await.unwrap().unwrap();
                assert!(came > 0);
            }
        })
        .await;
    }
}
