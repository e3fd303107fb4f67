use astranetmon_domain::{AgentFacts, Timestamp};
use serde::de::MapAccess;
use serde::{Deserialize, Serialize};

use super::moment;
use crate::row::{Field, Report, read_list, read_object, row};

row! {
    /// An agent says that it is there, how it is, and what waits to be sent.
    Heartbeat {
        /// What the agent says of its host.
        #[cfg_attr(feature = "openapi", schema(value_type = Facts, required = true))]
        facts: Facts,
        /// Seconds between its metric samples, 1 to 86,400.
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 86_400, example = 10))]
        interval_seconds: u32,
        /// What waits to be sent.
        spool: Spool,
        /// What the agent itself takes.
        cost: Cost,
        /// The agent's clock when it sent this.
        #[serde(serialize_with = "moment")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z"))]
        sent_at: Timestamp,
    }
}

row! {
    /// What an agent says of its host. Text is cleaned of control characters and cut to 200 of them, the name to 253.
    #[cfg_attr(feature = "openapi", schema(as = AgentFacts))]
    Facts {
        /// The host's name; something must be left of it.
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, pattern = r"[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]", example = "web-1"))]
        hostname: String,
        /// Version of the agent program.
        agent_version: String,
        /// Operating system, such as `Debian GNU/Linux`.
        os: String,
        /// Version of the operating system.
        os_version: String,
        /// Version of the kernel.
        kernel_version: String,
        /// Processor architecture, such as `x86_64`.
        arch: String,
        /// The processor's own name.
        cpu_model: String,
        /// Logical processors.
        cpu_core_count: u32,
        /// Installed memory.
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 9_007_199_254_740_991_i64))]
        memory_total_bytes: i64,
        /// When the host started.
        #[serde(serialize_with = "moment")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime, example = "2026-11-01T06:00:00.000Z"))]
        boot_time: Timestamp,
        /// The host's own addresses, at most 64.
        #[cfg_attr(feature = "openapi", schema(max_items = 64))]
        ip_addresses: Vec<String>,
    }
}

row! {
    /// What waits on the agent's disk to be sent.
    #[cfg_attr(feature = "openapi", schema(as = AgentSpool))]
    Spool {
        /// Rows that wait.
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 9_007_199_254_740_991_i64))]
        row_count: u64,
        /// The time of the oldest of them.
        #[serde(serialize_with = "moment")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z"))]
        oldest_timestamp: Timestamp,
        /// Rows that were dropped for lack of room, ever.
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 9_007_199_254_740_991_i64))]
        dropped_row_count: u64,
    }
}

row! {
    /// What the agent itself takes.
    #[cfg_attr(feature = "openapi", schema(as = AgentCost))]
    Cost {
        /// Of one core.
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1_000_000))]
        cpu_percent: f64,
        /// Resident memory.
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 9_007_199_254_740_991_i64))]
        memory_bytes: i64,
    }
}

/// What an agent is told when it says that it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatAnswer {
    /// The server's clock.
    #[cfg_attr(feature = "openapi", schema(format = DateTime, example = "2026-11-23T11:26:58.123Z"))]
    pub server_time: String,
    /// The agent that the token writes for.
    #[cfg_attr(feature = "openapi", schema(example = "web-1"))]
    pub agent_id: String,
}

macro_rules! object_field {
    ($($name:ident),*) => {$(
        impl Field for $name {
            fn read<'de, A: MapAccess<'de>>(
                map: &mut A,
                name: &'static str,
                report: &mut Report<'_>,
            ) -> Result<Option<Self>, A::Error> {
                read_object(map, name, report)
            }
        }
    )*};
}
object_field!(Facts, Spool, Cost);

impl Field for Vec<String> {
    fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Result<Option<Self>, A::Error> {
        const ACCEPTED: &str = "must be a list of at most 64 texts";
        read_list(map, name, ACCEPTED, 64, report, |raw, _| {
            serde_json::from_str(raw.get()).map_err(|_| crate::Refusal::of_row("must be a text in quotation marks"))
        })
    }
}

impl From<&AgentFacts> for Facts {
    fn from(facts: &AgentFacts) -> Self {
        let facts = facts.clone();
        Self {
            hostname: Some(facts.hostname),
            agent_version: facts.agent_version,
            os: facts.os,
            os_version: facts.os_version,
            kernel_version: facts.kernel_version,
            arch: facts.arch,
            cpu_model: facts.cpu_model,
            cpu_core_count: facts.cpu_core_count,
            memory_total_bytes: facts.memory_total_bytes,
            boot_time: facts.boot_time,
            ip_addresses: Some(facts.ip_addresses),
        }
    }
}
