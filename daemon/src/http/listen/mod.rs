//! Listeners: TCP, TLS and the local socket, all serving an [`axum::Router`].
//!
//! [`bind_tcp`] and [`bind_unix`] take the place before anything is served; [`Bound::serve`] accepts. What a handler
//! may know of its connection is in the request's extensions: [`PeerAddress`](crate::access::PeerAddress), [`Secure`](crate::access::Secure),
//! [`PeerCredentials`](crate::access::PeerCredentials).

mod bind;
mod connection;
mod stall;

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;

pub use bind::{BindError, Bound, bind_tcp, bind_unix};

use crate::tasks::Tasks;

/// How a listener serves.
pub struct Serve {
    /// What answers.
    pub router: Router,
    /// TLS, or `None` for plain.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How many connections are open at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Owns the accept loop and the connections; stopping it lets requests end and takes no new ones.
    pub tasks: Tasks,
}

impl Bound {
    /// Accepts until the tasks are told to stop. A permit is taken before `accept`, so that a crowd waits in the
    /// kernel and not in our memory.
    pub fn serve(self, serve: Serve) {
        let permits = Arc::new(Semaphore::new(serve.max_connections));
        let tasks = serve.tasks.clone();
        tasks.spawn(connection::accept(self, serve, permits));
    }
}

#[cfg(test)]
mod tests;
