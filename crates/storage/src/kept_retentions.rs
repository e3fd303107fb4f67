use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use astranetmon_domain::AccountId;

use crate::repository::IngestRetention;

/// How long an answer is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// Accounts whose answers are kept.
const MOST_ACCOUNTS: usize = 10_000;

/// What accounts keep, as it was read a moment ago: every batch of every agent asks for it.
#[derive(Default)]
pub(crate) struct KeptRetentions(Mutex<HashMap<AccountId, (Instant, IngestRetention)>>);

impl KeptRetentions {
    fn kept(&self) -> MutexGuard<'_, HashMap<AccountId, (Instant, IngestRetention)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, account: AccountId) -> Option<IngestRetention> {
        let kept = self.kept();
        kept.get(&account).filter(|(read_at, _)| read_at.elapsed() < BELIEVED_FOR).map(|(_, retention)| *retention)
    }

    /// `began` is when the look began that found it.
    pub(crate) fn keep(&self, account: AccountId, began: Instant, retention: IngestRetention) {
        let mut kept = self.kept();
        if kept.len() >= MOST_ACCOUNTS {
            kept.retain(|_, (read_at, _)| read_at.elapsed() < BELIEVED_FOR);
        }
        if kept.len() < MOST_ACCOUNTS {
            kept.insert(account, (began, retention));
        }
    }
}
