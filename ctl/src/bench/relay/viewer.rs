//! Viewers: the one of `larderctl view`, and a player of MJPEG, each on its end of a line.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use larder_proto::wire::relay::Wish;
use tokio::{
    io::AsyncReadExt as _,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    super::{
        fanout::{
            Protocol,
            viewer::Endpoint,
            wire::{Heard, Mjpeg, Parser},
        },
        stamp::{Epoch, Stamp},
    },
    log::Log,
};
use crate::{
    Failure,
    target::{Remote, Secret, Target, Trust, read_authorities},
    view::{Asked, Dialer, EVENTS, Event, Keeper},
};

const READ: usize = 64 * 1024;

/// How a hub is looked at.
#[derive(Clone)]
pub(super) struct Looker {
    pub(super) camera: String,
    pub(super) token: String,
    pub(super) authority: std::path::PathBuf,
    pub(super) epoch: Epoch,
}

/// One who looks until it is dropped.
pub(super) struct Viewer {
    pub(super) log: Arc<Log>,
    /// How often it connected.
    pub(super) connects: watch::Receiver<u64>,
    pub(super) dialer: Option<Arc<Dialer>>,
    tasks: JoinSet<Result<(), Failure>>,
}

impl Looker {
    /// As `larderctl view` does, at the relay's address or a proxy's.
    pub(super) async fn relay(&self, at: SocketAddr) -> Result<Viewer, Failure> {
        let trust = Trust::Pinned(read_authorities(Path::new(&self.authority))?);
        let token = Some(Secret::from(self.token.clone()));
        let remote = Remote { host: "localhost".to_owned(), port: at.port(), trust, token };
        let place = (at.ip().to_string(), at.port());
        let dialer = Arc::new(Dialer::new(Target::Remote(remote), Some(place)).await?);
        let (out, mut events) = mpsc::channel(EVENTS);
        let (wishes, wished) = watch::channel(Wish::default());
        let asked = Asked { camera: self.camera.clone(), client: "larderctl bench".to_owned() };
        let keeper = Keeper { dialer: Arc::clone(&dialer), asked, wishes: wished, out };
        let (log, epoch) = (Arc::new(Log::default()), self.epoch);
        let (connected, connects) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.run());
        let noted = Arc::clone(&log);
        tasks.spawn(async move {
            // Nothing is wished while it lives, and it lives as long as somebody may wish.
            let _wishes = wishes;
            while let Some(event) = events.recv().await {
                match event {
                    Event::Live(_) => connected.send_modify(|connects| *connects += 1),
                    Event::Picture(picture) => {
                        if let Some(stamp) = Stamp::read(&picture.jpeg) {
                            noted.add(Duration::from_nanos(epoch.now_ns()), stamp);
                        }
                    }
                    Event::Status(_) | Event::RoundTrip(_) | Event::Away(..) => {}
                }
            }
            Ok(())
        });
        Ok(Viewer { log, connects, dialer: Some(dialer), tasks })
    }

    /// As a player does, at the HTTP port or a proxy's. It asks again when it is hung up on, as players do.
    pub(super) fn mjpeg(&self, at: SocketAddr) -> Viewer {
        let endpoint =
            Endpoint { protocol: Protocol::Mjpeg, address: at, camera: self.camera.clone(), token: self.token.clone() };
        let (log, epoch) = (Arc::new(Log::default()), self.epoch);
        let (connected, connects) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let noted = Arc::clone(&log);
        tasks.spawn(async move {
            loop {
                connected.send_modify(|connects| *connects += 1);
                // Why it ended shows in the figures.
                let _ended = play(&endpoint, epoch, &noted).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Viewer { log, connects, dialer: None, tasks }
    }
}

impl Viewer {
    /// Waits until so many pictures have come.
    pub(super) async fn has(&mut self, frames: usize, patience: Duration) -> Result<(), Failure> {
        let came = async {
            while self.log.len() < frames {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                    Some(Ok(Err(refused))) = self.tasks.join_next() => return Err(refused),
                }
            }
            Ok(())
        };
        let late = |_elapsed| Failure::Other(format!("no picture came within {} s", patience.as_secs()));
        tokio::time::timeout(patience, came).await.map_err(late)?
    }
}

async fn play(endpoint: &Endpoint, epoch: Epoch, log: &Log) -> io::Result<()> {
    let (mut stream, begun) = endpoint.connect().await?;
    let mut parser = Parser::Mjpeg(Mjpeg::default());
    let (mut buffer, mut heard) = (vec![0; READ], Vec::new());
    parser.feed(&begun, &mut heard).map_err(io::Error::other)?;
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        parser.feed(&buffer[..length], &mut heard).map_err(io::Error::other)?;
        for heard in heard.drain(..) {
            if let Heard::Picture(stamp, _) = heard {
                log.add(Duration::from_nanos(epoch.now_ns()), stamp);
            }
        }
    }
}
