//! Tokens of agents, and how agents are.

use std::collections::BTreeMap;

use astranetmon_auth::{EnrolmentRecord, NewEnrolment, TokenHint};
use astranetmon_domain::{AccountId, AgentId, EnrolmentId, EnrolmentTerms, HealthReport, Heartbeat, Timestamp};
use diesel::prelude::*;

use super::{Result, foreign, json, small, time};
use crate::repository::{AgentHealth, AgentTokenRecord, EnrolRequest};
use crate::schema::{agent_health, agent_token, enrolment_token};

/// A token's last use is written at most once a minute.
pub(crate) const LAST_USE_STEP_MICROS: i64 = 60_000_000;

/// An enrolment token without its hash, which nothing needs to read back.
#[derive(Queryable, Selectable)]
#[diesel(table_name = enrolment_token)]
pub(crate) struct EnrolmentRow {
    pub(crate) id: i64,
    pub(crate) account_id: i64,
    hint: String,
    name: String,
    agent_id: Option<String>,
    labels: String,
    max_uses: i64,
    use_count: i64,
    created_at: i64,
    expires_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl EnrolmentRow {
    pub(crate) fn into_record(self) -> Result<EnrolmentRecord> {
        let agent_id = self.agent_id.map(|id| AgentId::parse(&id)).transpose();
        let agent_id = agent_id.map_err(|_| foreign("an enrolment's agent"))?;
        let labels: BTreeMap<String, String> =
            serde_json::from_str(&self.labels).map_err(|_| foreign("an enrolment's labels"))?;
        let max_uses = small(Some(self.max_uses)).ok_or_else(|| foreign("an enrolment's uses"))?;
        Ok(EnrolmentRecord {
            id: EnrolmentId(self.id),
            account_id: AccountId(self.account_id),
            hint: TokenHint::from_stored(self.hint),
            terms: EnrolmentTerms::from_stored(self.name, agent_id, labels, max_uses, time(self.expires_at)),
            use_count: small(Some(self.use_count)).ok_or_else(|| foreign("an enrolment's uses"))?,
            last_used_at: self.last_used_at.map(time),
            created_at: time(self.created_at),
            revoked_at: self.revoked_at.map(time),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = enrolment_token)]
pub(crate) struct NewEnrolmentRow<'a> {
    account_id: i64,
    hash: &'a [u8],
    hint: &'a str,
    name: &'a str,
    agent_id: Option<&'a str>,
    labels: String,
    max_uses: i64,
    use_count: i64,
    created_at: i64,
    expires_at: i64,
}

impl<'a> NewEnrolmentRow<'a> {
    pub(crate) fn new(account_id: AccountId, new: &'a NewEnrolment, now: Timestamp) -> Self {
        Self {
            account_id: account_id.0,
            hash: new.hash.as_bytes(),
            hint: new.hint.as_str(),
            name: new.terms.name(),
            agent_id: new.terms.agent_id().map(AgentId::as_str),
            labels: json(new.terms.labels()),
            max_uses: i64::from(new.terms.max_uses()),
            use_count: 0,
            created_at: now.as_micros(),
            expires_at: new.terms.expires_at().as_micros(),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = agent_token)]
pub(crate) struct NewAgentTokenRow<'a> {
    account_id: i64,
    agent_id: &'a str,
    hash: &'a [u8],
    hint: &'a str,
    created_at: i64,
}

impl<'a> NewAgentTokenRow<'a> {
    pub(crate) fn new(account_id: AccountId, agent_id: &'a AgentId, request: &'a EnrolRequest, now: Timestamp) -> Self {
        Self {
            account_id: account_id.0,
            agent_id: agent_id.as_str(),
            hash: request.token_hash.as_bytes(),
            hint: request.token_hint.as_str(),
            created_at: now.as_micros(),
        }
    }
}

/// What may be told of an agent's token.
#[derive(Queryable, Selectable)]
#[diesel(table_name = agent_token)]
pub(crate) struct AgentTokenRow {
    hint: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl AgentTokenRow {
    fn into_record(self) -> AgentTokenRecord {
        AgentTokenRecord {
            hint: TokenHint::from_stored(self.hint),
            created_at: time(self.created_at),
            last_used_at: self.last_used_at.map(time),
        }
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = agent_health, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct HealthRow {
    account_id: i64,
    agent_id: String,
    heartbeat_at: i64,
    spool_row_count: Option<i64>,
    spool_oldest_at: Option<i64>,
    dropped_row_count: Option<i64>,
    cost_cpu_percent: Option<f64>,
    cost_memory_bytes: Option<i64>,
    clock_offset_ms: Option<i64>,
}

impl HealthRow {
    pub(crate) fn new(account_id: AccountId, heartbeat: &Heartbeat, now: Timestamp) -> Self {
        let report = heartbeat.report(now);
        let number = |count: Option<u64>| count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Self {
            account_id: account_id.0,
            agent_id: heartbeat.agent_id.as_str().to_owned(),
            heartbeat_at: report.heartbeat_at.as_micros(),
            spool_row_count: number(report.spool_row_count),
            spool_oldest_at: report.spool_oldest_at.map(Timestamp::as_micros),
            dropped_row_count: number(report.dropped_row_count),
            cost_cpu_percent: report.cost_cpu_percent,
            cost_memory_bytes: number(report.cost_memory_bytes),
            clock_offset_ms: report.clock_offset_ms,
        }
    }

    fn into_report(self) -> HealthReport {
        HealthReport {
            heartbeat_at: time(self.heartbeat_at),
            spool_row_count: self.spool_row_count.map(i64::unsigned_abs),
            spool_oldest_at: self.spool_oldest_at.map(time),
            dropped_row_count: self.dropped_row_count.map(i64::unsigned_abs),
            cost_cpu_percent: self.cost_cpu_percent,
            cost_memory_bytes: self.cost_memory_bytes.map(i64::unsigned_abs),
            clock_offset_ms: self.clock_offset_ms,
        }
    }
}

/// An agent with what is kept of its token and its heartbeat.
pub(crate) type AgentHealthRow = (String, Option<AgentTokenRow>, Option<HealthRow>);

pub(crate) fn into_health((id, token, report): AgentHealthRow) -> Result<AgentHealth> {
    Ok(AgentHealth {
        agent_id: AgentId::parse(&id).map_err(|_| foreign("an agent's id"))?,
        token: token.map(AgentTokenRow::into_record),
        report: report.map(HealthRow::into_report),
    })
}
