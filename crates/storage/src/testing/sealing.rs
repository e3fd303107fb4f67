//! Storage that seals at once, so that the conformance suite meets chunks wherever it looks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use astranetmon_auth::Operator;
use astranetmon_domain::{AccountId, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::StorageError;
use crate::repository::{Expired, LeaseRepository};
use crate::retention::{RetentionStore, seal};

const OPERATOR: Operator = Operator::new("conformance");
const NAME: &str = "sealing at once";

/// When appended samples are sealed.
#[derive(Clone, Debug, Default)]
pub enum Sealing {
    /// By the job of retention only.
    #[default]
    ByJob,
    /// Behind each append all that can be: everything but the span of an agent's newest sample.
    AtOnce,
    /// Behind some appends some of it.
    Sometimes(Arc<Mutex<StdRng>>),
}

impl Sealing {
    /// Behind some appends some of it; the same seed makes the same choices.
    #[must_use]
    pub fn sometimes(seed: u64) -> Self {
        Self::Sometimes(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn spans(&self) -> u32 {
        match self {
            Self::ByJob => 0,
            Self::AtOnce => u32::MAX,
            Self::Sometimes(random) => random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..4),
        }
    }

    /// Seals, after something was appended to the account.
    pub(crate) async fn after_append(
        &self,
        storage: &(impl RetentionStore + LeaseRepository),
        account: AccountId,
    ) -> Result<(), StorageError> {
        let mut spans = self.spans();
        if spans == 0 {
            return Ok(());
        }
        let ttl = Duration::from_secs(60);
        let Some(lease) = storage.lease_acquire(&OPERATOR, NAME, "a test", ttl, Timestamp::MIN).await? else {
            // Another append seals.
            return Ok(());
        };
        let mut place = Some((String::new(), i64::MIN));
        while let Some((agent, from)) = place.filter(|_| spans > 0) {
            let mut sealed = Expired::default();
            place = seal(storage, &lease, account, (&agent, from), i64::MAX, &mut sealed).await?;
            spans -= u32::from(!sealed.is_empty());
        }
        storage.lease_release(&lease).await
    }
}
