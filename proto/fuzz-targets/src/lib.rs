//! Properties of every decoder, each as a function of arbitrary bytes that panics when one does not hold.
//!
//! A fuzzer (`proto/fuzz`) looks for bytes that break one; `tests/corpora.rs` tries the kept ones, as a part of
//! `make test`. The camera link, datagrams, JPEG and what boards say come from `larder-proto`. What is the hub's own is compiled here again from
//! its sources: its modules stay private, and a fuzzer need not build the hub.

#[path = "../../../daemon/src/files.rs"]
#[allow(dead_code, unreachable_pub, reason = "of the hub's module, only what its secrets need")]
mod files;

#[path = "../../../daemon/src/secrets.rs"]
#[allow(dead_code, unreachable_pub, reason = "of the hub's module, only what its decoders need")]
mod secrets;

mod access;
mod boards;
mod hls;
mod input;
mod jpeg;
mod link;
mod reading;
mod recorder;
mod recordings;
mod relay;

/// Tries one input. Panics when a property does not hold.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its fuzzer and of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("packet", link::packet),
    ("message", link::message),
    ("hub_handshake", link::hub_handshake),
    ("camera_handshake", link::camera_handshake),
    ("session", link::session),
    ("datagram", reading::datagram),
    ("jpeg", jpeg::jpeg),
    ("multipart", boards::multipart),
    ("pushed", boards::pushed),
    ("relay_control", relay::control),
    ("relay_frame", relay::frame_header),
    ("fragments", recorder::fragments),
    ("mp4", recorder::mp4),
    ("matroska", recorder::matroska),
    ("index", recordings::index),
    ("range", hls::range),
    ("moment", hls::moment),
    ("grant", access::grant),
    ("credentials", access::credentials),
];

/// Tries one input of a target.
///
/// # Panics
/// When a property does not hold, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(found, _)| *found == name).expect("a target of that name");
    target(data);
}
