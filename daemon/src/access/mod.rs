//! Who gets in, and who may do what.
//!
//! [`layer`] stands before every gRPC method and every HTTP route: it finds out who calls ([`Caller`]), looks up what
//! the request needs ([`Permission`], stated in [`policy`]), and lets it through or not. Nothing else decides, and
//! nothing in its way needs the database: [`Accounts`] keeps the gate's knowledge fresh.

mod accounts;
mod caller;
mod codes;
mod config;
mod credentials;
mod directory;
mod gate;
mod grant;
mod layer;
mod links;
mod origin;
mod password;
mod peer;
pub mod policy;
mod role;
mod secret;
mod service;
mod store;
mod throttle;

pub use accounts::Accounts;
pub use caller::{Caller, Via};
pub use config::Config;
pub use gate::Access;
pub use grant::Grant;
pub(crate) use layer::grpc_answer;
pub use layer::{Guard, Layer, layer};
pub use links::Links;
pub use peer::{PeerAddress, PeerCredentials, Secure};
pub use policy::Permission;
pub use role::Role;
pub use secret::SecretHash;
pub use service::Service;
