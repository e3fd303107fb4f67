use astranetmon_domain::{AgentId, Speedtest, SpeedtestId, SpeedtestStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AgentIdText, display, moment};

/// Speed tests of the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpeedtestList {
    /// Newest first, then by agent, then by id.
    pub(crate) speedtests: Vec<SpeedtestRecord>,
    /// Records that match the filters in this account, on all pages.
    #[schema(example = 5)]
    pub(crate) total: u64,
}

/// How a speed test ended. More values may come; a client treats one that it does not know as unknown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SpeedtestStatus)]
pub(crate) enum SpeedtestStatusName {
    /// It measured.
    Completed,
    /// It did not; `error` says why.
    Failed,
}

impl From<SpeedtestStatus> for SpeedtestStatusName {
    fn from(value: SpeedtestStatus) -> Self {
        match value {
            SpeedtestStatus::Completed => Self::Completed,
            SpeedtestStatus::Failed => Self::Failed,
        }
    }
}

/// One speed test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Speedtest)]
pub(crate) struct SpeedtestRecord {
    /// A UUID, made by the sender.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid", example = "01930a5e-7c3b-7d2a-9e4f-3b1c5d7e9f01")]
    pub(crate) id: SpeedtestId,
    /// The agent that measured.
    #[serde(serialize_with = "display")]
    #[schema(value_type = AgentIdText)]
    pub(crate) agent_id: AgentId,
    /// Start of the test.
    #[serde(serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) timestamp: Timestamp,
    /// How it ended.
    pub(crate) status: SpeedtestStatusName,
    /// Why it failed.
    #[schema(example = "no server answered")]
    pub(crate) error: Option<String>,
    /// Who ran the server.
    #[schema(example = "cloudflare")]
    pub(crate) provider: Option<String>,
    /// Download rate, in megabits per second (10^6 bit/s). 3 decimals.
    #[schema(example = 941.237)]
    pub(crate) download_mbps: Option<f64>,
    /// Upload rate, in megabits per second (10^6 bit/s). 3 decimals.
    #[schema(example = 487.5)]
    pub(crate) upload_mbps: Option<f64>,
    /// Data downloaded, in bytes.
    #[schema(example = json!(1176546250i64))]
    pub(crate) download_bytes: Option<i64>,
    /// Data uploaded, in bytes.
    #[schema(example = 609375000)]
    pub(crate) upload_bytes: Option<i64>,
    /// Round trip while idle, in milliseconds. 3 decimals.
    #[schema(example = 8.125)]
    pub(crate) ping_ms: Option<f64>,
    /// Variation of the round trip, in milliseconds. 3 decimals.
    #[schema(example = 0.5)]
    pub(crate) jitter_ms: Option<f64>,
    /// Packets lost, percent. 2 decimals.
    #[schema(example = 0.25)]
    pub(crate) packet_loss_percent: Option<f64>,
    /// Round trip under load, in milliseconds. 3 decimals.
    #[schema(example = 31.25)]
    pub(crate) loaded_latency_ms: Option<f64>,
    /// Name of the server.
    #[schema(example = "Berlin 1")]
    pub(crate) server_name: Option<String>,
    /// Host of the server.
    #[schema(example = "speed.example.net")]
    pub(crate) server_host: Option<String>,
    /// Place of the server.
    #[schema(example = "Berlin, DE")]
    pub(crate) server_location: Option<String>,
    /// The agent's internet service provider.
    #[schema(example = "Example Net")]
    pub(crate) isp: Option<String>,
    /// The agent's address as the server saw it.
    #[schema(example = "203.0.113.7")]
    pub(crate) external_ip: Option<String>,
    /// Network interface that was used.
    #[schema(example = "eth0")]
    pub(crate) interface_name: Option<String>,
    /// Length of the test, in milliseconds.
    #[schema(example = 21500)]
    pub(crate) duration_ms: Option<i64>,
    /// The provider's page of the result.
    #[schema(example = "https://speed.example.net/result/1")]
    pub(crate) result_url: Option<String>,
}

impl SpeedtestRecord {
    /// Its fields, in order.
    pub(crate) const FIELDS: [&'static str; 22] = [
        "id",
        "agent_id",
        "timestamp",
        "status",
        "error",
        "provider",
        "download_mbps",
        "upload_mbps",
        "download_bytes",
        "upload_bytes",
        "ping_ms",
        "jitter_ms",
        "packet_loss_percent",
        "loaded_latency_ms",
        "server_name",
        "server_host",
        "server_location",
        "isp",
        "external_ip",
        "interface_name",
        "duration_ms",
        "result_url",
    ];
}

impl From<Speedtest> for SpeedtestRecord {
    fn from(speedtest: Speedtest) -> Self {
        Self {
            id: speedtest.id,
            agent_id: speedtest.agent_id,
            timestamp: speedtest.timestamp,
            status: speedtest.status.into(),
            error: speedtest.error,
            provider: speedtest.provider,
            download_mbps: speedtest.download_mbps,
            upload_mbps: speedtest.upload_mbps,
            download_bytes: speedtest.download_bytes,
            upload_bytes: speedtest.upload_bytes,
            ping_ms: speedtest.ping_ms,
            jitter_ms: speedtest.jitter_ms,
            packet_loss_percent: speedtest.packet_loss_percent,
            loaded_latency_ms: speedtest.loaded_latency_ms,
            server_name: speedtest.server_name,
            server_host: speedtest.server_host,
            server_location: speedtest.server_location,
            isp: speedtest.isp,
            external_ip: speedtest.external_ip,
            interface_name: speedtest.interface_name,
            duration_ms: speedtest.duration_ms,
            result_url: speedtest.result_url,
        }
    }
}
