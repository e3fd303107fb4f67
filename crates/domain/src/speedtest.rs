use crate::{AgentId, RecordPosition, SpeedtestId, Timestamp, clean_text, round_to};

/// How a speed test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpeedtestStatus {
    /// It measured.
    Completed,
    /// It did not; `error` says why.
    Failed,
}

impl SpeedtestStatus {
    /// Every status.
    pub const ALL: [Self; 2] = [Self::Completed, Self::Failed];

    /// The name used in storage and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// One speed test. 1 Mbps is 10^6 bit/s; unknown is `None`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names carry the units; contract §5 lists them")]
pub struct Speedtest {
    pub id: SpeedtestId,
    pub agent_id: AgentId,
    /// Start of the test.
    pub timestamp: Timestamp,
    pub status: SpeedtestStatus,
    pub error: Option<String>,
    pub provider: Option<String>,
    pub download_mbps: Option<f64>,
    pub upload_mbps: Option<f64>,
    pub download_bytes: Option<i64>,
    pub upload_bytes: Option<i64>,
    pub ping_ms: Option<f64>,
    pub jitter_ms: Option<f64>,
    pub packet_loss_percent: Option<f64>,
    pub loaded_latency_ms: Option<f64>,
    pub server_name: Option<String>,
    pub server_host: Option<String>,
    pub server_location: Option<String>,
    pub isp: Option<String>,
    pub external_ip: Option<String>,
    pub interface_name: Option<String>,
    pub duration_ms: Option<i64>,
    pub result_url: Option<String>,
}

impl Speedtest {
    /// Where it stands in a list of speed tests.
    #[must_use]
    pub fn position(&self) -> RecordPosition {
        RecordPosition { timestamp: self.timestamp, agent_id: self.agent_id.clone(), id: self.id.0 }
    }

    /// The record as it is stored: time in whole milliseconds, floats at their scale, text cleaned and bounded.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.timestamp = self.timestamp.to_millis_precision();
        for value in [
            &mut self.download_mbps,
            &mut self.upload_mbps,
            &mut self.ping_ms,
            &mut self.jitter_ms,
            &mut self.loaded_latency_ms,
        ] {
            *value = value.and_then(|value| round_to(value, 3));
        }
        self.packet_loss_percent = self.packet_loss_percent.and_then(|value| round_to(value, 2));
        for text in [
            &mut self.error,
            &mut self.provider,
            &mut self.server_name,
            &mut self.server_host,
            &mut self.server_location,
            &mut self.isp,
            &mut self.external_ip,
            &mut self.interface_name,
            &mut self.result_url,
        ]
        .into_iter()
        .flatten()
        {
            *text = clean_text(text, 500);
        }
        self
    }
}
