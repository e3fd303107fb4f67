use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use astranetmon_domain::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long to wait before the next try, in whole seconds, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Seconds.
    pub seconds: u32,
}

/// Keys that one guard remembers; memory stays bounded however many addresses somebody has.
pub(crate) const MAX_KEYS: usize = 100_000;
/// How long an address is suspect after it was refused. Longer than it is refused for, or a flood would be let through
/// each time that the guard allows one more failure.
const SUSPECT_FOR: Duration = Duration::from_secs(60);
/// Look-ups that all suspect addresses together may have under way in this process, and how long one more waits.
const TURNS: usize = 2;
const TURN_WITHIN: Duration = Duration::from_secs(1);

pub(crate) struct Guard<K: Hash + Eq + Clone> {
    keyed: DefaultKeyedRateLimiter<K>,
    /// Shared by all callers while the key set is full.
    overflow: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Guard<K> {
    pub(crate) fn new(quota: Quota) -> Self {
        let overflow = Quota::per_second(NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN));
        Self {
            keyed: RateLimiter::keyed(quota),
            overflow: RateLimiter::direct(overflow),
            clock: DefaultClock::default(),
        }
    }

    pub(crate) fn check(&self, key: &K) -> Result<(), Wait> {
        let refused =
            if self.keyed.len() < MAX_KEYS { self.keyed.check_key(key).err() } else { self.overflow.check().err() };
        refused.map_or(Ok(()), |until| {
            let wait = until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Err(Wait { seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) })
        })
    }

    pub(crate) fn sweep(&self) {
        self.keyed.retain_recent();
        self.keyed.shrink_to_fit();
    }
}

/// Failures to authenticate, per address; an IPv6 /64 counts as one address.
pub struct AddressGuard {
    failures: Guard<IpAddr>,
    /// When each suspect address was refused last.
    refused_at: RwLock<HashMap<IpAddr, Instant>>,
    turns: Semaphore,
    turn_within: Duration,
}

/// A suspect address's turn to have a key looked up; it is the next one's when this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl AddressGuard {
    /// `per_minute` failures, all of which may come at once.
    #[must_use]
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self {
            failures: Guard::new(Quota::per_minute(per_minute)),
            refused_at: RwLock::default(),
            turns: Semaphore::new(TURNS),
            turn_within: TURN_WITHIN,
        }
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// [`Wait`] if the address has had too many; for a minute from then on it is suspect.
    pub fn failure(&self, address: IpAddr) -> Result<(), Wait> {
        let network = network(address);
        self.failures.check(&network).inspect_err(|_| {
            let mut refused_at = self.refused_at.write().unwrap_or_else(PoisonError::into_inner);
            if refused_at.len() < MAX_KEYS || refused_at.contains_key(&network) {
                refused_at.insert(network, Instant::now());
            }
        })
    }

    /// Whether the address was refused within the last minute. While too many were, every address is suspect.
    #[must_use]
    pub fn is_suspect(&self, address: IpAddr) -> bool {
        let refused_at = self.refused_at.read().unwrap_or_else(PoisonError::into_inner);
        refused_at.len() >= MAX_KEYS || refused_at.get(&network(address)).is_some_and(|at| at.elapsed() < SUSPECT_FOR)
    }

    /// A turn to look up a key that a suspect address presents; `None` if none came in time.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let permit = tokio::time::timeout(self.turn_within, self.turns.acquire()).await.ok()?.ok()?;
        Some(Turn { _permit: permit })
    }

    /// Forgets addresses whose failures are over. To be called each minute.
    pub fn sweep(&self) {
        self.failures.sweep();
        let mut refused_at = self.refused_at.write().unwrap_or_else(PoisonError::into_inner);
        refused_at.retain(|_, at| at.elapsed() < SUSPECT_FOR);
        refused_at.shrink_to_fit();
    }
}

/// The address, or the /64 of an IPv6 one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
    fn an_address_is_suspect_for_a_minute_after_it_was_refused() {
        let guard = AddressGuard::new(NonZeroU32::MIN);
        let [one, same, other] = ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|text| text.parse().expect("address"));
        assert_eq!(guard.failure(one), Ok(()));
        assert!(!guard.is_suspect(one));
        assert!(guard.failure(one).is_err());
        assert!(guard.is_suspect(one) && guard.is_suspect(same) && !guard.is_suspect(other));
        guard.sweep();
        assert!(guard.is_suspect(one));
        let a_minute_ago = Instant::now() - SUSPECT_FOR;
        guard.refused_at.write().expect("not poisoned").insert(network(one), a_minute_ago);
        assert!(!guard.is_suspect(one));
        guard.sweep();
        assert!(guard.refused_at.read().expect("not poisoned").is_empty());
    }

    #[tokio::test]
    async fn suspect_addresses_share_their_turns_and_wait_for_a_moment() {
        let guard = AddressGuard { turn_within: Duration::from_millis(20), ..AddressGuard::new(NonZeroU32::MIN) };
        let first = guard.turn().await.expect("free");
        let _second = guard.turn().await.expect("free");
        assert!(guard.turn().await.is_none());
        let (third, ()) = tokio::join!(guard.turn(), async { drop(first) });
        assert!(third.is_some());
    }

    #[test]
    fn a_session_has_its_burst() {
        let guard = SessionGuard::new(NonZeroU32::MIN, NonZeroU32::new(5).expect("not zero"));
        assert_eq!((0..10).filter(|_| guard.request(UserId(1)).is_ok()).count(), 5);
        assert!(guard.request(UserId(2)).is_ok());
    }
}
