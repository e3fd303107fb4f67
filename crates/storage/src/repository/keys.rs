//! API keys and their use.

use astranetmon_auth::{ApiKeyRecord, ManageAccount, NewApiKey, Operator, OwnKey, ReadAccount, Scope};
use astranetmon_domain::{ApiKeyId, Timestamp};
use astranetmon_ratelimit::UsageCount;
use async_trait::async_trait;

use super::Result;

/// API keys. Finding one by its hash is [`KeyLookup`](astranetmon_auth::KeyLookup), a
/// supertrait of [`Storage`](super::Storage).
#[async_trait]
pub trait ApiKeyRepository: Send + Sync {
    /// Keeps a new key, with a plan window of its own. Audited.
    ///
    /// # Errors
    /// [`StorageError::TooMany`](crate::StorageError::TooMany) with [`ApiKeyRecord::MAX_LIVE_PER_ACCOUNT`] live keys.
    async fn api_key_create(
        &self,
        scope: &Scope<ManageAccount>,
        key: &NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKeyRecord>;

    /// The account's keys, newest first, dead ones too.
    async fn api_key_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<ApiKeyRecord>>;

    /// Replaces a live key: `successor` shares its plan window, the old key ends at `old_ends_at` at the latest.
    /// `None` if there is no such live key in the account. Audited.
    ///
    /// # Errors
    /// [`StorageError::TooMany`](crate::StorageError::TooMany) if both would live and be one too many; a roll that ends the old key at once is not.
    async fn api_key_roll(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        successor: &NewApiKey,
        old_ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>>;

    /// Ends a key for good; revoking twice keeps the first time. `None` if there is no such key in the account.
    /// Audited.
    async fn api_key_revoke(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>>;
}

/// How much each key was used.
#[async_trait]
pub trait UsageRepository: Send + Sync {
    /// Adds counts to those that are stored, and moves each key's last use forward.
    async fn usage_add(&self, operator: &Operator, counts: &[UsageCount]) -> Result<()>;

    /// The stored counts of one key from the hour of `since` on, oldest first; hours without requests are absent.
    async fn usage_by_hour(&self, scope: &Scope<OwnKey>, key_id: ApiKeyId, since: Timestamp)
    -> Result<Vec<UsageCount>>;

    /// The stored counts of all keys of the account, dead ones too, from the hour of `since` on: oldest first, then by
    /// key; hours without requests are absent.
    async fn usage_of_account(&self, scope: &Scope<ReadAccount>, since: Timestamp) -> Result<Vec<UsageCount>>;
}
