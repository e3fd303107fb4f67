use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_domain::Timestamp;
use async_trait::async_trait;
use moka::sync::Cache;

use crate::{ApiKey, ApiKeyState, KeyHash, KeyPrincipal};

/// How long a looked-up key is believed. Revocation and plan changes act within a second everywhere; the rest of the
/// second is for the look-up itself and the request.
const BELIEVED_FOR: Duration = Duration::from_millis(700);
const MAX_BELIEVED: u64 = 100_000;

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
    Unavailable(#[from] LookupError),
}

/// Turns presented keys into principals. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    lookup: Arc<dyn KeyLookup>,
    /// With the moment their look-up began: what changed after it may be missing in them.
    believed: Cache<[u8; 32], (Instant, Arc<KeyPrincipal>)>,
}

impl Authenticator {
    /// Over the keys of `lookup`.
    #[must_use]
    pub fn new(lookup: Arc<dyn KeyLookup>) -> Self {
        let believed = Cache::builder().max_capacity(MAX_BELIEVED).time_to_live(BELIEVED_FOR).build();
        Self { lookup, believed }
    }

    /// The principal behind the presented key at the time `now`.
    ///
    /// # Errors
    /// See [`AuthError`]; callers are told nothing of the difference but for `Unavailable`.
    pub async fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Arc<KeyPrincipal>, AuthError> {
        let hash = ApiKey::parse(presented).map_err(|_| AuthError::Malformed)?.hash();
        let principal = match self.believed.get(hash.as_bytes()) {
            Some((looked_up_at, principal)) if looked_up_at.elapsed() < BELIEVED_FOR => principal,
            _ => {
                let began_at = Instant::now();
                let found = self.lookup.api_key_find_by_hash(&hash).await?.ok_or(AuthError::Unknown)?;
                let found = Arc::new(found);
                self.believed.insert(*hash.as_bytes(), (began_at, Arc::clone(&found)));
                found
            }
        };
        match principal.key.state(now) {
            ApiKeyState::Live => Ok(principal),
            ApiKeyState::Expired { .. } => Err(AuthError::Expired),
            ApiKeyState::Revoked { .. } => Err(AuthError::Revoked),
        }
    }
}
