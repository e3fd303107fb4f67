use std::net::IpAddr;

use astranetmon_domain::{Timestamp, TracerouteId, TracerouteProtocol, TracerouteStatus};
use serde_json::Value;

use super::mtr::push_dense;
use super::ookla::rules;
use super::reader::{FieldRule, Part, Reader};
use super::{ForeignRow, content};
use crate::identity::derived_id;
use crate::{HopRow, TracerouteRow};

pub(super) const FIELDS: &[FieldRule] = rules! {
    "timestamp" => "timestamp" "seconds since 1970";
    "endtime" => "duration_ms" "(endtime − timestamp) × 1000";
    "dst_name" => "target" "";
    "dst_addr" => "target_ip" "";
    "af" => "ip_version" "";
    "proto" => "protocol" "in small letters";
    "result[].hop" => "hops.ttl" "255, where the probe skipped to, is left out";
    "result[].error" => "error" "";
    "result[].result[].from" => "hops.ip" "the address that answered most";
    "result[].result[].rtt" => "hops.rtt_min_ms, hops.rtt_avg_ms, hops.rtt_max_ms" "least, average and greatest of the hop";
    "result[].result[].x" => "hops.packet_loss_percent" "a packet that was sent and not answered";
    "result[].result[].err" => "reached" "an unreachable target was not reached";
    "result[].result[].error" => "error" "";
};

/// What the packets of one hop came to.
#[derive(Default)]
struct Answers {
    /// Address and round trip of each answer.
    from: Vec<(IpAddr, Option<f64>)>,
    sent: u32,
    received: u32,
    reached: bool,
    error: Option<String>,
}

pub(super) fn convert(document: &Value, reader: &mut Reader) -> Result<ForeignRow, String> {
    let part = Part::of_document(document);
    if document.get("result").is_some_and(Value::is_string) {
        return Err("a result as text, of a probe whose firmware is older than 4400".to_owned());
    }
    let seconds = reader.whole(part, "timestamp").ok_or("no timestamp, for example \"timestamp\": 1795433218")?;
    let timestamp = Timestamp::from_seconds(seconds);
    let target_ip = reader.text(part, "dst_addr").and_then(|text| text.parse::<IpAddr>().ok());
    let target = reader.text(part, "dst_name").or_else(|| target_ip.map(|address| address.to_string()));
    let target = target.ok_or("neither dst_name nor dst_addr, for example \"dst_name\": \"example.com\"")?;
    let protocol = reader.text(part, "proto").map(|text| text.to_ascii_lowercase());
    let protocol = protocol.as_deref().and_then(TracerouteProtocol::from_name);
    let protocol = protocol.ok_or("no proto: ICMP, UDP or TCP")?;
    let version = reader.whole(part, "af").and_then(|version| u8::try_from(version).ok());

    let mut hops: Vec<HopRow> = Vec::new();
    let mut error = None;
    let mut end = None;
    let mut reached = false;
    for hop in part.elements("result", "result[].") {
        error = error.or(reader.text(hop, "error"));
        let Some(ttl) = reader.whole(hop, "hop").and_then(|ttl| u8::try_from(ttl).ok()).filter(|&ttl| ttl > 0) else {
            continue;
        };
        let answers = answers(hop, target_ip, reader);
        error = error.or_else(|| answers.error.clone());
        let skipped_to = ttl == u8::MAX && hops.last().is_some_and(|last| last.ttl != Some(u8::MAX - 1));
        if answers.reached && !reached {
            reached = true;
            end = Some((average(&answers), loss(&answers)));
        }
        if !skipped_to && answers.sent > 0 {
            push_dense(&mut hops, row(ttl, &answers));
        }
    }
    let answered = hops.iter().any(|hop| hop.received_count.is_some_and(|count| count > 0));
    let status = match &error {
        _ if reached => TracerouteStatus::Completed,
        Some(_) if !answered => TracerouteStatus::Failed,
        _ => TracerouteStatus::Incomplete,
    };
    let end = end.unwrap_or_default();
    let duration = reader.whole(part, "endtime").and_then(|end| end.checked_sub(seconds)).filter(|&span| span >= 0);
    Ok(ForeignRow::Traceroute(Box::new(TracerouteRow {
        id: Some(TracerouteId(derived_id(timestamp, &[b"atlas", &content(document)]))),
        timestamp: Some(timestamp),
        target: Some(target),
        target_ip: target_ip.map(|address| address.to_string()),
        ip_version: version,
        protocol: Some(protocol),
        status: Some(status),
        error,
        reached: Some(reached),
        rtt_ms: end.0,
        packet_loss_percent: end.1,
        duration_ms: duration.map(|span| span.saturating_mul(1_000)),
        hops: Some(hops),
    })))
}

fn answers(hop: Part<'_>, target: Option<IpAddr>, reader: &mut Reader) -> Answers {
    let mut answers = Answers::default();
    for packet in hop.elements("result", "result[].result[].") {
        // A late answer belongs to a packet that was counted as lost; a second one to a packet that was answered.
        if ["late", "dup"].iter().any(|sign| packet.value.get(sign).is_some_and(|value| value != &Value::Bool(false))) {
            continue;
        }
        if let Some(error) = reader.text(packet, "error") {
            answers.error.get_or_insert(error);
            continue;
        }
        answers.sent += 1;
        reader.text(packet, "x");
        let Some(from) = reader.text(packet, "from").and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        let unreachable = reader.text(packet, "err").is_some_and(|code| matches!(code.as_str(), "N" | "H" | "A"));
        answers.received += 1;
        answers.reached |= Some(from) == target && !unreachable;
        answers.from.push((from, reader.measured(packet, "rtt")));
    }
    answers
}

/// The hop, with the address that answered most; the first of those that answered equally often.
fn row(ttl: u8, answers: &Answers) -> HopRow {
    let count = |address: IpAddr| answers.from.iter().filter(|(from, _)| *from == address).count();
    let main = answers.from.iter().rev().map(|(from, _)| *from).max_by_key(|&from| count(from));
    let round_trips = || answers.from.iter().filter_map(|(_, round_trip)| *round_trip);
    HopRow {
        ttl: Some(ttl),
        ip: main.map(|address| address.to_string()),
        rtt_min_ms: round_trips().reduce(f64::min),
        rtt_avg_ms: average(answers),
        rtt_max_ms: round_trips().reduce(f64::max),
        sent_count: Some(answers.sent),
        received_count: Some(answers.received),
        packet_loss_percent: loss(answers),
        ..HopRow::default()
    }
}

fn average(answers: &Answers) -> Option<f64> {
    let round_trips: Vec<f64> = answers.from.iter().filter_map(|(_, round_trip)| *round_trip).collect();
    let count = u32::try_from(round_trips.len()).ok().filter(|&count| count > 0)?;
    Some(round_trips.iter().sum::<f64>() / f64::from(count))
}

fn loss(answers: &Answers) -> Option<f64> {
    let sent = f64::from(answers.sent);
    (sent > 0.0).then(|| 100.0 * (1.0 - f64::from(answers.received) / sent))
}
