//! What a listener knows of a connection. It puts these into the extensions of each request; a peer cannot.

use std::net::SocketAddr;

/// Who is at the other end of the local socket, as the kernel says (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerCredentials {
    /// Effective user.
    pub uid: u32,
    /// Effective primary group.
    pub gid: u32,
}

impl PeerCredentials {
    /// Those of this process.
    pub fn own() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    /// Whether this peer is the daemon's own people: root, its user, or its group.
    pub fn is_local_admin(self, daemon: Self) -> bool {
        self.uid == 0 || self.uid == daemon.uid || self.gid == daemon.gid
    }
}

/// Where the other end of a TCP connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerAddress(pub SocketAddr);

/// The request came over TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Secure;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_daemons_user_and_group_are_local_admins() {
        let daemon = PeerCredentials { uid: 990, gid: 991 };
        let peer = |uid, gid| PeerCredentials { uid, gid }.is_local_admin(daemon);
        assert!(peer(0, 5) && peer(990, 5) && peer(5, 991));
        assert!(!peer(991, 990) && !peer(5, 0) && !peer(u32::MAX, u32::MAX));
    }
}
