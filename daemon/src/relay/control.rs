//! The control stream of one viewer.

use std::time::Duration;

use bytes::BytesMut;
use larder_proto::wire::relay::{CloseCode, ControlError, HubMessage, ViewerMessage};

use super::transport::{Gone, Receiver, Sender};
use crate::bucket::Bucket;

/// Messages at once, and the time in which one more may come: 50 in ten seconds.
const MESSAGES: (u32, Duration) = (50, Duration::from_millis(200));
/// Reads at once, and the time in which one more may be: what is passed over is no message, and costs a read.
const READS: (u32, Duration) = (400, Duration::from_millis(25));
/// Room for a read; messages are mostly shorter than 40 bytes.
const READ_ROOM: usize = 256;
/// Before every frame.
const PRIORITY: i32 = i32::MAX;

/// Why nothing more is heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unheard {
    /// The connection is gone.
    Gone,
    /// The viewer broke a rule, and is told so.
    Broken(CloseCode),
}

impl From<Gone> for Unheard {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// Both directions.
pub(super) struct Control {
    sender: Sender,
    receiver: Receiver,
    input: BytesMut,
    messages: Bucket,
    reads: Bucket,
}

impl Control {
    pub(super) fn new(sender: Sender, receiver: Receiver) -> Self {
        sender.set_priority(PRIORITY);
        let bucket = |(most, refill)| Bucket::new(most, refill);
        Self { sender, receiver, input: BytesMut::new(), messages: bucket(MESSAGES), reads: bucket(READS) }
    }

    /// The next message; a viewer that ends its side is done. Cancel safe.
    pub(super) async fn hear(&mut self) -> Result<ViewerMessage, Unheard> {
        loop {
            match ViewerMessage::decode(&mut self.input) {
                Ok(Some(message)) => {
                    self.messages.take().or(Err(Unheard::Broken(CloseCode::TooMany)))?;
                    return Ok(message);
                }
                Ok(None) => {}
                Err(error) => return Err(broken(error)),
            }
            if self.input.capacity() == self.input.len() {
                self.input.reserve(READ_ROOM);
            }
            if !self.receiver.read(&mut self.input).await? {
                return Err(Unheard::Broken(CloseCode::Done));
            }
            self.reads.take().or(Err(Unheard::Broken(CloseCode::TooMany)))?;
        }
    }

    /// Says something. Waits for room.
    pub(super) async fn say(&mut self, message: &HubMessage) -> Result<(), Gone> {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        // Whether the viewer stopped listening does not matter: frames may go on.
        self.sender.write(bytes.freeze()).await.map(drop)
    }
}

fn broken(error: ControlError) -> Unheard {
    tracing::debug!(%error, "a viewer said what it may not");
    Unheard::Broken(CloseCode::Malformed)
}
