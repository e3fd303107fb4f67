use std::net::IpAddr;

use astranetmon_domain::{AgentId, Timestamp, TracerouteId, TracerouteProtocol, TracerouteStatus};

use crate::identity::derived_id;
use crate::{HopRow, TracerouteRow};

/// The target whose round trips are an agent's latency.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LatencyTarget {
    url: String,
    seen_at: Timestamp,
}

/// One `ping` line.
#[derive(Clone, Debug)]
pub(super) struct Ping {
    pub(super) line: u32,
    pub(super) at: Timestamp,
    pub(super) url: String,
    pub(super) average_ms: Option<f64>,
    pub(super) minimum_ms: Option<f64>,
    pub(super) maximum_ms: Option<f64>,
    pub(super) deviation_ms: Option<f64>,
    pub(super) loss_percent: Option<f64>,
    pub(super) sent_count: Option<i64>,
    pub(super) received_count: Option<i64>,
    pub(super) result_code: Option<i64>,
}

impl LatencyTarget {
    /// How long a target that is not seen any more stays the first.
    const PATIENCE_SECONDS: i64 = 900;

    /// The target that counts for these lines: the one of before, while it is seen; else the first by name, since lines
    /// of one time come in no order.
    pub(super) fn choose(known: Option<&Self>, pings: &[Ping]) -> Option<Self> {
        let newest = pings.iter().map(|ping| ping.at).max();
        let Some(newest) = newest else { return known.cloned() };
        let seen = |url: &str| pings.iter().filter(|ping| ping.url == url).map(|ping| ping.at).max();
        if let Some(known) = known {
            let seen_at = seen(&known.url).unwrap_or(known.seen_at).max(known.seen_at);
            if seen_at.plus_seconds(Self::PATIENCE_SECONDS) >= newest {
                return Some(Self { url: known.url.clone(), seen_at });
            }
        }
        let url = pings.iter().map(|ping| &ping.url).min()?.clone();
        Some(Self { seen_at: seen(&url)?, url })
    }

    pub(super) fn is(&self, ping: &Ping) -> bool {
        self.url == ping.url
    }

    pub(super) fn byte_count(&self) -> usize {
        self.url.len() + size_of::<Self>()
    }
}

impl Ping {
    /// The line as a traceroute of one hop, as other targets than the first are kept.
    pub(super) fn one_hop(&self, agent: &AgentId) -> TracerouteRow {
        let address: Option<IpAddr> = self.url.parse().ok();
        let target_ip = address.map(|address| address.to_string());
        let failure = match self.result_code {
            Some(1) => Some("no such host"),
            Some(2) => Some("ping failed"),
            _ => None,
        };
        let reached = failure.is_none() && (self.average_ms.is_some() || self.received_count.is_some_and(|n| n > 0));
        let count = |count: Option<i64>| count.and_then(|count| u32::try_from(count).ok());
        let hop = HopRow {
            ttl: Some(1),
            ip: target_ip.clone().filter(|_| reached),
            hostname: Some(self.url.clone()).filter(|_| reached && address.is_none()),
            rtt_min_ms: self.minimum_ms,
            rtt_avg_ms: self.average_ms,
            rtt_max_ms: self.maximum_ms,
            sent_count: Some(count(self.sent_count).unwrap_or(1)),
            received_count: Some(count(self.received_count).unwrap_or(u32::from(reached))),
            packet_loss_percent: self.loss_percent,
            ..HopRow::default()
        };
        let id = derived_id(self.at, &[b"telegraf ping", agent.as_str().as_bytes(), self.url.as_bytes()]);
        TracerouteRow {
            id: Some(TracerouteId(id)),
            timestamp: Some(self.at),
            target: Some(self.url.clone()),
            target_ip,
            ip_version: address.map(|address| if address.is_ipv4() { 4 } else { 6 }),
            protocol: Some(TracerouteProtocol::Icmp),
            status: Some(match failure {
                Some(_) => TracerouteStatus::Failed,
                None if reached => TracerouteStatus::Completed,
                None => TracerouteStatus::Incomplete,
            }),
            error: failure.map(str::to_owned),
            reached: Some(reached),
            rtt_ms: self.average_ms,
            packet_loss_percent: self.loss_percent,
            hops: Some(if failure.is_some() { Vec::new() } else { vec![hop] }),
            ..TracerouteRow::default()
        }
    }
}
