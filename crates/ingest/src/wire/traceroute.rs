use astranetmon_domain::{Hop, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus};
use serde::de::MapAccess;
use serde::{Deserialize, Serialize, Serializer};

use super::{display, moment};
use crate::row::{Field, Report, read_list, read_row, row};

/// Traceroutes that one agent made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TracerouteBatch {
    /// At most 10,000 rows.
    pub traceroutes: Vec<TracerouteRow>,
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn status<S: Serializer>(status: &Option<TracerouteStatus>, serializer: S) -> Result<S::Ok, S::Error> {
    status.map(TracerouteStatus::as_str).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn protocol<S: Serializer>(protocol: &Option<TracerouteProtocol>, serializer: S) -> Result<S::Ok, S::Error> {
    protocol.map(TracerouteProtocol::as_str).serialize(serializer)
}

row! {
    /// One traceroute. A field that is absent or `null` is unknown. The number of hops, the hash of the path and
    /// whether it changed are the server's to find.
    TracerouteRow {
        /// A UUID of version 7 that the sender made; sent again, it changes nothing.
        #[serde(serialize_with = "display")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, format = "uuid", example = "019ab123-4567-7abc-8def-0123456789ab"))]
        id: TracerouteId,
        /// Start of the trace.
        #[serde(serialize_with = "moment")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, format = DateTime, example = "2026-11-23T11:26:58.123Z"))]
        timestamp: Timestamp,
        /// As asked: a name or an address.
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, example = "example.com"))]
        target: String,
        /// What the name resolved to.
        target_ip: String,
        /// 4 or 6.
        ip_version: u8,
        /// `icmp`, `udp` or `tcp`.
        #[serde(serialize_with = "protocol")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, pattern = "^(icmp|udp|tcp)$", example = "icmp"))]
        protocol: TracerouteProtocol,
        /// `completed` if it reached its target, `incomplete` if it stopped before, `failed` if it could not run.
        #[serde(serialize_with = "status")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, pattern = "^(completed|incomplete|failed)$", example = "completed"))]
        status: TracerouteStatus,
        /// Why it failed.
        error: String,
        /// Whether the target answered; without it, whether it is `completed`.
        reached: bool,
        /// To the target.
        rtt_ms: f64,
        /// To the target.
        packet_loss_percent: f64,
        /// How long it took.
        duration_ms: i64,
        /// At most 255, each `ttl` one above the one before.
        hops: Vec<HopRow>,
    }
}

row! {
    /// One hop; one that did not answer keeps its row, `ip` absent or `null`.
    HopRow {
        /// Its distance, 1 to 255.
        #[cfg_attr(feature = "openapi", schema(value_type = u8, required = true, example = 1))]
        ttl: u8,
        /// Its address.
        ip: String,
        /// The name of the address.
        hostname: String,
        /// Number of the autonomous system of the address.
        #[cfg_attr(feature = "openapi", schema(format = Int64, maximum = 4_294_967_295_i64))]
        asn: u32,
        /// Name of the autonomous system.
        as_name: String,
        /// Least round trip.
        rtt_min_ms: f64,
        /// Average round trip.
        rtt_avg_ms: f64,
        /// Greatest round trip.
        rtt_max_ms: f64,
        /// Probes sent.
        #[cfg_attr(feature = "openapi", schema(value_type = u32, required = true, example = 3))]
        sent_count: u32,
        /// Answers that came.
        #[cfg_attr(feature = "openapi", schema(value_type = u32, required = true, example = 3))]
        received_count: u32,
        /// Probes that did not come back.
        packet_loss_percent: f64,
    }
}

impl Field for Vec<HopRow> {
    fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Result<Option<Self>, A::Error> {
        const ACCEPTED: &str = "must be a list of at most 255 hops";
        read_list(map, name, ACCEPTED, Traceroute::MAX_HOPS, report, |raw, report| read_row(raw, report.inside("hops")))
    }
}

impl From<&Hop> for HopRow {
    fn from(hop: &Hop) -> Self {
        let hop = hop.clone();
        Self {
            ttl: Some(hop.ttl),
            ip: hop.ip,
            hostname: hop.hostname,
            asn: hop.asn,
            as_name: hop.as_name,
            rtt_min_ms: hop.rtt_min_ms,
            rtt_avg_ms: hop.rtt_avg_ms,
            rtt_max_ms: hop.rtt_max_ms,
            sent_count: Some(hop.sent_count),
            received_count: Some(hop.received_count),
            packet_loss_percent: hop.packet_loss_percent,
        }
    }
}

impl From<&Traceroute> for TracerouteRow {
    fn from(trace: &Traceroute) -> Self {
        Self {
            id: Some(trace.id),
            timestamp: Some(trace.timestamp),
            target: Some(trace.target.clone()),
            target_ip: trace.target_ip.clone(),
            ip_version: trace.ip_version,
            protocol: Some(trace.protocol),
            status: Some(trace.status),
            error: trace.error.clone(),
            reached: Some(trace.reached),
            rtt_ms: trace.rtt_ms,
            packet_loss_percent: trace.packet_loss_percent,
            duration_ms: trace.duration_ms,
            hops: Some(trace.hops.iter().map(HopRow::from).collect()),
        }
    }
}
