//! Speed tests against servers that speak LibreSpeed's protocol.

mod call;
mod load;
mod own_address;
mod pings;
mod server;
mod transfer;

use std::time::{Duration, Instant};

use astranetmon_domain::{AgentId, Speedtest, SpeedtestId, SpeedtestStatus, Timestamp};
use reqwest::Client;

use self::load::{Clients, Direction};

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

impl SpeedtestOptions {
    /// Most connections of a direction.
    pub const MAX_STREAMS: u8 = 32;
    /// Most pings before there is load.
    pub const MAX_PINGS: u32 = 100;
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
    /// Bytes in the measured time, of HTTP bodies: what TCP, IP and TLS add is not counted.
    pub measured_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes of each second from the start, warm-up included; the last one may be shorter. Of an upload they are those
    /// that were handed to the operating system, whose buffers take the first of them at once.
    pub bytes_by_second: Vec<u64>,
    /// Each round trip in the measured time.
    pub loaded_pings_ms: Vec<f64>,
    /// Their median.
    pub loaded_latency_ms: Option<f64>,
    /// Requests that broke off and were made again.
    pub broken_request_count: u32,
}

impl DirectionFigures {
    /// 10^6 bit/s over the measured time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate of three decimals")]
    pub fn mbps(&self) -> f64 {
        // Bits in a millisecond are thousands of bits in a second.
        if self.measured_ms > 0.0 { self.measured_bytes as f64 * 8.0 / self.measured_ms / 1_000.0 } else { 0.0 }
    }
}

/// Makes speed tests, one after another, since two at once would share the line.
#[derive(Debug)]
pub struct SpeedtestClient {
    tls: rustls::ClientConfig,
    options: SpeedtestOptions,
}

impl SpeedtestClient {
    /// A client that trusts whom `tls` trusts.
    ///
    /// # Errors
    /// A sentence, if no connection can be made by `tls`.
    pub fn new(tls: rustls::ClientConfig, options: SpeedtestOptions) -> Result<Self, String> {
        call::client(&tls)?;
        Ok(Self { tls, options })
    }

    /// Tests against one server: pings, then download, then upload, in about `2 * (warm_up + measured)` and a few
    /// seconds.
    ///
    /// Never fails: what went wrong is a [`Speedtest`] with status `failed` and a sentence, which keeps what was
    /// measured before. Needs a tokio runtime with time and I/O; dropping the future ends the test.
    pub async fn run(
        &mut self,
        server: &SpeedtestServer,
        id: SpeedtestId,
        agent_id: &AgentId,
        timestamp: Timestamp,
    ) -> SpeedtestOutcome {
        let started = Instant::now();
        let mut record = Speedtest {
            id,
            agent_id: agent_id.clone(),
            timestamp,
            status: SpeedtestStatus::Failed,
            error: None,
            provider: Some("librespeed".to_owned()),
            download_mbps: None,
            upload_mbps: None,
            download_bytes: None,
            upload_bytes: None,
            ping_ms: None,
            jitter_ms: None,
            // TCP repeats what is lost.
            packet_loss_percent: None,
            loaded_latency_ms: None,
            server_name: server.name.clone(),
            server_host: Some(server.host()),
            server_location: server.location.clone(),
            isp: None,
            external_ip: None,
            interface_name: None,
            duration_ms: None,
            result_url: None,
        };
        let mut figures = SpeedtestFigures::default();
        match self.measure(server, &mut record, &mut figures).await {
            Ok(()) => record.status = SpeedtestStatus::Completed,
            Err(error) => record.error = Some(error),
        }
        record.duration_ms = i64::try_from(started.elapsed().as_millis()).ok();
        SpeedtestOutcome { record: record.normalized(), figures }
    }

    async fn measure(
        &self,
        server: &SpeedtestServer,
        record: &mut Speedtest,
        figures: &mut SpeedtestFigures,
    ) -> Result<(), String> {
        // Apart, so that a ping never waits for a stream's connection; anew for each test, so that a test leaves no
        // connection behind.
        let (streams, pinging): (Client, Client) = (call::client(&self.tls)?, call::client(&self.tls)?);
        let clients = Clients { streams: &streams, pings: &pinging };
        let ping_count = self.options.ping_count.clamp(1, SpeedtestOptions::MAX_PINGS);
        let idle = pings::idle(&pinging, server, ping_count).await?;
        record.ping_ms = idle.median_ms();
        record.jitter_ms = idle.jitter_ms();
        figures.idle_pings_ms = pings::figures(&idle);
        let own = own_address::ask(&pinging, server).await;
        (record.external_ip, record.isp) = (own.address, own.isp);

        let download = load::measure(Direction::Download, clients, server, &self.options).await?;
        record.download_mbps = Some(download.mbps());
        record.download_bytes = i64::try_from(download.measured_bytes).ok();
        record.loaded_latency_ms = download.loaded_latency_ms;
        figures.download = Some(download);

        let upload = load::measure(Direction::Upload, clients, server, &self.options).await?;
        record.upload_mbps = Some(upload.mbps());
        record.upload_bytes = i64::try_from(upload.measured_bytes).ok();
        record.loaded_latency_ms =
            [record.loaded_latency_ms, upload.loaded_latency_ms].into_iter().flatten().reduce(f64::max);
        figures.upload = Some(upload);
        Ok(())
    }
}
