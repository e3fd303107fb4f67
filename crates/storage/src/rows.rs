//! Rows of both back ends and their way from and to domain types.

use std::collections::BTreeMap;

use astranetmon_auth::{Access, ApiKeyRecord, KeyHash, KeyHint, KeyPrincipal, NewApiKey, Scope};
use astranetmon_domain::{
    Account, AccountId, Agent, AgentFacts, AgentId, ApiKeyId, MetricSample, Plan, QuotaWindowId, Speedtest,
    SpeedtestId, SpeedtestStatus, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus, User,
    UserId,
};
use astranetmon_ratelimit::UsageCount;
use diesel::prelude::*;
use serde::Serialize;
use uuid::Uuid;

use crate::measured::Measured;
use crate::random::random_bytes;
use crate::repository::{NewAgent, actor_text};
use crate::schema::{account, agent, api_key, app_user, audit, key_usage, metric_sample, speedtest, traceroute};
use crate::{AuditEntry, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// A row holds what this program never writes.
fn foreign(context: &'static str) -> StorageError {
    StorageError::Internal { context, source: None }
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn small(number: Option<i64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = account)]
pub(crate) struct AccountRow {
    id: i64,
    name: String,
    plan: String,
    created_at: i64,
}

impl AccountRow {
    pub(crate) fn into_account(self) -> Result<Account> {
        Ok(Account {
            id: AccountId(self.id),
            name: self.name.parse().map_err(|_| foreign("an account's name"))?,
            plan: self.plan.parse().map_err(|_| foreign("an account's plan"))?,
            created_at: time(self.created_at),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = account)]
pub(crate) struct NewAccountRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) plan: &'a str,
    pub(crate) created_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = app_user)]
pub(crate) struct UserRow {
    id: i64,
    account_id: i64,
    email: String,
    role: String,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl UserRow {
    pub(crate) fn into_user(self) -> Result<User> {
        Ok(User {
            id: UserId(self.id),
            account_id: AccountId(self.account_id),
            email: self.email.parse().map_err(|_| foreign("a user's address"))?,
            role: self.role.parse().map_err(|()| foreign("a user's role"))?,
            created_at: time(self.created_at),
            disabled_at: self.disabled_at.map(time),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = app_user)]
pub(crate) struct NewUserRow<'a> {
    pub(crate) account_id: i64,
    pub(crate) email: &'a str,
    pub(crate) role: &'a str,
    pub(crate) created_at: i64,
}

/// A key without its hash, which nothing needs to read back.
#[derive(Queryable, Selectable)]
#[diesel(table_name = api_key)]
pub(crate) struct ApiKeyRow {
    pub(crate) id: i64,
    account_id: i64,
    pub(crate) window_id: i64,
    name: String,
    hint: String,
    permissions: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl ApiKeyRow {
    pub(crate) fn into_record(self) -> Result<ApiKeyRecord> {
        Ok(ApiKeyRecord {
            id: ApiKeyId(self.id),
            account_id: AccountId(self.account_id),
            window_id: QuotaWindowId(self.window_id),
            name: self.name,
            hint: KeyHint::from_stored(self.hint),
            permissions: self.permissions.parse().map_err(|_| foreign("a key's permissions"))?,
            created_at: time(self.created_at),
            expires_at: self.expires_at.map(time),
            last_used_at: self.last_used_at.map(time),
            revoked_at: self.revoked_at.map(time),
        })
    }

    pub(crate) fn into_principal(self, plan: &str) -> Result<KeyPrincipal> {
        let plan: Plan = plan.parse().map_err(|_| foreign("an account's plan"))?;
        Ok(KeyPrincipal { key: self.into_record()?, plan })
    }
}

#[derive(Insertable)]
#[diesel(table_name = api_key)]
pub(crate) struct NewApiKeyRow<'a> {
    account_id: i64,
    window_id: i64,
    hash: &'a [u8],
    hint: &'a str,
    name: &'a str,
    permissions: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl<'a> NewApiKeyRow<'a> {
    /// `window_id` 0 stands for the key's own id, which is not known yet.
    pub(crate) fn new(account_id: AccountId, window_id: i64, key: &'a NewApiKey, now: Timestamp) -> Self {
        let hash: &KeyHash = &key.hash;
        Self {
            account_id: account_id.0,
            window_id,
            hash: hash.as_bytes(),
            hint: key.hint.as_str(),
            name: &key.name,
            permissions: key.permissions.to_string(),
            created_at: now.as_micros(),
            expires_at: key.expires_at.map(Timestamp::as_micros),
        }
    }
}

#[derive(Queryable, Selectable, Insertable, Clone)]
#[diesel(table_name = key_usage)]
pub(crate) struct UsageRow {
    pub(crate) account_id: i64,
    pub(crate) key_id: i64,
    pub(crate) hour: i64,
    pub(crate) served: i64,
    pub(crate) refused: i64,
}

impl UsageRow {
    pub(crate) fn new(count: &UsageCount) -> Self {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            account_id: count.account_id.0,
            key_id: count.key_id.0,
            hour: count.hour.as_micros(),
            served: number(count.served),
            refused: number(count.refused),
        }
    }

    pub(crate) fn into_count(self) -> UsageCount {
        UsageCount {
            account_id: AccountId(self.account_id),
            key_id: ApiKeyId(self.key_id),
            hour: time(self.hour),
            served: self.served.unsigned_abs(),
            refused: self.refused.unsigned_abs(),
            last_used_at: time(self.hour),
        }
    }
}

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

/// A whole metric row.
#[derive(Insertable)]
#[diesel(table_name = metric_sample)]
pub(crate) struct MetricRow<'a> {
    account_id: i64,
    agent_id: &'a str,
    timestamp: i64,
    received_at: i64,
    sequence: i64,
    measured: Vec<u8>,
}

impl<'a> MetricRow<'a> {
    /// `sample` must be normalized.
    pub(crate) fn new(account_id: AccountId, sample: &'a MetricSample, received_at: Timestamp, sequence: i64) -> Self {
        Self {
            account_id: account_id.0,
            agent_id: sample.agent_id.as_str(),
            timestamp: sample.timestamp.as_micros(),
            received_at: received_at.as_micros(),
            sequence,
            measured: Measured::of(sample).pack(),
        }
    }
}

/// What answers need of a metric row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = metric_sample)]
pub(crate) struct MetricReadRow {
    pub(crate) agent_id: String,
    pub(crate) timestamp: i64,
    pub(crate) measured: Measured,
}

macro_rules! speedtest_rows {
    ($($name:ident: $type:ty,)*) => {
        #[derive(Queryable, Selectable, Insertable)]
        #[diesel(table_name = speedtest, treat_none_as_default_value = false)]
        pub(crate) struct SpeedtestRow {
            account_id: i64,
            pub(crate) id: Vec<u8>,
            pub(crate) agent_id: String,
            pub(crate) timestamp: i64,
            received_at: i64,
            sequence: i64,
            status: String,
            $($name: $type,)*
        }

        impl SpeedtestRow {
            /// `speedtest` must be normalized.
            pub(crate) fn new(account_id: AccountId, speedtest: Speedtest, received_at: Timestamp, sequence: i64) -> Self {
                Self {
                    account_id: account_id.0,
                    id: speedtest.id.0.as_bytes().to_vec(),
                    agent_id: speedtest.agent_id.as_str().to_owned(),
                    timestamp: speedtest.timestamp.as_micros(),
                    received_at: received_at.as_micros(),
                    sequence,
                    status: speedtest.status.as_str().to_owned(),
                    $($name: speedtest.$name,)*
                }
            }

            pub(crate) fn into_speedtest(self) -> Result<Speedtest> {
                Ok(Speedtest {
                    id: SpeedtestId(record_uuid(&self.id)?),
                    agent_id: AgentId::parse(&self.agent_id).map_err(|_| foreign("a speed test's agent"))?,
                    timestamp: time(self.timestamp),
                    status: SpeedtestStatus::from_name(&self.status).ok_or_else(|| foreign("a speed test's status"))?,
                    $($name: self.$name,)*
                })
            }
        }
    };
}

speedtest_rows! {
    error: Option<String>,
    provider: Option<String>,
    download_mbps: Option<f64>,
    upload_mbps: Option<f64>,
    download_bytes: Option<i64>,
    upload_bytes: Option<i64>,
    ping_ms: Option<f64>,
    jitter_ms: Option<f64>,
    packet_loss_percent: Option<f64>,
    loaded_latency_ms: Option<f64>,
    server_name: Option<String>,
    server_host: Option<String>,
    server_location: Option<String>,
    isp: Option<String>,
    external_ip: Option<String>,
    interface_name: Option<String>,
    duration_ms: Option<i64>,
    result_url: Option<String>,
}

pub(crate) fn record_uuid(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| foreign("a record's id"))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = traceroute, treat_none_as_default_value = false)]
pub(crate) struct TracerouteRow {
    pub(crate) account_id: i64,
    pub(crate) id: Vec<u8>,
    pub(crate) agent_id: String,
    pub(crate) timestamp: i64,
    received_at: i64,
    sequence: i64,
    pub(crate) target: String,
    target_ip: Option<String>,
    ip_version: Option<i64>,
    pub(crate) protocol: String,
    status: String,
    error: Option<String>,
    reached: bool,
    rtt_ms: Option<f64>,
    packet_loss_percent: Option<f64>,
    pub(crate) path_hash: String,
    pub(crate) path_changed: Option<bool>,
    duration_ms: Option<i64>,
    hops: String,
}

impl TracerouteRow {
    /// `traceroute` must be normalized; its `path_changed` is left open.
    pub(crate) fn new(account_id: AccountId, traceroute: Traceroute, received_at: Timestamp, sequence: i64) -> Self {
        Self {
            account_id: account_id.0,
            id: traceroute.id.0.as_bytes().to_vec(),
            agent_id: traceroute.agent_id.as_str().to_owned(),
            timestamp: traceroute.timestamp.as_micros(),
            received_at: received_at.as_micros(),
            sequence,
            path_hash: traceroute.path_hash(),
            target: traceroute.target,
            target_ip: traceroute.target_ip,
            ip_version: traceroute.ip_version.map(i64::from),
            protocol: traceroute.protocol.as_str().to_owned(),
            status: traceroute.status.as_str().to_owned(),
            error: traceroute.error,
            reached: traceroute.reached,
            rtt_ms: traceroute.rtt_ms,
            packet_loss_percent: traceroute.packet_loss_percent,
            path_changed: None,
            duration_ms: traceroute.duration_ms,
            hops: json(&traceroute.hops),
        }
    }

    pub(crate) fn into_traceroute(self) -> Result<Traceroute> {
        let protocol = TracerouteProtocol::from_name(&self.protocol);
        let status = TracerouteStatus::from_name(&self.status);
        Ok(Traceroute {
            id: TracerouteId(record_uuid(&self.id)?),
            agent_id: AgentId::parse(&self.agent_id).map_err(|_| foreign("a traceroute's agent"))?,
            timestamp: time(self.timestamp),
            target: self.target,
            target_ip: self.target_ip,
            ip_version: self.ip_version.and_then(|version| u8::try_from(version).ok()),
            protocol: protocol.ok_or_else(|| foreign("a traceroute's protocol"))?,
            status: status.ok_or_else(|| foreign("a traceroute's status"))?,
            error: self.error,
            reached: self.reached,
            rtt_ms: self.rtt_ms,
            packet_loss_percent: self.packet_loss_percent,
            path_changed: self.path_changed,
            duration_ms: self.duration_ms,
            hops: serde_json::from_str(&self.hops).map_err(|_| foreign("a traceroute's hops"))?,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub(crate) struct AuditRow {
    account_id: i64,
    at: i64,
    id: i64,
    actor: String,
    action: String,
    object: String,
}

impl AuditRow {
    pub(crate) fn new<A: Access>(scope: &Scope<A>, action: &str, object: String, now: Timestamp) -> Self {
        Self::by(scope.account_id(), actor_text(scope), action, object, now)
    }

    pub(crate) fn by(account_id: AccountId, actor: String, action: &str, object: String, now: Timestamp) -> Self {
        // Entries of one microsecond are told apart by chance; their order among themselves carries no meaning.
        let id = i64::from_le_bytes(random_bytes().unwrap_or_default());
        Self { account_id: account_id.0, at: now.as_micros(), id, actor, action: action.to_owned(), object }
    }

    pub(crate) fn into_entry(self) -> AuditEntry {
        AuditEntry { at: time(self.at), actor: self.actor, action: self.action, object: self.object }
    }
}
