use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::{AgentId, RecordPosition, Timestamp, TracerouteId, clean_text, round_to};

named! {
    /// What the probes were.
    TracerouteProtocol {
        /// ICMP echo.
        Icmp = "icmp",
        /// UDP datagrams.
        Udp = "udp",
        /// TCP SYN.
        Tcp = "tcp",
    }
}

named! {
    /// How a traceroute ended.
    TracerouteStatus {
        /// It reached its target.
        Completed = "completed",
        /// It stopped before its target.
        Incomplete = "incomplete",
        /// It could not run; `error` says why.
        Failed = "failed",
    }
}

/// One traceroute.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names carry the units; contract §5 lists them")]
pub struct Traceroute {
    pub id: TracerouteId,
    pub agent_id: AgentId,
    /// Start of the trace.
    pub timestamp: Timestamp,
    /// As asked: a name or an address.
    pub target: String,
    /// `None` when the name did not resolve.
    pub target_ip: Option<String>,
    /// 4 or 6.
    pub ip_version: Option<u8>,
    pub protocol: TracerouteProtocol,
    pub status: TracerouteStatus,
    pub error: Option<String>,
    pub reached: bool,
    /// To the target.
    pub rtt_ms: Option<f64>,
    /// To the target.
    pub packet_loss_percent: Option<f64>,
    /// Against the last trace of the same agent, target and protocol; `None` on the first. Written by storage.
    pub path_changed: Option<bool>,
    pub duration_ms: Option<i64>,
    /// Dense by `ttl`: a silent hop keeps its row with `ip` `None`.
    pub hops: Vec<Hop>,
}

/// One hop of a traceroute. Its serde form is how storage keeps it and equals the answer's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names carry the units; contract §5 lists them")]
pub struct Hop {
    pub ttl: u8,
    pub ip: Option<String>,
    pub hostname: Option<String>,
    pub asn: Option<u32>,
    pub as_name: Option<String>,
    pub rtt_min_ms: Option<f64>,
    pub rtt_avg_ms: Option<f64>,
    pub rtt_max_ms: Option<f64>,
    pub sent_count: u32,
    pub received_count: u32,
    pub packet_loss_percent: Option<f64>,
}

impl Traceroute {
    /// Where it stands in a list of traceroutes.
    #[must_use]
    pub fn position(&self) -> RecordPosition {
        RecordPosition { timestamp: self.timestamp, agent_id: self.agent_id.clone(), id: self.id.0 }
    }

    /// Most hops that are kept.
    pub const MAX_HOPS: usize = 255;

    /// The record as it is stored: time in whole milliseconds, floats at their scale, text cleaned and bounded.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.timestamp = self.timestamp.to_millis_precision();
        self.target = clean_text(&self.target, 253);
        self.target_ip = self.target_ip.map(|text| clean_text(&text, 64));
        self.error = self.error.map(|text| clean_text(&text, 500));
        self.rtt_ms = self.rtt_ms.and_then(|value| round_to(value, 3));
        self.packet_loss_percent = self.packet_loss_percent.and_then(|value| round_to(value, 2));
        self.hops.truncate(Self::MAX_HOPS);
        for hop in &mut self.hops {
            for value in [&mut hop.rtt_min_ms, &mut hop.rtt_avg_ms, &mut hop.rtt_max_ms] {
                *value = value.and_then(|value| round_to(value, 3));
            }
            hop.packet_loss_percent = hop.packet_loss_percent.and_then(|value| round_to(value, 2));
            for (text, max_chars) in [(&mut hop.ip, 64), (&mut hop.hostname, 253), (&mut hop.as_name, 200)] {
                if let Some(text) = text {
                    *text = clean_text(text, max_chars);
                }
            }
        }
        self
    }

    /// The fingerprint of the path, see [`path_hash`].
    #[must_use]
    pub fn path_hash(&self) -> String {
        path_hash(self.hops.iter().map(|hop| hop.ip.as_deref()))
    }
}

/// A fingerprint of a path: 16 hexadecimal digits over the ordered answering addresses, gaps kept.
///
/// 64-bit FNV-1a over each address followed by a line feed, a gap being an empty address. It tells paths apart; it
/// is no defence against somebody who wants two paths to look alike.
#[must_use]
pub fn path_hash<'a>(addresses: impl Iterator<Item = Option<&'a str>>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for address in addresses {
        for byte in address.unwrap_or_default().bytes().chain([b'\n']) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::path_hash;

    #[test]
    fn the_path_hash_keeps_order_and_gaps() {
        let hash = |path: &[Option<&str>]| path_hash(path.iter().copied());
        let path = [Some("10.0.0.1"), None, Some("192.0.2.1")];
        assert_eq!(hash(&path), hash(&path));
        assert_ne!(hash(&path), hash(&[Some("10.0.0.1"), Some("192.0.2.1")]));
        assert_ne!(hash(&path), hash(&[None, Some("10.0.0.1"), Some("192.0.2.1")]));
        assert_eq!(hash(&[]), "cbf29ce484222325");
    }
}
