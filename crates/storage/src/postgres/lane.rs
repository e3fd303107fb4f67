use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::pooled_connection::deadpool::{Hook, HookError, Object, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, PoolableConnection, RecyclingMethod,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};
use tokio_postgres::NoTls;

use super::failure::Failure;
use super::settings::Endpoint;
use crate::StorageError;

/// A connection that was idle for longer is asked for a sign of life before it is used: its server may have gone
/// without a word.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// Failures in a row after which calls fail at once.
const FAILURES_TO_OPEN: u32 = 5;
/// While calls fail at once, one is let through so often.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// Connections for one kind of work, with deadlines on everything, so that no kind waits for another.
pub(super) struct Lane {
    pool: Pool<AsyncPgConnection>,
    wait: Duration,
    breaker: Breaker,
}

impl Lane {
    /// At most `connections` to `endpoint`, none of them made yet.
    pub(super) fn new(endpoint: Endpoint, connections: usize, wait: Duration) -> Result<Self, StorageError> {
        let mut config = ManagerConfig::<AsyncPgConnection>::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let endpoint = endpoint.clone();
            async move { establish(&endpoint, wait).await }.boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
        let pool = Pool::builder(manager)
            .max_size(connections.max(1))
            .pre_recycle(Hook::async_fn(move |connection: &mut AsyncPgConnection, metrics| {
                let idle = metrics.last_used();
                async move {
                    if idle < TRUSTED_IDLE {
                        return Ok(());
                    }
                    let answer = timeout(
                        wait / 2,
                        diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1"))
                            .get_result::<i32>(connection),
                    );
                    match answer.await {
                        Ok(Ok(_)) => Ok(()),
                        Ok(Err(error)) => Err(HookError::Backend(PoolError::QueryError(error))),
                        Err(_) => Err(HookError::message("an idle connection is dead")),
                    }
                }
                .boxed()
            }))
            .build()
            .map_err(|error| StorageError::Internal { context: "making a pool", source: Some(Box::new(error)) })?;
        Ok(Self { pool, wait, breaker: Breaker::default() })
    }

    /// Does `work` on a connection, and ends within `deadline`. A connection that was not given back whole, because
    /// of the deadline or because the caller went away, is thrown away with whatever it was doing.
    pub(super) async fn call<T>(
        &self,
        context: &'static str,
        deadline: Duration,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, Failure>,
    ) -> Result<T, StorageError> {
        let away =
            |source: Option<Box<dyn std::error::Error + Send + Sync>>| StorageError::Unavailable { context, source };
        let begun_at = Instant::now();
        if !self.breaker.admits(begun_at) {
            return Err(away(None));
        }
        let failed = || self.breaker.failed(begun_at, Instant::now());
        let outcome = timeout(deadline, async {
            let mut lease = match timeout(self.wait, self.pool.get()).await {
                Ok(Ok(connection)) => Lease(Some(connection)),
                Ok(Err(error)) => {
                    failed();
                    return Err(away(Some(Box::new(error))));
                }
                // All connections are busy, or a new one does not come: only the latter says something of the server.
                Err(elapsed) => {
                    if self.pool.status().size < self.pool.status().max_size {
                        failed();
                    }
                    return Err(away(Some(Box::new(elapsed))));
                }
            };
            let Some(connection) = lease.0.as_mut() else { return Err(away(None)) };
            let result = work(connection).await;
            let lost = connection.is_broken();
            if lost {
                failed();
            } else {
                lease.give_back();
                self.breaker.succeeded(Instant::now());
            }
            result.map_err(|failure| failure.into_error(context, lost))
        })
        .await;
        outcome.unwrap_or_else(|elapsed| {
            failed();
            Err(away(Some(Box::new(elapsed))))
        })
    }

    /// Closes all connections; calls fail from now on.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Connects within `wait`.
pub(super) async fn establish(endpoint: &Endpoint, wait: Duration) -> Result<AsyncPgConnection, ConnectionError> {
    let bad = |error: &dyn std::fmt::Display| ConnectionError::BadConnection(error.to_string());
    let connecting = async {
        match &endpoint.tls {
            Some(tls) => {
                let (client, connection) =
                    endpoint.config.connect(tls.connector()).await.map_err(|error| bad(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            None => {
                let (client, connection) = endpoint.config.connect(NoTls).await.map_err(|error| bad(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        }
    };
    timeout(wait, connecting).await.unwrap_or_else(|_| Err(bad(&"no answer in time")))
}

/// A connection that goes back to its pool only when somebody says that nothing is under way on it.
struct Lease(Option<Object<AsyncPgConnection>>);

impl Lease {
    fn give_back(&mut self) {
        self.0 = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The server notices the closed socket (`client_connection_check_interval`), stops the query, rolls back.
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// Lets calls fail at once while the database is away, but for a probe now and then.
#[derive(Default)]
struct Breaker(Mutex<BreakerState>);

#[derive(Default)]
struct BreakerState {
    failures: u32,
    succeeded_at: Option<Instant>,
    probe_at: Option<Instant>,
}

impl Breaker {
    fn admits(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.probe_at {
            Some(at) if now < at => false,
            Some(_) => {
                state.probe_at = Some(now + PROBE_EVERY);
                true
            }
            None => true,
        }
    }

    /// A call that began at `begun_at` failed. If another has succeeded since, it was slow and the database is there.
    fn failed(&self, begun_at: Instant, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.succeeded_at.is_some_and(|succeeded_at| succeeded_at >= begun_at) {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_TO_OPEN {
            state.probe_at = Some(now + PROBE_EVERY);
        }
    }

    fn succeeded(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = BreakerState { succeeded_at: Some(now), ..BreakerState::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_failures_in_a_row_only_probes_are_let_through_until_one_succeeds() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 1..FAILURES_TO_OPEN {
            breaker.failed(start, start);
            assert!(breaker.admits(start));
        }
        breaker.failed(start, start);
        assert!(!breaker.admits(start));
        assert!(breaker.admits(start + PROBE_EVERY), "a probe");
        assert!(!breaker.admits(start + PROBE_EVERY), "one probe only");
        breaker.succeeded(start + PROBE_EVERY);
        assert!(breaker.admits(start + PROBE_EVERY));
    }

    #[tokio::test]
    async fn slow_calls_beside_others_that_succeed_say_nothing_of_the_database() {
        let breaker = Breaker::default();
        let start = Instant::now();
        let later = start + Duration::from_secs(2);
        breaker.succeeded(later);
        for _ in 0..2 * FAILURES_TO_OPEN {
            breaker.failed(start, later);
        }
        assert!(breaker.admits(later));
        for _ in 0..FAILURES_TO_OPEN {
            breaker.failed(later + Duration::from_millis(1), later + Duration::from_secs(2));
        }
        assert!(!breaker.admits(later + Duration::from_secs(2)), "nothing succeeded since they began");
    }
}
