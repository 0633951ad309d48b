//! One frame's way to the viewer.

use std::time::Duration;

use bytes::Bytes;
use larder_proto::wire::relay::FrameHeader;
use tokio::time::{Instant, timeout_at};

use super::transport::{Gone, Sender, Taken, Transport};

/// A frame that is under way for so long is given up: what the viewer waits for is a newer one.
pub(super) const DEADLINE: Duration = Duration::from_millis(1500);
/// Where priorities begin anew; years at any rate.
const ORDERS: u64 = 1 << 30;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// The viewer has it whole.
    Arrived,
    /// The viewer did not want it.
    Unwanted,
    /// It was too long under way.
    Stale,
    /// The connection is over.
    Lost,
}

/// A frame whose way is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    pub(super) fate: Fate,
    pub(super) began: Instant,
    pub(super) age: Duration,
    pub(super) bytes: usize,
    /// As its header told.
    pub(super) skipped: u64,
}

/// Sends a frame on a stream of its own. `order` rises from frame to frame: the older is sent first, since a newer one
/// that is sent before it makes both late.
pub(super) async fn deliver(transport: Transport, order: u64, header: FrameHeader, jpeg: Bytes) -> Delivered {
    let began = Instant::now();
    let (bytes, skipped) = (jpeg.len(), u64::from(header.skipped));
    let fate = send(&transport, order, header, jpeg, began + DEADLINE).await.unwrap_or(Fate::Lost);
    Delivered { fate, began, age: began.elapsed(), bytes, skipped }
}

async fn send(
    transport: &Transport,
    order: u64,
    header: FrameHeader,
    jpeg: Bytes,
    deadline: Instant,
) -> Result<Fate, Gone> {
    let Ok(opened) = timeout_at(deadline, transport.open()).await else { return Ok(Fate::Stale) };
    let mut stream = opened?;
    stream.set_priority(-i32::try_from(order % ORDERS).unwrap_or_default());
    let sending = timeout_at(deadline, whole(&mut stream, header, jpeg)).await;
    match sending {
        Ok(taken) => taken.map(|taken| match taken {
            Taken::Whole => Fate::Arrived,
            Taken::Stopped => Fate::Unwanted,
        }),
        Err(_) => {
            stream.give_up();
            Ok(Fate::Stale)
        }
    }
}

async fn whole(stream: &mut Sender, header: FrameHeader, jpeg: Bytes) -> Result<Taken, Gone> {
    for bytes in [Bytes::copy_from_slice(&header.encode()), jpeg] {
        if let Some(taken) = stream.write(bytes).await? {
            return Ok(taken);
        }
    }
    stream.finish().await
}
