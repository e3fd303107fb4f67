use std::net::IpAddr;

use astranetmon_domain::{Timestamp, TracerouteId, TracerouteProtocol, TracerouteStatus};
use serde_json::Value;

use super::ookla::rules;
use super::reader::{FieldRule, Part, Reader};
use super::{ForeignRow, content};
use crate::identity::derived_id;
use crate::{HopRow, TracerouteRow};

pub(super) const FIELDS: &[FieldRule] = rules! {
    "report.mtr.dst" => "target" "also target_ip, if it is an address";
    "report.hubs[].count" => "hops.ttl" "";
    "report.hubs[].host" => "hops.ip, hops.hostname" "an address or a name, or both; ??? is a silent hop";
    "report.hubs[].ASN" => "hops.asn" "the number behind AS";
    "report.hubs[].Loss%" => "hops.packet_loss_percent" "";
    "report.hubs[].Snt" => "hops.sent_count" "";
    "report.hubs[].Rcv" => "hops.received_count" "";
    "report.hubs[].Best" => "hops.rtt_min_ms" "unknown if nothing came back";
    "report.hubs[].Avg" => "hops.rtt_avg_ms" "unknown if nothing came back";
    "report.hubs[].Wrst" => "hops.rtt_max_ms" "unknown if nothing came back";
};

/// mtr writes neither when it ran nor what its probes were: ICMP, unless it was told otherwise.
pub(super) fn convert(document: &Value, reader: &mut Reader, at: Option<Timestamp>) -> Result<ForeignRow, String> {
    let part = Part::of_document(document);
    let timestamp = at.ok_or("mtr does not write when it ran: give the time")?;
    let target = reader.text(part, "report.mtr.dst").ok_or("no report.mtr.dst, for example \"example.com\"")?;
    let mut hops: Vec<HopRow> = Vec::new();
    for hub in part.elements("report.hubs", "report.hubs[].") {
        let hop = hop(hub, reader)?;
        push_dense(&mut hops, hop);
    }
    // It lists hops up to the one that was its target; where it did not get there, the last is silent.
    let last = hops.last().filter(|hop| hop.received_count.is_some_and(|count| count > 0));
    let reached = last.is_some();
    let address: Option<IpAddr> = target.parse().ok();
    let target_ip = address.map(|address| address.to_string()).or_else(|| last.and_then(|hop| hop.ip.clone()));
    let version = target_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
    Ok(ForeignRow::Traceroute(Box::new(TracerouteRow {
        id: Some(TracerouteId(derived_id(timestamp, &[b"mtr", &content(document)]))),
        timestamp: Some(timestamp),
        target: Some(target),
        target_ip,
        ip_version: version.map(|address| if address.is_ipv4() { 4 } else { 6 }),
        protocol: Some(TracerouteProtocol::Icmp),
        status: Some(if reached { TracerouteStatus::Completed } else { TracerouteStatus::Incomplete }),
        reached: Some(reached),
        rtt_ms: last.and_then(|hop| hop.rtt_avg_ms),
        packet_loss_percent: last.and_then(|hop| hop.packet_loss_percent),
        hops: Some(hops),
        ..TracerouteRow::default()
    })))
}

fn hop(hub: Part<'_>, reader: &mut Reader) -> Result<HopRow, String> {
    let count = reader.whole(hub, "count");
    let ttl = count.and_then(|count| u8::try_from(count).ok()).filter(|&ttl| ttl > 0);
    let ttl = ttl.ok_or("a hub without its count, from 1 to 255")?;
    let host = reader.text(hub, "host").filter(|host| host != "???");
    let (hostname, ip) = host.as_deref().map_or((None, None), name_and_address);
    let loss = reader.measured(hub, "Loss%").filter(|&loss| loss <= 100.0);
    let sent = reader.whole(hub, "Snt").and_then(|sent| u32::try_from(sent).ok()).unwrap_or(0);
    let received = reader.whole(hub, "Rcv").and_then(|received| u32::try_from(received).ok());
    let received = received.unwrap_or_else(|| loss.map_or(0, |loss| answered(sent, loss)));
    let mut round_trip = |name| reader.measured(hub, name).filter(|_| received > 0);
    let asn = |text: String| text.strip_prefix("AS").and_then(|number| number.trim().parse().ok());
    Ok(HopRow {
        ttl: Some(ttl),
        rtt_min_ms: round_trip("Best"),
        rtt_avg_ms: round_trip("Avg"),
        rtt_max_ms: round_trip("Wrst"),
        ip,
        hostname,
        asn: reader.text(hub, "ASN").and_then(asn),
        sent_count: Some(sent),
        received_count: Some(received),
        packet_loss_percent: loss,
        ..HopRow::default()
    })
}

/// `router.example (192.0.2.1)`, `192.0.2.1` or `router.example`.
fn name_and_address(host: &str) -> (Option<String>, Option<String>) {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(|address| address.to_string());
    if let Some((name, ip)) = host.strip_suffix(')').and_then(|rest| rest.rsplit_once('('))
        && let Some(ip) = address(ip.trim())
    {
        let name = name.trim();
        return (Some(name.to_owned()).filter(|name| !name.is_empty() && address(name).is_none()), Some(ip));
    }
    match address(host) {
        Some(ip) => (None, Some(ip)),
        None => (Some(host.to_owned()), None),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and `sent`")]
fn answered(sent: u32, loss_percent: f64) -> u32 {
    (f64::from(sent) * (1.0 - loss_percent / 100.0)).round() as u32
}

/// Adds a hop behind silent ones for those that are missing before it; one that is there already is left out.
pub(super) fn push_dense(hops: &mut Vec<HopRow>, hop: HopRow) {
    let (Some(ttl), last) = (hop.ttl, hops.last().and_then(|last| last.ttl)) else { return };
    if let Some(last) = last {
        if ttl <= last {
            return;
        }
        for missing in last + 1..ttl {
            let silent =
                HopRow { ttl: Some(missing), sent_count: Some(0), received_count: Some(0), ..HopRow::default() };
            hops.push(silent);
        }
    }
    hops.push(hop);
}
