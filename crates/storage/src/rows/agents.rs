//! Agents.

use std::collections::BTreeMap;

use astranetmon_domain::{AccountId, Agent, AgentFacts, AgentId, Heartbeat, Timestamp, clean_text};
use diesel::prelude::*;

use super::{Result, foreign, json, small, time};
use crate::repository::{AgentEdit, EnrolRequest, NewAgent};
use crate::schema::agent;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = agent, treat_none_as_default_value = false)]
pub(crate) struct AgentRow {
    account_id: i64,
    id: String,
    hostname: String,
    name: Option<String>,
    last_seen_at: Option<i64>,
    created_at: i64,
    disabled_at: Option<i64>,
    agent_version: Option<String>,
    os: Option<String>,
    os_version: Option<String>,
    kernel_version: Option<String>,
    arch: Option<String>,
    cpu_model: Option<String>,
    cpu_core_count: Option<i64>,
    memory_total_bytes: Option<i64>,
    boot_time: Option<i64>,
    ip_addresses: String,
    public_ip: Option<String>,
    labels: String,
    interval_seconds: Option<i64>,
}

impl AgentRow {
    pub(crate) fn new(account_id: AccountId, new: &NewAgent, now: Timestamp) -> Self {
        let facts = new.facts.clone().normalized();
        Self {
            account_id: account_id.0,
            id: new.id.as_str().to_owned(),
            hostname: facts.hostname,
            name: new.name.clone(),
            last_seen_at: None,
            created_at: now.as_micros(),
            disabled_at: None,
            agent_version: facts.agent_version,
            os: facts.os,
            os_version: facts.os_version,
            kernel_version: facts.kernel_version,
            arch: facts.arch,
            cpu_model: facts.cpu_model,
            cpu_core_count: facts.cpu_core_count.map(i64::from),
            memory_total_bytes: facts.memory_total_bytes,
            boot_time: facts.boot_time.map(Timestamp::as_micros),
            ip_addresses: json(&facts.ip_addresses),
            public_ip: new.public_ip.clone(),
            labels: json(&new.labels),
            interval_seconds: facts.interval_seconds.map(i64::from),
        }
    }

    /// A new agent that comes by an enrolment.
    pub(crate) fn enrolled(
        account_id: AccountId,
        id: &AgentId,
        request: &EnrolRequest,
        labels: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Self {
        let new = NewAgent {
            id: id.clone(),
            facts: request.facts.clone(),
            name: None,
            public_ip: request.public_ip.clone(),
            labels: labels.clone(),
        };
        Self::new(account_id, &new, now)
    }

    /// Of what an agent says of its host anew.
    pub(crate) fn reported(account_id: AccountId, heartbeat: &Heartbeat, now: Timestamp) -> Self {
        let new = NewAgent {
            id: heartbeat.agent_id.clone(),
            facts: heartbeat.facts.clone(),
            name: None,
            public_ip: heartbeat.public_ip.clone(),
            labels: BTreeMap::new(),
        };
        Self::new(account_id, &new, now)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn facts(&self) -> AgentFactsChange<'_> {
        AgentFactsChange {
            hostname: &self.hostname,
            agent_version: self.agent_version.as_deref(),
            os: self.os.as_deref(),
            os_version: self.os_version.as_deref(),
            kernel_version: self.kernel_version.as_deref(),
            arch: self.arch.as_deref(),
            cpu_model: self.cpu_model.as_deref(),
            cpu_core_count: self.cpu_core_count,
            memory_total_bytes: self.memory_total_bytes,
            boot_time: self.boot_time,
            ip_addresses: &self.ip_addresses,
            public_ip: self.public_ip.as_deref(),
            interval_seconds: self.interval_seconds,
        }
    }

    pub(crate) fn into_agent(self) -> Result<Agent> {
        let labels: BTreeMap<String, String> =
            serde_json::from_str(&self.labels).map_err(|_| foreign("an agent's labels"))?;
        Ok(Agent {
            id: AgentId::parse(&self.id).map_err(|_| foreign("an agent's id"))?,
            facts: AgentFacts {
                hostname: self.hostname,
                agent_version: self.agent_version,
                os: self.os,
                os_version: self.os_version,
                kernel_version: self.kernel_version,
                arch: self.arch,
                cpu_model: self.cpu_model,
                cpu_core_count: small(self.cpu_core_count),
                memory_total_bytes: self.memory_total_bytes,
                boot_time: self.boot_time.map(time),
                ip_addresses: serde_json::from_str(&self.ip_addresses).map_err(|_| foreign("an agent's addresses"))?,
                interval_seconds: small(self.interval_seconds),
            },
            name: self.name,
            last_seen_at: self.last_seen_at.map(time),
            created_at: time(self.created_at),
            disabled_at: self.disabled_at.map(time),
            public_ip: self.public_ip,
            labels,
        })
    }
}

/// The labels of a stored agent and those that it gets besides, as they are stored.
pub(crate) fn added_labels(stored: &str, added: &BTreeMap<String, String>) -> Result<String> {
    let mut labels: BTreeMap<String, String> =
        serde_json::from_str(stored).map_err(|_| foreign("an agent's labels"))?;
    labels.extend(added.clone());
    Ok(json(&labels))
}

/// What a person changes of an agent.
#[derive(AsChangeset)]
#[diesel(table_name = agent)]
pub(crate) struct AgentEditChange {
    name: Option<Option<String>>,
    labels: Option<String>,
}

impl AgentEditChange {
    /// `None` if nothing is to change.
    pub(crate) fn of(edit: &AgentEdit) -> Option<Self> {
        let name = edit.name.as_ref().map(|name| name.as_deref().map(|name| clean_text(name, 100)));
        let labels = edit.labels.as_ref().map(json);
        (name.is_some() || labels.is_some()).then_some(Self { name, labels })
    }
}

/// What an agent says of its host anew; what a person gave stays.
#[derive(AsChangeset)]
#[diesel(table_name = agent, treat_none_as_null = true)]
pub(crate) struct AgentFactsChange<'a> {
    hostname: &'a str,
    agent_version: Option<&'a str>,
    os: Option<&'a str>,
    os_version: Option<&'a str>,
    kernel_version: Option<&'a str>,
    arch: Option<&'a str>,
    cpu_model: Option<&'a str>,
    cpu_core_count: Option<i64>,
    memory_total_bytes: Option<i64>,
    boot_time: Option<i64>,
    ip_addresses: &'a str,
    public_ip: Option<&'a str>,
    interval_seconds: Option<i64>,
}
