//! The newest record of each agent, kind by kind.

use astranetmon_auth::{ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{MetricSample, Speedtest, Traceroute};
use async_trait::async_trait;

use super::Result;

/// What agents said last. Each costs one look-up in an index for each agent, however many records there are. In no
/// order; agents that have none are absent, and so are agents that are not known.
#[async_trait]
pub trait LatestRepository: Send + Sync {
    /// The newest metric of each agent.
    async fn metric_latest(&self, scope: &Scope<ReadMetrics>) -> Result<Vec<MetricSample>>;

    /// The newest speed test of each agent, completed or failed; the first by id of several at once.
    async fn speedtest_latest(&self, scope: &Scope<ReadSpeedtests>) -> Result<Vec<Speedtest>>;

    /// The newest traceroute of each agent, whatever its target; the first by id of several at once.
    async fn traceroute_latest(&self, scope: &Scope<ReadTraceroutes>) -> Result<Vec<Traceroute>>;
}
