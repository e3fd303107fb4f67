use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use astranetmon_domain::{AccountId, ApiKeyId, Timestamp};

/// Requests of one key in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageCount {
    /// The key's account.
    pub account_id: AccountId,
    /// The key.
    pub key_id: ApiKeyId,
    /// Start of the hour, UTC.
    pub hour: Timestamp,
    /// Requests that were served.
    pub served: u64,
    /// Requests that were refused for the plan limit.
    pub refused: u64,
    /// The latest of them.
    pub last_used_at: Timestamp,
}

/// Counts requests by key and hour in memory, until somebody takes the counts to storage.
#[derive(Debug, Default)]
pub struct UsageRecorder {
    counts: Mutex<HashMap<(ApiKeyId, Timestamp), UsageCount>>,
}

impl UsageRecorder {
    /// Counts one request.
    pub fn record(&self, account_id: AccountId, key_id: ApiKeyId, refused: bool, now: Timestamp) {
        let hour = now.hour_start();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((key_id, hour)).or_insert(UsageCount {
            account_id,
            key_id,
            hour,
            served: 0,
            refused: 0,
            last_used_at: now,
        });
        count.served += u64::from(!refused);
        count.refused += u64::from(refused);
        count.last_used_at = count.last_used_at.max(now);
    }

    /// What has been counted of one key and not been taken yet.
    #[must_use]
    pub fn pending(&self, key_id: ApiKeyId) -> Vec<UsageCount> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().filter(|count| count.key_id == key_id).copied().collect()
    }

    /// Takes all counts. What cannot be stored is given back with [`UsageRecorder::put_back`].
    #[must_use]
    pub fn take(&self) -> Vec<UsageCount> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.drain().map(|(_, count)| count).collect()
    }

    /// Gives counts back that could not be stored.
    pub fn put_back(&self, taken: Vec<UsageCount>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for old in taken {
            counts
                .entry((old.key_id, old.hour))
                .and_modify(|count| {
                    count.served += old.served;
                    count.refused += old.refused;
                    count.last_used_at = count.last_used_at.max(old.last_used_at);
                })
                .or_insert(old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_key_and_hour_until_taken() {
        let recorder = UsageRecorder::default();
        let at = Timestamp::from_seconds;
        recorder.record(AccountId(1), ApiKeyId(1), false, at(3_599));
        recorder.record(AccountId(1), ApiKeyId(1), true, at(3_600));
        recorder.record(AccountId(1), ApiKeyId(1), false, at(3_700));
        recorder.record(AccountId(1), ApiKeyId(2), false, at(3_700));
        assert_eq!(recorder.pending(ApiKeyId(1)).len(), 2);
        let taken = recorder.take();
        assert_eq!(taken.len(), 3);
        assert!(recorder.pending(ApiKeyId(1)).is_empty());
        recorder.record(AccountId(1), ApiKeyId(1), false, at(3_800));
        recorder.put_back(taken);
        let mut counts = recorder.pending(ApiKeyId(1));
        counts.sort_by_key(|count| count.hour);
        assert_eq!((counts[1].served, counts[1].refused, counts[1].last_used_at), (2, 1, at(3_800)));
    }
}
