use std::time::Duration;

use astranetmon_auth::Operator;
use astranetmon_domain::Timestamp;
use async_trait::async_trait;

use super::Result;

/// The right to do a job that one process at a time may do. Its token rises with every holder, so that storage can
/// refuse what an earlier holder still writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(crate) name: &'static str,
    pub(crate) token: i64,
}

impl Lease {
    /// For storages: what [`LeaseRepository::lease_acquire`] gives its holder.
    #[must_use]
    pub const fn new(name: &'static str, token: i64) -> Self {
        Self { name, token }
    }

    /// Of which job.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Rises with every holder.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.token
    }
}

/// Leases of background jobs, by name over all accounts.
///
/// PostgreSQL measures their time by its own clock, so that processes need not agree on one; SQLite, which one process
/// serves, by `now`.
#[async_trait]
pub trait LeaseRepository: Send + Sync {
    /// Takes the lease `name` for `ttl`, if nobody holds it or its holder has let it expire. `holder` is for people
    /// who look into the database.
    async fn lease_acquire(
        &self,
        operator: &Operator,
        name: &'static str,
        holder: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>>;

    /// Prolongs a lease to `ttl` from now; whether it was still this holder's. One that has expired is prolonged too,
    /// as long as nobody else has taken it.
    async fn lease_renew(&self, lease: &Lease, ttl: Duration, now: Timestamp) -> Result<bool>;

    /// Gives a lease back, so that another process need not wait for its end.
    async fn lease_release(&self, lease: &Lease) -> Result<()>;
}
