//! Everything two of Larder's programs must agree on.
//!
//! [`pb`] is the gRPC control plane, generated from `proto/larder/v1/*.proto`, and [`Words`] names its enumerations for
//! people; [`wire`] is the camera's data plane, written by hand, and knows nothing of sockets.

/// The gRPC control plane, package `larder.v1`.
#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, reason = "generated code")]
pub mod pb {
    tonic::include_proto!("larder.v1");

    /// The compiled `FileDescriptorSet`, for server reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

pub mod wire;
mod words;

pub use words::Words;
