use std::sync::Arc;

use astranetmon_auth::{ReadAgents, Scope};
use astranetmon_domain::{AccountId, Agent, Timestamp};
use astranetmon_storage::{Storage, StorageError};
use moka::sync::Cache;

/// Moments that are kept, of all accounts together.
const MOST_MOMENTS: u64 = 1 << 20;

/// Until when the agents of accounts are online. As long as an account's data stays the same, its agents' statuses
/// change by the passing of time alone: they are told from these moments, and no row is read.
pub(crate) struct OnlineTimes(Cache<AccountId, Kept>);

#[derive(Clone)]
struct Kept {
    /// Of the account's data.
    version: i64,
    /// In microseconds since 1970, rising.
    moments: Arc<[i64]>,
}

impl Default for OnlineTimes {
    fn default() -> Self {
        let weigher = |_: &AccountId, kept: &Kept| u32::try_from(kept.moments.len()).unwrap_or(u32::MAX).max(16);
        Self(Cache::builder().max_capacity(MOST_MOMENTS).weigher(weigher).build())
    }
}

impl OnlineTimes {
    /// How many of the account's agents have gone offline by `now`: with the version of its data, this tells all of
    /// their statuses.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn gone_offline(
        &self,
        storage: &dyn Storage,
        scope: &Scope<ReadAgents>,
        version: i64,
        now: Timestamp,
    ) -> Result<i64, StorageError> {
        let account = scope.account_id();
        let kept = match self.0.get(&account).filter(|kept| kept.version == version) {
            Some(kept) => kept,
            None => {
                let agents = storage.agent_page(scope, None, None).await?.agents;
                let enabled = agents.iter().filter(|agent| agent.disabled_at.is_none());
                let mut moments: Vec<i64> = enabled.filter_map(Agent::online_until).map(Timestamp::as_micros).collect();
                moments.sort_unstable();
                let kept = Kept { version, moments: moments.into() };
                self.0.insert(account, kept.clone());
                kept
            }
        };
        Ok(kept.moments.partition_point(|until| *until < now.as_micros()) as i64)
    }
}
