use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use astranetmon_domain::{Timestamp, UserEmail};
use governor::Quota;

use crate::guard::{Guard, MAX_KEYS, Wait, network};

/// Wrong passwords in a row that cost no wait.
const FREE_FAILURES: u32 = 5;
/// The wait after the next one, in seconds; it doubles with each.
const FIRST_WAIT: i64 = 30;
const LONGEST_WAIT: i64 = 3_600;
/// Wrong passwords in a row for one person from devices that never signed that person in, from all addresses together
/// (NIST SP 800-63B-4 §3.2.2).
const STRANGERS_FAILURES: u32 = 100;
/// A row of failures is over when nothing was tried for so long, in seconds.
const FORGOTTEN_AFTER: i64 = 24 * 3_600;

/// A device that has signed a person in before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(pub [u8; 16]);

/// Who tries: a row of failures is kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    /// A device that this person has signed in with: nobody else's failures count against it.
    Device(u64, DeviceId),
    /// Any other from this address (an IPv6 /64).
    Address(u64, IpAddr),
    /// All others together.
    Strangers(u64),
}

#[derive(Clone, Copy, Debug)]
struct Row {
    failures: u32,
    last_at: Timestamp,
}

impl Row {
    /// Seconds from the last failure to the next try.
    fn wait(&self, source: &Source) -> i64 {
        let free = if matches!(source, Source::Strangers(_)) { STRANGERS_FAILURES } else { FREE_FAILURES };
        match self.failures.checked_sub(free) {
            None => 0,
            Some(_) if free == STRANGERS_FAILURES => LONGEST_WAIT,
            Some(more) => FIRST_WAIT.checked_shl(more.min(20)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT),
        }
    }
}

/// Bounds guesses of passwords without locking anybody out: a device that a person has signed in with answers for its
/// own failures only. Of this process; a restart forgets.
pub struct SignInGuard {
    addresses: Guard<IpAddr>,
    rows: Mutex<HashMap<Source, Row>>,
}

/// A sign-in that may be tried. It counts as failed until it is told to have succeeded, so that tries at the same time
/// do not pass together.
#[derive(Debug)]
#[must_use]
pub struct SignInAttempt {
    sources: Vec<Source>,
}

impl SignInGuard {
    /// `per_minute` tries from an address, all of which may come at once, by devices that are not known.
    #[must_use]
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self { addresses: Guard::new(Quota::per_minute(per_minute)), rows: Mutex::default() }
    }

    /// Counts a try to sign in as the person with that address, whether or not there is one.
    ///
    /// # Errors
    /// [`Wait`] if the password is not to be looked at.
    pub fn attempt(
        &self,
        email: &UserEmail,
        address: IpAddr,
        device: Option<DeviceId>,
        now: Timestamp,
    ) -> Result<SignInAttempt, Wait> {
        let person = fingerprint(email);
        let sources = match device {
            Some(device) => vec![Source::Device(person, device)],
            None => {
                self.addresses.check(&network(address))?;
                vec![Source::Address(person, network(address)), Source::Strangers(person)]
            }
        };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = sources.iter().filter_map(|source| {
            let row = rows.get(source).filter(|row| !is_over(row, now))?;
            let micros = row.last_at.plus_seconds(row.wait(source)).as_micros() - now.as_micros();
            (row.wait(source) > 0 && micros > 0).then_some((micros + 999_999) / 1_000_000)
        });
        if let Some(seconds) = wait.max() {
            return Err(Wait { seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) });
        }
        for source in &sources {
            // A full table forgets nobody: who is not in it yet passes by the guard of the address alone.
            if rows.len() >= MAX_KEYS && !rows.contains_key(source) {
                continue;
            }
            let row = rows.entry(*source).or_insert(Row { failures: 0, last_at: now });
            if is_over(row, now) {
                row.failures = 0;
            }
            row.failures = row.failures.saturating_add(1);
            row.last_at = now;
        }
        Ok(SignInAttempt { sources })
    }

    /// The password was right: the row of failures is over.
    pub fn succeeded(&self, attempt: SignInAttempt) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for source in attempt.sources {
            rows.remove(&source);
        }
    }

    /// Nobody looked at the password: the try does not count.
    pub fn withdrawn(&self, attempt: SignInAttempt) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for source in attempt.sources {
            if let Some(row) = rows.get_mut(&source) {
                row.failures = row.failures.saturating_sub(1);
            }
        }
    }

    /// Forgets what is over. To be called each minute.
    pub fn sweep(&self, now: Timestamp) {
        self.addresses.sweep();
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.retain(|_, row| row.failures > 0 && !is_over(row, now));
        rows.shrink_to_fit();
    }
}

fn is_over(row: &Row, now: Timestamp) -> bool {
    row.last_at.plus_seconds(FORGOTTEN_AFTER) <= now
}

/// Addresses are the callers' own text: the table keeps eight bytes of each.
fn fingerprint(email: &UserEmail) -> u64 {
    let mut hasher = DefaultHasher::new();
    email.as_str().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);
    const HERE: &str = "192.0.2.1";

    fn guard() -> SignInGuard {
        SignInGuard::new(NonZeroU32::new(1_000_000).expect("not zero"))
    }

    fn email(text: &str) -> UserEmail {
        text.parse().expect("an address")
    }

    /// Seconds to wait, 0 if it may be tried; the try fails.
    fn fail(guard: &SignInGuard, person: &str, address: &str, device: Option<u8>, at: Timestamp) -> u32 {
        let device = device.map(|number| DeviceId([number; 16]));
        match guard.attempt(&email(person), address.parse().expect("an address"), device, at) {
            Ok(_) => 0,
            Err(wait) => wait.seconds,
        }
    }

    #[test]
    fn five_failures_are_free_and_then_the_wait_doubles_up_to_an_hour() {
        let guard = guard();
        let mut now = START;
        for _ in 0..5 {
            assert_eq!(fail(&guard, "ada@example.com", HERE, None, now), 0);
        }
        for expected in [30_u32, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
            assert_eq!(fail(&guard, "ada@example.com", HERE, None, now), expected, "{expected}");
            assert_eq!(fail(&guard, "ada@example.com", HERE, None, now.plus_seconds(i64::from(expected) - 1)), 1);
            now = now.plus_seconds(i64::from(expected));
            assert_eq!(fail(&guard, "ada@example.com", HERE, None, now), 0, "{expected}");
        }
        assert_eq!(fail(&guard, "bob@example.com", HERE, None, now), 0, "another person");
        assert_eq!(fail(&guard, "ada@example.com", "192.0.2.2", None, now), 0, "another address");
    }

    #[test]
    fn a_right_password_ends_the_row_and_one_that_nobody_looked_at_does_not_count() {
        let guard = guard();
        for _ in 0..20 {
            let attempt = guard.attempt(&email("ada@example.com"), HERE.parse().expect("an address"), None, START);
            guard.withdrawn(attempt.expect("it may be tried"));
        }
        for _ in 0..4 {
            assert_eq!(fail(&guard, "ada@example.com", HERE, None, START), 0);
        }
        let attempt = guard.attempt(&email("ada@example.com"), HERE.parse().expect("an address"), None, START);
        guard.succeeded(attempt.expect("it may be tried"));
        for _ in 0..5 {
            assert_eq!(fail(&guard, "ada@example.com", HERE, None, START), 0);
        }
        assert!(fail(&guard, "ada@example.com", HERE, None, START) > 0);
    }

    #[test]
    fn an_attack_from_many_addresses_is_looked_at_100_times_and_does_not_lock_out_a_known_device() {
        let guard = guard();
        let evaluated = (0..1_000).filter(|number| {
            let address = format!("198.51.{}.{}", number % 200 / 100, number % 100);
            fail(&guard, "ada@example.com", &address, None, START.plus_seconds(number / 10)) == 0
        });
        assert_eq!(evaluated.count(), 100);
        let later = START.plus_seconds(101);
        assert!(fail(&guard, "ada@example.com", "203.0.113.1", None, later) > 3_000, "a new device waits");
        assert_eq!(fail(&guard, "ada@example.com", "198.51.0.1", Some(1), later), 0, "a known one does not");
        assert_eq!((1..10).filter(|_| fail(&guard, "ada@example.com", HERE, Some(1), later) == 0).count(), 4);
        assert_eq!(fail(&guard, "ada@example.com", HERE, Some(2), later), 0, "each known device for itself");
        assert_eq!(fail(&guard, "bob@example.com", HERE, None, later), 0);
    }

    #[test]
    fn a_row_is_forgotten_after_a_day_and_an_address_has_its_tries_a_minute() {
        let guard = SignInGuard::new(NonZeroU32::new(20).expect("not zero"));
        let tried = (0..40).filter(|number| fail(&guard, &format!("{number}@example.com"), HERE, None, START) == 0);
        assert_eq!(tried.count(), 20);
        assert_eq!(fail(&guard, "0@example.com", HERE, Some(1), START), 0, "known devices are not counted");
        guard.sweep(START.plus_seconds(FORGOTTEN_AFTER - 1));
        assert_eq!(guard.rows.lock().expect("not poisoned").len(), 41);
        guard.sweep(START.plus_seconds(FORGOTTEN_AFTER));
        assert!(guard.rows.lock().expect("not poisoned").is_empty());
    }
}
