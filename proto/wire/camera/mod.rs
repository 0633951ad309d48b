//! The camera link, version 1: frames and telemetry from a camera, commands to it, over one TCP connection that the
//! camera dials. `proto/WIRE.md` gives every width.
//!
//! Sans-io, both roles. Bytes become a [`Packet`] by [`decode`], which checks the limits from the header alone; two
//! packets each way make a [`Session`] ([`CameraHandshake`], [`HubHandshake`]); from then on [`Incoming`] turns packets
//! into a [`Message`] (sequence and MAC checked) and [`Outgoing`] turns messages into bytes.

mod bye;
mod checksum;
mod command;
mod frame;
mod handshake;
mod header;
mod hello;
mod keys;
mod message;
mod packet;
mod session;
mod telemetry;
mod update;
mod welcome;

use super::fields;

pub use super::fields::PayloadError;
pub use bye::ByeReason;
pub use command::{Ack, AckResult, Command, Control, RegisterSetting};
pub use frame::{FRAME_PREFIX_LEN, FrameFlags, FrameInfo, FramePacket, ReceivedFrame};
pub use handshake::{CameraHandshake, CameraProven, HandshakeError, HubChallenged, HubHandshake, HubProof, early_bye};
pub use header::{Flags, HEADER_LEN, Header, HeaderError, Kind, MAGIC};
pub use hello::{AUTH_LEN, CHALLENGE_LEN, CameraState, Capabilities, Hello, ReadingMark, ResetReason};
pub use keys::KEY_LEN;
pub use message::Message;
pub use packet::{DecodeError, Limits, Packet, decode};
pub use session::{Incoming, Outgoing, Received, Session, SessionError};
pub use telemetry::{MOST_SENSORS, MilliCelsius, Pace, Reading, Telemetry};
pub use update::{DIGEST_LEN, Image, MOST_CHUNK, UpdateBegin, UpdateData, UpdateEnd, UpdateResult, UpdateStatus};
pub use welcome::{FrameMac, Size, Welcome};

/// The hub's TCP port.
pub const PORT: u16 = 7440;
/// The version spoken here.
pub const VERSION: u8 = 1;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 16;
/// Bytes of a message's MAC: HMAC-SHA256 cut short.
pub const MAC_LEN: usize = 16;
/// Bytes of a handshake MAC: HMAC-SHA256 whole.
pub const PROOF_LEN: usize = 32;
/// Bytes of a CRC-32.
pub const CRC_LEN: usize = 4;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
