use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use astranetmon_domain::Timestamp;
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::{ApiKey, ApiKeyState, KeyHash, KeyPrincipal};

/// How long a looked-up key is believed. Revocation and plan changes act within a second everywhere; the rest of the
/// second is for the look-up itself and the request.
const BELIEVED_FOR: Duration = Duration::from_millis(700);
const MAX_FOUND: u64 = 100_000;

/// Where keys are kept. Implemented by storage.
#[async_trait]
pub trait KeyLookup: Send + Sync {
    /// The key of that hash with its account's plan, whatever its state; `None` if there never was one.
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> Result<Option<KeyPrincipal>, LookupError>;
}

/// Keys cannot be looked up at the moment.
#[derive(Debug, thiserror::Error)]
#[error("keys cannot be looked up")]
pub struct LookupError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Why a presented key is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Wrong form or checksum; nothing was looked up.
    #[error("malformed key")]
    Malformed,
    /// No such key.
    #[error("unknown key")]
    Unknown,
    /// It ended by itself.
    #[error("expired key")]
    Expired,
    /// Somebody ended it.
    #[error("revoked key")]
    Revoked,
    /// It cannot be told at the moment.
    #[error(transparent)]
    Unavailable(Arc<LookupError>),
}

/// What a look-up came to, for all who wait for it.
type Found = Result<Option<Arc<KeyPrincipal>>, Arc<LookupError>>;
/// Look-ups under way, with the moment they began. They live as long as somebody waits for them.
type Running = Arc<Mutex<HashMap<[u8; 32], (Instant, WeakShared<BoxFuture<'static, Found>>)>>>;

/// Turns presented keys into principals. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    lookup: Arc<dyn KeyLookup>,
    /// Keys that exist, with the moment their look-up began: what changed after it may be missing in them. They are
    /// kept longer than they are believed, since a key that exists is no stranger.
    found: Cache<[u8; 32], (Instant, Arc<KeyPrincipal>)>,
    running: Running,
}

impl Authenticator {
    /// Over the keys of `lookup`.
    #[must_use]
    pub fn new(lookup: Arc<dyn KeyLookup>) -> Self {
        let found = Cache::builder().max_capacity(MAX_FOUND).eviction_policy(EvictionPolicy::lru()).build();
        Self { lookup, found, running: Running::default() }
    }

    /// The principal behind the presented key at the time `now`.
    ///
    /// # Errors
    /// See [`AuthError`]; callers are told nothing of the difference but for `Unavailable`.
    pub async fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Arc<KeyPrincipal>, AuthError> {
        let hash = ApiKey::parse(presented).map_err(|_| AuthError::Malformed)?.hash();
        let principal = match self.found.get(hash.as_bytes()) {
            Some((began_at, principal)) if began_at.elapsed() < BELIEVED_FOR => principal,
            _ => self.look_up(hash).await.map_err(AuthError::Unavailable)?.ok_or(AuthError::Unknown)?,
        };
        match principal.key.state(now) {
            ApiKeyState::Live => Ok(principal),
            ApiKeyState::Expired { .. } => Err(AuthError::Expired),
            ApiKeyState::Revoked { .. } => Err(AuthError::Revoked),
        }
    }

    /// Whether only storage can tell if the presented text is a key: it is well-formed, as anybody can make it, and
    /// was never found here.
    #[must_use]
    pub fn is_stranger(&self, presented: &str) -> bool {
        ApiKey::parse(presented).is_ok_and(|key| !self.found.contains_key(key.hash().as_bytes()))
    }

    /// One look-up for all who ask for the same key at the same time.
    fn look_up(&self, hash: KeyHash) -> Shared<BoxFuture<'static, Found>> {
        let mut running = lock(&self.running);
        // One that began too long ago may miss what changed before this caller asked.
        if let Some((began_at, look_up)) = running.get(hash.as_bytes())
            && began_at.elapsed() < BELIEVED_FOR
            && let Some(look_up) = look_up.upgrade()
        {
            return look_up;
        }
        let began_at = Instant::now();
        let entry = RunningEntry { running: Arc::clone(&self.running), hash, began_at };
        let (lookup, found) = (Arc::clone(&self.lookup), self.found.clone());
        let look_up = async move {
            let _entry = entry;
            let answer = lookup.api_key_find_by_hash(&hash).await.map_err(Arc::new)?.map(Arc::new);
            match &answer {
                Some(principal) => found.insert(*hash.as_bytes(), (began_at, Arc::clone(principal))),
                None => found.invalidate(hash.as_bytes()),
            }
            Ok(answer)
        };
        let look_up = look_up.boxed().shared();
        if let Some(weak) = look_up.downgrade() {
            running.insert(*hash.as_bytes(), (began_at, weak));
        }
        look_up
    }
}

/// Takes a look-up off the list when it is done, or given up by all who waited.
struct RunningEntry {
    running: Running,
    hash: KeyHash,
    began_at: Instant,
}

impl Drop for RunningEntry {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        // A later one may have taken its place.
        if running.get(self.hash.as_bytes()).is_some_and(|(began_at, _)| *began_at == self.began_at) {
            running.remove(self.hash.as_bytes());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use astranetmon_domain::{AccountId, ApiKeyId, Plan, QuotaWindowId};
    use futures_util::future::join_all;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{ApiKeyRecord, PermissionSet};

    const NOW: Timestamp = Timestamp::from_seconds(100);

    /// One key, if it is there; each look-up waits for a permit.
    struct Keys {
        key: KeyPrincipal,
        hash: KeyHash,
        is_there: AtomicBool,
        away: AtomicBool,
        permits: Semaphore,
        begun: AtomicUsize,
    }

    #[async_trait]
    impl KeyLookup for Keys {
        async fn api_key_find_by_hash(&self, hash: &KeyHash) -> Result<Option<KeyPrincipal>, LookupError> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            // As storage does, it answers as things stood when it began.
            let is_there = *hash == self.hash && self.is_there.load(Ordering::SeqCst);
            self.permits.acquire().await.expect("open").forget();
            if self.away.load(Ordering::SeqCst) {
                return Err(LookupError("away".into()));
            }
            Ok(is_there.then(|| self.key.clone()))
        }
    }

    fn key(number: u64) -> ApiKey {
        ApiKey::generate(&mut StdRng::seed_from_u64(number))
    }

    /// With key 1, and so many permits.
    fn keys(permits: usize) -> (Arc<Keys>, Authenticator, String) {
        let key = key(1);
        let record = ApiKeyRecord {
            id: ApiKeyId(1),
            account_id: AccountId(7),
            window_id: QuotaWindowId(1),
            name: "test".to_owned(),
            hint: key.hint(),
            permissions: PermissionSet::ALL,
            created_at: NOW,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        let keys = Arc::new(Keys {
            key: KeyPrincipal { key: record, plan: Plan::Starter },
            hash: key.hash(),
            is_there: AtomicBool::new(true),
            away: AtomicBool::new(false),
            permits: Semaphore::new(permits),
            begun: AtomicUsize::new(0),
        });
        (Arc::clone(&keys), Authenticator::new(keys), key.reveal().to_owned())
    }

    /// As if what is known or under way had begun long ago.
    fn age(authenticator: &Authenticator, hash: KeyHash) {
        let long_ago = Instant::now() - BELIEVED_FOR;
        if let Some((_, principal)) = authenticator.found.get(hash.as_bytes()) {
            authenticator.found.insert(*hash.as_bytes(), (long_ago, principal));
        }
        lock(&authenticator.running).values_mut().for_each(|(began_at, _)| *began_at = long_ago);
    }

    #[tokio::test]
    async fn all_who_ask_for_a_key_at_once_wait_for_one_look_up() {
        let (keys, authenticator, text) = keys(0);
        for round in 1..=3 {
            let asking = join_all((0..100).map(|_| authenticator.authenticate(&text, NOW)));
            let (answers, ()) = tokio::join!(asking, async { keys.permits.add_permits(1) });
            assert!(answers.iter().all(Result::is_ok));
            assert_eq!(keys.begun.load(Ordering::SeqCst), round);
            assert!(lock(&authenticator.running).is_empty());
            age(&authenticator, keys.hash);
        }
    }

    #[tokio::test]
    async fn a_key_is_believed_from_the_beginning_of_its_look_up() {
        let (keys, authenticator, text) = keys(0);
        let (answer, ()) = tokio::join!(authenticator.authenticate(&text, NOW), async {
            keys.is_there.store(false, Ordering::SeqCst);
            age(&authenticator, keys.hash);
            // Who asks now does not wait for the old look-up, which saw a key that is gone.
            let late = authenticator.authenticate(&text, NOW);
            let (late, ()) = tokio::join!(late, async { keys.permits.add_permits(2) });
            assert!(matches!(late, Err(AuthError::Unknown)));
        });
        assert!(answer.is_ok());
        assert_eq!(keys.begun.load(Ordering::SeqCst), 2);
        assert!(lock(&authenticator.running).is_empty());
    }

    #[tokio::test]
    async fn a_failed_look_up_is_told_to_all_who_wait_and_believed_by_nobody() {
        let (keys, authenticator, text) = keys(0);
        keys.away.store(true, Ordering::SeqCst);
        let asking = join_all((0..10).map(|_| authenticator.authenticate(&text, NOW)));
        let (answers, ()) = tokio::join!(asking, async { keys.permits.add_permits(1) });
        assert!(answers.iter().all(|answer| matches!(answer, Err(AuthError::Unavailable(_)))));
        assert_eq!(keys.begun.load(Ordering::SeqCst), 1);
        keys.away.store(false, Ordering::SeqCst);
        keys.permits.add_permits(1);
        assert!(authenticator.authenticate(&text, NOW).await.is_ok());
    }

    #[tokio::test]
    async fn a_look_up_that_everybody_gave_up_is_made_again() {
        let (keys, authenticator, text) = keys(0);
        assert!(authenticator.authenticate(&text, NOW).now_or_never().is_none());
        assert!(lock(&authenticator.running).is_empty());
        keys.permits.add_permits(1);
        assert!(authenticator.authenticate(&text, NOW).await.is_ok());
    }

    #[tokio::test]
    async fn a_stranger_is_a_well_formed_key_that_was_never_found() {
        let (keys, authenticator, text) = keys(9);
        assert!(authenticator.is_stranger(&text));
        assert!(authenticator.is_stranger(key(2).reveal()));
        assert!(!authenticator.is_stranger("astra_wrong"));

        authenticator.authenticate(&text, NOW).await.expect("live");
        assert!(authenticator.authenticate(key(2).reveal(), NOW).await.is_err());
        age(&authenticator, keys.hash);
        assert!(!authenticator.is_stranger(&text));
        assert!(authenticator.is_stranger(key(2).reveal()));

        keys.away.store(true, Ordering::SeqCst);
        assert!(authenticator.authenticate(&text, NOW).await.is_err());
        assert!(!authenticator.is_stranger(&text), "an outage makes no strangers");

        keys.away.store(false, Ordering::SeqCst);
        keys.is_there.store(false, Ordering::SeqCst);
        assert!(authenticator.authenticate(&text, NOW).await.is_err());
        assert!(authenticator.is_stranger(&text));
    }
}
