//! How often one address may try to sign in.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

/// Addresses remembered at once. When so many are in their waiting time, new ones wait too: it is an attack.
const MOST_ADDRESSES: usize = 4096;

/// Counts attempts per address; an IPv6 address stands for its /64, which one host has whole.
pub(super) struct Throttle<C: Clock = DefaultClock> {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
}

impl Throttle {
    /// `burst` attempts at once, then one each `refill`.
    pub(super) fn new(burst: NonZeroU32, refill: Duration) -> Self {
        Self::with_clock(burst, refill, DefaultClock::default())
    }
}

impl<C: Clock> Throttle<C> {
    fn with_clock(burst: NonZeroU32, refill: Duration, clock: C) -> Self {
        let quota = Quota::with_period(refill).map_or(Quota::per_minute(burst), |quota| quota.allow_burst(burst));
        Self { limiter: RateLimiter::new(quota, DashMapStateStore::default(), clock) }
    }

    /// Counts an attempt. `false` when it is one too many.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        if self.limiter.len() >= MOST_ADDRESSES {
            self.limiter.retain_recent();
            if self.limiter.len() >= MOST_ADDRESSES {
                return false;
            }
        }
        self.limiter.check_key(&network(address)).is_ok()
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn throttle() -> (Throttle<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Throttle::with_clock(NonZeroU32::new(3).unwrap(), Duration::from_secs(6), clock.clone()), clock)
    }

    #[test]
    fn one_address_waits_and_another_does_not() {
        let (throttle, clock) = throttle();
        let attacker: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!((0..5).map(|_| throttle.allows(attacker)).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert!(!throttle.allows("::ffff:192.0.2.1".parse().unwrap()), "the same address, mapped");
        assert!(throttle.allows("192.0.2.2".parse().unwrap()));
        clock.advance(Duration::from_secs(6));
        assert!(throttle.allows(attacker) && !throttle.allows(attacker));
    }

    #[test]
    fn a_host_does_not_escape_through_its_other_ipv6_addresses() {
        let (throttle, _) = throttle();
        let allowed = (0..9_u16).filter(|n| throttle.allows(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, *n).into()));
        assert_eq!(allowed.count(), 3);
        assert!(throttle.allows("2001:db8:1:3::1".parse().unwrap()));
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let (throttle, clock) = throttle();
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..MOST_ADDRESSES {
            assert!(throttle.allows(address(n)));
        }
        assert!(!throttle.allows(address(MOST_ADDRESSES)));
        clock.advance(Duration::from_secs(60));
        assert!(throttle.allows(address(MOST_ADDRESSES)));
    }
}
