use std::collections::BTreeMap;

use astranetmon_domain::{Agent, AgentId, AgentStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AgentIdText, display, moment, optional_moment};

/// Agents of the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentList<'a> {
    /// By hostname, then id.
    pub(crate) agents: Vec<AgentRecord<'a>>,
    /// Records that match the filters in this account, on all pages.
    #[schema(example = 5)]
    pub(crate) total: u64,
}

/// Whether an agent is reporting. More values may come; a client treats one that it does not know as unknown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AgentStatus)]
pub(crate) enum AgentStatusName {
    /// Seen within three of its intervals.
    Online,
    /// Seen before, but not within three of its intervals.
    Offline,
    /// Never seen.
    Pending,
    /// Switched off by its account.
    Disabled,
}

impl From<AgentStatus> for AgentStatusName {
    fn from(value: AgentStatus) -> Self {
        match value {
            AgentStatus::Online => Self::Online,
            AgentStatus::Offline => Self::Offline,
            AgentStatus::Pending => Self::Pending,
            AgentStatus::Disabled => Self::Disabled,
        }
    }
}

/// An agent: one machine that reports.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub(crate) struct AgentRecord<'a> {
    /// Unique within the account.
    #[serde(serialize_with = "display")]
    #[schema(value_type = AgentIdText)]
    pub(crate) id: &'a AgentId,
    /// The name of its host.
    #[schema(example = "web-1.example.com")]
    pub(crate) hostname: &'a str,
    /// Whether it is reporting.
    pub(crate) status: AgentStatusName,
    /// An alias that a person gave.
    #[schema(example = "Berlin web 1")]
    pub(crate) name: Option<&'a str>,
    /// When it last reported.
    #[serde(serialize_with = "optional_moment")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) last_seen_at: Option<Timestamp>,
    /// When it was added.
    #[serde(serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) created_at: Timestamp,
    /// Version of the agent program.
    #[schema(example = "0.1.0")]
    pub(crate) agent_version: Option<&'a str>,
    /// Operating system.
    #[schema(example = "Debian GNU/Linux")]
    pub(crate) os: Option<&'a str>,
    /// Version of the operating system.
    #[schema(example = "13")]
    pub(crate) os_version: Option<&'a str>,
    /// Version of the kernel.
    #[schema(example = "6.12.48")]
    pub(crate) kernel_version: Option<&'a str>,
    /// Processor architecture.
    #[schema(example = "x86_64")]
    pub(crate) arch: Option<&'a str>,
    /// The processor's own name.
    #[schema(example = "AMD EPYC 7543")]
    pub(crate) cpu_model: Option<&'a str>,
    /// Logical processors.
    #[schema(example = 8)]
    pub(crate) cpu_core_count: Option<u32>,
    /// Installed memory, in bytes.
    #[schema(example = json!(16777216000i64))]
    pub(crate) memory_total_bytes: Option<i64>,
    /// When the host started.
    #[serde(serialize_with = "optional_moment")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) boot_time: Option<Timestamp>,
    /// The host's own addresses.
    #[schema(example = json!(["192.0.2.10", "2001:db8::10"]))]
    pub(crate) ip_addresses: &'a [String],
    /// The address it reports from, as the server saw it.
    #[schema(example = "203.0.113.7")]
    pub(crate) public_ip: Option<&'a str>,
    /// Names and values that a person gave.
    #[schema(example = json!({"site": "ber"}))]
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// Time between metric samples, in seconds.
    #[schema(example = 60)]
    pub(crate) interval_seconds: Option<u32>,
}

impl<'a> AgentRecord<'a> {
    /// The agent as it stands at the time `now`.
    pub(crate) fn new(agent: &'a Agent, now: Timestamp) -> Self {
        Self {
            status: agent.status(now).into(),
            id: &agent.id,
            hostname: &agent.facts.hostname,
            name: agent.name.as_deref(),
            last_seen_at: agent.last_seen_at,
            created_at: agent.created_at,
            agent_version: agent.facts.agent_version.as_deref(),
            os: agent.facts.os.as_deref(),
            os_version: agent.facts.os_version.as_deref(),
            kernel_version: agent.facts.kernel_version.as_deref(),
            arch: agent.facts.arch.as_deref(),
            cpu_model: agent.facts.cpu_model.as_deref(),
            cpu_core_count: agent.facts.cpu_core_count,
            memory_total_bytes: agent.facts.memory_total_bytes,
            boot_time: agent.facts.boot_time,
            ip_addresses: &agent.facts.ip_addresses,
            public_ip: agent.public_ip.as_deref(),
            labels: &agent.labels,
            interval_seconds: agent.facts.interval_seconds,
        }
    }
}

impl AgentRecord<'_> {
    /// Its fields, in order.
    pub(crate) const FIELDS: [&'static str; 19] = [
        "id",
        "hostname",
        "status",
        "name",
        "last_seen_at",
        "created_at",
        "agent_version",
        "os",
        "os_version",
        "kernel_version",
        "arch",
        "cpu_model",
        "cpu_core_count",
        "memory_total_bytes",
        "boot_time",
        "ip_addresses",
        "public_ip",
        "labels",
        "interval_seconds",
    ];
}
