//! Where a camera's pictures come from, on the command line.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use larder_proto::pb::{
    CameraKey, CameraSource, GetStatusRequest,
    camera_source::{CameraLink, Kind, MjpegPull, WebSocketPush},
};

use super::CameraView;
use crate::{
    Failure, Out,
    client::{Hub, quick},
};

/// Where a camera's pictures come from; not given, it dials the hub, or goes on as it did.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Boards of another make (docs/boards.md)")]
pub struct SourceArgs {
    /// Fetch its pictures from this stream: http://192.168.1.30:81/stream, with user:password@ if it wants them
    #[arg(long, value_name = "URL", conflicts_with_all = ["websocket", "websocket_address", "camera_link"])]
    pub mjpeg_url: Option<String>,
    /// It pushes its pictures over WebSocket, to a secret path
    #[arg(long, conflicts_with = "camera_link")]
    pub websocket: bool,
    /// It pushes its pictures over WebSocket from this address, without a secret path (several times: several)
    #[arg(long, value_name = "IP", conflicts_with = "camera_link")]
    pub websocket_address: Vec<IpAddr>,
    /// It dials the hub, as Larder's own firmware does
    #[arg(long)]
    pub camera_link: bool,
}

impl SourceArgs {
    /// Whether it is to push its pictures.
    pub(super) fn pushes(&self) -> bool {
        self.websocket || !self.websocket_address.is_empty()
    }

    /// What was asked for, if anything was.
    pub(super) fn source(&self) -> Option<CameraSource> {
        let kind = if let Some(url) = &self.mjpeg_url {
            Kind::Mjpeg(MjpegPull { url: url.clone(), has_login: false })
        } else if self.pushes() {
            Kind::Websocket(WebSocketPush { addresses: self.websocket_address.iter().map(IpAddr::to_string).collect() })
        } else if self.camera_link {
            Kind::CameraLink(CameraLink {})
        } else {
            return None;
        };
        Some(CameraSource { kind: Some(kind) })
    }
}

/// Where a camera's pictures come from, in words.
pub(super) fn told(camera: &CameraView) -> String {
    let addresses = camera.websocket_addresses.join(", ");
    match (camera.source, &camera.source_url) {
        ("mjpeg", Some(url)) if camera.source_has_login => format!("fetched from {url}, with a user and password"),
        ("mjpeg", Some(url)) => format!("fetched from {url}"),
        ("websocket", _) if addresses.is_empty() => "pushed over WebSocket, to a secret path".to_owned(),
        ("websocket", _) => format!("pushed over WebSocket from {addresses}, or to a secret path"),
        _ => "it dials the hub".to_owned(),
    }
}

/// The port at which the hub listens for boards that push; `None`: it does not.
pub(super) async fn push_port(hub: &Hub) -> Result<Option<u16>, Failure> {
    let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
    let listener = status.listeners.into_iter().find(|listener| listener.name == "boards_websocket");
    Ok(listener.and_then(|listener| listener.address.parse::<SocketAddr>().ok()).map(|address| address.port()))
}

/// How a board that pushes is to be told where to.
pub(super) fn pushed(camera: &CameraView, key: &CameraKey, port: Option<u16>, out: &mut Out) -> Result<(), Failure> {
    if !camera.websocket_addresses.is_empty() {
        out.line(&format!("it is known by its address: {}", camera.websocket_addresses.join(", ")))?;
    }
    let path = &key.websocket_path;
    match port {
        Some(port) => out.line(&format!("let it connect to ws://HUB:{port}{path}"))?,
        None => {
            out.line(
                "the hub does not listen for it yet: set boards.websocket_address = \"[::]:8888\" and restart it",
            )?;
            out.line(&format!("then let it connect to ws://HUB:8888{path}"))?;
        }
    }
    out.line("This is the only time the path is shown.")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        source: SourceArgs,
    }

    fn parsed(line: &[&str]) -> Result<Option<Kind>, clap::Error> {
        let line = Line::try_parse_from([&["x"], line].concat())?;
        Ok(line.source.source().and_then(|source| source.kind))
    }

    #[test]
    fn each_source_has_its_words_and_two_do_not_go_together() {
        let websocket = |addresses: &[&str]| {
            Some(Kind::Websocket(WebSocketPush {
                addresses: addresses.iter().map(|&address| address.into()).collect(),
            }))
        };
        let url = "http://u:p@esp:81/stream";
        let mjpeg = Some(Kind::Mjpeg(MjpegPull { url: url.to_owned(), has_login: false }));
        assert_eq!(parsed(&[]).expect("parsed"), None);
        assert_eq!(parsed(&["--mjpeg-url", url]).expect("parsed"), mjpeg);
        assert_eq!(parsed(&["--websocket"]).expect("parsed"), websocket(&[]));
        let two = ["--websocket-address", "10.0.0.1", "--websocket-address", "fe80::1"];
        assert_eq!(parsed(&two).expect("parsed"), websocket(&["10.0.0.1", "fe80::1"]));
        assert_eq!(parsed(&["--camera-link"]).expect("parsed"), Some(Kind::CameraLink(CameraLink {})));
        for wrong in [
            &["--mjpeg-url", url, "--websocket"][..],
            &["--camera-link", "--websocket"],
            &["--camera-link", "--mjpeg-url", url],
            &["--websocket-address", "esp.local"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}
