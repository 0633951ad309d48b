//! Temperatures that come by themselves, a datagram each, beside the camera link. `proto/WIRE.md` gives every width.
//!
//! A camera signs what it sends: [`SealedDatagram::parse`] checks everything that needs no key and says whose it claims
//! to be; [`SealedDatagram::open`] checks that it is; [`Datagram::check_newer`] keeps out what was heard before.

mod datagram;

pub use datagram::{
    DATAGRAM_LEN, Datagram, DatagramError, HIGHEST, LOWEST, MAGIC, MOST_PROBES, ReadingKey, SealedDatagram, Status,
    VERSION,
};

/// The hub's UDP port.
pub const PORT: u16 = 7441;
