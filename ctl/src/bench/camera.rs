//! Sources at a fixed rate: a camera on the camera link, and the floor's.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use larder_proto::wire::camera::{ByeReason, Message};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Instant, Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    hub::Added,
    stamp::{Epoch, Stamp},
};
use crate::simulate::{Dial, Link, LinkError};

/// What a source sends.
#[derive(Clone)]
pub(super) struct Reel {
    pub(super) pictures: Arc<Vec<Vec<u8>>>,
    pub(super) fps: u32,
    pub(super) epoch: Epoch,
}

impl Reel {
    fn ticks(&self) -> Interval {
        let mut ticks = interval(Duration::from_secs(1) / self.fps.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    /// The picture of a number, captured now.
    fn picture(&self, number: u64) -> bytes::Bytes {
        let at = usize::try_from(number).unwrap_or(0) % self.pictures.len().max(1);
        let stamp = Stamp { number, captured_ns: self.epoch.now_ns() };
        stamp.into_picture(self.pictures.get(at).map(Vec::as_slice).unwrap_or_default())
    }
}

/// Is a camera until `stop`; how many pictures it sent.
pub(super) async fn film(
    address: SocketAddr,
    camera: Added,
    reel: Reel,
    stop: CancellationToken,
) -> Result<u64, LinkError> {
    let began = Instant::now();
    let t_us = || u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut link = Link::connect(&address.to_string(), &Dial::new(camera.id, camera.key), t_us()).await?;
    let mut ticks = reel.ticks();
    let mut sent = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            message = link.receive() => {
                if let Message::Ping(bytes) = message? {
                    link.send(&Message::Pong(bytes), t_us()).await?;
                }
            }
            _ = ticks.tick() => {
                link.send_frame(reel.picture(sent), t_us()).await?;
                sent += 1;
            }
        }
    }
    link.goodbye(ByeReason::Done, t_us()).await?;
    Ok(sent)
}

/// Is the floor's source until `stop`.
pub(super) async fn feed(address: SocketAddr, reel: Reel, stop: CancellationToken) -> Result<u64, LinkError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut ticks = reel.ticks();
    let mut sent = 0;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let picture = reel.picture(sent);
        stream.write_u32(u32::try_from(picture.len()).unwrap_or(0)).await?;
        stream.write_all(&picture).await?;
        sent += 1;
    }
    Ok(sent)
}
