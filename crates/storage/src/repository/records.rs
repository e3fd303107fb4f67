//! Agents and what they measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_auth::{Ingest, ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{
    Agent, AgentFacts, AgentId, MetricColumns, MetricPosition, MetricSample, PageRequest, RecordFilter, RecordPosition,
    Speedtest, SpeedtestFilter, SpeedtestId, Timestamp, Traceroute, TracerouteFilter, TracerouteId,
};
use async_trait::async_trait;

use super::{AggregatePage, AggregatePosition, AggregateQuery, BucketQuery, MetricBucket, Result};

/// An agent to be added.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Unique within the account.
    pub id: AgentId,
    /// What it says of its host.
    pub facts: AgentFacts,
    /// An alias.
    pub name: Option<String>,
    /// The address it reports from.
    pub public_ip: Option<String>,
    /// Names and values.
    pub labels: BTreeMap<String, String>,
}

/// Some agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentPage {
    /// By hostname, then id. Shared with whoever else asked for the same.
    pub agents: Arc<[Agent]>,
    /// Agents in the account.
    pub total: u64,
    /// Whether agents remain behind these.
    pub more: bool,
}

/// Agents, ordered by hostname (byte order), then id.
#[async_trait]
pub trait AgentRepository: Send + Sync {
    /// The account's agents behind `after` (hostname, id), at most `limit` of them, all without a limit. `after` need
    /// not be there any more.
    async fn agent_page(
        &self,
        scope: &Scope<ReadAgents>,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage>;

    /// One agent.
    async fn agent_find(&self, scope: &Scope<ReadAgents>, id: &AgentId) -> Result<Option<Agent>>;

    /// Adds an agent; if it is there, replaces its facts and `public_ip` and keeps what a person gave.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) while the data of a deleted agent of that id is going.
    async fn agent_upsert(&self, scope: &Scope<Ingest>, agent: &NewAgent, now: Timestamp) -> Result<()>;

    /// Moves the agent's last report forward to `seen_at`, never back. What an agent appends in its own scope does the
    /// same.
    async fn agent_seen(&self, scope: &Scope<Ingest>, id: &AgentId, seen_at: Timestamp) -> Result<()>;
}

/// What became of appended rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that were there and gained values that had been unknown.
    pub filled: u64,
    /// Rows that were there and did not change.
    pub known: u64,
    /// Which those are: places in what was given, from 0, rising.
    pub known_rows: Vec<u32>,
    /// Metrics that were not taken, since samples of their time have gone into summaries, where nobody can see whether
    /// they are counted already: places, rising.
    pub too_old_rows: Vec<u32>,
}

/// Some metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricPage {
    /// In the order that was asked for: newest first, then by agent, or the reverse.
    pub columns: MetricColumns,
    /// Metrics that match the filter.
    pub total: u64,
    /// Whether metrics remain behind these.
    pub more: bool,
}

/// Metrics. The trait says nothing of how samples are kept: one row a sample, or many in a packed chunk. Times are in
/// whole milliseconds, values at the scale of their field ([`METRIC_FIELDS`](astranetmon_domain::METRIC_FIELDS)).
///
/// What is appended in the scope of an agent must be its own, marks it as seen, and is refused with
/// [`StorageError::Missing`](crate::StorageError::Missing), all of it, if the agent is gone or disabled by then; rows of
/// a deleted agent whose data is going are refused in every scope. The same holds for all three kinds of records.
///
/// A call needs the scope of its own permission:
///
/// ```
/// use astranetmon_auth::{ReadMetrics, Scope};
/// use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// use astranetmon_storage::{MetricPage, MetricRepository, StorageError};
///
/// async fn newest(metrics: &dyn MetricRepository, scope: &Scope<ReadMetrics>) -> Result<MetricPage, StorageError> {
///     metrics.metric_page(scope, &RecordFilter::ALL, &PageRequest::new(Limit::LARGEST, None)).await
/// }
/// ```
///
/// With another permission's scope, or with none, it does not compile:
///
/// ```compile_fail,E0308
/// # use astranetmon_auth::{ReadAgents, Scope};
/// # use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// # use astranetmon_storage::{MetricPage, MetricRepository, StorageError};
/// async fn newest(metrics: &dyn MetricRepository, scope: &Scope<ReadAgents>) -> Result<MetricPage, StorageError> {
///     metrics.metric_page(scope, &RecordFilter::ALL, &PageRequest::new(Limit::LARGEST, None)).await
/// }
/// ```
///
/// ```compile_fail,E0061
/// # use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// # use astranetmon_storage::{MetricPage, MetricRepository, StorageError};
/// async fn newest(metrics: &dyn MetricRepository) -> Result<MetricPage, StorageError> {
///     metrics.metric_page(&RecordFilter::ALL, &PageRequest::new(Limit::LARGEST, None)).await
/// }
/// ```
#[async_trait]
pub trait MetricRepository: Send + Sync {
    /// The matching metrics behind `page.after` in `page.order`, at most `page.limit` of them.
    async fn metric_page(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        page: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage>;

    /// The agents of the account, whose names and labels go with their metrics, by hostname, then id.
    async fn metric_agents(&self, scope: &Scope<ReadMetrics>) -> Result<Arc<[Agent]>>;

    /// Averages, least and greatest values of the chosen fields of one agent, in equal time buckets, oldest first.
    /// Buckets without samples are absent.
    async fn metric_buckets(&self, scope: &Scope<ReadMetrics>, query: &BucketQuery) -> Result<Vec<MetricBucket>>;

    /// Figures of some fields in equal intervals, behind `page.after`, newest first, then by group. Of agents that are
    /// not known nothing is put together. What is left of old samples as a summary counts in the interval in which the
    /// summary's hour or day begins.
    ///
    /// # Errors
    /// [`StorageError::TooManyValues`](crate::StorageError::TooManyValues) where percentiles would hold too many.
    async fn metric_aggregates(
        &self,
        scope: &Scope<ReadMetrics>,
        query: &AggregateQuery,
        page: &PageRequest<AggregatePosition, 10_000>,
    ) -> Result<AggregatePage>;

    /// Appends metrics in one transaction. Unique on (account, agent, timestamp in ms): a second sample fills what was
    /// unknown and overwrites nothing; one of a time of which samples have gone into summaries is too old. Durable when
    /// this returns.
    async fn metric_append(
        &self,
        scope: &Scope<Ingest>,
        samples: Vec<MetricSample>,
        now: Timestamp,
    ) -> Result<Appended>;
}

/// Some records of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPage<T> {
    /// In the order that was asked for: newest first, then by agent, then by id, or the reverse.
    pub rows: Vec<T>,
    /// Records that match the filter.
    pub total: u64,
    /// Where the last of these stands, if records remain behind it: there the next page goes on.
    pub next: Option<RecordPosition>,
}

impl<T> Default for RecordPage<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0, next: None }
    }
}

/// Speed tests: rates in Mbit/s (10^6 bits), times in milliseconds, shares in percent, as
/// [`Speedtest::normalized`] rounds them. What is appended in the scope of an agent: see [`MetricRepository`].
#[async_trait]
pub trait SpeedtestRepository: Send + Sync {
    /// The matching speed tests behind `page.after` in `page.order`, at most `page.limit` of them.
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>>;

    /// One speed test; the first by agent where two agents chose the same id.
    async fn speedtest_find(&self, scope: &Scope<ReadSpeedtests>, id: SpeedtestId) -> Result<Option<Speedtest>>;

    /// Appends speed tests in one transaction. Unique on (account, agent, id): a second one changes nothing. Durable
    /// when this returns.
    async fn speedtest_append(
        &self,
        scope: &Scope<Ingest>,
        speedtests: Vec<Speedtest>,
        now: Timestamp,
    ) -> Result<Appended>;
}

/// Traceroutes, with their hops in the order of the way. What is appended in the scope of an agent: see
/// [`MetricRepository`].
#[async_trait]
pub trait TracerouteRepository: Send + Sync {
    /// The matching traceroutes behind `page.after` in `page.order`, at most `page.limit` of them.
    async fn traceroute_page(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>>;

    /// One traceroute; the first by agent where two agents chose the same id.
    async fn traceroute_find(&self, scope: &Scope<ReadTraceroutes>, id: TracerouteId) -> Result<Option<Traceroute>>;

    /// Appends traceroutes in one transaction. Unique on (account, agent, id): a second one changes nothing.
    /// `path_changed` is written here, against the trace before in time of the same agent, target and protocol; that
    /// of the trace after a late one is corrected. Durable when this returns.
    async fn traceroute_append(
        &self,
        scope: &Scope<Ingest>,
        traceroutes: Vec<Traceroute>,
        now: Timestamp,
    ) -> Result<Appended>;
}
