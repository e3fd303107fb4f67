//! Agents, alone or with the newest that they measured.

use std::collections::HashMap;
use std::sync::Arc;

use astranetmon_domain::{Agent, AgentId, MetricSample, Speedtest, Timestamp, Traceroute};
#[cfg(feature = "parquet")]
use utoipa::PartialSchema;

use super::Fields;
#[cfg(feature = "parquet")]
use super::column::Column;
use super::list_body::Rows;
use super::record_rows::Scratch;
use crate::wire::{AgentRecord, AgentWithLatest, LatestRecord, OverviewRecord};

/// The newest of each agent, kind by kind.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    metrics: HashMap<AgentId, MetricSample>,
    speedtests: HashMap<AgentId, Speedtest>,
    traceroutes: HashMap<AgentId, Traceroute>,
}

impl Latest {
    pub(crate) fn new(metrics: Vec<MetricSample>, speedtests: Vec<Speedtest>, traceroutes: Vec<Traceroute>) -> Self {
        Self {
            metrics: metrics.into_iter().map(|row| (row.agent_id.clone(), row)).collect(),
            speedtests: speedtests.into_iter().map(|row| (row.agent_id.clone(), row)).collect(),
            traceroutes: traceroutes.into_iter().map(|row| (row.agent_id.clone(), row)).collect(),
        }
    }

    /// What is the agent's, which is asked for once.
    fn take(&mut self, id: &AgentId) -> LatestRecord {
        LatestRecord {
            metric: self.metrics.remove(id).map(Into::into),
            speedtest: self.speedtests.remove(id).map(Into::into),
            traceroute: self.traceroutes.remove(id).map(Into::into),
        }
    }
}

/// Agents as they stand at one time.
pub(crate) struct AgentRows {
    agents: Arc<[Agent]>,
    latest: Option<Latest>,
    next: usize,
    now: Timestamp,
    scratch: Scratch,
}

impl AgentRows {
    /// With `latest` if it was asked for.
    pub(crate) fn new(agents: Arc<[Agent]>, latest: Option<Latest>, now: Timestamp) -> Self {
        Self { agents, latest, next: 0, now, scratch: Scratch::default() }
    }
}

impl Rows for AgentRows {
    const KEY: &'static str = "agents";

    fn left(&self) -> usize {
        self.agents.len() - self.next
    }

    fn write_next_json(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        let agent = AgentRecord::new(&self.agents[self.next], self.now);
        match &mut self.latest {
            None => self.scratch.write_json(&agent, fields, out),
            Some(latest) => {
                let latest = latest.take(agent.id);
                self.scratch.write_json(&AgentWithLatest { agent, latest }, fields, out);
            }
        }
        self.next += 1;
    }

    fn write_next_csv(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        let agent = AgentRecord::new(&self.agents[self.next], self.now);
        match &mut self.latest {
            None => self.scratch.write_csv(&agent, fields, out),
            Some(latest) => {
                let latest = latest.take(agent.id);
                self.scratch.write_csv(&AgentWithLatest { agent, latest }, fields, out);
            }
        }
        self.next += 1;
    }

    #[cfg(feature = "parquet")]
    fn into_columns(mut self, fields: &Fields) -> Vec<Column> {
        let mut columns = Column::of_schema(&AgentRecord::schema(), fields.iter().map(|(_, name)| name));
        for agent in &self.agents[self.next..] {
            let agent = AgentRecord::new(agent, self.now);
            match &mut self.latest {
                None => self.scratch.push(&agent, fields, &mut columns),
                Some(latest) => {
                    let latest = latest.take(agent.id);
                    self.scratch.push(&AgentWithLatest { agent, latest }, fields, &mut columns);
                }
            }
        }
        columns
    }
}

/// Agents, each beside the newest that it measured.
pub(crate) struct OverviewRows {
    agents: Arc<[Agent]>,
    latest: Latest,
    next: usize,
    now: Timestamp,
    scratch: Scratch,
}

impl OverviewRows {
    pub(crate) fn new(agents: Arc<[Agent]>, latest: Latest, now: Timestamp) -> Self {
        Self { agents, latest, next: 0, now, scratch: Scratch::default() }
    }
}

fn overview_record<'a>(agent: &'a Agent, latest: &mut Latest, now: Timestamp) -> OverviewRecord<'a> {
    let LatestRecord { metric, speedtest, traceroute } = latest.take(&agent.id);
    OverviewRecord { agent: AgentRecord::new(agent, now), metric, speedtest, traceroute }
}

impl Rows for OverviewRows {
    const KEY: &'static str = "overview";

    fn left(&self) -> usize {
        self.agents.len() - self.next
    }

    fn write_next_json(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        let record = overview_record(&self.agents[self.next], &mut self.latest, self.now);
        self.scratch.write_json(&record, fields, out);
        self.next += 1;
    }

    fn write_next_csv(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        let record = overview_record(&self.agents[self.next], &mut self.latest, self.now);
        self.scratch.write_csv(&record, fields, out);
        self.next += 1;
    }

    #[cfg(feature = "parquet")]
    fn into_columns(mut self, fields: &Fields) -> Vec<Column> {
        let mut columns = Column::of_schema(&OverviewRecord::schema(), fields.iter().map(|(_, name)| name));
        for agent in &self.agents[self.next..] {
            let record = overview_record(agent, &mut self.latest, self.now);
            self.scratch.push(&record, fields, &mut columns);
        }
        columns
    }
}
