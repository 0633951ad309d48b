//! Listeners: TCP, TLS and the local socket, all serving an [`axum::Router`].
//!
//! [`bind_tcp`] and [`bind_unix`] take the place before anything is served; [`Bound::serve`] accepts. What a handler
//! may know of its connection is in the request's extensions: [`PeerAddress`], [`Secure`], [`PeerCredentials`].

mod bind;
mod connection;
mod stall;

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::sync::Semaphore;

pub use bind::{BindError, Bound, bind_tcp, bind_unix};

use crate::tasks::Tasks;

/// Request extension: where a TCP connection comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerAddress(pub SocketAddr);

/// Request extension: the connection is TLS. Absent on plain HTTP and on the local socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Secure;

/// Request extension: who is at the other end of the local socket, as the kernel says (SO_PEERCRED).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerCredentials {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Process, where the kernel knows it.
    pub pid: Option<i32>,
}

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
