//! Who is let in, who is not, and how that is told.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;
use crate::{
    addresses::{Claim, Claims},
    repeats::Repeats,
};

/// One listener's door.
pub(super) struct Door {
    pub(super) name: &'static str,
    limits: Limits,
    permits: Arc<Semaphore>,
    claims: Claims,
    troubles: Repeats,
}

/// A connection's place, given back when it is dropped.
pub(super) struct Place {
    listener: &'static str,
    _permit: OwnedSemaphorePermit,
    _claim: Option<Claim>,
}

impl Door {
    pub(super) fn new(name: &'static str, limits: Limits) -> Self {
        let permits = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
        Self { name, limits, permits, claims: Claims::new(limits.max_per_address), troubles: Repeats::default() }
    }

    /// Waits for a place. Cancel safe.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if self.permits.available_permits() == 0 {
            metrics::counter!("larder_http_connections_full_total", "listener" => self.name).increment(1);
            let message = "connections have to wait: as many are open as may";
            if let Some(unsaid) = self.troubles.note(message, self.name) {
                let most = self.limits.max_connections;
                tracing::warn!(listener = self.name, most, unsaid, "{message}");
            }
        }
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Makes a permit the place of a connection; `None` when its address has as many as it may.
    pub(super) fn admit(&self, permit: OwnedSemaphorePermit, peer: Option<SocketAddr>) -> Option<Place> {
        let claim = match peer {
            Some(peer) if is_counted(peer.ip()) => match self.claims.claim(peer.ip()) {
                Some(claim) => Some(claim),
                None => {
                    self.refused("too-many");
                    let message = "an address has as many connections as http.max_connections_per_address lets it";
                    if let Some(unsaid) = self.troubles.note(message, self.name) {
                        let most = self.limits.max_per_address;
                        tracing::warn!(listener = self.name, peer.address = %peer.ip(), most, unsaid, "{message}");
                    }
                    return None;
                }
            },
            _ => None,
        };
        metrics::gauge!("larder_http_connections", "listener" => self.name).increment(1.0);
        Some(Place { listener: self.name, _permit: permit, _claim: claim })
    }

    /// Counts a connection that comes to no request.
    pub(super) fn refused(&self, reason: &'static str) {
        let labels = [("listener", self.name), ("reason", reason)];
        metrics::counter!("larder_http_connections_refused_total", &labels).increment(1);
    }

    /// Counts a connection that the hub ends, and tells of it now and then.
    pub(super) fn cut(&self, reason: &'static str, peer: &impl std::fmt::Display) {
        let labels = [("listener", self.name), ("reason", reason)];
        metrics::counter!("larder_http_connections_cut_total", &labels).increment(1);
        let message = "a connection whose peer does not read was ended";
        if let Some(unsaid) = self.troubles.note(message, reason) {
            tracing::info!(listener = self.name, peer.address = %peer, reason, unsaid, "{message}");
        }
    }

    /// Counts a connection that could not be accepted, and tells of it now and then.
    pub(super) fn accept_failed(&self, error: &io::Error) {
        self.refused("accept-failed");
        let message = "a connection could not be accepted";
        if let Some(unsaid) = self.troubles.note(message, self.name) {
            tracing::warn!(listener = self.name, %error, unsaid, "{message}");
        }
    }

    /// Says the counts of what was not told. Never ends.
    pub(super) async fn tell_counts(self: Arc<Self>) {
        self.troubles.clone().tell_counts().await;
    }
}

/// A proxy or a test on this machine brings everybody's connections.
fn is_counted(address: IpAddr) -> bool {
    !address.to_canonical().is_loopback()
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("larder_http_connections", "listener" => self.listener).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_has_so_many_places_and_this_machine_any_number() {
        let door = Door::new("http", Limits { max_connections: 64, max_per_address: 2 });
        let knock = async |address: &str| {
            let permit = door.permit().await.unwrap();
            door.admit(permit, Some(SocketAddr::new(address.parse().unwrap(), 7)))
        };
        let held = [knock("2001:db8::1").await.unwrap(), knock("2001:db8::2").await.unwrap()];
        assert!(knock("2001:db8::3").await.is_none());
        assert!(knock("10.0.0.1").await.is_some());
        drop(held);
        assert!(knock("2001:db8::3").await.is_some());
        let mut own = Vec::new();
        for _ in 0..8 {
            own.extend([knock("127.0.0.1").await.unwrap(), knock("::1").await.unwrap()]);
            own.push(knock("::ffff:127.0.0.1").await.unwrap());
        }
        drop(own);
        assert_eq!(door.permits.available_permits(), 64, "a refused one keeps no place");
    }

    #[tokio::test]
    async fn more_places_than_can_be_counted_are_no_panic() {
        let door = Door::new("http", Limits { max_connections: usize::MAX, max_per_address: 1 });
        assert!(door.permit().await.is_some());
    }
}
