//! Speed tests against servers that speak LibreSpeed's protocol.

mod server;

use std::time::{Duration, Instant};

use astranetmon_domain::{AgentId, Speedtest, SpeedtestId, SpeedtestStatus, Timestamp};

pub use server::{InvalidServerUrl, SpeedtestServer};

/// How long, with how many streams, and how much at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeedtestOptions {
    /// Connections in each direction, 1 to 32.
    pub stream_count: u8,
    /// Start of each direction that is not measured, while the streams reach their speed.
    pub warm_up: Duration,
    /// Measured time of each direction, after the warm-up.
    pub measured: Duration,
    /// Pings before there is load, 1 to 100.
    pub ping_count: u32,
    /// Bytes of each direction at most, warm-up included. When they are spent the measured time ends.
    pub max_bytes: u64,
}

impl Default for SpeedtestOptions {
    fn default() -> Self {
        Self {
            stream_count: 4,
            warm_up: Duration::from_secs(2),
            measured: Duration::from_secs(10),
            ping_count: 10,
            max_bytes: 4 << 30,
        }
    }
}

/// A speed test and the figures that it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeedtestOutcome {
    /// The record.
    pub record: Speedtest,
    /// The figures.
    pub figures: SpeedtestFigures,
}

/// Raw figures of a speed test; kept as JSON. Unknown is null.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SpeedtestFigures {
    /// Each round trip before there was load.
    pub idle_pings_ms: Vec<f64>,
    /// From the server.
    pub download: Option<DirectionFigures>,
    /// To the server.
    pub upload: Option<DirectionFigures>,
}

/// Raw figures of one direction.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DirectionFigures {
    /// Connections.
    pub stream_count: u8,
    /// Start that was not measured.
    pub warm_up_ms: f64,
    /// Time that was measured.
    pub measured_ms: f64,
    /// Bytes in the measured time.
    pub measured_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes of each second from the start, warm-up included; the last one may be shorter.
    pub bytes_by_second: Vec<u64>,
    /// Each round trip in the measured time.
    pub loaded_pings_ms: Vec<f64>,
    /// Their median.
    pub loaded_latency_ms: Option<f64>,
    /// Requests that broke off and were made again.
    pub broken_request_count: u32,
}

/// Makes speed tests. Exclusive use, since two at once would share the line.
#[derive(Debug)]
pub struct SpeedtestClient {
    options: SpeedtestOptions,
}

impl SpeedtestClient {
    /// A client that trusts whom `tls` trusts.
    ///
    /// # Errors
    /// A sentence.
    pub fn new(_tls: rustls::ClientConfig, options: SpeedtestOptions) -> Result<Self, String> {
        Ok(Self { options })
    }

    /// Tests against one server, in about `2 * (warm_up + measured)` and a few seconds.
    ///
    /// Never fails: what went wrong is a [`Speedtest`] with status `failed` and a sentence. Needs a tokio runtime with
    /// time and I/O; dropping the future ends the test.
    pub async fn run(
        &mut self,
        server: &SpeedtestServer,
        id: SpeedtestId,
        agent_id: &AgentId,
        timestamp: Timestamp,
    ) -> SpeedtestOutcome {
        let started = Instant::now();
        let _ = self.options;
        let record = Speedtest {
            id,
            agent_id: agent_id.clone(),
            timestamp,
            status: SpeedtestStatus::Failed,
            error: Some("Speed tests are not made yet.".to_owned()),
            provider: Some("librespeed".to_owned()),
            download_mbps: None,
            upload_mbps: None,
            download_bytes: None,
            upload_bytes: None,
            ping_ms: None,
            jitter_ms: None,
            packet_loss_percent: None,
            loaded_latency_ms: None,
            server_name: server.name.clone(),
            server_host: Some(server.host()),
            server_location: server.location.clone(),
            isp: None,
            external_ip: None,
            interface_name: None,
            duration_ms: i64::try_from(started.elapsed().as_millis()).ok(),
            result_url: None,
        };
        SpeedtestOutcome { record: record.normalized(), figures: SpeedtestFigures::default() }
    }
}
