//! gRPC: every service in one router, behind one stack of layers. It serves its own TLS port and the local socket,
//! and is merged into the HTTP router, where browsers speak gRPC-web.
//!
//! The layers, from the outside in, and why each stands where it does:
//!
//! 1. request id and trace: every answer is logged under an id, refusals too;
//! 2. limit: a call beyond what the hub can carry is refused at once and costs nothing more;
//! 3. gRPC-web: what is inside speaks gRPC alone;
//! 4. deadline: it covers everything after it, reading a request's body included;
//! 5. access: who calls, and whether it may;
//! 6. ending: a stream ends with its deadline, its caller's access, or the hub.

mod config;
mod deadline;
mod ending;
mod limit;
mod methods;
mod router;
#[cfg(test)]
mod tests;
mod trace;

pub use config::Config;
pub use router::{Services, router};
