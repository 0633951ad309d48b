//! Who gets in, and who may do what.

mod caller;
mod peer;
pub mod policy;
mod role;

pub use caller::{Caller, Grant, SecretHash, Via};
pub use peer::{PeerAddress, PeerCredentials, Secure};
pub use policy::Permission;
pub use role::Role;
