use serde::Serialize;
use utoipa::ToSchema;

use super::{AgentRecord, MetricRecord, SpeedtestRecord, TracerouteRecord};

/// The newest that an agent measured, kind by kind; `null` where there is none, or where the key lacks the permission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Latest)]
pub(crate) struct LatestRecord {
    /// Its newest metric.
    pub(crate) metric: Option<MetricRecord>,
    /// Its newest speed test, completed or failed.
    pub(crate) speedtest: Option<SpeedtestRecord>,
    /// Its newest traceroute, whatever its target.
    pub(crate) traceroute: Option<TracerouteRecord>,
}

/// An agent with the newest that it measured.
#[derive(Serialize)]
pub(crate) struct AgentWithLatest<'a> {
    #[serde(flatten)]
    pub(crate) agent: AgentRecord<'a>,
    pub(crate) latest: LatestRecord,
}

impl AgentWithLatest<'_> {
    /// Its fields, in order.
    pub(crate) const FIELDS: [&'static str; AgentRecord::FIELDS.len() + 1] = {
        let mut names = ["latest"; AgentRecord::FIELDS.len() + 1];
        let mut field = 0;
        while field < AgentRecord::FIELDS.len() {
            names[field] = AgentRecord::FIELDS[field];
            field += 1;
        }
        names
    };
}

/// Every agent of the account with the newest that it measured.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overview<'a> {
    /// By hostname, then id.
    pub(crate) overview: Vec<OverviewRecord<'a>>,
    /// Agents of the account.
    #[schema(example = 5)]
    pub(crate) total: u64,
}

/// An agent and the newest that it measured, kind by kind; `null` where there is none, or where the key lacks the
/// permission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OverviewRow)]
pub(crate) struct OverviewRecord<'a> {
    /// The agent.
    pub(crate) agent: AgentRecord<'a>,
    /// Its newest metric.
    pub(crate) metric: Option<MetricRecord>,
    /// Its newest speed test, completed or failed.
    pub(crate) speedtest: Option<SpeedtestRecord>,
    /// Its newest traceroute, whatever its target.
    pub(crate) traceroute: Option<TracerouteRecord>,
}

impl OverviewRecord<'_> {
    /// Its fields, in order.
    pub(crate) const FIELDS: [&'static str; 4] = ["agent", "metric", "speedtest", "traceroute"];
}
