//! How long measured data is kept.

use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{Retention, Timestamp};
use async_trait::async_trait;

use super::Result;

/// What bounds an account's retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSetting {
    /// The most that its plan keeps.
    pub plan: Retention,
    /// What the account chose; it may be more than the plan keeps, if the plan has become a smaller one since.
    pub chosen: Option<Retention>,
}

impl RetentionSetting {
    /// What is kept.
    #[must_use]
    pub fn effective(&self) -> Retention {
        self.chosen.map_or(self.plan, |chosen| chosen.shorter(self.plan))
    }
}

/// Which measured rows an account still takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestRetention {
    /// What is kept.
    pub retention: Retention,
    /// Samples before it may have gone into summaries, where nobody can see whether they are counted already.
    pub folded_before: Timestamp,
}

impl IngestRetention {
    /// Metrics before this moment are too old to be taken.
    #[must_use]
    pub fn oldest_metric(&self, now: Timestamp) -> Timestamp {
        self.retention.raw_start(now).max(self.folded_before)
    }

    /// Speed tests and traceroutes before this moment are too old to be taken.
    #[must_use]
    pub const fn oldest_record(&self, now: Timestamp) -> Timestamp {
        self.retention.hourly_start(now)
    }
}

/// How long an account's measured data is kept: as long as its plan does, or shorter by its own choice.
#[async_trait]
pub trait RetentionRepository: Send + Sync {
    /// What bounds it.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn retention_of(&self, scope: &Scope<ReadAccount>) -> Result<RetentionSetting>;

    /// Chooses; `None` keeps as much as the plan does. What has gone does not come back. Audited.
    ///
    /// # Errors
    /// [`StorageError::BeyondPlan`](crate::StorageError::BeyondPlan) if a step is longer than the plan keeps;
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn retention_set(
        &self,
        scope: &Scope<ManageAccount>,
        choice: Option<Retention>,
        now: Timestamp,
    ) -> Result<()>;

    /// Which rows are still taken, as of a moment ago: fit to be asked for each batch.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn retention_for_ingest(&self, scope: &Scope<Ingest>) -> Result<IngestRetention>;
}
