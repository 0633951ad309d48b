//! How many connections one stranger may have, so that one cannot take all the room there is.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// Who counts as one: an IPv4 address, or the /64 of an IPv6 address. A single host may take any address of its /64
/// (RFC 4291 section 2.5.4, RFC 8981), so counting those one by one would count nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Block(IpAddr);

impl Block {
    /// The block an address is in. `::ffff:10.0.0.1` is 10.0.0.1.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
            address => address,
        })
    }
}

/// Counts the connections of each [`Block`]; clones share the counts.
#[derive(Clone, Debug)]
pub struct Claims {
    most: usize,
    counts: Arc<Mutex<HashMap<Block, usize>>>,
}

/// One of a block's connections, until dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Claims,
    block: Block,
}

impl Claims {
    /// At most so many for each block.
    pub fn new(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// Counts one more; `None` when the address's block has as many as it may.
    pub fn claim(&self, address: IpAddr) -> Option<Claim> {
        let block = Block::of(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&block).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        counts.insert(block, count + 1);
        Some(Claim { claims: self.clone(), block })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut counts = self.claims.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.block) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let claims = Claims::new(2);
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        let held: Vec<_> = (0..3).filter_map(|_| claims.claim(one)).collect();
        assert_eq!(held.len(), 2);
        assert!(claims.claim(other).is_some(), "others are not kept out");
        drop(held);
        assert!(claims.claim(one).is_some());
        assert!(claims.counts.lock().unwrap().is_empty(), "nothing is kept of an address that is gone");
        assert!(Claims::new(0).claim(one).is_none());
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_and_the_next_one_as_another() {
        let claims = Claims::new(1);
        let _held = claims.claim(address("2001:db8:1:2::1")).unwrap();
        assert!(claims.claim(address("2001:db8:1:2:ffff:ffff:ffff:ffff")).is_none());
        assert!(claims.claim(address("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn ipv4_counts_alike_however_it_is_written_and_is_never_taken_together() {
        let claims = Claims::new(1);
        let _held = claims.claim(address("::ffff:10.0.0.1")).unwrap();
        assert!(claims.claim(address("10.0.0.1")).is_none());
        assert!(claims.claim(address("::ffff:10.0.0.2")).is_some());
        assert_ne!(Block::of(address("::1")), Block::of(address("127.0.0.1")));
    }
}
