use std::ops::RangeInclusive;

use astranetmon_domain::Speedtest;

use super::{
    LARGEST, LONGEST_DURATION, LONGEST_ROUND_TRIP, RowContext, WireRow, address, cleaned, float, required, timestamp,
    whole,
};
use crate::batch::Refusal;
use crate::wire::SpeedtestRow;

/// Longest text that is kept, in characters.
const TEXT: usize = 500;
/// 10 Tbit/s.
const RATE: RangeInclusive<f64> = 0.0..=10_000_000.0;
const ROUND_TRIP: RangeInclusive<f64> = 0.0..=LONGEST_ROUND_TRIP;

impl WireRow for SpeedtestRow {
    type Record = Speedtest;

    fn check(self, context: &RowContext<'_>) -> Result<Speedtest, Refusal> {
        Ok(Speedtest {
            id: required(self.id, "id", "send a UUID of version 7, such as \"019ab123-4567-7abc-8def-0123456789ab\"")?,
            agent_id: context.agent.clone(),
            timestamp: timestamp(self.timestamp, context.bounds)?,
            status: required(self.status, "status", "send \"completed\" or \"failed\"")?,
            error: cleaned(self.error, TEXT),
            provider: cleaned(self.provider, TEXT),
            download_mbps: float(self.download_mbps, 3, "download_mbps", &RATE)?,
            upload_mbps: float(self.upload_mbps, 3, "upload_mbps", &RATE)?,
            download_bytes: whole(self.download_bytes, "download_bytes", &(0..=LARGEST))?,
            upload_bytes: whole(self.upload_bytes, "upload_bytes", &(0..=LARGEST))?,
            ping_ms: float(self.ping_ms, 3, "ping_ms", &ROUND_TRIP)?,
            jitter_ms: float(self.jitter_ms, 3, "jitter_ms", &ROUND_TRIP)?,
            packet_loss_percent: float(self.packet_loss_percent, 2, "packet_loss_percent", &(0.0..=100.0))?,
            loaded_latency_ms: float(self.loaded_latency_ms, 3, "loaded_latency_ms", &ROUND_TRIP)?,
            server_name: cleaned(self.server_name, TEXT),
            server_host: cleaned(self.server_host, TEXT),
            server_location: cleaned(self.server_location, TEXT),
            isp: cleaned(self.isp, TEXT),
            external_ip: address(self.external_ip, "external_ip")?,
            interface_name: cleaned(self.interface_name, TEXT),
            duration_ms: whole(self.duration_ms, "duration_ms", &(0..=LONGEST_DURATION))?,
            result_url: url(self.result_url)?,
        })
    }
}

/// Pages show it as a link.
fn url(text: Option<String>) -> Result<Option<String>, Refusal> {
    let text = cleaned(text, TEXT);
    match &text {
        Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
            Err(Refusal::of("result_url", "must begin with https:// or http://"))
        }
        _ => Ok(text),
    }
}
