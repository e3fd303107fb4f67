use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::Operator;
use astranetmon_storage::StorageError;
use tokio::time::{MissedTickBehavior, interval};

use crate::state::ApiState;

const FLUSH_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEEP_SESSIONS_EVERY: Duration = Duration::from_secs(60 * 60);

impl ApiState {
    /// Stores what has been counted since the last time, and with it when each key was last used.
    ///
    /// # Errors
    /// Those of the storage. If it is away, the counts are kept for the next time.
    pub async fn flush_usage(&self) -> Result<(), StorageError> {
        let counts = self.usage.take();
        if counts.is_empty() {
            return Ok(());
        }
        let stored = self.storage.usage_add(&Operator::new("count requests"), &counts).await;
        // What storage refuses for good would be refused again, and everybody's counts with it.
        if stored.as_ref().is_err_and(StorageError::is_retryable) {
            self.usage.put_back(counts);
        }
        stored
    }

    /// Forgets callers that are idle, in memory.
    pub fn sweep(&self) {
        self.address_guard.sweep();
        self.session_guard.sweep();
        self.sign_in_guard.sweep(self.clock.now());
    }

    /// Forgets sessions that have ended by themselves, in storage; how many. Every instance may do so at any time.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn sweep_sessions(&self) -> Result<u64, StorageError> {
        self.storage.session_sweep(&Operator::new("forget ended sessions"), self.clock.now()).await
    }
}

/// What one process does beside answering: stores counts each five seconds, forgets idle callers each minute and ended
/// sessions each hour. Ends with `shutdown`, after having stored the last counts.
pub async fn run_background(state: Arc<ApiState>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let (mut flush, mut sweep) = (interval(FLUSH_EVERY), interval(SWEEP_EVERY));
    let mut sweep_sessions = interval(SWEEP_SESSIONS_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweep_sessions.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Only the waiting is given up at shutdown, never a flush half-way.
        tokio::select! {
            () = &mut shutdown => break,
            _ = flush.tick() => flush_and_log(&state).await,
            _ = sweep.tick() => state.sweep(),
            _ = sweep_sessions.tick() => {
                if let Err(error) = state.sweep_sessions().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "ended sessions cannot be forgotten");
                }
            }
        }
    }
    flush_and_log(&state).await;
}

async fn flush_and_log(state: &ApiState) {
    if let Err(error) = state.flush_usage().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "counts of requests cannot be stored");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use astranetmon_domain::{AccountId, ApiKeyId};

    use super::*;
    use crate::test_service::{START, TestService};

    fn stored(service: &TestService) -> Vec<(u64, u64)> {
        let counts = service.storage.usage.lock().expect("not poisoned");
        counts.iter().map(|count| (count.served, count.refused)).collect()
    }

    #[tokio::test]
    async fn counts_that_cannot_be_stored_are_stored_the_next_time() {
        let service = TestService::new().await;
        let record = |refused| service.state.usage.record(AccountId(7), ApiKeyId(1), refused, START);
        record(false);
        service.storage.away.store(true, Ordering::SeqCst);
        assert!(service.state.flush_usage().await.is_err());
        record(true);
        service.storage.away.store(false, Ordering::SeqCst);
        service.state.flush_usage().await.expect("stored");
        service.state.flush_usage().await.expect("nothing to store");
        assert_eq!(stored(&service), [(1, 1)]);
    }

    #[tokio::test]
    async fn the_last_counts_are_stored_at_shutdown() {
        let service = TestService::new().await;
        let state = Arc::clone(&service.state);
        run_background(Arc::clone(&state), async move {
            tokio::task::yield_now().await;
            state.usage.record(AccountId(7), ApiKeyId(1), false, START);
        })
        .await;
        assert_eq!(stored(&service), [(1, 0)]);
    }
}
