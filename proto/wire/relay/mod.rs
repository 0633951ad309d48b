//! The relay, version 1: live frames over QUIC to a viewer that may be far away. `proto/WIRE.md` gives every width.
//!
//! Sans-io, both roles. The viewer opens one bidirectional stream, the control stream, on which [`ViewerMessage`]s and
//! [`HubMessage`]s travel, each decoded as soon as it is whole. Each frame comes on a unidirectional stream of its own: a
//! [`FrameHeader`], the JPEG, and the stream's end. In a browser the same runs inside a WebTransport session.

mod close;
mod control;
mod frame;
mod hub;
mod viewer;
mod wish;

pub use close::CloseCode;
pub use control::{ControlError, MOST_PAYLOAD};
pub use frame::{FRAME_HEADER_LEN, FrameHeader, FrameHeaderError, MOST_FRAME, RESET_STALE};
pub use hub::{HubMessage, LimitedBy, Presence, Status, Welcome};
pub use viewer::{Hello, Report, ViewerMessage};
pub use wish::{Rate, Wish};

/// The hub's UDP port.
pub const PORT: u16 = 7443;
/// What a native viewer and the hub agree on in the TLS handshake (RFC 7301).
pub const ALPN: &[u8] = b"larder/1";
/// What browsers ask for: HTTP/3, and the same inside a session of WebTransport.
pub const WEB_ALPN: &[u8] = b"h3";
/// The path of a WebTransport session (draft-ietf-webtrans-http3, section 3.2).
pub const WEB_PATH: &str = "/live";
/// The version spoken here.
pub const VERSION: u8 = 1;
/// The most frames that are sent and not acknowledged.
pub const MOST_WINDOW: u8 = 16;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
