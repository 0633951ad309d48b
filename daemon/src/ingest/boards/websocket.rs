//! Boards that push their pictures over WebSocket.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, StatusCode, header};
use larder_proto::wire::{
    CameraId,
    boards::{MOST_MESSAGE, PartError, Pushed},
    camera::{MilliCelsius, Reading},
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    session::{Known, Session},
    status,
};
use crate::{
    addresses::Claim,
    cameras::{Key, Source},
    ingest::{
        Shared,
        connection::{BYE_TIMEOUT, HANDSHAKE_TIMEOUT, drain},
        ended::Ended,
    },
};

/// Characters of a secret path after its slash.
const TOKEN_LEN: usize = 32;
/// A ping that takes longer to send goes to nobody.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// A probe's next reading sooner than this is the same one again: a conversion takes 750 ms.
const SOONEST_READING: Duration = Duration::from_millis(700);
/// What a DS18B20 says before it has measured.
const POWER_ON: MilliCelsius = MilliCelsius(85_000);

/// Who has knocked.
struct Board {
    camera: CameraId,
    known: Known,
    changes: watch::Receiver<u64>,
}

/// Serves a connection to its end.
pub(in crate::ingest) async fn run(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, claim: Claim) {
    let stopping = shared.tasks.stopping();
    let greeted = tokio::select! {
        biased;
        () = stopping.cancelled() => return,
        greeted = timeout(HANDSHAKE_TIMEOUT, greet(stream, peer, &shared)) => greeted.unwrap_or(Err("handshake-too-slow")),
    };
    drop(claim);
    match greeted {
        Ok((socket, Board { camera, known, changes })) => {
            let session = Session::begin(&shared, camera, known, changes, peer.to_string());
            let pushing = Pushing { shared, socket, session, ping: None, probe: None, statuses: 0 };
            pushing.run().await;
        }
        Err(reason) => shared.refused(peer, None, reason),
    }
}

/// The handshake, and who it is. The reason's name when it is refused.
async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Shared,
) -> Result<(WebSocketStream<TcpStream>, Board), &'static str> {
    let mut found = Err("gone");
    let config = WebSocketConfig::default()
        .max_message_size(Some(MOST_MESSAGE))
        .max_frame_size(Some(MOST_MESSAGE))
        .read_buffer_size(16 * 1024)
        // Small libraries spare themselves the mask, which protects proxies and nothing here.
        .accept_unmasked_frames(true);
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let callback = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        found = board(request.uri().path(), peer, shared);
        let Err(reason) = &found else { return Ok(with_protocol(request, response)) };
        let mut refusal = ErrorResponse::new(Some(format!("{reason}\n")));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        Err(refusal)
    };
    let accepted = accept_hdr_async_with_config(stream, callback, Some(config)).await;
    match (found, accepted) {
        (Ok(board), Ok(socket)) => Ok((socket, board)),
        // Who was refused before its name was asked does not speak WebSocket.
        (Err("gone"), Err(Error::Protocol(_) | Error::Http(_) | Error::HttpFormat(_) | Error::AttackAttempt)) => {
            Err("malformed")
        }
        (Err(reason), _) => Err(reason),
        (Ok(_), Err(_)) => Err("gone"),
    }
}

/// The first protocol that it offers is as good as any: some libraries give up without one.
fn with_protocol(request: &Request, mut response: Response) -> Response {
    let offered = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let first = offered.and_then(|all| all.split(',').next()).map(str::trim);
    if let Some(first) = first.and_then(|first| HeaderValue::from_str(first).ok()) {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, first);
    }
    response
}

/// Which camera it is, by its secret path or by its address.
fn board(path: &str, peer: SocketAddr, shared: &Shared) -> Result<Board, &'static str> {
    // Before anything is read, so that no change can fall between.
    let changes = shared.cameras.changes();
    let shown = path.trim_start_matches('/');
    let has_token = shown.len() == TOKEN_LEN && shown.bytes().all(|byte| byte.is_ascii_hexdigit());
    let address = peer.ip().to_canonical();
    let is_it = |camera: CameraId, source: &Source| match source {
        Source::WebSocket(_) if has_token => shared.cameras.key(camera).is_some_and(|key| {
            let token = Key(key).websocket_path(camera);
            // In constant time.
            blake3::hash(token.trim_start_matches('/').as_bytes())
                == blake3::hash(shown.to_ascii_lowercase().as_bytes())
        }),
        Source::WebSocket(addresses) => addresses.contains(&address),
        Source::Link | Source::Mjpeg(_) => false,
    };
    let found = shared.cameras.boards().into_iter().find(|(camera, source)| is_it(*camera, source));
    let camera = found.ok_or(if has_token { "wrong-token" } else { "unlisted-address" })?.0;
    let known = Known::of(shared, camera).ok_or("unknown-camera")?;
    if !shared.registry.admits(camera) {
        return Err("too-often");
    }
    Ok(Board { camera, known, changes })
}

/// A board that pushes.
struct Pushing {
    shared: Arc<Shared>,
    socket: WebSocketStream<TcpStream>,
    session: Session,
    /// The newest ping that was not answered yet.
    ping: Option<Instant>,
    /// When its probe was heard last.
    probe: Option<Instant>,
    statuses: u32,
}

impl Pushing {
    async fn run(mut self) {
        let Err(ended) = self.read().await;
        let Self { mut socket, session, .. } = self;
        session.end(&ended);
        let code = match &ended {
            Ended::Stopping => CloseCode::Away,
            Ended::Foreign(_) => CloseCode::Policy,
            _ => CloseCode::Normal,
        };
        let farewell = async {
            socket.close(Some(CloseFrame { code, reason: ended.name().into() })).await?;
            Ok::<_, Error>(drain(socket.get_mut()).await?)
        };
        // Whether it hears so does not matter.
        let _ = timeout(BYE_TIMEOUT, farewell).await;
    }

    async fn read(&mut self) -> Result<std::convert::Infallible, Ended> {
        let mut pings = tokio::time::interval(self.shared.config.ping_interval());
        loop {
            let read = tokio::select! {
                biased;
                told = self.session.told() => return Err(told),
                _ = pings.tick() => {
                    self.ping().await?;
                    continue;
                }
                read = timeout(self.shared.config.idle_timeout(), self.socket.next()) => read,
            };
            let message = match read {
                Err(_elapsed) => return Err(Ended::Idle),
                Ok(None) => return Err(Ended::Closed),
                Ok(Some(Err(error))) => return Err(self.failed(error)),
                Ok(Some(Ok(message))) => message,
            };
            self.session.bytes += u64::try_from(message.len()).unwrap_or(0);
            match message {
                Message::Binary(bytes) => self.take(&bytes)?,
                Message::Text(text) => self.take(&Bytes::from(text))?,
                Message::Pong(_) => {
                    if let Some(sent) = self.ping.take() {
                        self.session.intake.publisher().round_trip(sent.elapsed());
                    }
                }
                Message::Close(_) => return Err(Ended::Closed),
                Message::Ping(_) | Message::Frame(_) => {}
            }
            self.session.turn().await?;
        }
    }

    fn take(&mut self, message: &Bytes) -> Result<(), Ended> {
        match Pushed::read(message) {
            Pushed::Picture(jpeg) => self.session.intake.take(&jpeg, None)?,
            Pushed::Status(json) => match status::read(&json) {
                Some(status) => self.status(status),
                None => metrics::counter!("larder_camera_messages_passed_over_total").increment(1),
            },
            Pushed::Other => metrics::counter!("larder_camera_messages_passed_over_total").increment(1),
        }
        Ok(())
    }

    fn status(&mut self, status::Status { mut telemetry, probe }: status::Status) {
        let is_first = self.probe.is_none();
        let may_come = self.probe.is_none_or(|last| last.elapsed() >= SOONEST_READING);
        if let Some(value) = probe {
            self.statuses += 1;
            let value = value.filter(|value| !(is_first && *value == POWER_ON));
            telemetry.sensors = vec![Reading { index: 0, seq: self.statuses, t_us: 0, value, error_count: 0 }];
            if may_come {
                self.probe = Some(Instant::now());
                self.shared.probes.of_a_board(self.session.intake.camera(), value);
            }
        }
        self.session.intake.publisher().telemetry(telemetry);
    }

    /// A board that answers is there, even when it sends no pictures.
    async fn ping(&mut self) -> Result<(), Ended> {
        self.ping = Some(Instant::now());
        let sending = pin!(self.socket.send(Message::Ping(Bytes::new())));
        match timeout(WRITE_TIMEOUT, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Error::Io(error))) => Err(Ended::Write(Some(error))),
            Ok(Err(_)) => Err(Ended::Closed),
            Err(_elapsed) => Err(Ended::Write(None)),
        }
    }

    fn failed(&mut self, error: Error) -> Ended {
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Ended::Closed,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ended::Cut,
            Error::Io(error) => Ended::Read(error),
            Error::Capacity(error) => {
                self.session.intake.refused(PartError::TooLarge.name());
                Ended::Foreign(error.to_string())
            }
            other => Ended::Foreign(other.to_string()),
        }
    }
}
