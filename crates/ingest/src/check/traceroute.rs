use std::ops::RangeInclusive;

use astranetmon_domain::{Hop, Traceroute, TracerouteStatus};

use super::{
    LONGEST_DURATION, LONGEST_ROUND_TRIP, RowContext, WireRow, address, cleaned, count, float, required, timestamp,
    whole,
};
use crate::batch::Refusal;
use crate::wire::{HopRow, TracerouteRow};

const ROUND_TRIP: RangeInclusive<f64> = 0.0..=LONGEST_ROUND_TRIP;

impl WireRow for TracerouteRow {
    type Record = Traceroute;

    fn check(self, context: &RowContext<'_>) -> Result<Traceroute, Refusal> {
        let status = required(self.status, "status", "send \"completed\", \"incomplete\" or \"failed\"")?;
        Ok(Traceroute {
            id: required(self.id, "id", "send a UUID of version 7, such as \"019ab123-4567-7abc-8def-0123456789ab\"")?,
            agent_id: context.agent.clone(),
            timestamp: timestamp(self.timestamp, context.bounds)?,
            target: required(
                cleaned(self.target, 253),
                "target",
                "send a name or an address, such as \"example.com\"",
            )?,
            target_ip: address(self.target_ip, "target_ip")?,
            ip_version: ip_version(self.ip_version)?,
            protocol: required(self.protocol, "protocol", "send \"icmp\", \"udp\" or \"tcp\"")?,
            status,
            error: cleaned(self.error, 500),
            reached: self.reached.unwrap_or(status == TracerouteStatus::Completed),
            rtt_ms: float(self.rtt_ms, 3, "rtt_ms", &ROUND_TRIP)?,
            packet_loss_percent: float(self.packet_loss_percent, 2, "packet_loss_percent", &(0.0..=100.0))?,
            path_changed: None,
            duration_ms: whole(self.duration_ms, "duration_ms", &(0..=LONGEST_DURATION))?,
            hops: hops(self.hops.unwrap_or_default())?,
        })
    }
}

fn ip_version(version: Option<u8>) -> Result<Option<u8>, Refusal> {
    match version {
        None | Some(4 | 6) => Ok(version),
        Some(_) => Err(Refusal::of("ip_version", "must be 4, 6 or null")),
    }
}

fn hops(rows: Vec<HopRow>) -> Result<Vec<Hop>, Refusal> {
    if rows.len() > Traceroute::MAX_HOPS {
        return Err(Refusal::of("hops", "must be a list of at most 255 hops"));
    }
    let mut hops: Vec<Hop> = Vec::with_capacity(rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        let before = hops.last().map(|hop| hop.ttl);
        hops.push(hop(row, before).map_err(|refusal| refusal.inside(&format!("hops[{index}]")))?);
    }
    Ok(hops)
}

fn hop(row: HopRow, before: Option<u8>) -> Result<Hop, Refusal> {
    let ttl = required(row.ttl, "ttl", "send its distance, from 1 to 255")?;
    match before {
        _ if ttl == 0 => return Err(Refusal::of("ttl", "must be from 1 to 255")),
        Some(before) if before.checked_add(1) != Some(ttl) => {
            return Err(Refusal::of("ttl", "must be one above that of the hop before: a silent hop keeps its row"));
        }
        _ => {}
    }
    Ok(Hop {
        ttl,
        ip: address(row.ip, "ip")?,
        hostname: cleaned(row.hostname, 253),
        asn: row.asn,
        as_name: cleaned(row.as_name, 200),
        rtt_min_ms: float(row.rtt_min_ms, 3, "rtt_min_ms", &ROUND_TRIP)?,
        rtt_avg_ms: float(row.rtt_avg_ms, 3, "rtt_avg_ms", &ROUND_TRIP)?,
        rtt_max_ms: float(row.rtt_max_ms, 3, "rtt_max_ms", &ROUND_TRIP)?,
        sent_count: required(
            count(row.sent_count, "sent_count")?,
            "sent_count",
            "send how many probes it was sent, such as 3",
        )?,
        received_count: required(
            count(row.received_count, "received_count")?,
            "received_count",
            "send how many of them it answered, such as 3",
        )?,
        packet_loss_percent: float(row.packet_loss_percent, 2, "packet_loss_percent", &(0.0..=100.0))?,
    })
}
