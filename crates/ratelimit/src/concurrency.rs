use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Callers remembered before idle ones are swept.
const SWEEP_AT: usize = 10_000;

/// Bounds what one caller, a key, a person or an agent, has in flight in this process.
#[derive(Debug)]
pub struct ConcurrencyGuard<K> {
    in_flight: usize,
    wait: Duration,
    callers: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// A request in flight; its place is free again when this is dropped.
#[derive(Debug)]
pub struct InFlight {
    _permit: OwnedSemaphorePermit,
}

impl<K: Eq + Hash> ConcurrencyGuard<K> {
    /// `in_flight` requests a caller at a time, more wait for at most `wait`.
    #[must_use]
    pub fn new(in_flight: usize, wait: Duration) -> Self {
        Self { in_flight, wait, callers: Mutex::default() }
    }

    /// A place for one request of the caller; `None` if none became free in time.
    pub async fn enter(&self, caller: K) -> Option<InFlight> {
        let semaphore = self.semaphore(caller);
        if let Ok(permit) = Arc::clone(&semaphore).try_acquire_owned() {
            return Some(InFlight { _permit: permit });
        }
        let permit = tokio::time::timeout(self.wait, semaphore.acquire_owned()).await.ok()?.ok()?;
        Some(InFlight { _permit: permit })
    }

    fn semaphore(&self, caller: K) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= SWEEP_AT {
            callers.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        Arc::clone(callers.entry(caller).or_insert_with(|| Arc::new(Semaphore::new(self.in_flight))))
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::ApiKeyId;

    use super::*;

    #[tokio::test]
    async fn a_key_has_its_places_and_no_more_and_others_have_their_own() {
        let guard = ConcurrencyGuard::new(2, Duration::from_millis(20));
        let first = guard.enter(ApiKeyId(1)).await.expect("free");
        let _second = guard.enter(ApiKeyId(1)).await.expect("free");
        assert!(guard.enter(ApiKeyId(1)).await.is_none());
        assert!(guard.enter(ApiKeyId(2)).await.is_some());
        drop(first);
        assert!(guard.enter(ApiKeyId(1)).await.is_some());
    }
}
