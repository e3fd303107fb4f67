//! Records in the order in which they came in, so that a copy elsewhere can be kept whole: what comes late is at the end
//! of that order, whatever time it is of.

use astranetmon_auth::{ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{
    Limit, MetricColumns, RecordFilter, Speedtest, SpeedtestFilter, Traceroute, TracerouteFilter,
};
use async_trait::async_trait;

use super::Result;

/// A place in the order in which an account's records came in, of all kinds together: their ingestion sequence. 0 is
/// before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArrivalPosition(pub i64);

/// Some records of one kind, in the order in which they came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrivals<Rows> {
    /// The records.
    pub rows: Rows,
    /// Where each of them stands, rising.
    pub positions: Vec<ArrivalPosition>,
    /// Of everything up to here that matches, nothing is missing in the rows: from here on one asks again.
    pub until: ArrivalPosition,
    /// Whether more is there already.
    pub more: bool,
}

/// What came in behind a place. A record that gained values later (a metric that was sent again and filled what was
/// unknown) comes once more, at its new place and no longer at the old one; what has ended meanwhile does not come. That a
/// late traceroute made the path of the one after it another does not bring that one again.
#[async_trait]
pub trait ArrivalRepository: Send + Sync {
    /// Metrics behind `after`, at most `limit` of them.
    async fn metric_arrivals(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        after: ArrivalPosition,
        limit: Limit<10_000>,
    ) -> Result<Arrivals<MetricColumns>>;

    /// Speed tests behind `after`, at most `limit` of them.
    async fn speedtest_arrivals(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Speedtest>>>;

    /// Traceroutes behind `after`, at most `limit` of them.
    async fn traceroute_arrivals(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Traceroute>>>;
}
