//! The recorder's formats: what ffmpeg is given, and what comes out of it.

#[path = "../../../daemon/src/recorder/ebml.rs"]
mod ebml;
#[path = "../../../daemon/src/recorder/fragments.rs"]
#[allow(dead_code, reason = "of the hub's module, only what reads a stream")]
mod fragments;
#[path = "../../../daemon/src/recorder/made.rs"]
#[allow(clippy::unwrap_used, reason = "the hub has it for its tests alone")]
mod made;
#[path = "../../../daemon/src/recorder/matroska.rs"]
mod matroska;
#[path = "../../../daemon/src/recorder/mp4.rs"]
mod mp4;

mod boxes;
mod pictures;
mod stream;

pub(crate) use boxes::mp4;
pub(crate) use pictures::matroska;
pub(crate) use stream::fragments;
