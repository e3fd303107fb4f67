//! A trace as a table of hops.

use astranetmon_domain::{Hop, Timestamp, Traceroute, TracerouteStatus};

use super::comparison::{Change, compare};
use crate::format::{self, Moment, UNKNOWN};

/// A trace, ready to be shown with what changed since the one before.
pub(crate) struct TraceView {
    pub(crate) id: String,
    pub(crate) target: String,
    pub(crate) target_ip: Option<String>,
    pub(crate) protocol: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<String>,
    pub(crate) at: Moment,
    pub(crate) full_time: String,
    pub(crate) rtt: String,
    pub(crate) loss: String,
    pub(crate) hop_count: usize,
    /// `6 hops · 2.96 ms · 0 % loss`, of what is known.
    pub(crate) facts: String,
    pub(crate) hops: Vec<HopView>,
    /// The trace it is compared with: address and time.
    pub(crate) before: Option<(String, Moment)>,
    /// What changed, in a sentence.
    pub(crate) summary: String,
    pub(crate) is_changed: bool,
}

/// How a trace ended, as a badge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) word: &'static str,
    pub(crate) class: &'static str,
}

impl Outcome {
    pub(crate) const fn of(status: TracerouteStatus) -> Self {
        let (word, class) = match status {
            TracerouteStatus::Completed => ("reached", "ok"),
            TracerouteStatus::Incomplete => ("incomplete", "warn"),
            TracerouteStatus::Failed => ("failed", "bad"),
        };
        Self { word, class }
    }
}

/// A row of the table.
pub(crate) struct HopView {
    pub(crate) ttl: u8,
    pub(crate) change: Change,
    pub(crate) is_silent: bool,
    /// Host name, else address.
    pub(crate) name: String,
    /// Address, where there is a host name.
    pub(crate) address: Option<String>,
    /// What answered here before, where it was another.
    pub(crate) before: Option<String>,
    /// `AS13335 CLOUDFLARENET`
    pub(crate) network: String,
    pub(crate) loss: String,
    /// Length of the loss's bar in percent of its track.
    pub(crate) loss_width: String,
    pub(crate) has_loss: bool,
    /// Minimum, average, maximum.
    pub(crate) times: [String; 3],
    /// Start and length of the bar from minimum to maximum, and the place of the average, in percent of its track.
    pub(crate) bar: Option<[String; 3]>,
}

impl TraceView {
    pub(crate) fn of(trace: &Traceroute, before: Option<&Traceroute>, now: Timestamp) -> Self {
        let compared = compare(&trace.hops, before.map(|before| before.hops.as_slice()));
        let slowest = trace.hops.iter().filter_map(|hop| hop.rtt_max_ms).fold(0.0, f64::max);
        let hops: Vec<_> = compared.iter().map(|row| HopView::of(row.hop, row.change, row.before, slowest)).collect();
        let with = |change: Change| hops.iter().filter(|hop| hop.change == change).count();
        let parts =
            [(with(Change::Changed), "changed"), (with(Change::Added), "added"), (with(Change::Removed), "removed")];
        let changes: Vec<_> =
            parts.into_iter().filter(|&(count, _)| count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let is_changed = !changes.is_empty();
        let summary = match before {
            None => "The first trace to this target: nothing to compare with".to_owned(),
            Some(_) if is_changed => format!("Hops: {}", changes.join(", ")),
            Some(_) => "The same path as before".to_owned(),
        };
        Self {
            id: trace.id.to_string(),
            target: trace.target.clone(),
            target_ip: trace.target_ip.clone().filter(|ip| *ip != trace.target),
            protocol: protocol_name(trace),
            outcome: Outcome::of(trace.status),
            error: trace.error.clone(),
            at: Moment::of(trace.timestamp, now),
            full_time: format::full_time(trace.timestamp),
            rtt: format::or_unknown(trace.rtt_ms, format::milliseconds),
            loss: format::or_unknown(trace.packet_loss_percent, format::percent),
            hop_count: trace.hops.len(),
            facts: facts(trace),
            hops,
            before: before.map(|before| (before.id.to_string(), Moment::of(before.timestamp, now))),
            summary,
            is_changed,
        }
    }
}

fn facts(trace: &Traceroute) -> String {
    let hops = match trace.hops.len() {
        1 => "1 hop".to_owned(),
        count => format!("{count} hops"),
    };
    let loss = trace.packet_loss_percent.map(|loss| format!("{} loss", format::percent(loss)));
    let known = [Some(hops), trace.rtt_ms.map(format::milliseconds), loss];
    known.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `ICMP`
pub(crate) fn protocol_name(trace: &Traceroute) -> &'static str {
    use astranetmon_domain::TracerouteProtocol::{Icmp, Tcp, Udp};
    match trace.protocol {
        Icmp => "ICMP",
        Udp => "UDP",
        Tcp => "TCP",
    }
}

impl HopView {
    fn of(hop: &Hop, change: Change, before: Option<&Hop>, slowest_ms: f64) -> Self {
        let time = |value: Option<f64>| format::or_unknown(value, format::short);
        let share = |value: f64| if slowest_ms > 0.0 { (100.0 * value / slowest_ms).clamp(0.0, 100.0) } else { 0.0 };
        let bar = match (hop.rtt_min_ms, hop.rtt_avg_ms, hop.rtt_max_ms) {
            (Some(min), Some(avg), Some(max)) if change != Change::Removed => {
                let length = (share(max) - share(min)).max(1.0);
                Some([share(min).min(99.0), length, share(avg).min(99.0)].map(|part| format!("{part:.1}%")))
            }
            _ => None,
        };
        let network = match (hop.asn, hop.as_name.as_deref()) {
            (Some(asn), Some(name)) => format!("AS{asn} {name}"),
            (Some(asn), None) => format!("AS{asn}"),
            (None, Some(name)) => name.to_owned(),
            (None, None) => String::new(),
        };
        let loss = hop.packet_loss_percent;
        Self {
            ttl: hop.ttl,
            change,
            is_silent: hop.ip.is_none(),
            name: host(hop),
            address: hop.hostname.as_ref().and(hop.ip.clone()),
            before: before.map(host),
            network,
            loss: loss.map_or_else(|| UNKNOWN.to_owned(), |loss| format!("{loss:.0}\u{a0}%")),
            loss_width: format!("{:.0}%", loss.unwrap_or(0.0).clamp(0.0, 100.0)),
            has_loss: loss.is_some_and(|loss| loss > 0.0),
            times: [time(hop.rtt_min_ms), time(hop.rtt_avg_ms), time(hop.rtt_max_ms)],
            bar,
        }
    }
}

/// Host name, else address, else that nothing answered.
fn host(hop: &Hop) -> String {
    let name = hop.hostname.as_ref().or(hop.ip.as_ref());
    name.map_or_else(|| "no answer".to_owned(), Clone::clone)
}
