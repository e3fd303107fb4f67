use astranetmon_domain::{AgentId, Speedtest, SpeedtestStatus, Timestamp};

use crate::format::{self, Moment, UNKNOWN};

/// A row of a table of speed tests.
pub(crate) struct SpeedtestRow {
    pub(crate) agent_id: AgentId,
    pub(crate) agent_name: String,
    pub(crate) at: Moment,
    pub(crate) full_time: String,
    pub(crate) is_failed: bool,
    pub(crate) error: Option<String>,
    pub(crate) download: String,
    pub(crate) upload: String,
    pub(crate) ping: String,
    pub(crate) jitter: String,
    pub(crate) loss: String,
    pub(crate) server: String,
    pub(crate) provider: String,
}

impl SpeedtestRow {
    pub(crate) fn of(test: &Speedtest, agent_name: &str, now: Timestamp) -> Self {
        let unknown = || UNKNOWN.to_owned();
        let server = match (&test.server_name, &test.server_location) {
            (Some(name), Some(place)) if name != place => format!("{name}, {place}"),
            (Some(name), _) => name.clone(),
            (None, Some(place)) => place.clone(),
            (None, None) => test.server_host.clone().unwrap_or_else(unknown),
        };
        let number = |value: Option<f64>| format::or_unknown(value, format::short);
        Self {
            agent_id: test.agent_id.clone(),
            agent_name: agent_name.to_owned(),
            at: Moment::of(test.timestamp, now),
            full_time: format::full_time(test.timestamp),
            is_failed: test.status == SpeedtestStatus::Failed,
            error: test.error.clone(),
            download: number(test.download_mbps),
            upload: number(test.upload_mbps),
            ping: number(test.ping_ms),
            jitter: number(test.jitter_ms),
            loss: format::or_unknown(test.packet_loss_percent, format::short),
            server,
            provider: test.provider.clone().unwrap_or_else(unknown),
        }
    }
}
