use astranetmon_domain::{Speedtest, SpeedtestId, SpeedtestStatus, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use super::{display, moment};
use crate::row::row;

/// Speed tests that one agent made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpeedtestBatch {
    /// At most 10,000 rows.
    pub speedtests: Vec<SpeedtestRow>,
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn status<S: Serializer>(status: &Option<SpeedtestStatus>, serializer: S) -> Result<S::Ok, S::Error> {
    status.map(SpeedtestStatus::as_str).serialize(serializer)
}

row! {
    /// One speed test. 1 Mbps is 10^6 bit/s; a field that is absent or `null` is unknown.
    SpeedtestRow {
        /// A UUID of version 7 that the sender made; sent again, it changes nothing.
        #[serde(serialize_with = "display")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, format = "uuid", example = "019ab123-4567-7abc-8def-0123456789ab"))]
        id: SpeedtestId,
        /// Start of the test.
        #[serde(serialize_with = "moment")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, format = DateTime, example = "2026-11-23T11:26:58.123Z"))]
        timestamp: Timestamp,
        /// `completed` if it measured, else `failed`.
        #[serde(serialize_with = "status")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, pattern = "^(completed|failed)$", example = "completed"))]
        status: SpeedtestStatus,
        /// Why it failed.
        error: String,
        /// What kind of server it was made against, such as `librespeed`.
        provider: String,
        /// In 10^6 bit/s.
        download_mbps: f64,
        /// In 10^6 bit/s.
        upload_mbps: f64,
        /// Received while it ran.
        download_bytes: i64,
        /// Sent while it ran.
        upload_bytes: i64,
        /// Round trip without load.
        ping_ms: f64,
        /// Variation of the round trip without load.
        jitter_ms: f64,
        /// Probes that did not come back.
        packet_loss_percent: f64,
        /// Round trip under load.
        loaded_latency_ms: f64,
        /// The server's own name.
        server_name: String,
        /// The server's host name or address.
        server_host: String,
        /// Where the server stands.
        server_location: String,
        /// The provider of the line.
        isp: String,
        /// The address that the server saw.
        external_ip: String,
        /// The interface that was used.
        interface_name: String,
        /// How long it took.
        duration_ms: i64,
        /// Where the provider shows the result; http or https.
        result_url: String,
    }
}

impl From<&Speedtest> for SpeedtestRow {
    fn from(test: &Speedtest) -> Self {
        let test = test.clone();
        Self {
            id: Some(test.id),
            timestamp: Some(test.timestamp),
            status: Some(test.status),
            error: test.error,
            provider: test.provider,
            download_mbps: test.download_mbps,
            upload_mbps: test.upload_mbps,
            download_bytes: test.download_bytes,
            upload_bytes: test.upload_bytes,
            ping_ms: test.ping_ms,
            jitter_ms: test.jitter_ms,
            packet_loss_percent: test.packet_loss_percent,
            loaded_latency_ms: test.loaded_latency_ms,
            server_name: test.server_name,
            server_host: test.server_host,
            server_location: test.server_location,
            isp: test.isp,
            external_ip: test.external_ip,
            interface_name: test.interface_name,
            duration_ms: test.duration_ms,
            result_url: test.result_url,
        }
    }
}
