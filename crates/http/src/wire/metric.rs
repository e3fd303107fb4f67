use astranetmon_domain::{AgentId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AgentIdText, display, moment};

/// Metrics of the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricList {
    /// Newest first, then by agent.
    pub(crate) metrics: Vec<MetricRecord>,
    /// Records that match the filters in this account, on all pages.
    #[schema(example = 5)]
    pub(crate) total: u64,
}

/// One metric: what one agent measured at one time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Metric)]
pub(crate) struct MetricRecord {
    /// The agent that measured.
    #[serde(serialize_with = "display")]
    #[schema(value_type = AgentIdText)]
    pub(crate) agent_id: AgentId,
    /// When it was measured; unique for its agent.
    #[serde(serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) timestamp: Timestamp,
    /// Time that the sample covers, in seconds.
    #[schema(example = 60)]
    pub(crate) interval_seconds: Option<i64>,
    /// Use of all processors; 100 is all of them busy. 2 decimals.
    #[schema(example = 12.5)]
    pub(crate) cpu_percent: Option<f64>,
    /// Load average over 1 minute. 2 decimals.
    #[schema(example = 0.42)]
    pub(crate) load_1: Option<f64>,
    /// Load average over 5 minutes. 2 decimals.
    #[schema(example = 0.38)]
    pub(crate) load_5: Option<f64>,
    /// Load average over 15 minutes. 2 decimals.
    #[schema(example = 0.31)]
    pub(crate) load_15: Option<f64>,
    /// Installed memory, in bytes.
    #[schema(example = json!(16777216000i64))]
    pub(crate) memory_total_bytes: Option<i64>,
    /// Memory in use (total less available), in bytes.
    #[schema(example = json!(6291456000i64))]
    pub(crate) memory_used_bytes: Option<i64>,
    /// Memory in use, percent of total. 2 decimals.
    #[schema(example = 37.5)]
    pub(crate) memory_percent: Option<f64>,
    /// Swap space, in bytes.
    #[schema(example = json!(2147483648i64))]
    pub(crate) swap_total_bytes: Option<i64>,
    /// Swap in use, in bytes.
    #[schema(example = 0)]
    pub(crate) swap_used_bytes: Option<i64>,
    /// Size of the root file system, in bytes.
    #[schema(example = json!(256060514304i64))]
    pub(crate) disk_total_bytes: Option<i64>,
    /// Used on the root file system, in bytes.
    #[schema(example = json!(128030257152i64))]
    pub(crate) disk_used_bytes: Option<i64>,
    /// Used on the root file system, percent of total. 2 decimals.
    #[schema(example = 50.0)]
    pub(crate) disk_percent: Option<f64>,
    /// Read from physical disks, in bytes per second. `null` on the first sample after a start, a counter reset or a gap.
    #[schema(example = 40960)]
    pub(crate) disk_read_bytes_per_second: Option<i64>,
    /// Written to physical disks, in bytes per second. `null` on the first sample after a start, a counter reset or a gap.
    #[schema(example = 81920)]
    pub(crate) disk_write_bytes_per_second: Option<i64>,
    /// Received over physical interfaces, in bytes per second. `null` on the first sample after a start, a counter reset or a gap.
    #[schema(example = 125000)]
    pub(crate) network_receive_bytes_per_second: Option<i64>,
    /// Sent over physical interfaces, in bytes per second. `null` on the first sample after a start, a counter reset or a gap.
    #[schema(example = 62500)]
    pub(crate) network_transmit_bytes_per_second: Option<i64>,
    /// Received over physical interfaces since boot, in bytes.
    #[schema(example = json!(98765432100i64))]
    pub(crate) network_receive_bytes_total: Option<i64>,
    /// Sent over physical interfaces since boot, in bytes.
    #[schema(example = json!(12345678900i64))]
    pub(crate) network_transmit_bytes_total: Option<i64>,
    /// Receive and transmit errors within the interval.
    #[schema(example = 0)]
    pub(crate) network_errors_count: Option<i64>,
    /// Round trip to the first latency target, in milliseconds. 3 decimals.
    #[schema(example = 9.125)]
    pub(crate) latency_ms: Option<f64>,
    /// Variation of the round trip, in milliseconds. 3 decimals.
    #[schema(example = 0.75)]
    pub(crate) jitter_ms: Option<f64>,
    /// Probes that did not come back, percent. 2 decimals.
    #[schema(example = 0.5)]
    pub(crate) packet_loss_percent: Option<f64>,
    /// The hottest sensor, in degrees Celsius. 1 decimal.
    #[schema(example = 48.5)]
    pub(crate) temperature_celsius: Option<f64>,
    /// Running processes.
    #[schema(example = 187)]
    pub(crate) process_count: Option<i64>,
    /// Time since boot, in seconds.
    #[schema(example = 864000)]
    pub(crate) uptime_seconds: Option<i64>,
}

/// Figures of the metrics of an agent, or of several, in one interval.
///
/// Beside these there is a `<field>_<agg>` for each chosen field and figure, a number or `null`: figures have the unit and
/// the decimals of their field, the mean of a whole number has 2, and `count` counts known values.
#[derive(ToSchema)]
#[schema(as = MetricAggregate)]
pub(crate) struct MetricAggregateRecord {
    /// The agent; `null` where metrics of several agents are put together.
    #[schema(value_type = Option<AgentIdText>, required)]
    #[expect(dead_code, reason = "written by hand, since its fields depend on the request")]
    pub(crate) agent_id: Option<String>,
    /// With `group_by=label:…` only: the value of the label, `null` for agents without it.
    #[schema(example = "ber")]
    #[expect(dead_code, reason = "as above")]
    pub(crate) group: Option<String>,
    /// Where the interval begins.
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:25:00.000Z")]
    #[expect(dead_code, reason = "as above")]
    pub(crate) timestamp: Timestamp,
    /// Its length, in seconds.
    #[schema(example = 300)]
    #[expect(dead_code, reason = "as above")]
    pub(crate) interval_seconds: u32,
    /// Metrics in it.
    #[schema(example = 5)]
    #[expect(dead_code, reason = "as above")]
    pub(crate) sample_count: u64,
}

impl From<astranetmon_domain::MetricSample> for MetricRecord {
    fn from(sample: astranetmon_domain::MetricSample) -> Self {
        Self {
            agent_id: sample.agent_id,
            timestamp: sample.timestamp,
            interval_seconds: sample.interval_seconds,
            cpu_percent: sample.cpu_percent,
            load_1: sample.load_1,
            load_5: sample.load_5,
            load_15: sample.load_15,
            memory_total_bytes: sample.memory_total_bytes,
            memory_used_bytes: sample.memory_used_bytes,
            memory_percent: sample.memory_percent,
            swap_total_bytes: sample.swap_total_bytes,
            swap_used_bytes: sample.swap_used_bytes,
            disk_total_bytes: sample.disk_total_bytes,
            disk_used_bytes: sample.disk_used_bytes,
            disk_percent: sample.disk_percent,
            disk_read_bytes_per_second: sample.disk_read_bytes_per_second,
            disk_write_bytes_per_second: sample.disk_write_bytes_per_second,
            network_receive_bytes_per_second: sample.network_receive_bytes_per_second,
            network_transmit_bytes_per_second: sample.network_transmit_bytes_per_second,
            network_receive_bytes_total: sample.network_receive_bytes_total,
            network_transmit_bytes_total: sample.network_transmit_bytes_total,
            network_errors_count: sample.network_errors_count,
            latency_ms: sample.latency_ms,
            jitter_ms: sample.jitter_ms,
            packet_loss_percent: sample.packet_loss_percent,
            temperature_celsius: sample.temperature_celsius,
            process_count: sample.process_count,
            uptime_seconds: sample.uptime_seconds,
        }
    }
}
