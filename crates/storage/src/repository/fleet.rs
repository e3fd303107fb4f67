//! The newest facts of all agents at once.

use astranetmon_auth::{ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{Agent, MetricSample, Speedtest, Timestamp};
use async_trait::async_trait;

use super::Result;

/// An agent and the newest that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetRow {
    /// The agent.
    pub agent: Agent,
    /// Its newest metric.
    pub metric: Option<MetricSample>,
    /// Its newest speed test, completed or failed.
    pub speedtest: Option<Speedtest>,
    /// The newest traceroute whose path differs from the one before.
    pub route_change: Option<RouteChange>,
}

/// A traceroute took another path than the one before of the same agent, target and protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// Time of the traceroute.
    pub at: Timestamp,
    /// Where it went.
    pub target: String,
}

/// Overviews. They cost one look-up in an index for each agent and kind of record, however many records there are.
#[async_trait]
pub trait FleetRepository: Send + Sync {
    /// Every agent of the account with its newest records, by hostname, then id.
    ///
    /// # Errors
    /// [`StorageError::Internal`](crate::StorageError::Internal) if the scopes are not all of one account.
    async fn fleet(
        &self,
        agents: &Scope<ReadAgents>,
        metrics: &Scope<ReadMetrics>,
        speedtests: &Scope<ReadSpeedtests>,
        traceroutes: &Scope<ReadTraceroutes>,
    ) -> Result<Vec<FleetRow>>;
}
