use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use astranetmon_domain::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

/// How long to wait before the next try, in whole seconds, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Seconds.
    pub seconds: u32,
}

/// Keys that one guard remembers; memory stays bounded however many addresses somebody has.
const MAX_KEYS: usize = 100_000;

struct Guard<K: Hash + Eq + Clone> {
    keyed: DefaultKeyedRateLimiter<K>,
    /// Shared by all callers while the key set is full.
    overflow: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Guard<K> {
    fn new(quota: Quota) -> Self {
        let overflow = Quota::per_second(NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN));
        Self {
            keyed: RateLimiter::keyed(quota),
            overflow: RateLimiter::direct(overflow),
            clock: DefaultClock::default(),
        }
    }

    fn check(&self, key: &K) -> Result<(), Wait> {
        let refused =
            if self.keyed.len() < MAX_KEYS { self.keyed.check_key(key).err() } else { self.overflow.check().err() };
        refused.map_or(Ok(()), |until| {
            let wait = until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Err(Wait { seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) })
        })
    }

    fn sweep(&self) {
        self.keyed.retain_recent();
        self.keyed.shrink_to_fit();
    }
}

/// Failures to authenticate, per address; an IPv6 /64 counts as one address.
pub struct AddressGuard(Guard<IpAddr>);

impl AddressGuard {
    /// `per_minute` failures, all of which may come at once.
    #[must_use]
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self(Guard::new(Quota::per_minute(per_minute)))
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// [`Wait`] if the address has had too many.
    pub fn failure(&self, address: IpAddr) -> Result<(), Wait> {
        self.0.check(&network(address))
    }

    /// Forgets addresses whose failures are over. To be called each minute.
    pub fn sweep(&self) {
        self.0.sweep();
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// Requests of one person's dashboard.
pub struct SessionGuard(Guard<UserId>);

impl SessionGuard {
    /// `per_second` requests on average, `burst` at once.
    #[must_use]
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self(Guard::new(Quota::per_second(per_second).allow_burst(burst)))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Wait`] if it is one too many.
    pub fn request(&self, user_id: UserId) -> Result<(), Wait> {
        self.0.check(&user_id)
    }

    /// Forgets people who are idle. To be called each minute.
    pub fn sweep(&self) {
        self.0.sweep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_fail_so_often_and_a_64_counts_as_one() {
        let guard = AddressGuard::new(NonZeroU32::new(3).expect("not zero"));
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
            assert_eq!(guard.failure(address(host)), Ok(()));
        }
        let wait = guard.failure(address("2001:db8::9")).expect_err("the fourth");
        assert!((1..=20).contains(&wait.seconds), "{wait:?}");
        assert_eq!(guard.failure(address("2001:db8:0:1::1")), Ok(()));
        for host in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"] {
            assert_eq!(guard.failure(address(host)), Ok(()));
        }
        assert!(guard.failure(address("192.0.2.1")).is_err());
        assert_eq!(guard.failure(address("192.0.2.2")), Ok(()));
    }

    #[test]
    fn a_session_has_its_burst() {
        let guard = SessionGuard::new(NonZeroU32::MIN, NonZeroU32::new(5).expect("not zero"));
        assert_eq!((0..10).filter(|_| guard.request(UserId(1)).is_ok()).count(), 5);
        assert!(guard.request(UserId(2)).is_ok());
    }
}
