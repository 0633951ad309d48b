//! Temperatures that come by themselves, a datagram each, beside the camera link. `proto/WIRE.md` gives every width.
//!
//! A camera signs what it sends: [`SealedDatagram::parse`] checks everything that needs no key and says whose it claims
//! to be; [`SealedDatagram::open`] checks that it is; [`Datagram::check_newer`] keeps out what was heard before.

mod datagram;
mod text;

pub use datagram::{
    DATAGRAM_LEN, Datagram, DatagramError, HIGHEST, LOWEST, MAGIC, MOST_PROBES, ReadingKey, SealedDatagram, Status,
    VERSION,
};
pub use text::{MOST_DEVICE, MOST_TEXT, TextError, TextReading};

/// The hub's UDP port.
pub const PORT: u16 = 7441;
/// Where boards send text that were made for another hub, if it is switched on.
pub const TEXT_PORT: u16 = 9090;
