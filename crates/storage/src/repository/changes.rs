//! Whether an account's data has changed.

use astranetmon_auth::{Scope, SeeChanges};
use async_trait::async_trait;

use super::Result;

/// The version of an account's data.
#[async_trait]
pub trait ChangeRepository: Send + Sync {
    /// A number that is another one after every change of what the account's readers see: its agents and their last
    /// reports, what they measured, and what has gone. Cheap: what this process has written is in it, what others have
    /// written is within a second.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn data_version(&self, scope: &Scope<SeeChanges>) -> Result<i64>;
}
