use astranetmon_domain::{AgentId, Hop, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AgentIdText, display, moment};

/// Traceroutes of the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TracerouteList {
    /// Newest first, then by agent, then by id.
    pub(crate) traceroutes: Vec<TracerouteRecord>,
    /// Records that match the filters in this account, on all pages.
    #[schema(example = 5)]
    pub(crate) total: u64,
}

/// What the probes were. More values may come; a client treats one that it does not know as unknown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TracerouteProtocol)]
pub(crate) enum TracerouteProtocolName {
    /// ICMP echo.
    Icmp,
    /// UDP datagrams.
    Udp,
    /// TCP SYN.
    Tcp,
}

impl From<TracerouteProtocol> for TracerouteProtocolName {
    fn from(value: TracerouteProtocol) -> Self {
        match value {
            TracerouteProtocol::Icmp => Self::Icmp,
            TracerouteProtocol::Udp => Self::Udp,
            TracerouteProtocol::Tcp => Self::Tcp,
        }
    }
}

/// How a traceroute ended. More values may come; a client treats one that it does not know as unknown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TracerouteStatus)]
pub(crate) enum TracerouteStatusName {
    /// It reached its target.
    Completed,
    /// It stopped before its target.
    Incomplete,
    /// It could not run; `error` says why.
    Failed,
}

impl From<TracerouteStatus> for TracerouteStatusName {
    fn from(value: TracerouteStatus) -> Self {
        match value {
            TracerouteStatus::Completed => Self::Completed,
            TracerouteStatus::Incomplete => Self::Incomplete,
            TracerouteStatus::Failed => Self::Failed,
        }
    }
}

/// One traceroute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Traceroute)]
pub(crate) struct TracerouteRecord {
    /// A UUID, made by the sender.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid", example = "01930a5e-7c3b-7d2a-9e4f-3b1c5d7e9f02")]
    pub(crate) id: TracerouteId,
    /// The agent that traced.
    #[serde(serialize_with = "display")]
    #[schema(value_type = AgentIdText)]
    pub(crate) agent_id: AgentId,
    /// Start of the trace.
    #[serde(serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) timestamp: Timestamp,
    /// What was traced, as asked: a name or an address.
    #[schema(example = "example.com")]
    pub(crate) target: String,
    /// Its address; `null` when the name did not resolve.
    #[schema(example = "192.0.2.80")]
    pub(crate) target_ip: Option<String>,
    /// 4 or 6.
    #[schema(example = 4)]
    pub(crate) ip_version: Option<u8>,
    /// What the probes were.
    pub(crate) protocol: TracerouteProtocolName,
    /// How it ended.
    pub(crate) status: TracerouteStatusName,
    /// Why it failed.
    #[schema(example = "name not found")]
    pub(crate) error: Option<String>,
    /// Whether the target answered.
    #[schema(example = true)]
    pub(crate) reached: bool,
    /// Length of `hops`.
    #[schema(example = 1)]
    pub(crate) hop_count: u64,
    /// Round trip to the target, in milliseconds. 3 decimals.
    #[schema(example = 9.125)]
    pub(crate) rtt_ms: Option<f64>,
    /// Probes to the target that did not come back, percent. 2 decimals.
    #[schema(example = 0.5)]
    pub(crate) packet_loss_percent: Option<f64>,
    /// Fingerprint of the path: over the ordered answering addresses, gaps kept.
    #[schema(example = "cbf29ce484222325")]
    pub(crate) path_hash: String,
    /// Whether the path differs from the last trace of the same agent, target and protocol; `null` on the first.
    #[schema(example = false)]
    pub(crate) path_changed: Option<bool>,
    /// Length of the trace, in milliseconds.
    #[schema(example = 1250)]
    pub(crate) duration_ms: Option<i64>,
    /// One entry per distance from the agent, in order.
    pub(crate) hops: Vec<HopRecord>,
}

impl TracerouteRecord {
    /// Its fields, in order.
    pub(crate) const FIELDS: [&'static str; 17] = [
        "id",
        "agent_id",
        "timestamp",
        "target",
        "target_ip",
        "ip_version",
        "protocol",
        "status",
        "error",
        "reached",
        "hop_count",
        "rtt_ms",
        "packet_loss_percent",
        "path_hash",
        "path_changed",
        "duration_ms",
        "hops",
    ];
}

/// One hop of a traceroute. A silent hop keeps its entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hop)]
pub(crate) struct HopRecord {
    /// Distance from the agent, in hops.
    #[schema(example = 1)]
    pub(crate) ttl: u8,
    /// The address that answered; `null` for a silent hop.
    #[schema(example = "192.0.2.1")]
    pub(crate) ip: Option<String>,
    /// Its name.
    #[schema(example = "router.example.net")]
    pub(crate) hostname: Option<String>,
    /// Its autonomous system.
    #[schema(format = Int64, maximum = 4_294_967_295_i64, example = 64500)]
    pub(crate) asn: Option<u32>,
    /// Name of the autonomous system.
    #[schema(example = "EXAMPLE-AS")]
    pub(crate) as_name: Option<String>,
    /// Shortest round trip, in milliseconds. 3 decimals.
    #[schema(example = 1.125)]
    pub(crate) rtt_min_ms: Option<f64>,
    /// Mean round trip, in milliseconds. 3 decimals.
    #[schema(example = 1.5)]
    pub(crate) rtt_avg_ms: Option<f64>,
    /// Longest round trip, in milliseconds. 3 decimals.
    #[schema(example = 2.25)]
    pub(crate) rtt_max_ms: Option<f64>,
    /// Probes sent.
    #[schema(example = 3)]
    pub(crate) sent_count: u32,
    /// Answers received.
    #[schema(example = 3)]
    pub(crate) received_count: u32,
    /// Probes without an answer, percent. 2 decimals.
    #[schema(example = 0.5)]
    pub(crate) packet_loss_percent: Option<f64>,
}

impl From<Traceroute> for TracerouteRecord {
    fn from(traceroute: Traceroute) -> Self {
        Self {
            path_hash: traceroute.path_hash(),
            id: traceroute.id,
            agent_id: traceroute.agent_id,
            timestamp: traceroute.timestamp,
            target: traceroute.target,
            target_ip: traceroute.target_ip,
            ip_version: traceroute.ip_version,
            protocol: traceroute.protocol.into(),
            status: traceroute.status.into(),
            error: traceroute.error,
            reached: traceroute.reached,
            hop_count: traceroute.hops.len() as u64,
            rtt_ms: traceroute.rtt_ms,
            packet_loss_percent: traceroute.packet_loss_percent,
            path_changed: traceroute.path_changed,
            duration_ms: traceroute.duration_ms,
            hops: traceroute.hops.into_iter().map(HopRecord::from).collect(),
        }
    }
}

impl From<Hop> for HopRecord {
    fn from(hop: Hop) -> Self {
        Self {
            ttl: hop.ttl,
            ip: hop.ip,
            hostname: hop.hostname,
            asn: hop.asn,
            as_name: hop.as_name,
            rtt_min_ms: hop.rtt_min_ms,
            rtt_avg_ms: hop.rtt_avg_ms,
            rtt_max_ms: hop.rtt_max_ms,
            sent_count: hop.sent_count,
            received_count: hop.received_count,
            packet_loss_percent: hop.packet_loss_percent,
        }
    }
}
