//! Listeners: TCP, TLS and the local socket, all serving an [`axum::Router`].
//!
//! [`bind_tcp`] and [`bind_unix`] take the place before anything is served; [`Bound::serve`] accepts. What a handler
//! may know of its connection is in the request's extensions: [`PeerAddress`](crate::access::PeerAddress), [`Secure`](crate::access::Secure),
//! [`PeerCredentials`](crate::access::PeerCredentials).
//!
//! What is refused, and what ends because a peer does not read, is counted. `listener` is `http`, `https`, `grpc` or
//! `socket`.
//!
//! | counter | counts | labels |
//! |---|---|---|
//! | `larder_http_connections` | connections now (gauge) | `listener` |
//! | `larder_http_connections_refused_total` | connections that came to no request | `listener`, `reason`: `too-many` (of one address), `tls-failed`, `tls-too-slow`, `silent` (asked for nothing), `accept-failed` |
//! | `larder_http_connections_full_total` | moments in which every place was taken and connections had to wait | `listener` |
//! | `larder_http_connections_cut_total` | connections that the hub ended | `listener`, `reason`: `stalled` (took nothing in for 30 s), `unread` (let too many streams stand), `unresponsive` (answered no ping) |
//! | `larder_http_streams_cut_total` | HTTP/2 streams that the peer did not read for 30 s | `listener` |

mod bind;
mod connection;
mod door;
mod stall;
mod streams;

use std::sync::Arc;

use axum::Router;

pub use bind::{BindError, Bound, bind_tcp, bind_unix};

use crate::{parts::Recent, tasks::Tasks};

/// How a listener serves.
pub struct Serve {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// What answers.
    pub router: Router,
    /// TLS, or `None` for plain.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How many connections it takes.
    pub limits: Limits,
    /// Owns the accept loop and the connections; stopping it lets requests end and takes no new ones.
    pub tasks: Tasks,
    /// Where it is told that connections cannot be accepted.
    pub trouble: Recent,
}

/// How many connections a listener takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Of one address, or one /64 of IPv6; more are cut off. This machine's own are not counted.
    pub max_per_address: usize,
}

impl Bound {
    /// Accepts until the tasks are told to stop. A permit is taken before `accept`, so that a crowd waits in the
    /// kernel and not in our memory.
    pub fn serve(self, serve: Serve) {
        let tasks = serve.tasks.clone();
        tasks.spawn(connection::accept(self, serve));
    }
}

#[cfg(test)]
mod tests;
