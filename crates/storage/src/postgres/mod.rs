//! The shared back end: PostgreSQL 14 or later, for any number of processes at once.
//!
//! Connections come in three lanes that never wait for each other: reads, writes, and the gate that every request
//! passes first (key look-ups and plan windows). Every call has a deadline; see [`PostgresSettings`].

mod accounts;
mod agent_administration;
mod agents;
mod alerts;
mod api_keys;
mod append;
mod arrivals;
mod changes;
mod chunks;
pub(crate) mod copying;
mod enrolment;
mod failure;
mod fleet;
mod lane;
mod latest;
mod leases;
mod maintenance;
mod metric_write;
mod metrics;
mod migrate;
mod partition;
mod paths;
#[cfg(test)]
mod plan_tests;
mod queries;
mod records;
mod reporting;
mod retention;
mod sessions;
mod settings;
mod setup;
mod speedtests;
mod tls;
mod totals;
mod traceroutes;
mod users;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use astranetmon_domain::AccountId;
use diesel_async::AsyncPgConnection;
use tokio::time::Instant;

use self::failure::Failure;
use self::lane::Lane;
use self::partition::Partitions;
pub use self::settings::PostgresSettings;
use crate::StorageError;
use crate::agent_lists::AgentLists;
use crate::data_versions::DataVersions;
use crate::kept_retentions::KeptRetentions;
use crate::shares::Shares;

type Result<T> = std::result::Result<T, StorageError>;

/// The shared back end. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStorage {
    lanes: Arc<Lanes>,
    #[cfg(feature = "testing")]
    sealing: crate::testing::Sealing,
}

struct Lanes {
    reads: Lane,
    writes: Lane,
    /// Its commits do not wait for the disk: a crash of the database may forget the last moments of plan windows.
    gate: Lane,
    /// Of the connections that read.
    shares: Shares,
    agent_lists: AgentLists,
    data_versions: DataVersions,
    retentions: KeptRetentions,
    partitions: Partitions,
    call_deadline: Duration,
    append_deadline: Duration,
}

/// What every session of the service is told. The server looks every half second whether its client is still there.
const SESSION: [(&str, &str); 5] = [
    ("statement_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("client_connection_check_interval", "500ms"),
    ("jit", "off"),
];

impl PostgresStorage {
    /// Brings the schema up to date; the names of the migrations that ran. Safe when several processes do it at once:
    /// one works, the others wait for it and find nothing left.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if the schema is newer than this program or the URL cannot be read,
    /// [`StorageError::Unavailable`] if the database cannot be reached.
    pub async fn migrate(settings: &PostgresSettings) -> Result<Vec<String>> {
        migrate::migrate(settings).await
    }

    /// Connects to a migrated database.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if the schema is not this program's or the URL cannot be read,
    /// [`StorageError::Unavailable`] if the database cannot be reached.
    pub async fn connect(settings: &PostgresSettings) -> Result<Self> {
        let endpoint = settings.endpoint()?.with_session(&SESSION);
        let wait = settings.connection_wait;
        let gate = endpoint.with_session(&[("synchronous_commit", "off")]);
        let storage = Self {
            lanes: Arc::new(Lanes {
                reads: Lane::new(endpoint.clone(), settings.read_connections, wait)?,
                writes: Lane::new(endpoint, settings.write_connections, wait)?,
                gate: Lane::new(gate, settings.gate_connections, wait)?,
                shares: Shares::of(settings.read_connections),
                agent_lists: AgentLists::default(),
                data_versions: DataVersions::default(),
                retentions: KeptRetentions::default(),
                partitions: Partitions::default(),
                call_deadline: settings.call_deadline,
                append_deadline: settings.append_deadline,
            }),
            #[cfg(feature = "testing")]
            sealing: crate::testing::Sealing::default(),
        };
        storage.read("looking at the schema", async |connection| migrate::check(connection).await).await?;
        Ok(storage)
    }

    /// Seals what is appended when `sealing` says.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn sealing(self, sealing: crate::testing::Sealing) -> Self {
        Self { sealing, ..self }
    }

    async fn read<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        self.lanes.reads.call(context, self.lanes.call_deadline, work).await
    }

    /// A read whose cost grows with what is asked for.
    async fn read_share<T>(
        &self,
        account: AccountId,
        context: &'static str,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let deadline = Instant::now() + self.lanes.call_deadline;
        let _place = self.lanes.shares.enter(account, self.lanes.call_deadline / 2).await?;
        self.lanes.reads.call(context, deadline - Instant::now(), work).await
    }

    async fn write<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let _writing = self.lanes.data_versions.writing();
        self.lanes.writes.call(context, self.lanes.call_deadline, work).await
    }

    async fn append<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let work = async |connection: &mut AsyncPgConnection| {
            let outcome = work(connection).await;
            if outcome.as_ref().is_err_and(Failure::lacks_partition) {
                self.lanes.partitions.forget();
            }
            outcome
        };
        let _writing = self.lanes.data_versions.writing();
        self.lanes.writes.call(context, self.lanes.append_deadline, work).await
    }

    async fn gate<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        self.lanes.gate.call(context, self.lanes.call_deadline, work).await
    }
}
